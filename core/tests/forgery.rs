//! What a forger may try with a train that it did not sign: every frame is refused, by name, and the genuine ones are
//! taken all the same.

mod nodes;

use nodes::{MESH, NOW, Node, identity};
use octick_core::Reject;
use octick_core::counters::Counter;
use octick_core::data::Update;
use octick_core::data::budget::{Budgets, Limits, Rate, Sender};
use octick_core::data::verify::Verifier;
use octick_core::stamp::Slot;
use octick_core::wire::Frame;
use octick_crypto::train::{message, root_of};
use octick_crypto::{Hash, MeshKeys, SIGNATURE_LEN};

/// Where the header says which frame of its train it is, and of how many.
const INDEX: usize = 30;
const LEN: usize = 31;
const HASH: usize = 32;

/// A train of eight frames of node 1.
fn train() -> Vec<Vec<u8>> {
    // Whole blocks of sixteen travel together, so a frame holds 48 rows.
    let rows = (512..1_000).map(|slot| Update::Row(Slot(slot), slot.into()));
    let frames = Node::new(1).publish(&rows.take(48 * 8).collect::<Vec<_>>());
    assert_eq!(frames.len(), 8);
    frames
}

/// Refuses what `forge` makes of each frame, before and after the train's root is known; then takes the genuine ones.
fn refuses(reason: Reject, forge: impl Fn(usize, &[u8]) -> Vec<u8>) {
    let (mut here, frames) = (Node::new(0), train());
    for (i, frame) in frames.iter().enumerate() {
        assert_eq!(here.refuse(&forge(i, frame)), reason, "frame {i} while nothing is known");
    }
    assert_eq!(here.take(&frames[..1]).fresh, 1);
    for (i, frame) in frames.iter().enumerate().skip(1) {
        assert_eq!(here.refuse(&forge(i, frame)), reason, "frame {i} when its root is known");
    }
    assert_eq!(here.take(&frames[1..]).fresh.count_ones(), 7);
}

fn changed(frame: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame.to_vec();
    change(&mut frame);
    frame
}

fn signature_at(frame: &[u8]) -> usize {
    Frame::parse(frame).expect("a sound frame").signed_part().len()
}

fn with_signature(frame: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Vec<u8> {
    changed(frame, |bytes| {
        let at = signature_at(bytes);
        bytes[at..at + SIGNATURE_LEN].copy_from_slice(signature);
    })
}

/// The root that a frame claims.
fn root(frame: &[u8]) -> Hash {
    let (frame, keys) = (Frame::parse(frame).expect("a sound frame"), MeshKeys::derive(MESH));
    let (header, leaf) = (frame.header(), keys.leaf(frame.signed_part()));
    root_of(&keys, leaf, header.train_index(), header.train_len(), frame.path())
}

#[test]
fn a_path_too_short_or_too_long_is_refused_by_its_length() {
    refuses(Reject::Length, |_, frame| frame[..frame.len() - HASH].to_vec());
    refuses(Reject::Length, |_, frame| [frame, &[0; HASH]].concat());
    refuses(Reject::Length, |_, frame| frame[..frame.len() - 1].to_vec());
}

#[test]
fn an_index_outside_its_train_is_refused() {
    refuses(Reject::Train, |_, frame| changed(frame, |bytes| bytes[INDEX] = 8));
    refuses(Reject::Train, |_, frame| changed(frame, |bytes| bytes[INDEX] = 255));
    refuses(Reject::Train, |_, frame| changed(frame, |bytes| bytes[LEN] = 0));
    refuses(Reject::Train, |_, frame| changed(frame, |bytes| bytes[LEN] = 65));
}

#[test]
fn another_place_in_the_train_does_not_hold() {
    for step in 1..8 {
        refuses(Reject::BadSignature, |i, frame| {
            changed(frame, |bytes| bytes[INDEX] = ((i + step) % 8) as u8)
        });
    }
}

#[test]
fn another_length_of_the_same_height_does_not_hold() {
    refuses(Reject::BadSignature, |i, frame| {
        changed(frame, |bytes| (bytes[INDEX], bytes[LEN]) = (i.min(6) as u8, 7))
    });
}

#[test]
fn a_lower_tree_does_not_hold_at_either_end() {
    let lower = |i: usize, bytes: &mut Vec<u8>| (bytes[INDEX], bytes[LEN]) = ((i % 4) as u8, 4);
    // Without the sibling below the root, and without the one beside the leaf: an inner node in a leaf's place.
    refuses(Reject::BadSignature, |i, frame| {
        changed(frame, |bytes| {
            bytes.truncate(bytes.len() - HASH);
            lower(i, bytes);
        })
    });
    refuses(Reject::BadSignature, |i, frame| {
        changed(frame, |bytes| {
            let at = signature_at(bytes) + SIGNATURE_LEN;
            bytes.drain(at..at + HASH);
            lower(i / 2, bytes);
        })
    });
}

#[test]
fn a_higher_tree_does_not_hold() {
    refuses(Reject::BadSignature, |_, frame| {
        changed(frame, |bytes| {
            bytes.extend([0; HASH]);
            bytes[LEN] = 16;
        })
    });
}

#[test]
fn a_path_that_leads_elsewhere_does_not_hold() {
    refuses(Reject::BadSignature, |i, frame| {
        changed(frame, |bytes| {
            let at = bytes.len() - 1 - HASH * (i % 3);
            bytes[at] ^= 1;
        })
    });
}

#[test]
fn a_root_that_another_member_signed_does_not_hold() {
    let other = identity(0);
    refuses(Reject::BadSignature, |_, frame| with_signature(frame, &other.sign(&message(8, &root(frame)))));
}

#[test]
fn another_members_name_on_a_signed_frame_does_not_hold() {
    // Node 0 writes what node 1 signed: its own slots, so that nothing but the signature is wrong.
    let (mut here, mut there) = (Node::new(1), Node::new(1));
    let genuine = there.publish(&[Update::Row(Slot(600), 1)]).remove(0);
    let in_our_name = Node::new(0).publish(&[Update::Row(Slot(5), 1)]).remove(0);
    let at = signature_at(&genuine);
    let stolen: [u8; SIGNATURE_LEN] = genuine[at..].try_into().expect("a frame alone has no path");
    assert_eq!(here.refuse(&with_signature(&in_our_name, &stolen)), Reject::BadSignature);
    assert_eq!(here.take(&[in_our_name]).fresh, 1);
}

#[test]
fn a_root_signed_for_another_length_does_not_hold() {
    let signer = identity(1);
    refuses(Reject::BadSignature, |_, frame| with_signature(frame, &signer.sign(&message(7, &root(frame)))));
}

#[test]
fn a_bare_root_or_a_leaf_that_was_signed_does_not_hold() {
    let signer = identity(1);
    refuses(Reject::BadSignature, |_, frame| with_signature(frame, &signer.sign(&root(frame).0)));
    refuses(Reject::BadSignature, |_, frame| {
        let leaf = MeshKeys::derive(MESH).leaf(Frame::parse(frame).expect("a sound frame").signed_part());
        with_signature(frame, &signer.sign(&message(8, &leaf)))
    });
}

#[test]
fn a_known_root_under_the_same_signature_in_another_form_does_not_hold() {
    // s + L is the same number to a careless verifier.
    const L: [u8; 32] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    refuses(Reject::BadSignature, |_, frame| {
        changed(frame, |bytes| {
            let s = signature_at(bytes) + 32;
            let mut carry = 0;
            for (byte, l) in bytes[s..s + 32].iter_mut().zip(L) {
                let sum = u16::from(*byte) + u16::from(l) + carry;
                (*byte, carry) = (sum as u8, sum >> 8);
            }
            assert_eq!(carry, 0);
        })
    });
}

#[test]
fn a_forged_train_beside_a_genuine_one_takes_none_of_it_along() {
    let (mut here, frames) = (Node::new(0), train());
    let forged = frames.iter().map(|frame| changed(frame, |bytes| *bytes.last_mut().expect("bytes") ^= 1));
    let mixed: Vec<_> = forged.zip(&frames).flat_map(|(forged, frame)| [forged, frame.clone()]).collect();
    assert_eq!(here.take(&mixed).fresh, 0b1010_1010_1010_1010);
    assert_eq!(here.counters.snapshot().rejected(Reject::BadSignature), 8);
    assert!(
        here.counters.snapshot().get(Counter::Signatures) <= 9,
        "one for the train, one for each forgery"
    );
}

#[test]
fn the_frames_of_a_sender_that_has_spent_its_budget_are_turned_away_unread_and_counted() {
    let (mut here, genuine) = (Node::new(0), train());
    let rate = Rate { checks_per_sec: 100, bad_per_sec: 1 };
    here.ingress = here.ingress.with_budgets(Budgets::new(&Limits { peer: rate, strangers: rate }, 1, 0));
    assert!(!here.ingress.turn_away(Sender(0), 8, 800, NOW), "it has spent nothing");
    assert_eq!(here.counters.read(Counter::FramesIn), 0, "whoever is let in is counted later");
    let forged = changed(&genuine[0], |bytes| *bytes.last_mut().expect("a byte") ^= 1);
    assert_eq!(here.refuse(&forged), Reject::BadSignature);
    let before = here.counters.snapshot();
    assert!(here.ingress.turn_away(Sender(0), 8, 800, NOW));
    let counted = here.counters.snapshot().since(&before);
    assert_eq!((counted.get(Counter::FramesIn), counted.get(Counter::BytesIn)), (8, 800));
    assert_eq!(counted.rejects().collect::<Vec<_>>(), [(Reject::OverBudget, 8)]);
    assert!(!here.ingress.turn_away(Sender(0), 8, 800, NOW + 10_000_000), "time fills the account");
}

#[test]
fn a_verifier_that_is_sound_is_never_said_to_be_out_of_use() {
    let mut here = Node::new(0);
    assert_eq!(here.take(&train()).fresh.count_ones() as usize, train().len());
    assert_eq!(here.counters.read(Counter::VerifyDisabled), 0);
    assert!(here.counters.read(Counter::Signatures) > 0);
}

#[test]
fn a_lone_frame_pays_for_its_check_wherever_it_stands() {
    let (here, genuine) = (Node::new(0), Node::new(1).publish(&[Update::Row(Slot(600), 1)]).remove(0));
    for place in [0, 1, 5, 63] {
        let mut datagrams = vec![&[0_u8; 8][..]; place];
        datagrams.push(&genuine);
        let mut batches = [here.ingress.filter(&datagrams, NOW)];
        assert_eq!(batches[0].mask(), 1 << place);
        let mut verifier = Verifier::new(MeshKeys::derive(MESH));
        let checked = verifier.check(&mut batches, here.engine.directory(), &here.counters);
        assert_eq!((checked[0], batches[0].mask()), (1 << place, 1 << place));
    }
}

#[test]
fn of_a_batch_the_first_frame_of_each_train_pays_for_its_check() {
    let (here, mut there) = (Node::new(0), Node::new(1));
    let trains = [train(), there.publish(&[Update::Row(Slot(1_000), 1)])];
    let nothing = [0_u8; 8];
    let datagrams: Vec<&[u8]> =
        [&nothing[..], &trains[0][0], &trains[0][1], &nothing, &trains[1][0], &trains[0][2]].into();
    let mut batches = [here.ingress.filter(&datagrams, NOW)];
    assert_eq!(batches[0].mask(), 0b11_0110);
    let mut verifier = Verifier::new(MeshKeys::derive(MESH));
    let checked = verifier.check(&mut batches, here.engine.directory(), &here.counters);
    assert_eq!((checked[0], batches[0].mask()), (0b01_0010, 0b11_0110));
}
