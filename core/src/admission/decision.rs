//! What a mesh's authority says to everybody, by number: revocations, new keys of its own, issuers.
//!
//! ```text
//!  0  number u64                 16  what it is u8, 17 three zeros
//!  8  serial u64                 20  threshold u16, 22 keys u16
//!                                24  member, 16, or zeros
//!                                40  slots: first u32, len u32, or zeros
//!                                48  until u32, seconds since 1970, or zero, 52 four zeros
//!                                56  keys, 32 each
//!                                    signatures, 80 each (see `endorsement`)
//! ```
//!
//! Numbers begin at 1 and leave none out, so that who has the first n of them knows what it misses. Nothing takes a decision back
//! but a later one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{Identity, Item, NodeId, PublicKey};

use super::authority::Authority;
use super::endorsement::{Document, Endorsements, Invalid, endorse, message};
use crate::limits::{AUTHORITY_KEYS_MAX, DECISION_FIXED, DECISION_MAX};
use crate::stamp::{Run, Slot};

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The member's credentials up to this serial are void.
    Revoke {
        /// Whose.
        member: NodeId,
        /// The last serial that is void.
        serial: u64,
    },
    /// From here on others speak for the authority; of the keys before, credentials up to this serial remain.
    Rotate {
        /// The keys that follow.
        authority: Authority,
        /// The last serial of the keys before.
        serial: u64,
    },
    /// Another key may issue credentials by itself, within limits, until dismissed.
    Appoint {
        /// Its key.
        issuer: Box<PublicKey>,
        /// The slots that it may grant.
        slots: Run,
        /// The end of the last credential that it may issue, seconds since 1970.
        until: u32,
    },
    /// An issuer may not issue any more; its credentials up to this serial remain.
    Dismiss {
        /// Which.
        issuer: NodeId,
        /// The last serial of its that holds.
        serial: u64,
    },
}

/// A decision with its number and signatures; verified only by [`AuthorityLog::append`](super::log::AuthorityLog::append).
#[derive(Clone, PartialEq, Eq)]
pub struct SignedDecision {
    number: u64,
    decision: Decision,
    bytes: Box<[u8]>,
}

const REVOKE: u8 = 1;
const ROTATE: u8 = 2;
const APPOINT: u8 = 3;
const DISMISS: u8 = 4;

impl SignedDecision {
    /// Signs a decision.
    ///
    /// # Panics
    /// Without signers, or with more than [`ENDORSEMENTS_MAX`](crate::limits::ENDORSEMENTS_MAX).
    pub fn sign(number: u64, decision: &Decision, mesh: &[u8; 32], signers: &[&Identity]) -> Self {
        assert!(number > 0, "decisions are numbered from one");
        let mut bytes = encode(number, decision);
        assert!(number > 0, "numbers begin at 1");
        endorse(Document::Decision, mesh, &mut bytes, signers);
        assert!(bytes.len() <= DECISION_MAX, "{} bytes of a decision", bytes.len());
        Self { number, decision: decision.clone(), bytes: bytes.into_boxed_slice() }
    }

    /// Reads a decision, whose signatures are still to be verified.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn read(bytes: &[u8]) -> Result<Self, Invalid> {
        let (number, decision, _) = decode(bytes)?;
        Ok(Self { number, decision, bytes: bytes.into() })
    }

    /// Its number; 1 is the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is decided.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The bytes that prove it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whose signatures it says are under it; nothing of that is proven.
    pub fn signers(&self) -> Vec<NodeId> {
        let (_, _, endorsements) = decode(&self.bytes).expect("it was made here, or read before");
        endorsements.signers().collect()
    }

    /// Whether enough keys of `authority` signed it for this mesh.
    pub(super) fn is_signed_by(
        &self,
        authority: &Authority,
        mesh: &[u8; 32],
        check: impl FnOnce(&[Item<'_>], &mut [bool]),
    ) -> bool {
        let Ok((_, _, endorsements)) = decode(&self.bytes) else { return false };
        let said = &self.bytes[..self.bytes.len() - endorsements.bytes_len()];
        let message = message(Document::Decision, mesh, said);
        let items = endorsements.items(&message, |id| authority.key(id));
        assert!(said.len() + endorsements.bytes_len() == self.bytes.len() && authority.threshold() > 0);
        let mut verdicts = alloc::vec![false; items.len()];
        check(&items, &mut verdicts);
        verdicts.iter().filter(|holds| **holds).count() >= authority.threshold()
    }
}

/// The number of a decision, before anything of it is proven.
pub fn peek_number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk::<DECISION_FIXED>()?.first_chunk()?))
}

impl fmt::Debug for SignedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedDecision")
            .field("number", &self.number)
            .field("decision", &self.decision)
            .finish()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoke { member, serial } => write!(f, "revoke {member}, credentials up to {serial}"),
            Self::Rotate { authority, serial } => write!(
                f,
                "rotate to {} of {} keys; of those before, credentials up to {serial} remain",
                authority.threshold(),
                authority.keys().len()
            ),
            Self::Appoint { issuer, slots, until } => {
                write!(f, "appoint {} to issue slots {slots}, until {until}", issuer.id())
            }
            Self::Dismiss { issuer, serial } => {
                write!(f, "dismiss {issuer}; its credentials up to {serial} remain")
            }
        }
    }
}

/// What all decisions are written from.
struct Fields<'a> {
    kind: u8,
    serial: u64,
    threshold: u16,
    keys: &'a [PublicKey],
    member: NodeId,
    slots: Run,
    until: u32,
}

const NOBODY: NodeId = NodeId([0; 16]);
const NO_SLOTS: Run = Run { first: Slot(0), len: 0 };

fn encode(number: u64, decision: &Decision) -> Vec<u8> {
    let none =
        Fields { kind: 0, serial: 0, threshold: 0, keys: &[], member: NOBODY, slots: NO_SLOTS, until: 0 };
    let fields = match decision {
        Decision::Revoke { member, serial } => {
            Fields { kind: REVOKE, serial: *serial, member: *member, ..none }
        }
        Decision::Rotate { authority, serial } => Fields {
            kind: ROTATE,
            serial: *serial,
            threshold: authority.threshold() as u16,
            keys: authority.keys(),
            ..none
        },
        Decision::Appoint { issuer, slots, until } => {
            let keys = core::slice::from_ref(&**issuer);
            Fields { kind: APPOINT, keys, slots: *slots, until: *until, ..none }
        }
        Decision::Dismiss { issuer, serial } => {
            Fields { kind: DISMISS, serial: *serial, member: *issuer, ..none }
        }
    };
    let mut bytes = Vec::with_capacity(DECISION_FIXED + 32 * fields.keys.len());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&fields.serial.to_le_bytes());
    bytes.extend_from_slice(&[fields.kind, 0, 0, 0]);
    bytes.extend_from_slice(&fields.threshold.to_le_bytes());
    bytes.extend_from_slice(&(fields.keys.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&fields.member.0);
    bytes.extend_from_slice(&fields.slots.first.0.to_le_bytes());
    bytes.extend_from_slice(&fields.slots.len.to_le_bytes());
    bytes.extend_from_slice(&fields.until.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    fields.keys.iter().for_each(|key| bytes.extend_from_slice(key.as_bytes()));
    assert!(bytes.len() == DECISION_FIXED + 32 * fields.keys.len(), "a decision of {} bytes", bytes.len());
    bytes
}

fn decode(bytes: &[u8]) -> Result<(u64, Decision, Endorsements<'_>), Invalid> {
    let (fixed, rest) = bytes.split_first_chunk::<DECISION_FIXED>().ok_or(Invalid::Length)?;
    let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| fixed[at + i]));
    let half = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let (number, serial, kind) = (word(0), word(8), fixed[16]);
    let (threshold, keys_len) = (usize::from(half(20)), usize::from(half(22)));
    let member = NodeId(core::array::from_fn(|i| fixed[24 + i]));
    let slots = Run { first: Slot(word(40) as u32), len: (word(40) >> 32) as u32 };
    let until = word(48) as u32;
    let zeros = fixed[17..20].iter().chain(&fixed[52..56]).all(|byte| *byte == 0);
    if !zeros || number == 0 || keys_len > AUTHORITY_KEYS_MAX {
        return Err(Invalid::Field);
    }
    let (keys, rest) = rest.split_at_checked(32 * keys_len).ok_or(Invalid::Length)?;
    let mut admitted = Vec::with_capacity(keys_len);
    for key in keys.as_chunks::<32>().0 {
        admitted.push(PublicKey::admit(key).map_err(|_| Invalid::Field)?);
    }
    let endorsements = Endorsements::read(rest)?;
    let decision = match kind {
        REVOKE => Decision::Revoke { member, serial },
        ROTATE => {
            let authority = Authority::new(admitted, threshold).map_err(|_| Invalid::Field)?;
            Decision::Rotate { authority, serial }
        }
        APPOINT => {
            let issuer = Box::new(admitted.pop().ok_or(Invalid::Field)?);
            Decision::Appoint { issuer, slots, until }
        }
        DISMISS => Decision::Dismiss { issuer: member, serial },
        _ => return Err(Invalid::Field),
    };
    // One decision has one form: fields that it does not use are zero, and keys rise.
    let said = &bytes[..bytes.len() - rest.len()];
    if encode(number, &decision) != said { Err(Invalid::Field) } else { Ok((number, decision, endorsements)) }
}
