//! How an update reaches everybody at the price of about one copy a node.
//!
//! A node that takes in an update sends its bytes on to one neighbour at once, tells the others a moment later that it
//! has it, and whoever still lacks it asks for it: eager push, lazy announcement, pull (after Leitao, Pereira and
//! Rodrigues, 2007). The first updates of an origin find their own way: the eager neighbour is drawn among those not known
//! to have it, and who has announced an update is not told of it. Where an origin goes on speaking, a tree grows out of
//! who asked and who had it already.
//!
//! In go ids and [`MemberIndex`](crate::control::id::MemberIndex)s; out come [`SpreadAction`]s, into a vector of the caller's. The bytes of updates stay with the caller,
//! who verifies them before saying [`Spread::accepted`]: nothing that is not verified is ever sent on, announced, or
//! taken for known, so a forged copy hides nothing.
//!
//! ```text
//! accepted ─┬─ at once ──> Forward to 1 (critical: 4)        ids ── lacking ── a moment ──> Pull ── silence ──> Pull from another
//!           └─ a moment ─> Announce to the others            pull ──> Forward
//! round ──> Offer ──> Forward what the sender lacks, Pull what the receiver lacks
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `settings` | what may be chosen |
//! | `action` | what goes in, and what comes out |
//! | `machine` | the machine |
//! | `pulls` | what is missing, and when it is asked for |
//! | `pull` | whom it is asked for |
//! | `trees` | whom an origin's updates are sent to at once |
//! | `updates` | what is known of each update |
//! | `links` | the neighbours, and what they may still ask and say |
//! | `convergence` | how soon updates came to rest |

mod action;
mod convergence;
mod links;
mod machine;
mod pull;
mod pulls;
mod settings;
#[cfg(test)]
mod tests;
mod trees;
mod updates;

pub use action::{Accepted, Counts, Lane, SpreadAction};
pub use convergence::{Convergence, QUIET, ROUNDS, TIME_MS};
pub use links::LINKS_MAX;
pub use machine::Spread;
pub use settings::SpreadSettings;
