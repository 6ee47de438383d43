//! What stands in a datagram: one signed frame, viewed in place.
//!
//! ```text
//! +-----------+-----------------------------+-----------+------------------+
//! | header 40 | entries: blocks, rows, stats| signature | path 0 to 6 x 32 |
//! +-----------+-----------------------------+-----------+------------------+
//! |------- signed part, at most 1,024 ------|------ authentication --------|
//! ```
//!
//! [`Frame::parse`] checks a datagram as a whole; what it returns cannot fail afterwards. `docs/wire.md` has the
//! byte diagrams.

pub mod block;
pub mod control_frame;
pub mod damage;
pub mod draft;
pub mod dump;
pub mod frame;
pub mod header;
pub mod kind;
pub mod recipient;
pub mod rows;
pub mod seal;
pub mod stat;

pub use block::{Block8, Block16};
pub use control_frame::{ControlFrame, Message, Messages};
pub use damage::Damage;
pub use draft::{Draft, Full};
pub use frame::{Entries, Envelope, Frame};
pub use header::Header;
pub use kind::Kind;
pub use recipient::RecipientMark;
pub use rows::Rows;
pub use seal::{Sealer, Stamp};
pub use stat::Stat;
