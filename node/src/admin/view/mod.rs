//! What the API says: written by the node, read by the commands.

mod cells;
mod counters;
mod info;
mod members;
mod quorum;
mod request;

pub use cells::{Cell, Cells, Owner, Range};
pub use counters::{Count, Counters};
pub use info::{Info, Mesh, Run, Slots};
pub use members::{Counts, Member, Members, Own, State, Status, Travel};
pub use quorum::Quorum;
pub use request::{Done, ForceLeave, Join, Nothing, Removed};

pub(super) use cells::CELLS_MAX;
