//! What the tests of this folder begin with.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use octick_crypto::{Identity, PublicKey, verify_many};

use super::authority::Authority;
use super::credential::Credential;
use super::endorsement::{Invalid, authority_key};
use super::grant::{ANY_REGION, Grant, WRITE_CELLS};
use super::log::AuthorityLog;
use crate::stamp::{Run, Slot};

pub(super) fn mesh() -> [u8; 32] {
    authority_key("t")
}

pub(super) fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

pub(super) fn key(n: u8) -> PublicKey {
    identity(n).public().clone()
}

pub(super) fn run(first: u32, len: u32) -> Run {
    Run { first: Slot(first), len }
}

/// The authority whose only key is `n`.
pub(super) fn authority(n: u8) -> Authority {
    Authority::new(vec![key(n)], 1).expect("one key, one signature")
}

pub(super) fn log(n: u8) -> AuthorityLog {
    AuthorityLog::new(mesh(), authority(n))
}

/// From second 1,000 to 2,000, and 100 of grace.
pub(super) fn grant(member: u8, serial: u64) -> Grant {
    Grant {
        serial,
        member: identity(member).id(),
        from: 1_000,
        until: 2_000,
        grace: 100,
        region: ANY_REGION,
        roles: 3,
        rights: WRITE_CELLS,
        name: "worker-1".to_string(),
        runs: vec![run(0, 16), run(64, 32)],
    }
}

pub(super) fn issue(grant: &Grant, signers: &[u8]) -> Credential {
    let signers: Vec<Identity> = signers.iter().map(|n| identity(*n)).collect();
    let signers: Vec<&Identity> = signers.iter().collect();
    Credential::issue(grant, &mesh(), &signers).expect("a sound grant")
}

pub(super) fn verify(bytes: &[u8], trust: &AuthorityLog) -> Result<Credential, Invalid> {
    Credential::verify_all(&[bytes], trust, verify_many).remove(0)
}
