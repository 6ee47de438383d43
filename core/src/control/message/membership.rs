//! What control planes say to each other about members, one [`MembershipMsg`] a message of a control frame.
//!
//! Decoding borrows from the control frame, allocates nothing and never panics; a body of the wrong length or with a number
//! out of its range is [`Malformed`].

use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::id::Token;
pub use crate::control::message::accusation::Accusation;
use crate::control::message::announcement::{Announcement, put_address, split, take_address};
use crate::control::message::equivocation::Piece;
use crate::control::message::kind::MessageKind;
use crate::control::message::malformed::Malformed;
use crate::list::List;
use crate::wire::ControlFrame;
use crate::wire::control_frame::BODY_MAX;

/// Parts that the members of a region are divided into when two nodes compare what they know.
pub const BUCKETS: usize = 64;

/// One message about members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipMsg<'a> {
    /// The sender would like to be known, and to know who answers.
    Hello,
    /// Asks what the sender does not know, from bucket `cursor` on. Without digests: everything.
    SyncAsk {
        /// The bucket to begin with.
        cursor: u8,
        /// Digest of each bucket as the sender knows it, little-endian.
        digests: Option<&'a [[u8; 4]; BUCKETS]>,
    },
    /// The live members of a bucket that the sender knows.
    SyncList {
        /// Which bucket.
        bucket: u8,
        /// Each member.
        entries: &'a [[u8; Listed::LEN]],
    },
    /// Members whose announcements the sender would like, by the first half of their names.
    SyncWant {
        /// The bucket that they are in.
        bucket: u8,
        /// Which members.
        names: &'a [[u8; 8]],
    },
    /// The end of an answer: where to go on, and what all of it comes to.
    SyncDone {
        /// The bucket to ask for next; [`BUCKETS`] when nothing is left.
        next: u8,
        /// Digest of all live members as the sender knows them.
        digest: u32,
    },
    /// Is the receiver there?
    Ping {
        /// To be returned.
        nonce: u32,
        /// As in [`MembershipMsg::SyncDone`].
        digest: u32,
    },
    /// The answer to a ping, by whom was asked or by a helper.
    Ack {
        /// That of the question.
        nonce: u32,
        /// As in [`MembershipMsg::SyncDone`].
        digest: u32,
    },
    /// Asks the receiver to probe another member.
    PingReq {
        /// To be returned.
        nonce: u32,
        /// Whom to probe.
        target: NodeId,
    },
    /// The helper is there, and has heard nothing from the target.
    Nack {
        /// That of the question.
        nonce: u32,
    },
    /// A member is believed to be gone.
    Accuse(Accusation),
    /// Asks for proof that the receiver receives what is sent to its address.
    Challenge {
        /// To be returned.
        token: Token,
        /// Where the sender sees the receiver.
        seen_at: SocketAddr,
    },
    /// The proof.
    Response(Token),
    /// An [`Announcement`], not yet verified.
    Announce(Announced<'a>),
    /// The announcement, not yet verified, of a member that the sender believes failed, and misses.
    Missing(Announced<'a>),
    /// A [`ForceLeave`](crate::control::message::force_leave::ForceLeave), not yet verified.
    ForceLeave(&'a [u8]),
    /// Asks for the decisions of the mesh's authority behind this number.
    DecisionsAsk(u64),
    /// A [`Signed`](crate::admission::SignedDecision) decision, not yet verified.
    Decision(&'a [u8]),
    /// A part of a [`Proof`](crate::control::message::equivocation::Proof), not yet verified.
    Proof(Piece<'a>),
}

/// An announcement as it travels. Nothing of it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// What the member says.
    pub announcement: &'a [u8],
    /// The credential that it lives by; nothing if it has none, or if the receiver should know it.
    pub credential: &'a [u8],
}

impl<'a> Announced<'a> {
    /// Without a credential.
    pub fn bare(announcement: &'a [u8]) -> Self {
        Self { announcement, credential: &[] }
    }

    /// With its credential, if it has one.
    pub fn of(announcement: &'a Announcement) -> Self {
        let credential = announcement.credential().map_or(&[][..], |credential| credential.bytes());
        Self { announcement: announcement.bytes(), credential }
    }

    /// Bytes of it.
    pub fn len(self) -> usize {
        self.announcement.len() + self.credential.len()
    }

    /// Whether there is nothing of it; no announcement is so short.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// When it ends before the announcement does.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let (announcement, credential) = split(body).ok_or(Malformed::Length)?;
        Ok(Self { announcement, credential })
    }

    fn write(self, kind: MessageKind, control_frame: &mut ControlFrame) -> bool {
        push(control_frame, kind as u8, &[self.announcement, self.credential])
    }
}

/// A member as a list names it: the first half of its name, and four bytes that depend on all that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The first half of its name.
    pub name: [u8; 8],
    /// A digest of the rest.
    pub stamp: [u8; 4],
}

impl Listed {
    /// Bytes of an entry.
    pub const LEN: usize = 12;

    /// As it goes on the wire.
    pub fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.name);
        bytes[8..].copy_from_slice(&self.stamp);
        bytes
    }

    /// As it came.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let [name @ .., a, b, c, d] = *bytes;
        Self { name, stamp: [a, b, c, d] }
    }
}

const ASK: u8 = 0;
const LIST: u8 = 1;
const WANT: u8 = 2;
const DONE: u8 = 3;
// A bucket, or the end of them, is a byte; the digests of all of them fit a control frame.
const _: () = assert!(BUCKETS < u8::MAX as usize && 2 + 4 * BUCKETS <= BODY_MAX);

impl<'a> MembershipMsg<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(kind: MessageKind, body: &'a [u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            MessageKind::Hello => {
                let [] = exact(body)?;
                Self::Hello
            }
            MessageKind::Sync => Self::decode_sync(body)?,
            MessageKind::Ping | MessageKind::Ack => {
                let [a, b, c, d, e, f, g, h] = exact(body)?;
                let (nonce, digest) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
                if kind == MessageKind::Ping {
                    Self::Ping { nonce, digest }
                } else {
                    Self::Ack { nonce, digest }
                }
            }
            MessageKind::PingReq => {
                let (nonce, target) = body.split_first_chunk().ok_or(Malformed::Length)?;
                Self::PingReq { nonce: u32::from_le_bytes(*nonce), target: NodeId(exact(target)?) }
            }
            MessageKind::Nack => Self::Nack { nonce: u32::from_le_bytes(exact(body)?) },
            MessageKind::Accuse => Self::Accuse(Accusation::decode(body)?),
            MessageKind::Challenge => {
                let (token, mut rest) = body.split_first_chunk().ok_or(Malformed::Length)?;
                let seen_at = take_address(&mut rest).map_err(|_| Malformed::Value)?;
                let [] = exact(rest)?;
                Self::Challenge { token: *token, seen_at }
            }
            MessageKind::Response => Self::Response(exact(body)?),
            MessageKind::Announce => Self::Announce(Announced::decode(body)?),
            MessageKind::Missing => Self::Missing(Announced::decode(body)?),
            MessageKind::ForceLeave => Self::ForceLeave(body),
            MessageKind::DecisionsAsk => Self::DecisionsAsk(u64::from_le_bytes(exact(body)?)),
            MessageKind::Decision => Self::Decision(body),
            MessageKind::Proof => Self::Proof(Piece::decode(body)?),
            _ => return Err(Malformed::Kind),
        })
    }

    fn decode_sync(body: &'a [u8]) -> Result<Self, Malformed> {
        let (&[op, bucket], rest) = body.split_first_chunk().ok_or(Malformed::Length)?;
        if usize::from(bucket) >= BUCKETS + usize::from(op == DONE) {
            return Err(Malformed::Value);
        }
        Ok(match op {
            ASK if rest.is_empty() => Self::SyncAsk { cursor: bucket, digests: None },
            ASK => {
                let (digests, odd) = rest.as_chunks();
                let digests = digests.try_into().map_err(|_| Malformed::Count)?;
                let [] = exact(odd)?;
                Self::SyncAsk { cursor: bucket, digests: Some(digests) }
            }
            LIST => {
                let (entries, odd) = rest.as_chunks();
                let [] = exact(odd)?;
                Self::SyncList { bucket, entries }
            }
            WANT => {
                let (names, odd) = rest.as_chunks();
                let [] = exact(odd)?;
                Self::SyncWant { bucket, names }
            }
            DONE => Self::SyncDone { next: bucket, digest: u32::from_le_bytes(exact(rest)?) },
            _ => return Err(Malformed::Value),
        })
    }

    /// Adds the note to a control frame. Returns whether it fitted; if not, the control frame is as it was.
    #[must_use]
    pub fn write(&self, control_frame: &mut ControlFrame) -> bool {
        match *self {
            Self::Hello => control_frame.push(MessageKind::Hello as u8, &[]),
            Self::SyncAsk { cursor, digests } => {
                let digests = digests.map_or(&[][..], |digests| digests.as_flattened());
                push(control_frame, MessageKind::Sync as u8, &[&[ASK, cursor], digests])
            }
            Self::SyncList { bucket, entries } => {
                push(control_frame, MessageKind::Sync as u8, &[&[LIST, bucket], entries.as_flattened()])
            }
            Self::SyncWant { bucket, names } => {
                push(control_frame, MessageKind::Sync as u8, &[&[WANT, bucket], names.as_flattened()])
            }
            Self::SyncDone { next, digest } => {
                push(control_frame, MessageKind::Sync as u8, &[&[DONE, next], &digest.to_le_bytes()])
            }
            Self::Ping { nonce, digest } => {
                push(control_frame, MessageKind::Ping as u8, &[&nonce.to_le_bytes(), &digest.to_le_bytes()])
            }
            Self::Ack { nonce, digest } => {
                push(control_frame, MessageKind::Ack as u8, &[&nonce.to_le_bytes(), &digest.to_le_bytes()])
            }
            Self::PingReq { nonce, target } => {
                push(control_frame, MessageKind::PingReq as u8, &[&nonce.to_le_bytes(), &target.0])
            }
            Self::Nack { nonce } => control_frame.push(MessageKind::Nack as u8, &nonce.to_le_bytes()),
            Self::Accuse(accusation) => {
                let (said, signature) = accusation.parts();
                push(control_frame, MessageKind::Accuse as u8, &[&said, signature])
            }
            Self::Challenge { token, seen_at } => {
                let mut body: List<u8, BODY_MAX> = token.into_iter().collect();
                put_address(&mut body, seen_at);
                control_frame.push(MessageKind::Challenge as u8, &body)
            }
            Self::Response(token) => control_frame.push(MessageKind::Response as u8, &token),
            Self::Announce(announced) => announced.write(MessageKind::Announce, control_frame),
            Self::Missing(announced) => announced.write(MessageKind::Missing, control_frame),
            Self::ForceLeave(bytes) => control_frame.push(MessageKind::ForceLeave as u8, bytes),
            Self::DecisionsAsk(known) => {
                control_frame.push(MessageKind::DecisionsAsk as u8, &known.to_le_bytes())
            }
            Self::Decision(bytes) => control_frame.push(MessageKind::Decision as u8, bytes),
            Self::Proof(piece) => {
                let (head, bytes) = piece.parts();
                push(control_frame, MessageKind::Proof as u8, &[&head, bytes])
            }
        }
    }
}

fn exact<const N: usize>(body: &[u8]) -> Result<[u8; N], Malformed> {
    body.try_into().map_err(|_| Malformed::Length)
}

/// Adds a message whose body comes in parts.
fn push(control_frame: &mut ControlFrame, kind: u8, parts: &[&[u8]]) -> bool {
    let mut body = [0; BODY_MAX];
    let mut len = 0;
    for part in parts {
        let Some(place) = body.get_mut(len..len + part.len()) else { return false };
        place.copy_from_slice(part);
        len += part.len();
    }
    control_frame.push(kind, &body[..len])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use octick_crypto::SIGNATURE_LEN;
    use proptest::prelude::*;

    use crate::control::id::PeerState;
    use crate::limits::ANNOUNCEMENT_FIXED;
    use crate::stamp::{Incarnation, Version};

    fn id(byte: u8) -> NodeId {
        NodeId([byte; 16])
    }

    fn roundtrip(notes: &[MembershipMsg<'_>]) {
        let mut control_frame = ControlFrame::new();
        notes.iter().for_each(|note| assert!(note.write(&mut control_frame), "{note:?}"));
        let read: Vec<_> = control_frame
            .messages()
            .map(|m| MembershipMsg::decode(MessageKind::of(m.kind).unwrap(), m.body).unwrap())
            .collect();
        assert_eq!(read, notes);
    }

    #[test]
    fn every_note_is_read_as_it_was_written() {
        let digests = core::array::from_fn(|i| [i as u8; 4]);
        let accusation = Accusation {
            id: id(1),
            rank: (Incarnation(9), Version(77)),
            state: PeerState::Suspected,
            by: id(2),
            signature: None,
        };
        roundtrip(&[
            MembershipMsg::Hello,
            MembershipMsg::SyncAsk { cursor: 3, digests: Some(&digests) },
            MembershipMsg::SyncAsk { cursor: 0, digests: None },
            MembershipMsg::SyncList { bucket: 63, entries: &[[1; 12], [2; 12]] },
            MembershipMsg::SyncWant { bucket: 1, names: &[[7; 8]] },
            MembershipMsg::SyncDone { next: 64, digest: 5 },
            MembershipMsg::Ping { nonce: 1, digest: 2 },
            MembershipMsg::Ack { nonce: 3, digest: 4 },
            MembershipMsg::PingReq { nonce: 3, target: id(4) },
            MembershipMsg::Nack { nonce: 8 },
            MembershipMsg::Accuse(accusation),
            MembershipMsg::Accuse(Accusation { state: PeerState::Failed, ..accusation }),
            MembershipMsg::Accuse(Accusation { signature: Some([5; SIGNATURE_LEN]), ..accusation }),
            MembershipMsg::Challenge { token: [3; 16], seen_at: "127.0.0.1:9".parse().unwrap() },
            MembershipMsg::Response([4; 16]),
            MembershipMsg::Announce(Announced::bare(&[0; ANNOUNCEMENT_FIXED + SIGNATURE_LEN])),
            MembershipMsg::Missing(Announced {
                announcement: &[0; ANNOUNCEMENT_FIXED + SIGNATURE_LEN],
                credential: &[4, 5],
            }),
        ]);
        roundtrip(&[
            MembershipMsg::DecisionsAsk(7),
            MembershipMsg::ForceLeave(&[6; 144]),
            MembershipMsg::Decision(&[8; 136]),
        ]);
    }

    #[test]
    fn a_message_that_does_not_fit_leaves_the_frame_as_it_was() {
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Decision(&[1; 900]).write(&mut control_frame));
        assert!(!MembershipMsg::SyncList { bucket: 0, entries: &[[0; 12]; 80] }.write(&mut control_frame));
        assert_eq!(control_frame.messages().count(), 1);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_malformed(kind in 0..MessageKind::ALL.len(), body in prop::collection::vec(any::<u8>(), 0..300), op in 0..5_u8) {
            let mut body = body;
            if kind & 1 == 0 && body.len() > 2 {
                body[0] = op;
                body[1] %= 66;
            }
            for kind in [MessageKind::ALL[kind], MessageKind::Sync, MessageKind::Accuse, MessageKind::Challenge] {
                if let Ok(note) = MembershipMsg::decode(kind, &body) {
                    let mut control_frame = ControlFrame::new();
                    prop_assert!(note.write(&mut control_frame));
                    let again = control_frame.messages().next().unwrap();
                    prop_assert_eq!((again.kind, again.body), (kind as u8, &body[..]));
                }
            }
        }
    }
}
