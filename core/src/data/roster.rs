//! The list that a directory is made from: origins, their runs of slots, and the rules they keep.

use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{NodeId, PublicKey};

use crate::limits::{ORIGINS_MAX, RUN_ALIGN, RUNS_MAX, SLOTS_MAX};
pub use crate::stamp::Run;

/// One node that this node knows.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its key, admitted before; names it.
    pub key: PublicKey,
    /// The slots that it speaks for, at most [`RUNS_MAX`] runs in any order; none for a node without agents.
    pub runs: Vec<Run>,
    /// Whether its right to speak was taken back. A revoked origin is still found, so that its frames can be
    /// counted as such, but owns nothing: its runs may be given to another.
    pub revoked: bool,
}

/// Whether a list of origins can be a directory, but for keys that stand in it twice: those show when it is filled.
pub(super) fn check(origins: &[Origin]) -> Result<(), DirectoryError> {
    if origins.len() > ORIGINS_MAX {
        return Err(DirectoryError::TooManyOrigins { given: origins.len() });
    }
    origins.iter().try_for_each(check_runs)?;
    check_disjoint(origins)
}

/// The rules that one origin's runs can break by themselves.
pub(super) fn check_runs(origin: &Origin) -> Result<(), DirectoryError> {
    let id = origin.key.id();
    if origin.runs.len() > RUNS_MAX {
        return Err(DirectoryError::TooManyRuns { id, given: origin.runs.len() });
    }
    for &run in &origin.runs {
        if run.len == 0 {
            return Err(DirectoryError::EmptyRun { id, run });
        }
        if !run.first.0.is_multiple_of(RUN_ALIGN) || !run.len.is_multiple_of(RUN_ALIGN) {
            return Err(DirectoryError::UnalignedRun { id, run });
        }
        if u64::from(run.first.0) + u64::from(run.len) > u64::from(SLOTS_MAX) {
            return Err(DirectoryError::PastTheEnd { id, run });
        }
    }
    Ok(())
}

/// No two runs of live origins share a slot: after sorting, each ends before the next begins.
fn check_disjoint(origins: &[Origin]) -> Result<(), DirectoryError> {
    let live = origins.iter().filter(|origin| !origin.revoked);
    let mut runs: Vec<(Run, NodeId)> =
        live.flat_map(|origin| origin.runs.iter().map(|run| (*run, origin.key.id()))).collect();
    runs.sort_by_key(|(run, _)| run.first);
    match runs.windows(2).find(|pair| pair[0].0.last() >= pair[1].0.first.0) {
        Some(&[(run, id), (other_run, other)]) => Err(DirectoryError::Overlap { id, run, other, other_run }),
        _ => Ok(()),
    }
}

/// Why a list of origins is no directory. Nothing was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryError {
    /// More than [`ORIGINS_MAX`].
    TooManyOrigins {
        /// Origins in the list.
        given: usize,
    },
    /// More than [`RUNS_MAX`] for one origin.
    TooManyRuns {
        /// Whose.
        id: NodeId,
        /// Runs in its list.
        given: usize,
    },
    /// A run without slots.
    EmptyRun {
        /// Whose.
        id: NodeId,
        /// Which.
        run: Run,
    },
    /// A run that does not begin and end at multiples of [`RUN_ALIGN`].
    UnalignedRun {
        /// Whose.
        id: NodeId,
        /// Which.
        run: Run,
    },
    /// A run with slots at or past [`SLOTS_MAX`].
    PastTheEnd {
        /// Whose.
        id: NodeId,
        /// Which.
        run: Run,
    },
    /// Two runs that share slots.
    Overlap {
        /// Whose the lower run is.
        id: NodeId,
        /// The run that begins first.
        run: Run,
        /// Whose the other run is; may be the same origin.
        other: NodeId,
        /// The run that begins inside the first.
        other_run: Run,
    },
    /// One key at two places of the list.
    SameKey {
        /// Whose.
        id: NodeId,
        /// Index of the first.
        first: usize,
        /// Index of the second.
        second: usize,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyOrigins { given } => write!(f, "{given} origins, where at most {ORIGINS_MAX} fit"),
            Self::TooManyRuns { id, given } => {
                write!(f, "origin {id} has {given} runs of slots, where at most {RUNS_MAX} fit")
            }
            Self::EmptyRun { id, run } => write!(f, "run {run} of origin {id} has no slots"),
            Self::UnalignedRun { id, run } => {
                write!(f, "run {run} of origin {id} does not begin and end at multiples of {RUN_ALIGN}")
            }
            Self::PastTheEnd { id, run } => {
                write!(f, "run {run} of origin {id} goes past the last possible slot, {}", SLOTS_MAX - 1)
            }
            Self::Overlap { id, run, other, other_run } => {
                write!(f, "run {run} of origin {id} overlaps run {other_run} of origin {other}")
            }
            Self::SameKey { id, first, second } => {
                write!(f, "origin {id} stands in the list twice, at {first} and at {second}")
            }
        }
    }
}

impl core::error::Error for DirectoryError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Slot;
    use alloc::vec;
    use octick_crypto::Identity;

    fn origin(key: u8, runs: &[(u32, u32)]) -> Origin {
        let runs = runs.iter().map(|(first, len)| Run { first: Slot(*first), len: *len }).collect();
        Origin { key: Identity::from_seed(&[key; 32]).public().clone(), runs, revoked: false }
    }

    #[test]
    fn as_many_origins_runs_and_slots_as_there_may_be_and_no_more() {
        let nobody = origin(1, &[]);
        assert_eq!(check(&vec![nobody.clone(); ORIGINS_MAX]), Ok(()));
        let given = ORIGINS_MAX + 1;
        assert_eq!(check(&vec![nobody; given]), Err(DirectoryError::TooManyOrigins { given }));
        let runs = |count: u32| (0..count).map(|i| (32 * i, 16)).collect::<Vec<_>>();
        assert_eq!(check(&[origin(1, &runs(RUNS_MAX as u32))]), Ok(()));
        let many = check(&[origin(1, &runs(RUNS_MAX as u32 + 1))]);
        assert!(matches!(many, Err(DirectoryError::TooManyRuns { given, .. }) if given == RUNS_MAX + 1));
        assert_eq!(check(&[origin(1, &[(SLOTS_MAX - 16, 16)])]), Ok(()));
        assert!(matches!(
            check(&[origin(1, &[(SLOTS_MAX - 16, 32)])]),
            Err(DirectoryError::PastTheEnd { .. })
        ));
        assert!(matches!(check(&[origin(1, &[(0, 0)])]), Err(DirectoryError::EmptyRun { .. })));
        for odd in [(8, 16), (0, 8)] {
            assert!(matches!(check(&[origin(1, &[odd])]), Err(DirectoryError::UnalignedRun { .. })));
        }
    }

    #[test]
    fn runs_may_touch_and_not_overlap_but_with_those_of_who_was_revoked() {
        assert_eq!(check(&[origin(1, &[(0, 16)]), origin(2, &[(16, 16)])]), Ok(()));
        let mut both = [origin(1, &[(0, 32)]), origin(2, &[(16, 16)])];
        assert!(matches!(check(&both), Err(DirectoryError::Overlap { .. })));
        both[1].revoked = true;
        assert_eq!(check(&both), Ok(()));
    }
}
