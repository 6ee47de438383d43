//! What the API says: written by the node, read by the commands.

mod admission;
mod cells;
mod counters;
mod info;
mod members;
mod quorum;
mod request;

pub use admission::{Admission, Granted};
pub use cells::{Cell, Cells, Owner, Range};
pub use counters::{Count, Counters};
pub use info::{Info, Mesh, Run, Slots};
pub use members::{Counts, Member, Members, Own, State, Status, Travel};
pub use quorum::Quorum;
pub use request::{DECISIONS_AT_ONCE, Decide, Decided, Done, ForceLeave, Join, Nothing, Outcome, Removed};

pub(super) use cells::CELLS_MAX;
