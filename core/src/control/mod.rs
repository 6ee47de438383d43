//! The control plane: who is in the mesh, who is gone, and what the nodes tell each other about it.
//!
//! Machines without sockets or clocks, one a file: letters, time and dice go in, intentions come
//! out. It knows nothing of the data plane, nor that of it.
//!
//! | module | idea |
//! |---|---|
//! | [`random`] | the dice |
//! | [`announce`] | what a member says of itself, signed |

pub mod announce;
pub mod random;

pub use announce::{Announcement, Claim, Notary, Region, Statement};
pub use random::Random;
