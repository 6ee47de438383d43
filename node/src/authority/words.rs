//! Slots, times and keys for people, and hex digits for machines.

use std::time::{Duration, UNIX_EPOCH};

use octick_core::admission::Authority;
use octick_core::stamp::Run;

use crate::log::rfc3339;

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// As in `2026-11-21 16:00:24 UTC`.
pub(crate) fn moment(secs: u64) -> String {
    let time = rfc3339(UNIX_EPOCH + Duration::from_secs(secs));
    format!("{} {} UTC", &time[..10], &time[11..19])
}

/// As in `2026-11-21`.
pub(crate) fn day(secs: u64) -> String {
    moment(secs)[..10].to_owned()
}

/// As in `64 slots, 0 to 31 and 48 to 79`.
pub(crate) fn slots(runs: &[Run]) -> String {
    let each: Vec<String> =
        runs.iter().map(|run| format!("{} to {}", run.first.0, run.end().saturating_sub(1))).collect();
    match &each[..] {
        [] => "no slots".into(),
        each => format!("{} slots, {}", total(runs), each.join(" and ")),
    }
}

/// Whose signatures it takes, as in `its one key signs` and `2 of its 3 keys sign`.
pub(crate) fn signing(authority: &Authority) -> String {
    match (authority.threshold(), authority.keys().len()) {
        (_, 1) => "its one key signs".into(),
        (1, keys) => format!("1 of its {keys} keys signs"),
        (threshold, keys) => format!("{threshold} of its {keys} keys sign"),
    }
}

/// How many slots they are.
pub(super) fn total(runs: &[Run]) -> u64 {
    runs.iter().map(|run| u64::from(run.len)).sum()
}

/// Hex digits as the bytes that they stand for; nothing if they are none, or an odd number of them.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keygen::hex;
    use octick_core::stamp::Slot;

    #[test]
    fn people_read_days_and_slots() {
        assert_eq!(moment(1_795_276_824), "2026-11-21 16:00:24 UTC");
        assert_eq!(day(u64::from(u32::MAX)), "2106-02-07");
        assert_eq!(slots(&[]), "no slots");
        let run = |first, len| Run { first: Slot(first), len };
        assert_eq!(slots(&[run(0, 32), run(48, 32)]), "64 slots, 0 to 31 and 48 to 79");
    }

    #[test]
    fn digits_are_read_as_they_are_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("0aF"), None);
        assert_eq!(unhex("+1"), None);
        assert_eq!(unhex("é"), None);
        assert_eq!(unhex(""), Some(vec![]));
    }
}
