//! Identities, signatures and content hashes: pure functions over bytes, and the key file.
//!
//! In come bytes from the network; out come admitted [`PublicKey`]s and one verdict per signature.
//! What can never happen here: a secret reaching [`verify`] or [`train`] (they see public data only), and
//! two nodes giving different verdicts on the same (key, message, signature).
//!
//! | module | idea |
//! |---|---|
//! | [`key`] | a public key is admitted once, or refused with the reason |
//! | [`identity`] | the secret half: signs, and is wiped when dropped |
//! | [`mod@verify`] | many signatures in, one verdict each out |
//! | [`lanes`] | the same verdicts, faster for known keys |
//! | [`hash`] | BLAKE3, keyed so that leaf, node and mesh never mix |
//! | [`train`] | one signature over the Merkle root of up to 64 frames |
//! | [`key_file`] | 32 secret bytes on disk, mode 0600 (feature `std`) |

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod hash;
mod hash_many;
pub mod identity;
pub mod key;
#[cfg(feature = "std")]
pub mod key_file;
pub mod lanes;
pub mod train;
pub mod verify;

pub use hash::{Hash, MeshKeys};
pub use identity::Identity;
pub use key::{KeyError, NodeId, PublicKey};
pub use lanes::Verifier;
pub use verify::{Item, verify_many};

/// Length of an Ed25519 signature, bytes.
pub const SIGNATURE_LEN: usize = 64;
