//! What members may still say against others: an accusation that is refuted costs its author.
//!
//! In come accusations by author, and what became of them; out comes whether one more is heeded. An account is a time: until when
//! what was spent comes back (GCRA). What can never happen: an account for whoever did nothing lately, so the table is as long as
//! there is trouble, and never longer than that of members.
//!
//! Honest members accuse rarely, and mostly those that are gone: what proves true is given back. Who has spent everything is not heard
//! for a while, and whom it accuses does not answer it; the accused is there all the same for whoever asks it.

use alloc::collections::BTreeMap;

use crate::control::id::MemberIndex;
use crate::limits::{ACCUSATIONS_MAX, ANSWERS_TO_ACCUSERS_MAX, REFUTATIONS_MAX};
use crate::time::S;

/// What an account is charged for: how long one takes to come back, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// A suspicion opened, or confirmed. Of itself it comes back in a second.
    Accusation,
    /// An announcement with which this node contradicts: everybody hears it. Comes back in twenty seconds, or in as many as there are
    /// members: so that who accuses all of them makes one of them announce itself a second, however many they are.
    Refutation {
        /// How many there are.
        members: usize,
    },
    /// An answer to who is behind the times, or something passed on for it. Comes back in a twentieth of a second.
    Answer,
}

impl Charge {
    fn terms(self) -> (u64, u64) {
        match self {
            Self::Accusation => (S, ACCUSATIONS_MAX),
            Self::Refutation { members } => ((members as u64).max(20) * S, REFUTATIONS_MAX),
            Self::Answer => (S / 20, ANSWERS_TO_ACCUSERS_MAX),
        }
    }

    const fn account(self) -> usize {
        match self {
            Self::Accusation => 0,
            Self::Refutation { .. } => 1,
            Self::Answer => 2,
        }
    }
}

/// The accounts of those that spoke against others lately.
#[derive(Debug, Default)]
pub struct Accusers {
    /// Until when what was spent comes back, by kind of charge.
    accounts: BTreeMap<MemberIndex, [u64; 3]>,
}

impl Accusers {
    /// Charges a member. Returns whether it had enough; if not, nothing is charged.
    pub fn charge(&mut self, who: MemberIndex, charge: Charge, now: u64) -> bool {
        let (each, most) = charge.terms();
        let until = &mut self.accounts.entry(who).or_default()[charge.account()];
        let after = (*until).max(now) + each;
        let enough = after <= now + most * each;
        if enough {
            *until = after;
        }
        assert!(!enough || *until > now && *until - now <= most * each, "an account of {until} at {now}");
        enough
    }

    /// What a member was charged for an accusation is given back: it proved true.
    pub fn give_back(&mut self, who: MemberIndex) {
        let (each, _) = Charge::Accusation.terms();
        if let Some(account) = self.accounts.get_mut(&who) {
            let until = &mut account[Charge::Accusation.account()];
            *until = until.saturating_sub(each);
        }
    }

    /// The member at a place is forgotten.
    pub fn forget(&mut self, who: MemberIndex) {
        self.accounts.remove(&who);
    }

    /// Drops the accounts in which everything has come back.
    pub fn sweep(&mut self, now: u64) {
        self.accounts.retain(|_, account| account.iter().any(|until| *until > now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIndex = MemberIndex(1);

    #[test]
    fn who_is_refuted_is_heard_once_a_second_and_who_is_right_at_once() {
        let mut accusers = Accusers::default();
        let accuse = |accusers: &mut Accusers, now| accusers.charge(A, Charge::Accusation, now);
        assert!((0..ACCUSATIONS_MAX).all(|_| accuse(&mut accusers, 9 * S)));
        assert!(!accuse(&mut accusers, 9 * S) && !accuse(&mut accusers, 10 * S - 1));
        assert!(accuse(&mut accusers, 10 * S) && !accuse(&mut accusers, 10 * S));
        accusers.give_back(A);
        assert!(accuse(&mut accusers, 10 * S) && !accuse(&mut accusers, 10 * S));
        assert!(accusers.charge(MemberIndex(2), Charge::Accusation, 10 * S), "others pay for themselves");
        assert!(
            accusers.charge(A, Charge::Refutation { members: 3 }, 10 * S),
            "each kind has its own account"
        );
    }

    #[test]
    fn the_more_members_the_longer_a_refutation_is_held_against_its_cause() {
        let mut accusers = Accusers::default();
        for (members, seconds) in [(3, 20), (1_000, 1_000)] {
            let charge = Charge::Refutation { members };
            assert!((0..REFUTATIONS_MAX).all(|_| accusers.charge(A, charge, 9 * S)));
            assert!(!accusers.charge(A, charge, (9 + seconds) * S - 1));
            assert!(accusers.charge(A, charge, (9 + seconds) * S) && accusers.charge(A, charge, 99_999 * S));
            accusers.forget(A);
        }
    }

    #[test]
    fn nobody_who_did_nothing_lately_has_an_account() {
        let mut accusers = Accusers::default();
        assert!(
            accusers.charge(A, Charge::Refutation { members: 3 }, S) && accusers.charge(A, Charge::Answer, S)
        );
        accusers.give_back(A);
        accusers.sweep(21 * S - 1);
        assert_eq!(accusers.accounts.len(), 1);
        accusers.sweep(21 * S);
        assert!(accusers.accounts.is_empty());
        accusers.give_back(A);
        assert!(accusers.accounts.is_empty());
    }
}
