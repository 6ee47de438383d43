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
    use crate::control::membership::samples::members;
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
}
