//! What may be chosen about members.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::contradiction::Contradiction;
use crate::limits::{CONFIRMATIONS_MAX, GOSSIP_FANOUT_MAX, HELPERS_MAX, MEMBERS_MAX};
use crate::time::{MS, S, micros};

/// A minute, in microseconds.
const MINUTE: u64 = 60 * S;
/// An hour.
const HOUR: u64 = 60 * MINUTE;
/// A leap year.
const YEAR: u64 = 366 * 24 * HOUR;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipSettings {
    /// Between two probes of a node that feels well. At rest a node sends one probe and one answer an interval, 56
    /// bytes each before the signature: 160 bytes a second.
    pub probe_interval: Duration,
    /// How long a probed member has before helpers are asked: some round trips, and a pause of its process.
    pub probe_timeout: Duration,
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
    pub gossip_interval: Duration,
    /// Members told in a turn.
    pub gossip_fanout: usize,
    /// Least time between two comparisons of the table with another member's.
    pub sync_interval: Duration,
    /// Control frames that answering comparisons may take a second.
    pub sync_frames: u32,
    /// Longest time between two attempts to reach a seed.
    pub contact_max: Duration,
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
    pub forget_after: Duration,
    /// How far ahead of this node's clock an announcement may be dated, as a frame may: one that is dated later is refused, for it
    /// could never be outdone, and would never be too old.
    pub skew_max: Duration,
    /// Strangers a second whose announcement and control frame are verified; others must wait.
    pub strangers: u32,
}

impl Default for MembershipSettings {
    fn default() -> Self {
        Self {
            probe_interval: Duration::from_millis(700),
            probe_timeout: Duration::from_millis(200),
            helpers: 3,
            lifeguard: true,
            suspicion_min: 1,
            suspicion_max: 4,
            confirmations: 2,
            gossip_interval: Duration::from_millis(100),
            gossip_fanout: 3,
            sync_interval: Duration::from_millis(500),
            sync_frames: 12_000,
            contact_max: Duration::from_secs(5),
            seeds: Vec::new(),
            remembered: Vec::new(),
            members_max: 1 << 17,
            remote_max: 4_096,
            forget_after: Duration::from_secs(24 * 3_600),
            skew_max: Duration::from_secs(10),
            strangers: 1_000,
        }
    }
}

impl MembershipSettings {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        // What is multiplied by members and factors is bounded such that no sum of microseconds overflows.
        let wide = u64::from(u32::MAX);
        Contradiction::first(&[
            ("probe_timeout", micros(self.probe_timeout), 1, MINUTE / 2),
            (
                "probe_interval",
                micros(self.probe_interval),
                micros(self.probe_timeout).saturating_mul(2),
                MINUTE,
            ),
            ("helpers", self.helpers as u64, 0, HELPERS_MAX as u64),
            ("suspicion_min", self.suspicion_min.into(), 1, 1_000),
            ("suspicion_max", self.suspicion_max.into(), 1, 1_000),
            ("confirmations", self.confirmations as u64, 0, CONFIRMATIONS_MAX as u64),
            ("gossip_interval", micros(self.gossip_interval), 1, MINUTE),
            ("gossip_fanout", self.gossip_fanout as u64, 1, GOSSIP_FANOUT_MAX as u64),
            ("sync_interval", micros(self.sync_interval), 1, HOUR),
            ("sync_frames", self.sync_frames.into(), 1, wide),
            ("strangers", self.strangers.into(), 1, wide),
            ("contact_max", micros(self.contact_max), 100 * MS, HOUR),
            ("members_max", self.members_max as u64, 2, MEMBERS_MAX as u64),
            ("remote_max", self.remote_max as u64, 0, MEMBERS_MAX as u64),
            ("forget_after", micros(self.forget_after), MINUTE, YEAR),
            ("skew_max", micros(self.skew_max), 1, HOUR),
        ])
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_defaults_do_not_contradict_each_other() {
        assert_eq!(MembershipSettings::default().check(), Ok(()));
        let wrong = MembershipSettings { helpers: 9, ..MembershipSettings::default() };
        assert_eq!(wrong.check().unwrap_err().to_string(), "helpers = 9 is not in 0 to 8");
        let wrong = MembershipSettings {
            probe_interval: Duration::MAX,
            probe_timeout: Duration::MAX,
            ..MembershipSettings::default()
        };
        assert_eq!(wrong.check().unwrap_err().key, "probe_timeout");
    }

    #[test]
    fn each_setting_is_taken_up_to_its_bounds_and_refused_beyond() {
        type Change = fn(&mut MembershipSettings);
        const MICRO: Duration = Duration::from_micros(1);
        let taken: [Change; 9] = [
            |s| (s.probe_timeout, s.probe_interval) = (Duration::from_secs(30), Duration::from_secs(60)),
            |s| s.probe_interval = s.probe_timeout * 2,
            |s| s.helpers = HELPERS_MAX,
            |s| s.gossip_interval = Duration::from_secs(60),
            |s| s.sync_interval = Duration::from_secs(3_600),
            |s| s.contact_max = Duration::from_millis(100),
            |s| s.contact_max = Duration::from_secs(3_600),
            |s| s.forget_after = Duration::from_secs(60),
            |s| s.forget_after = Duration::from_secs(366 * 24 * 3_600),
        ];
        let refused: [(&str, Change); 9] = [
            ("probe_timeout", |s| s.probe_timeout = Duration::from_secs(30) + MICRO),
            ("probe_interval", |s| s.probe_interval = s.probe_timeout * 2 - MICRO),
            ("probe_interval", |s| s.probe_interval = Duration::from_secs(60) + MICRO),
            ("gossip_interval", |s| s.gossip_interval = Duration::from_secs(60) + MICRO),
            ("sync_interval", |s| s.sync_interval = Duration::from_secs(3_600) + MICRO),
            ("contact_max", |s| s.contact_max = Duration::from_millis(100) - MICRO),
            ("contact_max", |s| s.contact_max = Duration::from_secs(3_600) + MICRO),
            ("forget_after", |s| s.forget_after = Duration::from_secs(60) - MICRO),
            ("forget_after", |s| s.forget_after = Duration::from_secs(367 * 24 * 3_600)),
        ];
        let check = |change: Change| {
            let mut settings = MembershipSettings::default();
            change(&mut settings);
            settings.check()
        };
        for (i, change) in taken.into_iter().enumerate() {
            assert_eq!(check(change), Ok(()), "number {i}");
        }
        for (key, change) in refused {
            assert_eq!(check(change).unwrap_err().key, key);
        }
    }
}
