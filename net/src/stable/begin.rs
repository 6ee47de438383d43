//! What a node begins with, from what is remembered and what the wall clock says. Time is an argument.

use std::time::Duration;

use octick_core::stamp::Incarnation;
use octick_core::time::Wall;

use super::store::{StableError, StableState};
use crate::clock;
use crate::limits::{CLOCK_LEAD_MICROS_MAX, CLOCK_LEAD_MICROS_MIN};

/// How a start goes on from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Greater than any before.
    pub(crate) incarnation: Incarnation,
    /// Versions up to here may have been issued.
    pub(crate) clock: Wall,
    /// Whether nothing but the store vouches for the incarnation: the wall clock is not past the start that is remembered. A store
    /// that is a copy of long ago looks like this when the clock is wrong as well, so the mesh is to be heard before anything is issued.
    pub(crate) hears_first: bool,
    /// How far the wall clock is behind what was reserved.
    pub(crate) behind: Duration,
}

impl Beginning {
    /// What somebody should know of it: others, whose clocks are right, take what this node says; but if it was the clock
    /// before that was wrong, they refuse it as from the future.
    pub(crate) fn warning(&self, skew_max: Duration) -> Option<String> {
        (self.behind > skew_max).then(|| {
            format!(
                "the wall clock is {:?} behind what this node has issued before its start: set the clock; if it was ahead then, others \
                 refuse what this node says (future) until it has caught up",
                self.behind
            )
        })
    }
}

/// Decides that. `chosen` is the embedder's own choice.
pub(crate) fn begin(
    remembered: Option<StableState>,
    chosen: Option<Incarnation>,
    wall_ns: u64,
) -> Result<Beginning, StableError> {
    let (by_clock, wall) = (clock::incarnation_at(wall_ns), Wall(wall_ns / 1_000));
    let StableState { incarnation: last, reserved } = remembered.unwrap_or_default();
    let next = Incarnation(last.0.checked_add(1).ok_or(StableError::NoneLeft)?);
    let incarnation = match chosen {
        Some(chosen) if remembered.is_some() && chosen < next => {
            return Err(StableError::NotLater { chosen, last });
        }
        Some(chosen) => chosen,
        None => next.max(Incarnation(by_clock)),
    };
    Ok(Beginning {
        incarnation,
        clock: wall.max(reserved),
        hears_first: remembered.is_some() && chosen.is_none() && by_clock < next.0,
        behind: Duration::from_micros(reserved.since(wall)),
    })
}

/// How far the clock is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    /// Beyond the wall clock, microseconds.
    wall: u64,
    /// Beyond the latest version, where that is ahead of the wall clock.
    latest: u64,
}

impl Lead {
    /// Half of what others bear, for after a crash the clock begins so far ahead of the wall. Where it is ahead already it moves on by
    /// little, and so must what is reserved: crashes that follow each other would add up.
    pub(crate) fn of(skew_max: Duration) -> Self {
        let half = skew_max.as_micros() as u64 / 2;
        let wall = half.clamp(CLOCK_LEAD_MICROS_MIN, CLOCK_LEAD_MICROS_MAX);
        Self { wall, latest: wall / 20 }
    }

    /// Up to where to reserve.
    pub(crate) fn up_to(self, wall: Wall, latest: Wall) -> Wall {
        wall.later(self.wall).max(latest.later(self.latest))
    }

    /// Whether it is time to reserve more than what is.
    pub(crate) fn is_due(self, reserved: Wall, wall: Wall, latest: Wall) -> bool {
        reserved < wall.later(self.wall / 2).max(latest.later(self.latest / 2))
    }

    /// How soon to look again, microseconds.
    pub(crate) fn nap(self, wall: Wall, latest: Wall) -> u64 {
        let ahead = latest.later(self.latest) > wall.later(self.wall / 2);
        if ahead { self.latest / 4 } else { self.wall / 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;
    const NOW: u64 = 1_795_276_824 * SECOND;

    fn state(incarnation: u32, reserved_ns: u64) -> Option<StableState> {
        Some(StableState { incarnation: Incarnation(incarnation), reserved: Wall(reserved_ns / 1_000) })
    }

    #[test]
    fn a_first_start_takes_what_the_clock_says() {
        let first = begin(None, None, NOW).unwrap();
        assert_eq!(first.incarnation, Incarnation(clock::incarnation_at(NOW)));
        assert_eq!(
            (first.clock, first.hears_first, first.behind),
            (Wall(NOW / 1_000), false, Duration::ZERO)
        );
    }

    #[test]
    fn a_start_within_the_same_tenth_of_a_second_is_a_later_one_and_hears_first() {
        let last = clock::incarnation_at(NOW);
        let again = begin(state(last, NOW + 5 * SECOND), None, NOW + SECOND / 20).unwrap();
        assert_eq!(again.incarnation, Incarnation(last + 1));
        assert_eq!(again.clock, Wall((NOW + 5 * SECOND) / 1_000), "behind all that may have been issued");
        assert!(again.hears_first);
        let later = begin(state(last, NOW + 5 * SECOND), None, NOW + SECOND / 2).unwrap();
        assert!(later.incarnation > Incarnation(last) && !later.hears_first, "the clock vouches for it");
    }

    #[test]
    fn a_clock_that_stepped_back_takes_nothing_with_it() {
        let last = clock::incarnation_at(NOW);
        for back in [SECOND, 3_600 * SECOND, NOW] {
            let again = begin(state(last, NOW), None, NOW - back).unwrap();
            assert_eq!((again.incarnation, again.clock), (Incarnation(last + 1), Wall(NOW / 1_000)));
            assert!(again.hears_first);
            assert_eq!(again.behind, Duration::from_nanos(back));
        }
    }

    #[test]
    fn a_choice_of_the_embedder_counts_unless_it_was_used() {
        assert_eq!(begin(None, Some(Incarnation(1)), NOW).unwrap().incarnation, Incarnation(1));
        assert_eq!(begin(state(7, 0), Some(Incarnation(8)), NOW).unwrap().incarnation, Incarnation(8));
        let error = begin(state(7, 0), Some(Incarnation(7)), NOW).unwrap_err();
        assert!(error.to_string().contains("incarnation = 7 is not later than the last one, 7"), "{error}");
        assert!(matches!(begin(state(u32::MAX, 0), None, NOW), Err(StableError::NoneLeft)));
    }

    #[test]
    fn crashes_that_follow_each_other_do_not_carry_the_clock_away() {
        let skew = Duration::from_secs(10);
        let (lead, mut wall, mut remembered) = (Lead::of(skew), NOW, None);
        for _ in 0..1_000 {
            let start = begin(remembered, None, wall).unwrap();
            let now = Wall(wall / 1_000);
            let reserved = lead.up_to(now, start.clock);
            assert!(reserved.since(now) < 6_000_000, "others bear ten seconds");
            assert!(!lead.is_due(reserved, now, start.clock));
            remembered = Some(StableState { incarnation: start.incarnation, reserved });
            wall += SECOND / 4;
        }
    }

    proptest! {
        #[test]
        fn incarnations_and_clocks_rise_over_starts_wherever_the_wall_is(
            walls in prop::collection::vec((0_u64..NOW * 2, any::<bool>()), 1..60),
        ) {
            let mut remembered = None;
            for (wall, later) in walls {
                let start = begin(remembered, None, wall).unwrap();
                if let Some(StableState { incarnation, reserved }) = remembered {
                    prop_assert!(start.incarnation > incarnation && start.clock >= reserved);
                }
                let reserved = start.clock.later(if later { 5_000_000 } else { 0 });
                remembered = Some(StableState { incarnation: start.incarnation, reserved });
            }
        }
    }
}
