//! What the API says: written by the node, read by the commands.

mod cells;
mod counters;
mod info;
mod members;
mod request;

pub use cells::{Cell, Cells, Owner, Range};
pub use counters::{Count, Counters};
pub use info::{Info, Mesh, Quorum, Run, Slots};
pub use members::{Counts, Member, Members, Own, State, Status, Travel};
pub use request::{Done, ForceLeave, Join, Nothing, Removed};

pub(super) use cells::CELLS_MAX;
