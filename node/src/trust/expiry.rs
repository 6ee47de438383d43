//! Warns before a credential ends, in its grace and while its node may only read: the nearer the end, the more often.
//!
//! In come what was granted and the time; out goes what is to be said now, if anything. Each phase of a credential ends by itself, so each is warned
//! of: the first when a quarter of its time is left, the others at once, and then whenever half of what was left has gone.

use octick::admission::Grant;
use octick::admission::grant::Validity;

use super::files::reach;

/// Between two warnings at least, seconds.
const LEAST: u64 = 60;

/// What was said of a credential.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    serial: u64,
    phase: Option<Validity>,
    next: u64,
}

impl Expiry {
    /// What there is to say at `now`, seconds since 1970.
    pub(crate) fn look(&mut self, grant: &Grant, now: u64) -> Option<String> {
        let (phase, says) = reach(grant, now);
        let (until, grace) = (u64::from(grant.until), u64::from(grant.grace));
        let end = match phase {
            Validity::Early | Validity::Over => return None,
            Validity::Valid => until,
            Validity::Grace => until + grace,
            Validity::ReadOnly => until + 2 * grace,
        };
        if self.phase != Some(phase) || self.serial != grant.serial {
            let quarter = (until - u64::from(grant.from)) / 4;
            let first = if phase == Validity::Valid { until.saturating_sub(quarter) } else { now };
            *self = Self { serial: grant.serial, phase: Some(phase), next: first };
        }
        if now < self.next {
            return None;
        }
        self.next = now + (end.saturating_sub(now) / 2).max(LEAST);
        Some(match phase {
            Validity::Valid => {
                format!("{says}, {}: renew it: octick authority issue --name {}", left(end - now), grant.name)
            }
            _ => says,
        })
    }
}

/// As people say it.
fn left(secs: u64) -> String {
    match secs {
        0..=7_200 => format!("{} minutes from now", secs / 60),
        7_201..=172_800 => format!("{} hours from now", secs / 3_600),
        _ => format!("{} days from now", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use octick::admission::grant::{ANY_REGION, WRITE_CELLS};
    use octick_crypto::Identity;

    use super::*;

    const DAY: u64 = 86_400;

    fn grant(serial: u64) -> Grant {
        Grant {
            serial,
            member: Identity::from_seed(&[1; 32]).id(),
            from: 0,
            until: 40 * DAY as u32,
            grace: 4 * DAY as u32,
            region: ANY_REGION,
            roles: 0,
            rights: WRITE_CELLS,
            name: "a".into(),
            runs: vec![],
        }
    }

    #[test]
    fn who_has_a_quarter_left_is_warned_and_again_whenever_half_of_that_has_gone() {
        let mut expiry = Expiry::default();
        let told: Vec<u64> =
            (0..=40 * DAY).step_by(60).filter(|now| expiry.look(&grant(1), *now).is_some()).collect();
        assert_eq!(told[..3], [30 * DAY, 35 * DAY, 37 * DAY + DAY / 2]);
        assert!(told.len() < 20 && told.last().is_some_and(|last| *last > 40 * DAY - 300), "{told:?}");
    }

    #[test]
    fn grace_and_reading_only_are_told_at_once_and_a_renewal_ends_it() {
        let mut expiry = Expiry::default();
        let soon = expiry.look(&grant(1), 39 * DAY).unwrap();
        assert!(soon.contains("24 hours from now: renew it"), "{soon}");
        assert!(expiry.look(&grant(1), 40 * DAY + 1).unwrap().contains("in its grace"));
        assert_eq!(expiry.look(&grant(1), 40 * DAY + 2), None);
        assert!(expiry.look(&grant(1), 44 * DAY + 1).unwrap().contains("may only read"));
        let renewed = Grant { until: 100 * DAY as u32, ..grant(2) };
        assert_eq!(expiry.look(&renewed, 44 * DAY + 2), None);
    }
}
