//! The vocabulary: what control planes say to each other.
//!
//! | file | idea |
//! |---|---|
//! | [`membership`] | about members |
//! | [`announcement`] | what a member says of itself, signed |
//! | [`gossip`] | about updates, links and samples |
//! | [`descriptor`] | refers to a member's announcement |
//! | [`malformed`] | why a body is not what its kind requires |
//! | [`refusal`] | why a control frame was not handled |

pub mod announcement;
pub mod descriptor;
pub mod gossip;
pub mod malformed;
pub mod membership;
pub mod refusal;
