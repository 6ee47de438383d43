//! Proofs of equivocation: made, bent, cut and mixed. None panics, none is read as another than was written, and none holds against a
//! key that did not sign two different frames of one number.

use std::collections::HashMap;

use octick_core::control::message::equivocation::{Piece, Proof};
use octick_core::stamp::{Incarnation, Seq};
use octick_core::wire::{Frame, Sealer};
use octick_crypto::NodeId;

use crate::cursor::Cursor;
use crate::world::{World, draw_frame, draw_stamp};

/// Steps that one input may lead to.
const STEPS_MAX: usize = 24;
/// Who says two things under one number, if the input wants it to; nobody else does.
const LIAR: usize = 2;

/// Frames by whom signed, for this mesh.
#[derive(Default)]
struct Play {
    frames: Vec<Vec<u8>>,
    /// What each signed under each number: honest ones one frame, the liar any.
    signed: HashMap<(NodeId, Incarnation, Seq), Vec<Vec<u8>>>,
}

/// Plays what `data` says.
pub fn run(data: &[u8]) {
    let (mut input, mut play) = (Cursor::new(data), Play::default());
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        match input.u8() % 6 {
            0 | 1 => play.sign(&mut input),
            2 => play.bend(&mut input),
            3 => {
                let len = usize::from(input.u8()) * 4;
                judge(&play, input.bytes(len));
            }
            4 => {
                let len = usize::from(input.u8()) * 4;
                if let Ok(piece) = Piece::decode(input.bytes(len)) {
                    let (head, bytes) = piece.parts();
                    let body = [&head[..], bytes].concat();
                    assert_eq!(Piece::decode(&body), Ok(piece), "a piece is read as it was written");
                }
            }
            _ => play.accuse(&mut input),
        }
    }
}

impl Play {
    /// Somebody signs a train; whoever is honest does not use a number twice.
    fn sign(&mut self, input: &mut Cursor<'_>) {
        let head = usize::from(input.u8());
        let who = head % 3;
        let identity = &World::get().people[who];
        let (mut train, stamp) = (Sealer::new(), draw_stamp(input, identity));
        (0..=head >> 6).for_each(|_| _ = draw_frame(input, &mut train, head >> 6 == 0));
        train.seal(identity, &World::get().mesh, &stamp);
        let number = |bytes: &[u8]| {
            let header = *Frame::reopen(bytes).header();
            (header.origin(), header.incarnation(), header.seq())
        };
        let used = train.frames().any(|bytes| {
            let other =
                |known: &Vec<u8>| Frame::reopen(known).signed_part() != Frame::reopen(bytes).signed_part();
            self.signed.get(&number(bytes)).is_some_and(|known| known.iter().any(other))
        });
        if !used || who == LIAR {
            for bytes in train.frames() {
                self.signed.entry(number(bytes)).or_default().push(bytes.to_vec());
                self.frames.push(bytes.to_vec());
            }
        }
    }

    /// A frame with a byte changed.
    fn bend(&mut self, input: &mut Cursor<'_>) {
        let (which, at, with) = (usize::from(input.u8()), usize::from(input.u16()), input.u8());
        if let Some(mut bytes) = self.frames.get(which % self.frames.len().max(1)).cloned() {
            let at = at % bytes.len();
            bytes[at] ^= with;
            self.frames.push(bytes);
        }
    }

    /// Two frames are held against each other, and the proof is bent.
    fn accuse(&self, input: &mut Cursor<'_>) {
        let mut pick = || self.frames.get(usize::from(input.u8()) % self.frames.len().max(1));
        let (Some(one), Some(other)) = (pick(), pick()) else { return };
        let Some(proof) = Proof::of(one, other) else { return };
        assert_eq!(Proof::of(other, one).as_ref(), Some(&proof), "two frames make one proof");
        judge(self, proof.bytes());
        let genuine = |frame: &Vec<u8>| self.signed.values().flatten().any(|known| known == frame);
        if genuine(one) && genuine(other) {
            let liar = World::get().people[LIAR].public();
            assert!(proof.holds(&World::get().mesh, liar), "who said two things is convicted: {proof:?}");
        }
        let pieces: Vec<u8> = proof.pieces().flat_map(|piece| piece.bytes.to_vec()).collect();
        assert_eq!(pieces, proof.bytes());
        let mut bent = proof.bytes().to_vec();
        let at = usize::from(input.u16()) % bent.len();
        bent[at] ^= input.u8();
        judge(self, &bent);
        judge(self, &bent[..at]);
    }
}

/// Whoever is convicted by these bytes has signed both of their frames.
fn judge(play: &Play, bytes: &[u8]) {
    let Some(proof) = Proof::read(bytes) else { return };
    assert_eq!(proof.bytes(), bytes, "a proof is read as it was written");
    let world = World::get();
    for (who, person) in world.people.iter().enumerate() {
        if proof.holds(&world.mesh, person.public()) {
            assert_eq!(who, LIAR, "nobody else has signed two things");
            let signed = &play.signed[&(person.id(), proof.place().0, proof.place().1)];
            // A path or a signature may stand in one frame and in another of its train; what is said may not.
            let said = |frame: &[u8]| Frame::reopen(frame).signed_part().to_vec();
            let known: Vec<Vec<u8>> = signed.iter().map(|frame| said(frame)).collect();
            assert!(proof.frames().iter().all(|frame| known.contains(&said(frame))), "{proof:?}");
        }
        assert!(!proof.holds(&world.other_mesh, person.public()), "in its mesh only");
    }
}
