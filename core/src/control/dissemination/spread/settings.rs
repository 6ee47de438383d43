//! What may be chosen about dissemination.

use core::time::Duration;

use crate::contradiction::Contradiction;
use crate::control::dissemination::spread::convergence::QUIET;
use crate::control::dissemination::spread::links::LINKS_MAX;
use crate::limits::UPDATES_MAX;
use crate::time::{S, micros};

/// The settings. One of these serves all machines of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpreadSettings {
    /// Neighbours that are sent an update at once. One costs 20 % less than three, and two milliseconds.
    pub eager: usize,
    /// The same, of a critical update.
    pub eager_critical: usize,
    /// How long announcements wait, on average, for company, and for a neighbour's that makes them needless: with six
    /// milliseconds all but one of a link's two are. Each is a control frame of 120 bytes, most of what an update costs.
    pub lazy_delay: Duration,
    /// The same at most, where nobody asks for what is announced because the trees work.
    pub lazy_delay_max: Duration,
    /// How long a missing update may still come by itself before it is asked for.
    pub pull_delay: Duration,
    /// How long an answer to a pull may take before another holder is asked: some round trips within a region.
    pub pull_timeout: Duration,
    /// How often an update is asked for before it is given up, unless more than so many say that they have it: each is asked
    /// once. A third Byzantine and 5 % loss each way leave one of 7 million. What was given up is asked for once a word
    /// of who has it, of neighbours that only repeat theirs this often in all.
    pub pulls: u8,
    /// How long an update is kept for those who ask.
    pub keep: Duration,
    /// Updates that are known at once; one more, and the oldest is forgotten early.
    pub updates_max: usize,
    /// Updates that are missed at once; announcements beyond are refused. One link may add a quarter of it in a second.
    pub missing_max: usize,
    /// Updates that one link may ask for in a second; those beyond are refused. Twice as many are sent to it
    /// besides because its offers, or sessions, show that it lacks them.
    pub served_max: u16,
}

impl Default for SpreadSettings {
    fn default() -> Self {
        Self {
            eager: 1,
            eager_critical: 4,
            lazy_delay: Duration::from_millis(6),
            lazy_delay_max: Duration::from_millis(48),
            pull_delay: Duration::from_micros(500),
            pull_timeout: Duration::from_millis(8),
            pulls: 16,
            keep: Duration::from_secs(30),
            updates_max: 1 << 16,
            missing_max: 1 << 12,
            served_max: 1_000,
        }
    }
}

impl SpreadSettings {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        let (links, minute) = (LINKS_MAX as u64, 60 * S);
        Contradiction::first(&[
            ("eager", self.eager as u64, 0, links),
            ("eager_critical", self.eager_critical as u64, 0, links),
            ("lazy_delay", micros(self.lazy_delay), 0, micros(self.lazy_delay_max)),
            ("lazy_delay_max", micros(self.lazy_delay_max), 0, minute),
            ("pull_delay", micros(self.pull_delay), 0, minute),
            ("pull_timeout", micros(self.pull_timeout), 1, minute),
            ("pulls", self.pulls.into(), 1, u8::MAX.into()),
            ("keep", micros(self.keep), QUIET + 1, 60 * minute),
            ("updates_max", self.updates_max as u64, 1, UPDATES_MAX as u64),
            ("missing_max", self.missing_max as u64, 0, self.updates_max as u64),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_taken_up_to_its_bounds_and_refused_beyond() {
        type Change = fn(&mut SpreadSettings);
        let minute = Duration::from_secs(60);
        assert_eq!((minute.as_micros() as u64, LINKS_MAX), (60 * S, LINKS_MAX));
        let taken: [Change; 8] = [
            |s| s.eager = LINKS_MAX,
            |s| s.eager_critical = LINKS_MAX,
            |s| (s.lazy_delay, s.lazy_delay_max) = (Duration::from_secs(60), Duration::from_secs(60)),
            |s| s.pull_delay = Duration::from_secs(60),
            |s| s.pull_timeout = Duration::from_secs(60),
            |s| s.keep = Duration::from_secs(3_600),
            |s| s.keep = Duration::from_micros(QUIET + 1),
            |s| (s.updates_max, s.missing_max) = (UPDATES_MAX, UPDATES_MAX),
        ];
        let refused: [(&str, Change); 11] = [
            ("eager", |s| s.eager = LINKS_MAX + 1),
            ("eager_critical", |s| s.eager_critical = LINKS_MAX + 1),
            ("lazy_delay", |s| s.lazy_delay = s.lazy_delay_max + Duration::from_micros(1)),
            ("lazy_delay_max", |s| s.lazy_delay_max = Duration::from_micros(60_000_001)),
            ("pull_delay", |s| s.pull_delay = Duration::from_micros(60_000_001)),
            ("pull_timeout", |s| s.pull_timeout = Duration::ZERO),
            ("pulls", |s| s.pulls = 0),
            ("keep", |s| s.keep = Duration::from_micros(QUIET)),
            ("keep", |s| s.keep = Duration::from_micros(3_600_000_001)),
            ("updates_max", |s| s.updates_max = UPDATES_MAX + 1),
            ("missing_max", |s| s.missing_max = s.updates_max + 1),
        ];
        let check = |change: Change| {
            let mut settings = SpreadSettings::default();
            change(&mut settings);
            settings.check()
        };
        assert!(taken.into_iter().all(|change| check(change) == Ok(())));
        for (key, change) in refused {
            assert_eq!(check(change).unwrap_err().key, key);
        }
    }
}
