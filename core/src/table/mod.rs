//! What a node keeps: versioned cells by slot, in memory that readers on other cores may look into.
//!
//! In come the entries of frames that were checked, verified and accepted; out come counts, and a word to a
//! [`Sink`] for each row that changed. What can never happen: a cell that goes back in version, a reader that
//! sees one writer's version with another's value, two nodes that merged the same frames and differ.
//!
//! | module | idea |
//! |---|---|
//! | `rule` | which of two cells stays: the one merge rule |
//! | [`blocks8`], [`blocks16`], [`rows`] | the three tables: eight or sixteen neighbouring cells a row, or one |
//! | `row` | a row in memory, and how it is read while it is written |
//! | [`region`] | where the memory comes from |
//! | [`kernel`], `arch` | which instructions merge; `arch::portable` is the specification |
//! | [`sink`] | who is told what changed |
//! | `clear` | cells that are nobody's any more |
//! | `ranges` | the digest, recomputed where something changed |

// The SIMD kernels and the memory under the rows: each block proves itself.
#![allow(unsafe_code)]

mod arch;
pub mod blocks16;
pub mod blocks8;
mod clear;
pub mod kernel;
mod plane;
mod ranges;
pub mod region;
mod row;
pub mod rows;
mod rule;
pub mod sink;

pub use blocks8::{Blocks8, Blocks8Reader};
pub use blocks16::{Blocks16, Blocks16Reader};
pub use kernel::Kernel;
pub use region::Region;
pub use row::{Cell, Snapshot};
pub use rows::{RowTable, RowTableReader};
pub use sink::{Merged, NoSink, Sink};
