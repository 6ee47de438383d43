//! Who may speak: what the mesh's authority signs, and the rule by which a node admits members.
//!
//! Pure functions and one small machine, without sockets or clocks. The control plane asks it before it puts a member on
//! record; the commands of an authority make what it reads. What can never happen: a right that nobody signed, or one that
//! a revocation took and gossip gave back.
//!
//! | file | idea |
//! |---|---|
//! | [`authority`] | whose signatures count: keys, and how many of them |
//! | [`endorsement`] | the signatures under what an authority says |
//! | [`grant`] | what a member may do, and until when |
//! | [`credential`] | a grant that the authority signed |
//! | [`decision`] | what the authority says to everybody: revocations, new keys, issuers |
//! | [`log`] | the decisions in their order, and whom they leave trusted |
//! | [`rule`] | open, listed or issued: what a node makes of a member |

pub mod authority;
pub mod credential;
pub mod decision;
pub mod endorsement;
pub mod grant;
pub mod log;
pub mod rule;
#[cfg(test)]
mod samples;

pub use authority::Authority;
pub use credential::Credential;
pub use decision::{Decision, SignedDecision};
pub use endorsement::Invalid;
pub use grant::Grant;
pub use log::AuthorityLog;
pub use rule::{Admission, Denied, Rule, Standing};
