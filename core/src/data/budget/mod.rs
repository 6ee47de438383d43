//! Who may cause how much work: a token bucket for each sender, asked before any hash and any curve arithmetic.
//!
//! In go the senders of a batch, and later what their frames cost and whether they proved themselves; out comes a bit
//! for each frame whose sender has spent its budget. A sender is the address that a datagram came from, as the edge
//! tells it by an index, never the origin that a frame claims: what is forged in somebody's name is paid by the
//! forger. What can never happen: memory that grows with the number of senders.
//!
//! | what | price |
//! |---|---|
//! | a frame that is refused before hashing: damaged, unknown, seen before | nothing |
//! | a frame of a root that is known | a sixteenth of a check |
//! | a frame whose signature must be checked, and any ping, pong or control frame | a check |
//! | the first check of a key that is not known yet | 64 checks, of all strangers' account besides, whoever sent it |
//! | a frame whose signature does not hold | as many checks as the rates say, often hundreds |
//!
//! Peers have an account each. A stranger, any other address, has one that it shares with whoever hashes to the same
//! place, and all strangers together have one more. An account that is empty refuses until time has filled it
//! again; it may be overdrawn by one wave of batches, which it then makes up for.

mod rates;

use alloc::boxed::Box;
use alloc::vec;

pub use rates::{Limits, Rate};

use super::batch::bits;
use crate::limits::OFFENDERS_MAX;
use crate::reject::Reject;
use rates::{ABSENCE_MICROS_MAX, Prices, STRANGERS_SHARE};

/// Where a sender stands in the [`Budgets`]: peers first, then the places of strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Sender(pub u32);

/// How a sender behaved so far, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderScore {
    /// Frames that were new and proved themselves.
    pub good: u64,
    /// Frames whose signature did not hold.
    pub bad: u64,
    /// Frames that were refused unread, for the budget was spent.
    pub refused: u64,
}

impl SenderScore {
    /// How bad it was: frames that were refused, or should have been.
    pub const fn score(&self) -> u64 {
        self.bad + self.refused
    }
}

/// One sender's tokens and score, on a cache line of its own.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Account {
    tokens: i64,
    /// When it was filled last, microseconds.
    filled: u64,
    score: SenderScore,
}

const _: () = assert!(size_of::<Account>() == 64 && OFFENDERS_MAX > 0);

impl Account {
    const fn new(prices: &Prices) -> Self {
        Self { tokens: prices.full, filled: 0, score: SenderScore { good: 0, bad: 0, refused: 0 } }
    }

    /// Adds what has come since the last time, and says whether anything is there. A clock that steps back brings
    /// nothing for that once.
    #[inline]
    fn has_tokens(&mut self, prices: &Prices, now_micros: u64) -> bool {
        let passed = now_micros.saturating_sub(self.filled).min(ABSENCE_MICROS_MAX);
        self.filled = now_micros;
        self.tokens = prices.full.min(self.tokens + passed as i64 * prices.refill);
        self.tokens > 0
    }
}

/// Frames of a batch whose senders have spent what they had: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// The sender's own account is empty.
    pub by_sender: u64,
    /// The account of all strangers is.
    pub by_strangers: u64,
}

impl Refused {
    /// Both.
    pub fn mask(&self) -> u64 {
        self.by_sender | self.by_strangers
    }
}

/// What became of a batch's frames: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Was hashed.
    pub hashed: u64,
    /// Among those, made a signature be checked, or is no frame of cells.
    pub checked: u64,
    /// Among the hashed, proved itself.
    pub good: u64,
}

/// Every sender's account.
#[derive(Clone, Debug)]
pub struct Budgets {
    accounts: Box<[Account]>,
    peers: u32,
    peer: Prices,
    stranger: Prices,
    /// The account of all strangers together.
    strangers: Account,
    strangers_prices: Prices,
    /// Senders with bad or refused frames, the worst that were met, in no order.
    worst: [Sender; OFFENDERS_MAX],
    worst_len: usize,
}

impl Budgets {
    /// Full accounts for `peers` peers and `strangers` places of strangers; 64 bytes each, and no more memory ever.
    ///
    /// # Panics
    /// When a rate is not [sound](Rate::is_sound).
    pub fn new(limits: &Limits, peers: u32, strangers: u32) -> Self {
        let (peer, all) = (Prices::new(limits.peer), Prices::new(limits.strangers));
        let one = Prices { bad: all.bad * STRANGERS_SHARE, ..all };
        Self::with([peer, one, all], peers, strangers)
    }

    /// One sender, `Sender(0)`, that is never refused: for tests, benches and whoever trusts what comes.
    pub fn unlimited() -> Self {
        Self::with([Prices::FREE; 3], 1, 0)
    }

    fn with([peer, stranger, strangers_prices]: [Prices; 3], peers: u32, strangers: u32) -> Self {
        let mut accounts = vec![Account::new(&peer); peers as usize];
        accounts.resize((peers + strangers) as usize, Account::new(&stranger));
        assert!(stranger.bad >= strangers_prices.bad, "one stranger alone pays no less than all of them");
        Self {
            accounts: accounts.into_boxed_slice(),
            peers,
            peer,
            stranger,
            strangers: Account::new(&strangers_prices),
            strangers_prices,
            worst: [Sender(0); OFFENDERS_MAX],
            worst_len: 0,
        }
    }

    /// Which frames are to be refused, given who sent each. Counts them on their senders.
    ///
    /// # Panics
    /// When a sender is none of those that the budgets were made for.
    #[inline]
    pub fn refuse(&mut self, senders: &[Sender], now_micros: u64) -> Refused {
        let mut refused = Refused::default();
        let mut at = 0;
        // Trains come whole, so a batch has few senders, and each is asked once a train.
        for run in senders.chunk_by(PartialEq::eq) {
            let frames = ((1_u128 << run.len()) - 1) as u64;
            match self.turn_away(run[0], run.len() as u64, now_micros) {
                None => {}
                Some(Reject::OverBudget) => refused.by_sender |= frames << at,
                Some(_) => refused.by_strangers |= frames << at,
            }
            at += run.len();
        }
        debug_assert!(
            at == senders.len() && refused.by_sender & refused.by_strangers == 0,
            "one reason a frame"
        );
        refused
    }

    /// Why `frames` of `sender` are to be refused, if they are: [`Reject::OverBudget`] or
    /// [`Reject::StrangersOverBudget`]. Then they are counted on their sender.
    ///
    /// # Panics
    /// When there is no such sender.
    #[inline]
    pub fn turn_away(&mut self, sender: Sender, frames: u64, now_micros: u64) -> Option<Reject> {
        let is_peer = self.is_peer(sender);
        let account = &mut self.accounts[sender.0 as usize];
        let prices = if is_peer { &self.peer } else { &self.stranger };
        let reject = if !account.has_tokens(prices, now_micros) {
            Reject::OverBudget
        } else if !is_peer && !self.strangers.has_tokens(&self.strangers_prices, now_micros) {
            Reject::StrangersOverBudget
        } else {
            return None;
        };
        account.score.refused += frames;
        if account.score.refused == frames {
            self.blame(sender);
        }
        Some(reject)
    }

    /// Lets the senders of a batch pay for what their frames cost.
    pub fn settle(&mut self, senders: &[Sender], proof: &Proof) {
        assert!((proof.checked | proof.good) & !proof.hashed == 0, "nothing is checked unhashed: {proof:?}");
        for i in bits(proof.hashed) {
            let (sender, [checked, good]) =
                (senders[i], [proof.checked, proof.good].map(|m| m >> i & 1 == 1));
            let is_peer = self.is_peer(sender);
            let account = &mut self.accounts[sender.0 as usize];
            if is_peer {
                account.tokens -= self.peer.of_frame(checked, good);
            } else {
                account.tokens -= self.stranger.of_frame(checked, good);
                self.strangers.tokens -= self.strangers_prices.of_frame(checked, good);
            }
            if good {
                account.score.good += 1;
            } else {
                account.score.bad += 1;
                self.blame(sender);
            }
        }
    }

    /// Takes the price of admitting a key that is not known yet and checking a signature by it, from `sender` and from
    /// all strangers, peer or not: unknown signers have a budget apart. The price is paid whatever comes of it.
    ///
    /// # Errors
    /// Whose account is empty: [`Reject::OverBudget`] or [`Reject::StrangersOverBudget`]. Then nothing is to be
    /// checked; the refusal is counted on the sender.
    ///
    /// # Panics
    /// When there is no such sender.
    pub fn admit_unknown(&mut self, sender: Sender, now_micros: u64) -> Result<(), Reject> {
        if let Some(reject) = self.turn_away(sender, 1, now_micros) {
            return Err(reject);
        }
        let is_peer = self.is_peer(sender);
        let account = &mut self.accounts[sender.0 as usize];
        if !self.strangers.has_tokens(&self.strangers_prices, now_micros) {
            account.score.refused += 1;
            return Err(Reject::StrangersOverBudget);
        }
        account.tokens -= if is_peer { self.peer.unknown } else { self.stranger.unknown };
        self.strangers.tokens -= self.strangers_prices.unknown;
        debug_assert!(self.strangers.tokens <= self.strangers_prices.full);
        Ok(())
    }

    /// Whether the sender is a peer, not a place of strangers.
    #[inline]
    pub fn is_peer(&self, sender: Sender) -> bool {
        sender.0 < self.peers
    }

    /// How a sender behaved so far.
    ///
    /// # Panics
    /// When there is no such sender.
    pub fn score(&self, sender: Sender) -> SenderScore {
        self.accounts[sender.0 as usize].score
    }

    /// A peer's place stands for another peer from now on: the one before owes it nothing, and is blamed there no more. Nothing
    /// happens if there is no such peer.
    pub fn renew(&mut self, peer: Sender) {
        if !self.is_peer(peer) {
            return;
        }
        self.accounts[peer.0 as usize] = Account::new(&self.peer);
        let blamed = self.worst[..self.worst_len].iter().position(|worst| *worst == peer);
        if let Some(at) = blamed {
            self.worst_len -= 1;
            self.worst.swap(at, self.worst_len);
        }
        debug_assert!(!self.worst[..self.worst_len].contains(&peer), "{peer:?} is blamed once");
    }

    /// Up to [`OFFENDERS_MAX`] senders of bad or refused frames, in no order: the worst of those that were met.
    pub fn offenders(&self) -> impl Iterator<Item = (Sender, SenderScore)> + '_ {
        self.worst[..self.worst_len].iter().map(|&sender| (sender, self.score(sender)))
    }

    /// Keeps `sender` among the worst if it belongs there.
    #[cold]
    fn blame(&mut self, sender: Sender) {
        let worst = &self.worst[..self.worst_len];
        debug_assert!(self.score(sender).score() > 0, "{sender:?} did nothing wrong");
        if worst.contains(&sender) {
            return;
        }
        if self.worst_len < OFFENDERS_MAX {
            self.worst[self.worst_len] = sender;
            self.worst_len += 1;
            return;
        }
        let score = |sender: Sender| self.score(sender).score();
        let least = (0..OFFENDERS_MAX).min_by_key(|&i| score(self.worst[i])).expect("the list is full");
        if score(sender) > score(self.worst[least]) {
            self.worst[least] = sender;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rates::{CHECK, FILL_MICROS, HASH};
    use super::*;
    use crate::limits::BATCH_MAX;
    use proptest::prelude::*;

    const PEER: Rate = Rate { checks_per_sec: 1_000, bad_per_sec: 10 };
    const STRANGERS: Rate = Rate { checks_per_sec: 400, bad_per_sec: 8 };
    /// Two peers, then two places of strangers.
    const STRANGER: Sender = Sender(2);
    const NOW: u64 = 1_800_000_000_000_000;

    fn budgets() -> Budgets {
        Budgets::new(&Limits { peer: PEER, strangers: STRANGERS }, 2, 2)
    }

    /// One frame of `sender`, if it is let through: `good` or not, after a check.
    fn send(budgets: &mut Budgets, sender: Sender, good: bool, now: u64) -> bool {
        let admitted = budgets.refuse(&[sender], now).mask() == 0;
        if admitted {
            budgets.settle(&[sender], &Proof { hashed: 1, checked: 1, good: good.into() });
        }
        admitted
    }

    /// How many of `count` frames, `gap` microseconds apart, are let through.
    fn flood(budgets: &mut Budgets, sender: Sender, good: bool, count: u64, gap: u64) -> u64 {
        (0..count).filter(|i| send(budgets, sender, good, NOW + i * gap)).count() as u64
    }

    #[test]
    fn whoever_gets_anothers_place_gets_neither_its_debts_nor_its_name() {
        let mut budgets = budgets();
        assert!(flood(&mut budgets, Sender(0), false, 100, 1) < 100);
        assert!(flood(&mut budgets, Sender(1), false, 100, 1) < 100);
        assert!(!send(&mut budgets, Sender(0), true, NOW + 100));
        budgets.renew(Sender(0));
        assert!(send(&mut budgets, Sender(0), true, NOW + 100), "a full account");
        assert_eq!(budgets.score(Sender(0)).bad, 0);
        assert!(budgets.offenders().map(|(sender, _)| sender).eq([Sender(1)]));
        assert!(!send(&mut budgets, Sender(1), true, NOW + 100), "others are where they were");
        flood(&mut budgets, STRANGER, false, 100, 1);
        let before = budgets.score(STRANGER);
        budgets.renew(STRANGER);
        assert_eq!(budgets.score(STRANGER), before, "strangers have no places of their own");
    }

    #[test]
    fn a_forger_is_refused_after_a_handful_and_then_held_to_its_rate() {
        let mut budgets = budgets();
        // The first second holds a full account besides: a quarter of a second's.
        assert_eq!(flood(&mut budgets, Sender(0), false, 1_000_000, 1), 3 + 10);
        let score = budgets.score(Sender(0));
        assert_eq!(score, SenderScore { good: 0, bad: 13, refused: 1_000_000 - 13 });
    }

    #[test]
    fn a_stranger_alone_gets_a_quarter_of_what_all_of_them_get() {
        let alone = flood(&mut budgets(), STRANGER, false, 1_000_000, 1);
        assert!((2..=3).contains(&alone), "two a second and the first, not {alone}");
    }

    #[test]
    fn strangers_together_exhaust_their_common_budget_and_no_peers() {
        let mut budgets = Budgets::new(&Limits { peer: PEER, strangers: STRANGERS }, 1, 1_000);
        let crowd: u64 = (1..=1_000).map(|i| u64::from(send(&mut budgets, Sender(i), false, NOW))).sum();
        assert!((2..=3).contains(&crowd), "a quarter of a second's, not {crowd}");
        assert_eq!(budgets.refuse(&[Sender(1_000)], NOW).by_strangers, 1);
        assert!(send(&mut budgets, Sender(0), true, NOW), "a peer has an account of its own");
        assert!(send(&mut budgets, Sender(1_000), true, NOW + 1_000_000), "time fills the account");
    }

    #[test]
    fn one_senders_spending_is_nobody_elses() {
        let mut budgets = budgets();
        flood(&mut budgets, Sender(0), false, 1_000, 1);
        assert!(!send(&mut budgets, Sender(0), true, NOW + 1_000));
        assert!(send(&mut budgets, Sender(1), true, NOW + 1_000));
        assert!(send(&mut budgets, STRANGER, true, NOW + 1_000));
    }

    #[test]
    fn good_signatures_are_held_to_the_generous_rate() {
        let sent = flood(&mut budgets(), Sender(0), true, 1_000_000, 1);
        let dearest = 1_000_000 * (250 + 1_000) / (CHECK + HASH) as u64;
        assert!(sent.abs_diff(dearest) <= 1, "{sent}, not {dearest}");
    }

    #[test]
    fn frames_of_known_roots_cost_a_sixteenth() {
        let mut budgets = budgets();
        let mut sent = 0;
        while budgets.refuse(&[Sender(0)], NOW).mask() == 0 {
            budgets.settle(&[Sender(0)], &Proof { hashed: 1, checked: 0, good: 1 });
            sent += 1;
        }
        assert_eq!(sent, 16 * 250);
    }

    #[test]
    fn what_is_refused_before_hashing_costs_nothing() {
        let mut budgets = budgets();
        for _ in 0..1_000_000 {
            assert_eq!(budgets.refuse(&[Sender(0)], NOW), Refused::default());
            budgets.settle(&[Sender(0)], &Proof::default());
        }
    }

    #[test]
    fn unknown_signers_have_a_budget_apart_whoever_brings_them() {
        let mut budgets = Budgets::new(&Limits::default(), 2, 1);
        let mut admitted = 0;
        while budgets.admit_unknown(Sender(0), NOW).is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, 50_000 / 4 / 64 + 1, "a quarter of a second's, and the last one overdraws");
        let of_another = budgets.admit_unknown(Sender(1), NOW);
        assert_eq!(of_another, Err(Reject::StrangersOverBudget), "another peer draws on the same");
        assert!(send(&mut budgets, Sender(0), true, NOW), "what is known is not held up");
        assert!(budgets.admit_unknown(Sender(1), NOW + 10_000).is_ok(), "time fills the account");
        assert_eq!(budgets.score(Sender(1)), SenderScore { good: 0, bad: 0, refused: 1 });
    }

    #[test]
    fn each_sender_pays_for_its_own_frames() {
        let mut budgets = budgets();
        let senders = [Sender(0), Sender(1), STRANGER, Sender(1)];
        budgets.settle(&senders, &Proof { hashed: 0b1011, checked: 0b1010, good: 0b1001 });
        let scores = [Sender(0), Sender(1), STRANGER].map(|sender| {
            let SenderScore { good, bad, refused } = budgets.score(sender);
            (good, bad, refused)
        });
        assert_eq!(scores, [(1, 0, 0), (1, 1, 0), (0, 0, 0)]);
    }

    #[test]
    fn refusals_are_placed_by_frame() {
        let mut budgets = budgets();
        flood(&mut budgets, Sender(1), false, 100, 1);
        flood(&mut budgets, STRANGER, false, 100, 1);
        let mut senders = [Sender(0); BATCH_MAX];
        senders[5..9].fill(Sender(1));
        senders[60..].fill(STRANGER);
        let refused = budgets.refuse(&senders, NOW + 100);
        assert_eq!(refused.mask(), 0b1111 << 5 | 0b1111 << 60);
        assert_eq!(budgets.refuse(&[Sender(1); BATCH_MAX], NOW + 100).by_sender, u64::MAX);
    }

    #[test]
    fn a_clock_that_steps_back_neither_fills_nor_locks_an_account() {
        let mut budgets = budgets();
        flood(&mut budgets, Sender(0), false, 100, 1);
        assert!(!send(&mut budgets, Sender(0), true, NOW - 3_600_000_000));
        assert!(send(&mut budgets, Sender(0), true, NOW - 3_599_000_000), "a second later it has filled");
        assert!(send(&mut budgets, Sender(0), true, u64::MAX), "no absence overflows");
    }

    #[test]
    fn the_worst_stay_on_the_list() {
        let mut budgets = Budgets::new(&Limits::default(), 100, 0);
        for sender in 0..100 {
            // Sender n sends n bad frames, one of them first, so that the list is full of others.
            let frames = (1_u64 << (sender % 60)) - 1;
            budgets.settle(&[Sender(sender); BATCH_MAX], &Proof { hashed: frames, checked: 0, good: 0 });
        }
        let mut bad: std::vec::Vec<u64> = budgets.offenders().map(|(_, score)| score.bad).collect();
        bad.sort_unstable();
        assert_eq!(bad, (44..60).collect::<std::vec::Vec<_>>());
    }

    #[test]
    fn the_unlimited_are_accounted_for_and_never_refused() {
        let mut budgets = Budgets::unlimited();
        assert_eq!(flood(&mut budgets, Sender(0), false, 1_000, 0), 1_000);
        assert_eq!(budgets.score(Sender(0)).bad, 1_000);
    }

    proptest! {
        /// In any span of time nobody gets more through than a full account, the rate, and a batch of overdraft.
        #[test]
        fn nobody_exceeds_its_rate(
            gaps in prop::collection::vec(0..20_000_u64, 1..400),
            good in prop::collection::vec(any::<bool>(), 400),
            sender in 0..4_u32,
        ) {
            let mut budgets = budgets();
            let (mut now, mut bad) = (NOW, 0);
            for (gap, good) in gaps.iter().zip(good) {
                now += gap;
                bad += u64::from(send(&mut budgets, Sender(sender), good, now) && !good);
            }
            let rate = if sender < 2 { 10 } else { 2 };
            let most = 1 + rate * (now - NOW + FILL_MICROS as u64).div_ceil(1_000_000);
            prop_assert!(bad <= most, "{bad} bad frames, where {most} are allowed");
        }
    }
}
