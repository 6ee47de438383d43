//! Which of two cells stays: the one merge rule. Every kernel equals it.
//!
//! A cell is a pair (version, value), and the merge of two is the greater pair: first by version, which orders
//! by time and origin, then by value. A maximum of a total order is commutative, associative and idempotent, so
//! tables that saw the same cells in any order, any number of times, hold the same.
//!
//! One origin owns a cell at a time and never issues a version twice, so the second comparison decides nothing
//! between honest writers: two values of one version prove a fault, and are counted as one. Keeping the greater
//! value is no opinion about who is right, only what keeps the merge commutative.

/// What became of a cell that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Newer than what was there: stored.
    Won,
    /// Older than what was there, or the very same: nothing changed.
    Stale,
    /// Another value of the same version: a fault of its origin.
    Fault {
        /// Whether the offered value is the greater one, and was stored.
        stored: bool,
    },
}

/// Judges `offered` against `held`, each a (version, value); a version of zero was never written.
#[inline(always)]
pub(super) fn judge<W: Ord>(held: (W, W), offered: (W, W)) -> Verdict {
    if offered.0 > held.0 {
        Verdict::Won
    } else if offered.0 == held.0 && offered.1 != held.1 {
        Verdict::Fault { stored: offered.1 > held.1 }
    } else {
        Verdict::Stale
    }
}
