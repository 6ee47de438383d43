//! The signatures under what an authority says.
//!
//! ```text
//!  0  id of the key that signs, 16
//! 16  signature, 64
//! ```
//!
//! They stand at the end of a document, rising by id, so that nobody is counted twice and one set of signatures has one form.
//! What is signed is a hash that the mesh's name and the kind of document are part of: a credential is no decision, and
//! neither means anything in another mesh.

use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{Identity, Item, NodeId, PublicKey, SIGNATURE_LEN};

use crate::limits::ENDORSEMENTS_MAX;

/// Bytes of one endorsement.
pub const ENDORSEMENT_LEN: usize = 16 + SIGNATURE_LEN;

/// What binds documents of a mesh's authority to the mesh called `mesh`.
pub fn authority_key(mesh: &str) -> [u8; 32] {
    blake3::derive_key("octick v2 authority", mesh.as_bytes())
}

/// Which kind of document is signed: 31 bytes that no other signature of this project begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Credential,
    Decision,
}

/// Why bytes are no word of the mesh's authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They end early, or go on behind the last signature.
    Length,
    /// Reserved bits are set, or a field has a value that means nothing.
    Field,
    /// A name that is not 1 to 32 letters, digits, dots, hyphens or underscores.
    Name,
    /// A run of slots that nobody can own, or runs that do not rise.
    Run,
    /// Validity that ends before it begins.
    Validity,
    /// Signatures not in their order, or more than may be.
    Order,
    /// Signed by too few keys that the mesh trusts for this.
    Untrusted,
    /// A signature that does not hold in this mesh.
    Signature,
}

/// What is signed.
pub(super) fn message(kind: Document, mesh: &[u8; 32], said: &[u8]) -> [u8; 64] {
    let domain: &[u8; 31] = match kind {
        Document::Credential => b"octick v2 member's credential!!",
        Document::Decision => b"octick v2 authority's decision!",
    };
    let mut message = [1; 64];
    message[..31].copy_from_slice(domain);
    message[32..].copy_from_slice(blake3::keyed_hash(mesh, said).as_bytes());
    message
}

/// Appends the signatures of `signers` under what `bytes` say.
pub(super) fn endorse(kind: Document, mesh: &[u8; 32], bytes: &mut Vec<u8>, signers: &[&Identity]) {
    assert!((1..=ENDORSEMENTS_MAX).contains(&signers.len()), "a document has one to three signatures");
    let (message, start) = (message(kind, mesh, bytes), bytes.len());
    let mut signers = signers.to_vec();
    signers.sort_unstable_by_key(|signer| signer.id());
    for signer in signers {
        bytes.extend_from_slice(&signer.id().0);
        bytes.extend_from_slice(&signer.sign(&message));
    }
    debug_assert!(Endorsements::read(&bytes[start..]).is_ok(), "signatures in their order, none twice");
}

/// The signatures at the end of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endorsements<'a>(&'a [[u8; ENDORSEMENT_LEN]]);

impl<'a> Endorsements<'a> {
    /// Reads all of `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let (each, rest) = bytes.as_chunks::<ENDORSEMENT_LEN>();
        if !rest.is_empty() || each.is_empty() {
            return Err(Invalid::Length);
        }
        assert!(bytes.len() == each.len() * ENDORSEMENT_LEN, "whole signatures");
        let rising = each.windows(2).all(|pair| pair[0][..16] < pair[1][..16]);
        if each.len() > ENDORSEMENTS_MAX || !rising { Err(Invalid::Order) } else { Ok(Self(each)) }
    }

    /// Their length, bytes.
    pub(super) fn bytes_len(self) -> usize {
        self.0.len() * ENDORSEMENT_LEN
    }

    /// Who signed, as the document has it.
    pub(super) fn signers(self) -> impl Iterator<Item = NodeId> + 'a {
        self.0.iter().map(|each| NodeId(*each.first_chunk().expect("16 of 80 bytes")))
    }

    /// What has to be verified: each signature beside its key, where `key` knows one.
    pub(super) fn items<'k, 'm: 'k>(
        self,
        message: &'m [u8; 64],
        key: impl Fn(NodeId) -> Option<&'k PublicKey>,
    ) -> Vec<Item<'k>>
    where
        'a: 'k,
    {
        let known = self.signers().zip(self.0).filter_map(|(id, each)| Some((key(id)?, each)));
        known
            .map(|(key, each)| Item { key, message, signature: each.last_chunk().expect("64 of 80 bytes") })
            .collect()
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "it is shorter or longer than it says",
            Self::Field => "a field has a value that means nothing",
            Self::Name => "its name is not 1 to 32 letters, digits, dots, hyphens or underscores",
            Self::Run => "it has a run of slots that nobody can own, or runs that do not rise",
            Self::Validity => "it ends before it begins",
            Self::Order => "its signatures are too many, or not in their order",
            Self::Untrusted => "too few of its signatures are of keys that this mesh trusts for it",
            Self::Signature => "a signature does not hold in this mesh",
        })
    }
}

impl core::error::Error for Invalid {}
