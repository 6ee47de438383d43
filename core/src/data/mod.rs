//! The data plane: from a checked frame to a merged cell, batch by batch.
//!
//! | module | idea |
//! |---|---|
//! | [`roster`] | the list of origins that a directory is made from, and its rules |
//! | [`directory`] | who may speak, and for which slots |
//! | [`window`] | which numbers of an origin were accepted before |

pub mod directory;
pub mod roster;
pub mod window;

pub use directory::Directory;
pub use roster::{DirectoryError, Origin, Run};
pub use window::{Seen, Windows, WindowsView};
