//! The vocabulary: what control planes say to each other.
//!
//! | file | idea |
//! |---|---|
//! | [`membership`] | about members |
//! | [`announcement`] | what a member says of itself, signed |
//! | [`gossip`] | about updates, links and samples |
//! | [`refusal`] | why a control frame was not handled |

pub mod announcement;
pub mod gossip;
pub mod membership;
pub mod refusal;
