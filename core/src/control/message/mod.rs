//! The vocabulary: what control planes say to each other.
//!
//! | file | idea |
//! |---|---|
//! | [`kind`] | every kind of message: its byte, its name, the machine that it is for |
//! | [`control_msg`] | a message, decoded once |
//! | [`membership`] | about members |
//! | [`announcement`] | what a member says of itself, signed |
//! | [`force_leave`] | what a member says of another that is gone for good, signed |
//! | [`gossip`] | about updates, links and samples |
//! | [`id_lists`] | lists of ids, used again and again |
//! | [`descriptor`] | refers to a member's announcement |
//! | [`malformed`] | why a body is not what its kind requires |

pub mod accusation;
pub mod announcement;
pub mod control_msg;
pub mod descriptor;
pub mod equivocation;
pub mod force_leave;
pub mod gossip;
pub mod id_lists;
pub mod kind;
pub mod malformed;
pub mod membership;
