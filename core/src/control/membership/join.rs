//! Joining, and finding each other again: whom to greet who is no live member.
//!
//! A node that knows nobody asks its seeds and the addresses that it remembers, more and more rarely while they do not
//! answer. A node that knows somebody now and then writes to members that it believes failed, and to seeds that it
//! does not know: that is how two halves of a mesh find each other again, after each has declared the other dead.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::control::membership::settings::MembershipSettings;
use crate::control::membership::table::Members;
use crate::limits::JOINS_EXPECTED_MAX;
use crate::random::Random;
use crate::time::{MS, S, micros};

/// Addresses written to at once.
const GREETINGS: usize = 3;
/// First wait for an answer.
const GAP_MIN: u64 = 100 * MS;
/// How long an answer to a greeting is expected.
const EXPECTED: u64 = 5 * S;
/// Unanswered turns after which a node calls itself alone.
const TURNS_ALONE: u32 = 3;

/// Decides whom to greet.
#[derive(Debug)]
pub struct Joiner {
    next_at: u64,
    gap: u64,
    turns: u32,
    heal_at: u64,
    seed_gap: u64,
    /// Who was greeted, and when: they need no proof of their address to answer.
    greeted: BTreeMap<SocketAddr, u64>,
    random: Random,
}

impl Joiner {
    /// Begins at once.
    pub fn new(random: Random, now: u64) -> Self {
        let greeted = BTreeMap::new();
        Self { next_at: now, gap: GAP_MIN, turns: 0, heal_at: now + S, seed_gap: 2 * S, greeted, random }
    }

    /// Whether nobody has answered for a while.
    pub fn is_alone(&self) -> bool {
        self.turns >= TURNS_ALONE
    }

    /// Whether an answer from `address` is expected.
    pub fn expects(&self, address: SocketAddr, now: u64) -> bool {
        self.greeted.get(&address).is_some_and(|at| now < at + EXPECTED)
    }

    /// Takes note that somebody is being written to who may not know this node.
    pub fn expect(&mut self, address: SocketAddr, now: u64) {
        if self.greeted.len() >= JOINS_EXPECTED_MAX {
            self.greeted.retain(|_, at| now < *at + EXPECTED);
        }
        if self.greeted.len() < JOINS_EXPECTED_MAX {
            self.greeted.insert(address, now);
        }
        assert!(self.greeted.len() <= JOINS_EXPECTED_MAX, "{} answers expected", self.greeted.len());
    }

    /// When [`Joiner::tick`] has something to do.
    pub fn next_due(&self, members: &Members) -> u64 {
        if members.live().is_empty() { self.next_at } else { self.heal_at }
    }

    /// Addresses to be greeted now.
    pub fn tick(&mut self, now: u64, settings: &MembershipSettings, members: &Members) -> Vec<SocketAddr> {
        let chosen = if !members.live().is_empty() {
            (self.gap, self.turns, self.next_at) = (GAP_MIN, 0, now + GAP_MIN);
            if now < self.heal_at {
                return Vec::new();
            }
            self.heal(now, settings, members)
        } else if now < self.next_at {
            return Vec::new();
        } else {
            self.next_at = now + self.gap / 2 + self.random.below(self.gap);
            self.gap = (self.gap * 2).min(micros(settings.contact_max));
            self.turns = self.turns.saturating_add(1);
            self.seek(settings, members)
        };
        assert!(
            chosen.len() <= 2 * GREETINGS && self.next_due(members) > now,
            "{} greeted at once",
            chosen.len()
        );
        assert!(
            GAP_MIN <= self.gap && self.gap <= micros(settings.contact_max).max(GAP_MIN),
            "a gap of {} us",
            self.gap
        );
        chosen.iter().for_each(|address| self.expect(*address, now));
        chosen
    }

    /// Of all addresses that ever meant somebody, a few.
    fn seek(&mut self, settings: &MembershipSettings, members: &Members) -> Vec<SocketAddr> {
        let own = &members.get(Members::ME).announcement().statement().addresses;
        let failed = members.missing().take(64).filter_map(|(_, member)| member.address());
        let others = settings.remembered.iter().copied().chain(failed);
        let pick = |random: &mut Random, from: Vec<SocketAddr>| -> Vec<SocketAddr> {
            let from: Vec<_> = from.into_iter().filter(|address| !own.contains(address)).collect();
            random.choose(from.len(), GREETINGS).into_iter().map(|i| from[i]).collect()
        };
        let mut chosen = pick(&mut self.random, settings.seeds.clone());
        chosen.extend(pick(&mut self.random, others.collect()));
        chosen
    }

    /// Somebody who is believed gone, or a seed that is not known: rarer the longer nothing changed, and so that all
    /// members together do it about ten times a second at most.
    fn heal(&mut self, now: u64, settings: &MembershipSettings, members: &Members) -> Vec<SocketAddr> {
        let own = &members.get(Members::ME).announcement().statement().addresses;
        let members_gap = members.live().len() as u64 * 100 * MS;
        let failed: Vec<_> = members.missing().take(64).collect();
        let latest = failed.first().map(|(_, member)| now.saturating_sub(member.changed_at));
        let met = |address: &SocketAddr| {
            own.contains(address)
                || members.live().iter().any(|p| members.get(*p).address() == Some(*address))
        };
        let unmet: Vec<SocketAddr> = settings.seeds.iter().copied().filter(|seed| !met(seed)).collect();
        self.seed_gap = if unmet.is_empty() { 2 * S } else { (self.seed_gap * 2).min(60 * S) };
        let gap = match latest {
            Some(age) => (age / 30).clamp(S, 60 * S),
            None if unmet.is_empty() => 5 * S,
            None => self.seed_gap,
        };
        let gap = gap.max(members_gap);
        self.heal_at = now + gap / 2 + self.random.below(gap);
        let addresses: Vec<SocketAddr> =
            failed.iter().filter_map(|(_, member)| member.address()).chain(unmet).collect();
        self.random.choose(addresses.len(), 1).into_iter().map(|i| addresses[i]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::id::PeerState;
    use crate::control::membership::samples::{members, members_of};
    use core::net::Ipv4Addr;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, n), 7_700))
    }

    #[test]
    fn answers_are_expected_of_who_was_greeted_and_for_five_seconds() {
        let mut joiner = Joiner::new(Random::new(1), 0);
        joiner.expect(address(1), S);
        assert!(joiner.expects(address(1), S + EXPECTED - 1));
        assert!(!joiner.expects(address(1), S + EXPECTED) && !joiner.expects(address(2), S));
        (0..=u8::MAX).for_each(|n| joiner.expect(address(n), 2 * S));
        assert_eq!(joiner.greeted.len(), JOINS_EXPECTED_MAX, "no more than there may be");
        joiner.expect(address(200), 2 * S + EXPECTED);
        assert_eq!(joiner.greeted.len(), 1, "whoever did not answer in time makes room");
    }

    #[test]
    fn the_more_members_the_rarer_each_of_them_looks_for_who_is_gone() {
        for others in [5, 100] {
            let members = members(others, 256, 0);
            let mut joiner = Joiner::new(Random::new(1), 0);
            let settings =
                MembershipSettings { seeds: alloc::vec![address(1)], ..MembershipSettings::default() };
            let gap = (u64::from(others) * 100 * MS).max(4 * S);
            for turn in 0..8 {
                let now = joiner.next_due(&members).max(S);
                joiner.tick(now, &settings, &members);
                let wait = joiner.next_due(&members) - now;
                assert!(turn > 0 || wait >= gap / 2, "{others} others, and {wait} us");
                assert!(wait >= u64::from(others) * 100 * MS / 2, "{others} others, and {wait} us");
            }
        }
    }

    /// A table in which everybody, this node as number 0, has an address.
    fn addressed(others: u8) -> Members {
        members_of(others, 64, S, |key, statement| statement.addresses.push(address(key)))
    }

    fn fail(members: &mut Members, number: u8, now: u64) {
        let place =
            *members.live().iter().find(|p| members.get(**p).address() == Some(address(number))).unwrap();
        let (id, rank) = (members.get(place).id(), members.get(place).rank());
        members.report(id, rank, PeerState::Failed, now);
    }

    #[test]
    fn who_knows_nobody_asks_three_seeds_and_three_others_ever_more_rarely_and_never_itself() {
        let members = addressed(0);
        let settings = MembershipSettings {
            seeds: (0..6).map(address).collect(),
            remembered: (20..26).map(address).collect(),
            ..MembershipSettings::default()
        };
        let (mut joiner, mut gap) = (Joiner::new(Random::new(2), S), GAP_MIN);
        for turn in 0..20 {
            assert_eq!(joiner.is_alone(), turn >= 3, "after {turn} turns without an answer");
            let now = joiner.next_due(&members);
            assert_eq!(joiner.tick(now - 1, &settings, &members), []);
            let chosen = joiner.tick(now, &settings, &members);
            let seeds = chosen.iter().filter(|one| settings.seeds.contains(one)).count();
            assert_eq!((seeds, chosen.len()), (GREETINGS, 2 * GREETINGS));
            assert!(!chosen.contains(&address(0)), "this node's own");
            assert!(chosen.iter().all(|one| joiner.expects(*one, now)));
            let wait = joiner.next_due(&members) - now;
            assert!((gap / 2..gap / 2 + gap).contains(&wait), "{wait} us after a gap of {gap}");
            gap = (2 * gap).min(micros(settings.contact_max));
        }
        assert_eq!(gap, micros(settings.contact_max));
    }

    #[test]
    fn who_knew_somebody_asks_there_and_soon() {
        let (mut members, settings) = (addressed(1), MembershipSettings::default());
        let mut joiner = Joiner::new(Random::new(2), S);
        joiner.tick(100 * S, &settings, &members);
        fail(&mut members, 1, 101 * S);
        assert_eq!(joiner.next_due(&members), 100 * S + GAP_MIN, "as one that has only just come");
        assert_eq!(joiner.tick(101 * S, &settings, &members), [address(1)]);
    }

    /// How long a node of two others looks for nobody else, after it looked at `now`; and whom it greeted then.
    fn heal(
        joiner: &mut Joiner,
        settings: &MembershipSettings,
        members: &Members,
        now: u64,
    ) -> (u64, Vec<SocketAddr>) {
        joiner.heal_at = now;
        assert_eq!(joiner.tick(now - 1, settings, members), []);
        let greeted = joiner.tick(now, settings, members);
        (joiner.next_due(members) - now, greeted)
    }

    #[test]
    fn who_is_whole_looks_around_every_five_seconds_and_greets_nobody() {
        let members = addressed(2);
        // Itself, and members that live.
        let settings =
            MembershipSettings { seeds: (0..3).map(address).collect(), ..MembershipSettings::default() };
        let mut joiner = Joiner::new(Random::new(2), 0);
        assert_eq!(joiner.next_due(&members), S);
        let (mut least, mut most) = (u64::MAX, 0);
        for turn in 1..200 {
            let (wait, greeted) = heal(&mut joiner, &settings, &members, turn * 100 * S);
            assert_eq!(greeted, []);
            (least, most) = (least.min(wait), most.max(wait));
        }
        assert!((2_500 * MS..2_700 * MS).contains(&least) && (7_300 * MS..7_500 * MS).contains(&most));
    }

    #[test]
    fn a_seed_that_is_no_member_is_greeted_at_first_after_seconds_and_then_once_a_minute() {
        let members = addressed(2);
        let settings =
            MembershipSettings { seeds: [1, 9].map(address).to_vec(), ..MembershipSettings::default() };
        let (mut joiner, mut gap) = (Joiner::new(Random::new(2), 0), 4 * S);
        for turn in 1..12 {
            let (wait, greeted) = heal(&mut joiner, &settings, &members, turn * 1_000 * S);
            assert_eq!(greeted, [address(9)]);
            assert!((gap / 2..gap / 2 + gap).contains(&wait), "{wait} us after a gap of {gap}");
            gap = (2 * gap).min(60 * S);
        }
        assert_eq!(gap, 60 * S);
        for turn in 20..60 {
            heal(&mut joiner, &MembershipSettings::default(), &members, turn * 1_000 * S);
            let (wait, _) = heal(&mut joiner, &settings, &members, turn * 1_000 * S + 500 * S);
            assert!((2 * S..6 * S).contains(&wait), "once all were met it begins anew: {wait}");
        }
    }

    #[test]
    fn who_is_missing_is_greeted_the_more_rarely_the_longer_it_is() {
        let (mut members, settings) = (addressed(3), MembershipSettings::default());
        fail(&mut members, 3, 1_000 * S);
        let mut joiner = Joiner::new(Random::new(2), 0);
        for (age, gap) in [(3 * S, S), (90 * S, 3 * S), (900 * S, 30 * S), (9_000 * S, 60 * S)] {
            let (wait, greeted) = heal(&mut joiner, &settings, &members, 1_000 * S + age);
            assert_eq!(greeted, [address(3)]);
            assert!((gap / 2..gap / 2 + gap).contains(&wait), "{wait} us after {age} us");
        }
    }
}
