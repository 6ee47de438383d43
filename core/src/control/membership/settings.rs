//! What an operator may choose about the control plane, checked once.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::contradiction::Contradiction;
use crate::control::dissemination::select::Strategy;
use crate::control::dissemination::spread::SpreadSettings;
use crate::limits::{CONFIRMATIONS_MAX, GOSSIP_FANOUT_MAX, HELPERS_MAX, MEMBERS_MAX};
use crate::time::{MS, S};

/// A minute, in microseconds.
const MINUTE: u64 = 60 * S;
/// An hour.
const HOUR: u64 = 60 * MINUTE;
/// A leap year.
const YEAR: u64 = 366 * 24 * HOUR;

/// The settings. Times are microseconds.
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
    /// Members on record, those that are gone included: 128 bytes each besides the announcement. Where it is reached, those
    /// that may be forgotten make room for newcomers, the longest gone first; once only live ones and those that a quorum
    /// misses are left, newcomers are refused, and counted.
    pub members_max: usize,
    /// Live members of other regions on record: to be written to, not watched.
    pub remote_max: usize,
    /// How long who left, or failed and does not count for a quorum, stays on record; who counts stays until it comes back or is
    /// made to leave. Members announce themselves anew in a third of it, and an announcement
    /// that is older is refused: so old gossip brings nobody back after that either.
    pub forget_after: u64,
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
            spread_settings: SpreadSettings::default(),
            selection: Strategy::Random,
            strangers: 1_000,
        }
    }
}

impl Settings {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        // What is multiplied by members and factors is bounded such that no sum of microseconds overflows.
        let wide = u64::from(u32::MAX);
        Contradiction::first(&[
            ("probe_timeout", self.probe_timeout, 1, MINUTE / 2),
            ("probe_interval", self.probe_interval, self.probe_timeout.saturating_mul(2), MINUTE),
            ("helpers", self.helpers as u64, 0, HELPERS_MAX as u64),
            ("suspicion_min", self.suspicion_min.into(), 1, 1_000),
            ("suspicion_max", self.suspicion_max.into(), 1, 1_000),
            ("confirmations", self.confirmations as u64, 0, CONFIRMATIONS_MAX as u64),
            ("gossip_interval", self.gossip_interval, 1, MINUTE),
            ("gossip_fanout", self.gossip_fanout as u64, 1, GOSSIP_FANOUT_MAX as u64),
            ("sync_interval", self.sync_interval, 1, HOUR),
            ("sync_letters", self.sync_letters.into(), 1, wide),
            ("strangers", self.strangers.into(), 1, wide),
            ("contact_max", self.contact_max, 100 * MS, HOUR),
            ("members_max", self.members_max as u64, 2, MEMBERS_MAX as u64),
            ("remote_max", self.remote_max as u64, 0, MEMBERS_MAX as u64),
            ("forget_after", self.forget_after, MINUTE, YEAR),
        ])?;
        self.spread_settings.check()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_defaults_do_not_contradict_each_other() {
        assert_eq!(Settings::default().check(), Ok(()));
        let wrong = Settings { helpers: 9, ..Settings::default() };
        assert_eq!(wrong.check().unwrap_err().to_string(), "helpers = 9 is not in 0 to 8");
        let wrong = Settings { probe_interval: u64::MAX, probe_timeout: u64::MAX, ..Settings::default() };
        assert_eq!(wrong.check().unwrap_err().key, "probe_timeout");
    }
}
