//! What an operator may choose about the control plane, checked once.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::contradiction::Contradiction;
use crate::control::dissemination::select::Strategy;
use crate::control::dissemination::spread::SpreadSettings;
use crate::time::{MS, S};

/// The spread_settings. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two probes of a node that feels well. At rest a node sends one probe and one answer an interval, 56
    /// bytes each before the signature: 160 bytes a second.
    pub probe_interval: u64,
    /// How long a probed member has before helpers are asked: some round trips, and a pause of its process.
    pub probe_timeout: u64,
    /// Helpers that are asked: at 5 % loss three leave one false suspicion in 1,700 probes, five in 50,000.
    pub helpers: usize,
    /// Whether local health, confirmations and the word to the suspected are used (Lifeguard). Without: plain SWIM,
    /// whose suspicions all last the least; for comparison.
    pub lifeguard: bool,
    /// Shortest suspicion in probe intervals, for each factor of ten in members.
    pub suspicion_min: u32,
    /// How many times longer a suspicion is that nobody confirms.
    pub suspicion_max: u32,
    /// Independent confirmations that make a suspicion shortest.
    pub confirmations: usize,
    /// Between two turns of telling news, while there is any.
    pub gossip_interval: u64,
    /// Members told in a turn.
    pub gossip_fanout: usize,
    /// Least time between two comparisons of the table with another member's.
    pub sync_interval: u64,
    /// Control frames that answering comparisons may take a second.
    pub sync_letters: u32,
    /// Longest time between two attempts to reach a seed.
    pub contact_max: u64,
    /// Where to begin.
    pub seeds: Vec<SocketAddr>,
    /// Where members were met in an earlier incarnation.
    pub remembered: Vec<SocketAddr>,
    /// Members on record, those that are gone included: 128 bytes each besides the announcement.
    pub members_max: usize,
    /// Live members of other regions on record: to be written to, not watched.
    pub remote_max: usize,
    /// How long who is gone stays on record. Members announce themselves anew in a third of it, and an announcement
    /// that is older is refused: so old gossip brings nobody back after that either.
    pub forget_after: u64,
    /// How long a failed member counts among those that should be reachable.
    pub missing_for: u64,
    /// How updates spread.
    pub spread_settings: SpreadSettings,
    /// Which neighbour is compared with in a round.
    pub selection: Strategy,
    /// Strangers a second whose announcement and control frame are verified; others must wait.
    pub strangers: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            probe_interval: 700 * MS,
            probe_timeout: 200 * MS,
            helpers: 3,
            lifeguard: true,
            suspicion_min: 1,
            suspicion_max: 4,
            confirmations: 2,
            gossip_interval: 100 * MS,
            gossip_fanout: 3,
            sync_interval: S / 2,
            sync_letters: 12_000,
            contact_max: 5 * S,
            seeds: Vec::new(),
            remembered: Vec::new(),
            members_max: 1 << 17,
            remote_max: 4_096,
            forget_after: 24 * 3_600 * S,
            missing_for: 600 * S,
            spread_settings: SpreadSettings::default(),
            selection: Strategy::Random,
            strangers: 1_000,
        }
    }
}

impl Settings {
    /// Checks the spread_settings against each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        let rules = [
            (self.probe_timeout > 0, "probe_timeout is zero"),
            (
                2 * self.probe_timeout <= self.probe_interval,
                "probe_interval is less than two of probe_timeout",
            ),
            (self.helpers <= 8, "helpers are more than eight"),
            (self.suspicion_min > 0, "suspicion_min is zero"),
            (self.suspicion_max > 0, "suspicion_max is zero"),
            (self.confirmations <= 8, "confirmations are more than eight"),
            (self.gossip_interval > 0, "gossip_interval is zero"),
            ((1..=16).contains(&self.gossip_fanout), "gossip_fanout is not 1 to 16"),
            (self.sync_interval > 0, "sync_interval is zero"),
            (self.sync_letters > 0 && self.strangers > 0, "a budget is zero"),
            (self.contact_max >= 100 * MS, "contact_max is less than 100 ms"),
            ((2..=1 << 20).contains(&self.members_max), "members_max is not 2 to 1,048,576"),
            (self.forget_after >= self.missing_for, "forget_after is less than missing_for"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(Contradiction(rule)))?;
        self.spread_settings.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_do_not_contradict_each_other() {
        assert_eq!(Settings::default().check(), Ok(()));
        let wrong = Settings { helpers: 9, ..Settings::default() };
        assert_eq!(wrong.check(), Err(Contradiction("helpers are more than eight")));
    }
}
