//! What a node's files say of its place in the mesh: whom it trusts, what it was granted, what was decided.
//!
//! ```text
//! admission.authority, node.decisions, node.credential > files > the library's Admission and Credential
//! decisions that are heard > keep > node.decisions            credential, clock > expiry > warnings
//! ```
//!
//! What can never happen: a node that starts with a credential that does not hold, or one that forgets a revocation because it was
//! started again.

mod expiry;
mod files;
mod keep;

pub use files::{Trust, credential, decisions, now, reach, read};

pub(crate) use expiry::Expiry;
pub(crate) use keep::Keep;
