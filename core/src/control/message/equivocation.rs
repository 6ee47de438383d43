//! A proof of equivocation: two frames that one origin signed under one identity (origin, incarnation, sequence), and that say
//! different things. Whoever knows the origin's key can check it, whoever brings it.
//!
//! ```text
//! u16 length of the first frame | first frame, as on the wire | second frame, as on the wire
//! ```
//!
//! The frame whose signed part is smaller, byte by byte, comes first, so that two frames make one proof. A frame's header hangs on
//! the hash of all of it, so a proof has both frames whole: up to 2,466 bytes, which travel in [`Piece`]s. What can never happen:
//! a proof that holds against a key which did not sign both.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::train::{message, root_of};
use octick_crypto::{Item, MeshKeys, NodeId, PublicKey, verify_many};

use crate::control::message::malformed::Malformed;
use crate::limits::{FRAME_MAX, PROOF_PIECE_MAX};
use crate::stamp::{Incarnation, Seq};
use crate::wire::Frame;
use crate::wire::control_frame::BODY_MAX;

const LEN: usize = 2;
/// Bytes of the longest proof.
pub const PROOF_MAX: usize = LEN + 2 * FRAME_MAX;
/// Pieces that the longest proof travels in.
pub const PIECES_MAX: usize = PROOF_MAX.div_ceil(PROOF_PIECE_MAX);
/// Bytes of a piece before its part of the proof.
const HEAD: usize = 20;
const _: () = assert!(HEAD + PROOF_PIECE_MAX <= BODY_MAX && PIECES_MAX <= 8);

/// Two frames that contradict each other. Whether their origin signed them is for [`Proof::holds`] to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    origin: NodeId,
    incarnation: Incarnation,
    seq: Seq,
    bytes: Box<[u8]>,
}

/// A part of a proof, as a message carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Whom the proof is against.
    pub origin: NodeId,
    /// Which part this is.
    pub index: u8,
    /// How many parts there are.
    pub count: u8,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Proof {
    /// What two frames prove; nothing if they bear different identities, say the same, or carry no cells.
    pub fn of(one: &[u8], other: &[u8]) -> Option<Self> {
        let (a, b) = (Frame::parse(one).ok()?, Frame::parse(other).ok()?);
        let (first, second) = if a.signed_part() < b.signed_part() { (a, b) } else { (b, a) };
        let identity = |frame: &Frame<'_>| {
            let header = frame.header();
            (header.origin(), header.incarnation(), header.seq())
        };
        // Only what stands in its origin's sequence is numbered once.
        let numbered = first.kind().is_data() && second.kind().is_data();
        if !numbered || identity(&first) != identity(&second) || first.signed_part() == second.signed_part() {
            return None;
        }
        let mut bytes = Vec::with_capacity(LEN + one.len() + other.len());
        bytes.extend((first.bytes().len() as u16).to_le_bytes());
        bytes.extend_from_slice(first.bytes());
        bytes.extend_from_slice(second.bytes());
        assert!(bytes.len() <= PROOF_MAX, "a proof of {} bytes", bytes.len());
        let (origin, incarnation, seq) = identity(&first);
        Some(Self { origin, incarnation, seq, bytes: bytes.into_boxed_slice() })
    }

    /// Reads a proof; nothing if it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (len, frames) = bytes.split_first_chunk::<LEN>()?;
        let (first, second) = frames.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        Self::of(first, second).filter(|proof| *proof.bytes == *bytes)
    }

    /// Whether the origin signed both frames, for the mesh that `keys` stand for; `key` is what it is known by.
    pub fn holds(&self, keys: &MeshKeys, key: &PublicKey) -> bool {
        if key.id() != self.origin {
            return false;
        }
        let messages = self.frames().map(|bytes| {
            let frame = Frame::reopen(bytes);
            let (index, len) = (frame.header().train_index(), frame.header().train_len());
            let root = root_of(keys, keys.leaf(frame.signed_part()), index, len, frame.path());
            (message(len, &root), *frame.signature())
        });
        let items = messages.each_ref().map(|(message, signature)| Item { key, message, signature });
        let mut holds = [false; 2];
        verify_many(&items, &mut holds);
        holds == [true; 2]
    }

    /// Whom it is against.
    pub fn origin(&self) -> NodeId {
        self.origin
    }

    /// The incarnation and the number that both frames bear.
    pub fn place(&self) -> (Incarnation, Seq) {
        (self.incarnation, self.seq)
    }

    /// The frames, as they came.
    pub fn frames(&self) -> [&[u8]; 2] {
        let (len, frames) = self.bytes.split_at(LEN);
        let (first, second) = frames.split_at(usize::from(u16::from_le_bytes([len[0], len[1]])));
        assert!(!first.is_empty() && !second.is_empty(), "a proof has two frames");
        [first, second]
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The parts that it travels in.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let count = self.bytes.len().div_ceil(PROOF_PIECE_MAX) as u8;
        assert!((1..=PIECES_MAX).contains(&usize::from(count)), "{count} pieces");
        let parts = self.bytes.chunks(PROOF_PIECE_MAX).zip(0..);
        parts.map(move |(bytes, index)| Piece { origin: self.origin, index, count, bytes })
    }
}

impl<'a> Piece<'a> {
    /// The body, in parts.
    pub fn parts(&self) -> ([u8; HEAD], &'a [u8]) {
        let mut head = [0; HEAD];
        (head[0], head[1]) = (self.index, self.count);
        head[4..].copy_from_slice(&self.origin.0);
        (head, self.bytes)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let (head, bytes) = body.split_first_chunk::<HEAD>().ok_or(Malformed::Length)?;
        let [index, count, 0, 0, ..] = *head else { return Err(Malformed::Value) };
        if !(1..=PIECES_MAX as u8).contains(&count) || index >= count {
            return Err(Malformed::Count);
        }
        // All are full but the last, which is not empty.
        let full = bytes.len() == PROOF_PIECE_MAX;
        let last = index + 1 == count && (1..=PROOF_PIECE_MAX).contains(&bytes.len());
        if !full && !last {
            return Err(Malformed::Length);
        }
        let origin = NodeId(core::array::from_fn(|i| head[4 + i]));
        Ok(Self { origin, index, count, bytes })
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({} incarnation {} seq {})", self.origin.short(), self.incarnation.0, self.seq.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Version;
    use crate::wire::{Block8, Kind, Sealer, Stamp};
    use octick_crypto::Identity;

    fn frame(seed: u8, seq: u64, value: u64, blocks: u32, mesh: &str) -> Vec<u8> {
        let identity = Identity::from_seed(&[seed; 32]);
        let mut sealer = Sealer::new();
        sealer.frame(Kind::Block8, |draft| {
            (0..blocks).for_each(|i| draft.block8(&Block8::new(i, 0xFF, 0, [value; 8])).unwrap());
        });
        let version = Version::new(1_700_000_000_000_000, identity.id());
        let stamp = Stamp { incarnation: Incarnation(3), first_seq: Seq(seq), version };
        sealer.seal(&identity, &MeshKeys::derive(mesh), &stamp);
        sealer.frames().next().unwrap().to_vec()
    }

    #[test]
    fn two_frames_of_one_identity_prove_it_and_no_others_do() {
        let (keys, liar) = (MeshKeys::derive("t"), Identity::from_seed(&[1; 32]));
        let (one, other) = (frame(1, 9, 5, 13, "t"), frame(1, 9, 6, 13, "t"));
        let proof = Proof::of(&one, &other).unwrap();
        assert_eq!(proof, Proof::of(&other, &one).unwrap(), "in any order");
        assert!(proof.holds(&keys, liar.public()) && proof.place() == (Incarnation(3), Seq(9)));
        assert!(!proof.holds(&keys, Identity::from_seed(&[2; 32]).public()));
        assert!(!proof.holds(&MeshKeys::derive("u"), liar.public()), "in its mesh only");
        assert_eq!(Proof::of(&one, &one), None);
        assert_eq!(Proof::of(&one, &frame(1, 10, 6, 13, "t")), None);
        assert_eq!(Proof::of(&one, &frame(2, 9, 6, 13, "t")), None);
        let forged = Proof::of(&one, &frame(1, 9, 6, 13, "u")).unwrap();
        assert!(!forged.holds(&keys, liar.public()));
        assert_eq!(Proof::read(proof.bytes()), Some(proof.clone()));
        for (len, bit) in (0..proof.bytes().len()).step_by(37).map(|at| (at, 8 * at + at % 8)) {
            assert_eq!(Proof::read(&proof.bytes()[..len]), None);
            let mut bent = proof.bytes().to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            let holds = Proof::read(&bent).is_some_and(|bent| bent.holds(&keys, liar.public()));
            assert!(!holds, "bit {bit}");
        }
    }

    #[test]
    fn pieces_are_read_as_they_were_cut() {
        for blocks in [1, 5, 13] {
            let proof = Proof::of(&frame(1, 9, 5, blocks, "t"), &frame(1, 9, 6, blocks, "t")).unwrap();
            let mut whole = Vec::new();
            for piece in proof.pieces() {
                let (head, bytes) = piece.parts();
                let body = [&head[..], bytes].concat();
                assert_eq!(Piece::decode(&body), Ok(piece));
                assert!(Piece::decode(&body[..body.len().min(HEAD)]).is_err());
                whole.extend_from_slice(piece.bytes);
            }
            assert_eq!(whole, proof.bytes());
        }
    }
}
