//! What was put into a train comes out of it, and proves itself: unless the entries broke the order of the wire, and
//! then the parser says so.

use octick_core::Reject;
use octick_core::crypto::train::{message, root_of};
use octick_core::crypto::{Item, verify_many};
use octick_core::stamp::Seq;
use octick_core::wire::{Frame, Sealer};

use crate::cursor::Cursor;
use crate::world::{World, draw_frame, draw_stamp};

/// Builds a train from `data`, seals it, and takes it apart.
pub fn run(data: &[u8]) {
    let (world, mut input) = (World::get(), Cursor::new(data));
    let identity = &world.people[0];
    let stamp = draw_stamp(&mut input, identity);
    let mut train = Sealer::new();
    let mut kinds = Vec::new();
    while !train.is_full() && (train.is_empty() || !input.is_empty()) {
        kinds.push(draw_frame(&mut input, &mut train, false));
    }
    train.seal(identity, &world.mesh, &stamp);

    let mut signatures = Vec::new();
    for (i, (bytes, kind)) in train.frames().zip(&kinds).enumerate() {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(damage) => {
                let ours = matches!(damage.reject, Reject::Order | Reject::EmptyBlock | Reject::Reserved);
                assert!(ours, "the builder wrote a {kind:?} frame that is damaged {damage}");
                continue;
            }
        };
        let header = frame.header();
        assert_eq!((header.train_index(), header.train_len()), (i, kinds.len()));
        assert_eq!(header.seq(), Seq(stamp.first_seq.0 + i as u64));
        assert_eq!((header.incarnation(), header.version()), (stamp.incarnation, stamp.version));
        assert_eq!((header.origin(), frame.kind()), (identity.id(), *kind));
        let leaf = world.mesh.leaf(frame.signed_part());
        let root = root_of(&world.mesh, leaf, i, kinds.len(), frame.path());
        signatures.push((message(kinds.len(), &root), *frame.signature()));
    }
    // One root and one signature a train; checking it once is enough.
    assert!(signatures.windows(2).all(|pair| pair[0] == pair[1]), "a train has one root");
    if let Some((message, signature)) = signatures.first() {
        let mut holds = [false];
        verify_many(&[Item { key: identity.public(), message, signature }], &mut holds);
        assert!(holds[0], "the train's own signature does not hold");
    }
}
