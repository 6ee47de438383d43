//! What was said to one, and what was said long ago, is worth nothing: control frames name their recipient and their time.

mod mesh;
mod nodes;

use mesh::{MS, Mesh, S, address};
use octick_core::Reject;
use octick_core::control::message::membership::{Accusation, MembershipMsg};
use octick_core::control::{PacketInfo, PeerState, Refusal};
use octick_core::crypto::{Identity, MeshKeys, NodeId};
use octick_core::limits::CONTROL_FRAME_AGE_MAX;
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{ControlFrame, Kind, Sealer, Stamp};

fn saying(messages: &[MembershipMsg<'_>]) -> ControlFrame {
    let mut control_frame = ControlFrame::new();
    messages.iter().for_each(|message| assert!(message.write(&mut control_frame)));
    control_frame
}

#[test]
fn answers_that_a_member_gave_one_node_keep_it_alive_for_no_other() {
    let mut mesh = Mesh::of(12, 4);
    mesh.run(5 * S);
    // Node 5 lies. It probes node 3 as often as it likes, and keeps the signed answers.
    mesh.record = Some(Vec::new());
    for nonce in 0..60 {
        let packet = mesh.packet(5);
        mesh.deliver(3, &packet, &saying(&[MembershipMsg::Ping { nonce, digest: 0 }]));
        mesh.run(5 * MS);
    }
    let id = mesh.nodes[3].id;
    let answers: Vec<_> = mesh
        .record
        .take()
        .unwrap()
        .into_iter()
        .filter(|(to, packet, _)| *to == 5 && packet.origin == id)
        .collect();
    assert!(answers.len() >= 50, "{} answers", answers.len());
    mesh.kill(3);
    let (died, honest) = (mesh.now, |i: &usize| ![3, 5].contains(i));
    let mut answers = answers.iter().cycle();
    while (0..12).filter(honest).any(|i| mesh.state(i, 3).is_some_and(PeerState::is_live)) {
        assert!(mesh.now < died + 10 * S, "still believed live");
        let (_, packet, control_frame) = answers.next().unwrap();
        let packet = PacketInfo { from: address(5), ..*packet };
        (0..12).filter(honest).for_each(|to| mesh.arrive(to, &packet, control_frame));
        mesh.run(100 * MS);
    }
    let refused = mesh.nodes[0].control.refusals().get(Refusal::Misaddressed);
    assert!(refused > 0, "the answers were refused for their recipient");
}

#[test]
fn a_greeting_that_is_passed_on_is_no_sign_of_life() {
    let mut mesh = Mesh::of(6, 5);
    mesh.run(5 * S);
    let me = mesh.nodes[3].control.me().clone();
    let announced = octick_core::control::message::membership::Announced::bare(me.bytes());
    let greeting = saying(&[MembershipMsg::Announce(announced), MembershipMsg::Hello]);
    mesh.kill(3);
    let died = mesh.now;
    while (0..6).filter(|i| *i != 3).any(|i| mesh.state(i, 3).is_some_and(PeerState::is_live)) {
        assert!(mesh.now < died + 10 * S, "still believed live");
        // The dead member's greeting, of this very moment, to whoever is there.
        let packet = PacketInfo { from: address(5), to: None, ..mesh.packet(3) };
        (0..6).filter(|i| *i != 3).for_each(|to| mesh.arrive(to, &packet, &greeting));
        mesh.run(100 * MS);
    }
}

#[test]
fn without_a_recipient_only_greetings_are_taken() {
    let mut mesh = Mesh::of(3, 6);
    mesh.run(2 * S);
    let rank = mesh.nodes[2].control.me().rank();
    let id = mesh.nodes[2].id;
    let accusation = Accusation { id, rank, state: PeerState::Failed, by: mesh.nodes[1].id, signature: None };
    let packet = PacketInfo { to: None, ..mesh.packet(1) };
    mesh.arrive(0, &packet, &saying(&[MembershipMsg::Hello, MembershipMsg::Accuse(accusation)]));
    assert_eq!(mesh.nodes[0].control.refusals().get(Refusal::Unaddressed), 1);
    assert_eq!(mesh.state(0, 2), Some(PeerState::Alive));
}

fn sealed(to: Option<NodeId>, micros: u64) -> Vec<u8> {
    let identity: Identity = nodes::identity(1);
    let mut control_frame = saying(&[MembershipMsg::Ping { nonce: 1, digest: 2 }]);
    control_frame.address(to);
    let mut sealer = Sealer::new();
    sealer.frame(Kind::Control, |draft| draft.control_frame(&control_frame));
    let version = Version::new(micros, identity.id());
    let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
    sealer.seal(&identity, &MeshKeys::derive(nodes::MESH), &stamp);
    let frame = sealer.frames().next().unwrap().to_vec();
    assert_eq!(frame.len(), 120, "a ping is the shortest frame there is, whomever it names");
    frame
}

#[test]
fn a_sealed_control_frame_is_taken_by_its_recipient_alone_even_from_one_whose_name_begins_alike() {
    let me = nodes::identity(0).id();
    let take = |frame: &[u8]| nodes::Node::new(0).take(&[frame.to_vec()]).control_frames;
    assert_eq!(take(&sealed(Some(me), nodes::NOW)), 1);
    assert_eq!(take(&sealed(None, nodes::NOW)), 1);
    let refuse = |frame: &[u8]| nodes::Node::new(0).refuse(frame);
    assert_eq!(refuse(&sealed(Some(NodeId([9; 16])), nodes::NOW)), Reject::Misaddressed);
    let mut alike = me;
    alike.0[4..].fill(9);
    assert_eq!(refuse(&sealed(Some(alike), nodes::NOW)), Reject::BadSignature);
    // A relay that takes the name out, or puts another in, breaks the signature.
    let mut stripped = sealed(Some(me), nodes::NOW);
    stripped[40..44].fill(0);
    assert_eq!(refuse(&stripped), Reject::BadSignature);
    let oldest = nodes::NOW - nodes::SKEW - CONTROL_FRAME_AGE_MAX;
    assert_eq!(take(&sealed(Some(me), oldest)), 1);
    assert_eq!(refuse(&sealed(Some(me), oldest - 1)), Reject::Expired);
    // Side by side with others, as a batch is verified.
    let many = [sealed(Some(me), nodes::NOW), sealed(Some(alike), nodes::NOW), sealed(None, nodes::NOW)];
    assert_eq!(nodes::Node::new(0).take(&many).control_frames, 0b101);
}
