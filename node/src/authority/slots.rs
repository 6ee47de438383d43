//! Which slots a member gets: the first gap that is long enough, and more of it behind what it has.
//!
//! Pure functions over runs. What can never happen: two members with one slot, or a member that loses one because it asked for more.

use std::fmt;

use octick_core::limits::GRANTS_MAX;
use octick_core::stamp::{Run, Slot};

/// Why there are no slots to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// No gap is as long as what was asked for.
    Gap {
        /// Slots that were asked for.
        asked: u32,
        /// Slots that are free in all.
        free: u32,
        /// Slots of the longest gap.
        longest: u32,
    },
    /// It would be more runs than fit a credential.
    Pieces,
}

/// The slots of a table of `slots` that nobody has, in runs.
pub(super) fn gaps(taken: &[Run], slots: u32) -> Vec<Run> {
    let mut taken = taken.to_vec();
    taken.sort_unstable_by_key(|run| run.first);
    let (mut gaps, mut at) = (Vec::new(), 0);
    for run in taken.into_iter().chain([Run { first: Slot(slots), len: 0 }]) {
        if run.first.0 > at {
            gaps.push(Run { first: Slot(at), len: run.first.0 - at });
        }
        at = at.max(u32::try_from(run.end()).expect("runs lie within the table"));
    }
    gaps
}

/// `more` slots for a member that has `own`: its runs then, rising. `taken` is what all members have, itself included.
///
/// # Errors
/// Why there are none; nothing was given.
pub(super) fn grow(own: &[Run], taken: &[Run], slots: u32, more: u32) -> Result<Vec<Run>, NoRoom> {
    if more == 0 {
        return Ok(own.to_vec());
    }
    let gaps = gaps(taken, slots);
    let fits = |gap: &&Run| gap.len >= more;
    let behind = |gap: &&Run| own.iter().any(|run| run.end() == u64::from(gap.first.0));
    let Some(gap) = gaps.iter().filter(fits).find(behind).or_else(|| gaps.iter().find(fits)) else {
        let longest = gaps.iter().map(|gap| gap.len).max().unwrap_or(0);
        return Err(NoRoom::Gap { asked: more, free: gaps.iter().map(|gap| gap.len).sum(), longest });
    };
    let mut runs = own.to_vec();
    runs.push(Run { first: gap.first, len: more });
    runs.sort_unstable_by_key(|run| run.first);
    runs.dedup_by(|next, run| {
        let joins = run.end() == u64::from(next.first.0);
        run.len += if joins { next.len } else { 0 };
        joins
    });
    if runs.len() > GRANTS_MAX { Err(NoRoom::Pieces) } else { Ok(runs) }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { asked, free, longest } => {
                write!(
                    f,
                    "no room for {asked} slots in one piece: {free} are free, at most {longest} of them together"
                )
            }
            Self::Pieces => write!(
                f,
                "its slots would be more than {GRANTS_MAX} runs, which is all that a credential holds"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(first: u32, len: u32) -> Run {
        Run { first: Slot(first), len }
    }

    #[test]
    fn the_first_gap_that_is_long_enough_is_taken() {
        let taken = [run(64, 16), run(0, 16), run(32, 16)];
        assert_eq!(grow(&[], &taken, 128, 16), Ok(vec![run(16, 16)]));
        assert_eq!(grow(&[], &taken, 128, 32), Ok(vec![run(80, 32)]));
        assert_eq!(grow(&[], &taken, 128, 64), Err(NoRoom::Gap { asked: 64, free: 80, longest: 48 }));
        assert_eq!(grow(&[], &[], 128, 128), Ok(vec![run(0, 128)]));
        assert_eq!(grow(&[], &[run(0, 128)], 128, 16), Err(NoRoom::Gap { asked: 16, free: 0, longest: 0 }));
    }

    #[test]
    fn more_is_taken_behind_what_there_is() {
        let taken = [run(16, 16), run(48, 16)];
        assert_eq!(grow(&taken[..1], &taken, 128, 16), Ok(vec![run(16, 32)]), "not at 0");
        assert_eq!(grow(&taken[..1], &taken, 128, 32), Ok(vec![run(16, 16), run(64, 32)]));
        assert_eq!(grow(&taken[..1], &taken, 128, 0), Ok(vec![run(16, 16)]));
    }

    #[test]
    fn runs_are_never_more_than_a_credential_holds() {
        let every_other: Vec<Run> = (0..GRANTS_MAX as u32).map(|n| run(32 * n, 16)).collect();
        let mut taken = every_other.clone();
        taken.push(run(32 * GRANTS_MAX as u32 - 16, 16));
        assert_eq!(grow(&every_other, &taken, 1024, 64), Err(NoRoom::Pieces));
    }

    proptest! {
        /// The dull twin is a table of booleans.
        #[test]
        fn no_slot_is_ever_given_twice(asked in prop::collection::vec((0..4_usize, 1..6_u32), 1..40)) {
            const SLOTS: u32 = 16 * 24;
            let mut members = vec![Vec::<Run>::new(); 4];
            let mut table = [None; SLOTS as usize];
            for (member, units) in asked {
                let taken: Vec<Run> = members.concat();
                match grow(&members[member], &taken, SLOTS, 16 * units) {
                    Ok(runs) => {
                        let before: u32 = members[member].iter().map(|run| run.len).sum();
                        prop_assert_eq!(runs.iter().map(|run| run.len).sum::<u32>(), before + 16 * units);
                        for slot in runs.iter().flat_map(|run| run.first.0..run.end() as u32) {
                            let owner = table[slot as usize].get_or_insert(member);
                            prop_assert_eq!(*owner, member);
                        }
                        members[member] = runs;
                    }
                    Err(NoRoom::Gap { asked, free, longest }) => {
                        prop_assert_eq!(table.iter().filter(|owner| owner.is_none()).count() as u32, free);
                        let together = table.chunk_by(|a, b| a == b).filter(|part| part[0].is_none());
                        prop_assert_eq!(together.map(<[_]>::len).max().unwrap_or(0) as u32, longest);
                        prop_assert!(longest < asked);
                    }
                    Err(NoRoom::Pieces) => prop_assert_eq!(members[member].len(), GRANTS_MAX),
                }
            }
            let held: usize = members.iter().flatten().map(|run| run.len as usize).sum();
            prop_assert_eq!(held, table.iter().flatten().count());
        }
    }
}
