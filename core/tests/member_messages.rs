//! What a node makes of one message about members: what it answers, refuses, and has on record afterwards.

mod mesh;

use std::net::SocketAddr;
use std::time::Duration;

use mesh::{MS, Mesh, S, WALL, identity};
use octick_core::control::message::announcement::{EPHEMERAL, mesh_key};
use octick_core::control::message::kind::MessageKind;
use octick_core::control::message::membership::{Accusation, Announced, BUCKETS, MembershipMsg};
use octick_core::control::{
    Announcement, Control, Output, PacketInfo, PeerState, Refusal, Region, Statement,
};
use octick_core::crypto::Identity;
use octick_core::limits::{CONTROL_FRAME_MAX, PROBATION_SECS};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{ControlFrame, Message};

/// Nodes that know each other, and that have been here long enough to count.
fn settled(n: usize, seed: u64) -> Mesh {
    let mut mesh = Mesh::of(n, seed);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run((PROBATION_SECS + 5) * S);
    mesh
}

fn frame(messages: &[MembershipMsg<'_>]) -> ControlFrame {
    let mut control_frame = ControlFrame::new();
    assert!(messages.iter().all(|message| message.write(&mut control_frame)));
    control_frame
}

/// A message that a node sent: where to, its kind and its body.
type Sent = (SocketAddr, u8, Vec<u8>);

fn sent(control: &mut Control) -> Vec<Sent> {
    let outputs = std::iter::from_fn(|| control.poll());
    let frames = outputs.filter_map(|output| match output {
        Output::Send { to, control_frame } => Some((to, control_frame)),
        _ => None,
    });
    let messages = |(to, control_frame): (SocketAddr, Box<ControlFrame>)| {
        let messages = control_frame.messages();
        messages.map(|message| (to, message.kind, message.body.to_vec())).collect::<Vec<_>>()
    };
    frames.flat_map(messages).collect()
}

/// The same packet, for node 0 and nobody else.
fn for_me(mesh: &Mesh, packet: &PacketInfo) -> PacketInfo {
    PacketInfo { to: Some(mesh.nodes[0].id), ..*packet }
}

/// What node 0 sends because these come in one control frame, and why it refuses the last that it refuses.
fn hear(
    mesh: &mut Mesh,
    packet: &PacketInfo,
    messages: &[MembershipMsg<'_>],
) -> (Result<(), Refusal>, Vec<Sent>) {
    let packet = for_me(mesh, packet);
    let (now, control) = (mesh.now, &mut mesh.nodes[0].control);
    sent(control);
    let handled = control.handle_control_frame(now, &packet, frame(messages).messages());
    (handled, sent(control))
}

fn hear_from(mesh: &mut Mesh, i: usize, messages: &[MembershipMsg<'_>]) -> (Result<(), Refusal>, Vec<Sent>) {
    let packet = mesh.packet(i);
    hear(mesh, &packet, messages)
}

fn is_said(sent: &[Sent], to: SocketAddr, kind: MessageKind, body: &[u8]) -> bool {
    sent.iter().any(|said| (said.0, said.1) == (to, kind as u8) && said.2.starts_with(body))
}

fn is_any_said(sent: &[Sent], to: SocketAddr, kind: MessageKind) -> bool {
    is_said(sent, to, kind, &[])
}

/// What node `i` says of itself, changed, and signed by it at the time of the mesh.
fn word(mesh: &Mesh, i: usize, change: impl FnOnce(&mut Statement)) -> Announcement {
    let mut statement = mesh.nodes[i].control.me().statement().clone();
    statement.version = Version::new(WALL + mesh.now, mesh.nodes[i].id);
    change(&mut statement);
    Announcement::sign(&identity(i), &mesh_key("test"), &statement)
}

/// What somebody who is in no mesh says of itself.
fn stranger(mesh: &Mesh, key: usize, change: impl FnOnce(&mut Statement)) -> (Identity, Announcement) {
    let identity = identity(key);
    let mut statement = mesh.nodes[1].control.me().statement().clone();
    statement.version = Version::new(WALL + mesh.now, identity.id());
    statement.addresses = vec![mesh::address(key)];
    statement.boot ^= key as u32;
    change(&mut statement);
    let said = Announcement::sign(&identity, &mesh_key("test"), &statement);
    (identity, said)
}

fn rank(mesh: &Mesh, of: usize) -> (Incarnation, Version) {
    let members = mesh.nodes[0].control.members();
    members.get(members.find(mesh.nodes[of].id).expect("on record")).rank()
}

#[test]
fn of_a_member_that_another_misses_whoever_knows_better_says_so() {
    let mut mesh = settled(5, 31);
    let asker = mesh.nodes[1].address;
    let old = mesh.nodes[4].control.me().clone();
    let newer = word(&mesh, 4, |_| ());
    assert_eq!(hear_from(&mut mesh, 2, &[MembershipMsg::Announce(Announced::of(&newer))]).0, Ok(()));
    let (handled, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&old))]);
    assert_eq!(handled, Ok(()));
    assert!(is_said(&sent, asker, MessageKind::Announce, newer.bytes()), "it has said something since");
    assert_eq!(mesh.state(0, 4), Some(PeerState::Alive));
    let left = word(&mesh, 4, |statement| {
        statement.version = Version::new(WALL + mesh.now + MS, mesh.nodes[4].id);
        statement.leaves = true;
    });
    assert_eq!(hear_from(&mut mesh, 2, &[MembershipMsg::Announce(Announced::of(&left))]).0, Ok(()));
    assert_eq!(mesh.state(0, 4), Some(PeerState::Left));
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&left))]);
    assert!(is_said(&sent, asker, MessageKind::Announce, left.bytes()), "it said goodbye");
    assert_eq!(mesh.state(0, 4), Some(PeerState::Left));
}

#[test]
fn a_live_member_that_another_misses_is_suspected_after_its_latest_word_unless_it_was_just_here() {
    for later in [false, true] {
        let mut mesh = settled(5, 32);
        let last = mesh.nodes[4].control.me().clone();
        let said = if later { word(&mesh, 4, |_| ()) } else { Announcement::clone(&last) };
        mesh.stop(4, 60 * S);
        mesh.run(mesh.settings.probe_interval.as_micros() as u64);
        let (handled, _) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&said))]);
        assert_eq!((handled, mesh.state(0, 4)), (Ok(()), Some(PeerState::Suspected)));
        assert_eq!(rank(&mesh, 4), said.rank());
    }
    let mut mesh = settled(5, 32);
    let said = mesh.nodes[4].control.me().clone();
    assert_eq!(hear_from(&mut mesh, 4, &[MembershipMsg::Hello]).0, Ok(()));
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&said))]);
    assert_eq!(mesh.state(0, 4), Some(PeerState::Alive), "it was here a moment ago");
    assert_eq!(sent, [], "and nobody signed that it failed");
}

#[test]
fn who_failed_before_this_node_heard_of_it_is_missed_here_too_unless_nobody_here_has_reason_to() {
    let mut mesh = settled(4, 33);
    type Change = fn(&mut Statement);
    let cases: [(Change, bool); 4] = [
        (|_| (), true),
        (|statement| statement.capabilities |= EPHEMERAL, false),
        (|statement| statement.region = Region(7), false),
        (|statement| statement.leaves = true, false),
    ];
    for (key, (change, missed)) in (70..).zip(cases) {
        let before = mesh.nodes[0].control.quorum().members;
        let (who, said) = stranger(&mesh, key, change);
        let (handled, _) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&said))]);
        assert_eq!(handled, Ok(()));
        let members = mesh.nodes[0].control.members();
        let state = members.find(who.id()).map(|place| members.get(place).state());
        assert_eq!(state, missed.then_some(PeerState::Failed));
        assert_eq!(mesh.nodes[0].control.quorum().members, before + usize::from(missed));
    }
    let (_, forged) = stranger(&mesh, 80, |_| ());
    let mut bytes = forged.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    for bytes in [&bytes[..], &bytes[..20]] {
        let refused = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::bare(bytes))]).0;
        assert!(matches!(refused, Err(Refusal::Unsound | Refusal::Malformed)), "{refused:?}");
    }
}

#[test]
fn a_later_word_of_a_member_that_failed_is_taken_and_does_not_bring_it_back() {
    let mut mesh = settled(5, 34);
    mesh.kill(4);
    mesh.run_to(20 * S, |mesh| mesh.state(0, 4) == Some(PeerState::Failed));
    let said = word(&mesh, 4, |_| ());
    assert_eq!(hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&said))]).0, Ok(()));
    assert_eq!((mesh.state(0, 4), rank(&mesh, 4)), (Some(PeerState::Failed), said.rank()));
    // Who still announces what others know to have failed is told.
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Announce(Announced::of(&said))]);
    assert!(is_said(&sent, mesh.nodes[1].address, MessageKind::Accuse, &mesh.nodes[4].id.0));
}

#[test]
fn who_is_missed_itself_says_that_it_is_there() {
    let mut mesh = settled(5, 35);
    let said = mesh.nodes[0].control.me().clone();
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Missing(Announced::of(&said))]);
    let now = mesh.nodes[0].control.me();
    assert!(now.rank() > said.rank());
    assert!(is_said(&sent, mesh.nodes[1].address, MessageKind::Announce, now.bytes()));
}

#[test]
fn a_force_leave_that_was_outlived_says_nothing_of_a_later_death() {
    let mut mesh = settled(8, 36);
    let id = mesh.nodes[4].id;
    mesh.call(1, |control, now| control.expel(now, id, false));
    mesh.run(10 * S);
    assert!(mesh.agrees(), "it lives, and said so");
    mesh.kill(4);
    mesh.run_to(30 * S, |mesh| mesh.all_miss(4));
    mesh.run(S);
    assert!((0..8).filter(|i| *i != 4).all(|i| mesh.state(i, 4) == Some(PeerState::Failed)));
    assert!((0..8).filter(|i| *i != 4).all(|i| mesh.nodes[i].control.quorum().members == 8), "it is missed");
}

/// A packet signed with this node's own key.
fn own_packet(mesh: &Mesh, incarnation: u32, micros: u64) -> PacketInfo {
    let id = mesh.nodes[0].id;
    let (incarnation, version) = (Incarnation(incarnation), Version::new(micros, id));
    PacketInfo { from: mesh::address(66), to: Some(id), origin: id, incarnation, seq: Seq(1), version }
}

#[test]
fn what_is_signed_with_a_nodes_own_key_tells_which_of_two_processes_goes_on() {
    let fresh = || {
        let mut mesh = settled(3, 37);
        mesh.kill(0);
        mesh.restart(0);
        mesh.run_to(30 * S, Mesh::agrees);
        mesh
    };
    let elsewhere = mesh::address(66);
    let told = |incarnation, age: u64| {
        let mut mesh = fresh();
        let id = mesh.nodes[0].id;
        let packet = own_packet(&mesh, incarnation, WALL + mesh.now - age);
        let hello = frame(&[MembershipMsg::Hello]);
        let (now, control) = (mesh.now, &mut mesh.nodes[0].control);
        while control.poll().is_some() {}
        assert_eq!(control.handle_control_frame(now, &packet, hello.messages()), Err(Refusal::Own));
        let (mut named, mut superseded, mut answered) = (false, None, false);
        while let Some(output) = control.poll() {
            match output {
                Output::Conflict { id: of, other, .. } => named = (of, other) == (id, Some(elsewhere)),
                Output::Superseded { incarnation, at } => superseded = Some((incarnation, at)),
                Output::Send { to, control_frame } => {
                    let said = control_frame.messages().next().expect("a message").kind;
                    answered |= to == elsewhere && said == MessageKind::Announce as u8;
                }
                _ => {}
            }
        }
        (named, superseded, answered)
    };
    let old = 3_600 * S;
    assert_eq!(told(3, 0), (false, Some((Incarnation(3), Some(elsewhere))), false), "the later goes on");
    assert_eq!(told(1, 0), (true, None, true), "the earlier is told, and an operator");
    assert_eq!(told(2, 0), (false, None, false), "its own, come back");
    for incarnation in 1..4 {
        assert_eq!(told(incarnation, old), (false, None, false), "of before its start");
    }
}

#[test]
fn a_node_that_hears_first_takes_its_own_earlier_packets_for_the_life_that_it_forgot() {
    for (incarnation, outlived) in [(1, false), (2, true), (3, true)] {
        let mut mesh = settled(3, 38);
        mesh.kill(0);
        mesh.restore(0, 2, 0);
        let later = WALL + mesh.now + 3_600 * S;
        let packet = own_packet(&mesh, incarnation, later);
        mesh.deliver(0, &packet, &frame(&[MembershipMsg::Hello]));
        let told = &mesh.nodes[0].outlived;
        assert_eq!(told.contains(&Incarnation(incarnation)), outlived, "{told:?}");
        assert_eq!(mesh.nodes[0].superseded, []);
        mesh.call(0, |control, now| control.begin_again(now, Incarnation(9)));
        let is_after = mesh.nodes[0].control.me().rank().1 > Version::new(later, mesh.nodes[0].id);
        assert_eq!(is_after, outlived, "what it says next is dated after what it was told of");
    }
}

#[test]
fn who_writes_as_an_earlier_incarnation_is_told_which_one_lives_and_named_if_it_speaks_later() {
    let fresh = || {
        let mut mesh = settled(4, 39);
        mesh.kill(1);
        mesh.restart(1);
        mesh.run_to(30 * S, Mesh::agrees);
        mesh.run(S);
        mesh
    };
    let elsewhere = mesh::address(66);
    for (age, introduces, answered, named) in [
        (0, false, true, true),
        (0, true, true, true),
        (3_600 * S, false, false, false),
        (3_600 * S, true, true, false),
    ] {
        let mut mesh = fresh();
        let id = mesh.nodes[1].id;
        let version = Version::new(WALL + mesh.now - age, id);
        let packet = PacketInfo { from: elsewhere, incarnation: Incarnation(1), version, ..mesh.packet(1) };
        let packet = for_me(&mesh, &packet);
        let old = word(&mesh, 1, |statement| {
            statement.incarnation = Incarnation(1);
            statement.version = Version::new(WALL + mesh.now - 3_600 * S, id);
        });
        let messages = [MembershipMsg::Announce(Announced::of(&old)), MembershipMsg::Hello];
        let said = frame(&messages[usize::from(!introduces)..]);
        let lives = mesh.nodes[1].control.me().bytes().to_vec();
        let (now, control) = (mesh.now, &mut mesh.nodes[0].control);
        sent(control);
        assert_eq!(control.handle_control_frame(now, &packet, said.messages()), Err(Refusal::OldIncarnation));
        let (mut is_answered, mut is_named) = (false, false);
        while let Some(output) = control.poll() {
            match output {
                Output::Conflict { id: of, other, .. } => is_named |= (of, other) == (id, Some(elsewhere)),
                Output::Send { to, control_frame } if to == elsewhere => {
                    is_answered |= control_frame.messages().any(|message| message.body == lives);
                }
                _ => {}
            }
        }
        assert_eq!((is_answered, is_named), (answered, named), "of {age} us ago, introduced: {introduces}");
    }
    let mut mesh = fresh();
    let packet = PacketInfo { incarnation: Incarnation(3), ..mesh.packet(1) };
    let (handled, sent) = hear(&mut mesh, &packet, &[MembershipMsg::Hello]);
    assert_eq!(handled, Err(Refusal::UnknownIncarnation));
    let (to, me) = (mesh.nodes[1].address, mesh.nodes[0].control.me().bytes());
    assert!(is_any_said(&sent, to, MessageKind::Challenge) && is_said(&sent, to, MessageKind::Announce, me));
}

#[test]
fn a_stranger_is_asked_who_it_is_and_let_in_by_its_word() {
    let mut mesh = settled(3, 40);
    let (who, said) = stranger(&mesh, 77, |_| ());
    let (from, now) = (mesh::address(77), mesh.now);
    let control = &mut mesh.nodes[0].control;
    sent(control);
    let hello = frame(&[MembershipMsg::Hello]);
    assert_eq!(control.introduce(now, from, who.id(), hello.messages()).err(), Some(Refusal::Stranger));
    let asked = sent(control);
    assert!(is_said(&asked, from, MessageKind::Announce, control.me().bytes()), "it says who asks");
    assert!(is_any_said(&asked, from, MessageKind::Challenge));
    let announced = frame(&[MembershipMsg::Announce(Announced::of(&said)), MembershipMsg::Hello]);
    let read = control.introduce(now, from, who.id(), announced.messages()).expect("a word that holds");
    assert_eq!(read.bytes(), said.bytes());
    // Another's word is no introduction.
    let other = identity(78).id();
    assert_eq!(control.introduce(now, from, other, announced.messages()).err(), Some(Refusal::Stranger));
    let mut forged = said.bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = frame(&[MembershipMsg::Announce(Announced::bare(&forged))]);
    assert_eq!(control.introduce(now, from, who.id(), forged.messages()).err(), Some(Refusal::Unsound));
    let known = control.members().get(control.members().live()[0]).announcement().clone();
    let again = control.introduce(now, from, known.id(), hello.messages()).expect("it is known");
    assert_eq!(again.bytes(), known.bytes());
}

#[test]
fn where_many_strangers_come_at_once_those_who_show_their_address_are_let_in() {
    let mut mesh = Mesh::new(41);
    mesh.settings.strangers = 20;
    mesh.add_many(3);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    let (from, now) = (mesh::address(77), mesh.now);
    let (who, said) = stranger(&mesh, 77, |_| ());
    let word = MembershipMsg::Announce(Announced::of(&said));
    let announced = frame(&[word]);
    let control = &mut mesh.nodes[0].control;
    sent(control);
    let let_in = (0..60).take_while(|_| control.introduce(now, from, who.id(), announced.messages()).is_ok());
    assert_eq!(let_in.count(), 10, "half of those who may be looked at in a second");
    let asked = sent(control);
    let challenge = asked.iter().find(|said| said.1 == MessageKind::Challenge as u8).expect("a challenge");
    let token = challenge.2[..16].try_into().expect("a token");
    let proves = frame(&[word, MembershipMsg::Response(token)]);
    assert!(control.introduce(now, from, who.id(), proves.messages()).is_ok(), "it receives there");
    assert_eq!(sent(control), [], "and need not show it again");
    let elsewhere = mesh::address(78);
    let refused = control.introduce(now, elsewhere, who.id(), proves.messages()).err();
    assert_eq!(refused, Some(Refusal::Budget), "at another address the token shows nothing");
    assert!(is_any_said(&sent(control), elsewhere, MessageKind::Challenge));
    // Whom this node greeted itself answers where it was greeted.
    control.join(now, elsewhere);
    assert!(control.introduce(now, elsewhere, who.id(), announced.messages()).is_ok());
}

#[test]
fn updates_and_members_are_served_to_addresses_that_were_shown() {
    let mut mesh = settled(4, 42);
    let (who, said) = stranger(&mesh, 77, |_| ());
    let (from, now) = (mesh::address(77), mesh.now);
    let announce = MembershipMsg::Announce(Announced::of(&said));
    let ask = MembershipMsg::SyncAsk { cursor: 0, digests: None };
    let me = mesh.nodes[0].id;
    let packet = |seq| PacketInfo {
        from,
        to: Some(me),
        origin: who.id(),
        incarnation: said.rank().0,
        seq: Seq(seq),
        version: said.rank().1,
    };
    let first = frame(&[announce, ask]);
    let control = &mut mesh.nodes[0].control;
    sent(control);
    let word = control.introduce(now, from, who.id(), first.messages()).unwrap();
    let refused = control.handle_introduced(now, &packet(1), word, first.messages());
    assert_eq!(refused, Err(Refusal::Unproven));
    let asked = sent(control);
    let challenge = asked.iter().find(|said| said.1 == MessageKind::Challenge as u8).expect("a challenge");
    assert!(!is_any_said(&asked, from, MessageKind::Sync), "nothing is answered");
    assert!(!is_said(&asked, from, MessageKind::Announce, control.me().bytes()), "it has met this node");
    let token = challenge.2[..16].try_into().unwrap();
    let proven = frame(&[MembershipMsg::Response(token), ask]);
    assert_eq!(control.handle_control_frame(now, &packet(2), proven.messages()), Ok(()));
    assert!(is_any_said(&sent(control), from, MessageKind::Sync));
    assert_eq!(control.handle_control_frame(now, &packet(3), frame(&[ask]).messages()), Ok(()), "once shown");
    let wrong = frame(&[MembershipMsg::Response([0; 16])]);
    assert_eq!(control.handle_control_frame(now, &packet(4), wrong.messages()), Err(Refusal::Unproven));
}

#[test]
fn answers_that_nobody_asked_for_are_refused() {
    let mut mesh = settled(4, 43);
    let digest = mesh.nodes[0].control.members().digest();
    mesh.run(10 * S);
    let unasked = [
        MembershipMsg::Ack { nonce: 12_345, digest },
        MembershipMsg::SyncList { bucket: 0, entries: &[] },
        MembershipMsg::SyncDone { next: BUCKETS as u8, digest },
    ];
    for message in unasked {
        assert_eq!(hear_from(&mut mesh, 1, &[message]).0, Err(Refusal::Unasked), "{message:?}");
    }
    let nobody = identity(90).id();
    let of_nobody = MembershipMsg::PingReq { nonce: 1, target: nobody };
    assert_eq!(hear_from(&mut mesh, 1, &[of_nobody]).0, Err(Refusal::Unheard));
    let accused = Accusation {
        id: nobody,
        rank: rank(&mesh, 1),
        state: PeerState::Failed,
        by: mesh.nodes[1].id,
        signature: None,
    };
    assert_eq!(hear_from(&mut mesh, 1, &[MembershipMsg::Accuse(accused)]).0, Err(Refusal::Unheard));
}

#[test]
fn a_ping_is_answered_under_its_nonce_with_what_is_known_of_all() {
    let mut mesh = settled(4, 44);
    let digest = mesh.nodes[0].control.members().digest();
    let (handled, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Ping { nonce: 7_777, digest }]);
    let body = [7_777_u32.to_le_bytes(), digest.to_le_bytes()].concat();
    assert_eq!(handled, Ok(()));
    assert!(is_said(&sent, mesh.nodes[1].address, MessageKind::Ack, &body), "{sent:?}");
    assert!(!is_any_said(&sent, mesh.nodes[1].address, MessageKind::Sync), "the tables are the same");
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::Ping { nonce: 8, digest: !digest }]);
    assert!(is_any_said(&sent, mesh.nodes[1].address, MessageKind::Sync), "they differ: which members?");
    // A helper probes whom it is asked to, and hears nothing.
    let target = mesh.nodes[3].id;
    let (_, sent) = hear_from(&mut mesh, 1, &[MembershipMsg::PingReq { nonce: 9, target }]);
    assert!(is_any_said(&sent, mesh.nodes[3].address, MessageKind::Ping));
    mesh.kill(3);
    mesh.record = Some(Vec::new());
    mesh.run(500 * MS);
    let nacked = mesh.record.take().unwrap().iter().any(|(to, packet, said)| {
        let nack = |message: Message<'_>| {
            message.kind == MessageKind::Nack as u8 && message.body.starts_with(&9_u32.to_le_bytes())
        };
        *to == 1 && packet.origin == mesh.nodes[0].id && said.messages().any(nack)
    });
    assert!(nacked);
}

#[test]
fn a_message_of_another_machine_goes_to_live_members_if_it_fits() {
    let mut mesh = settled(3, 45);
    let (id, to) = (mesh.nodes[1].id, mesh.nodes[1].address);
    let body = [7; CONTROL_FRAME_MAX];
    let most = octick_core::wire::control_frame::BODY_MAX;
    let kind = MessageKind::Audit as u8;
    let control = &mut mesh.nodes[0].control;
    sent(control);
    assert!(control.has_company());
    assert!(control.write(id, Message { kind, body: &body[..most] }));
    assert!(is_said(&sent(control), to, MessageKind::Audit, &body[..most]));
    assert!(!control.write(id, Message { kind, body: &body[..most + 1] }), "no room in any control frame");
    assert!(!control.write(identity(90).id(), Message { kind, body: &[] }), "nobody");
    assert!(sent(control).is_empty());
    mesh.kill(1);
    mesh.run_to(30 * S, |mesh| mesh.state(0, 1) == Some(PeerState::Failed));
    assert!(!mesh.nodes[0].control.write(id, Message { kind, body: &[] }), "it failed");
    mesh.kill(2);
    mesh.run_to(60 * S, |mesh| mesh.live(0) == 1);
    assert!(!mesh.nodes[0].control.has_company());
}

#[test]
fn a_node_whose_own_probes_fail_feels_worse_and_one_that_is_answered_well() {
    let mut mesh = settled(3, 46);
    assert_eq!(mesh.nodes[0].control.health(), 0);
    mesh.nodes[0].group = 1;
    mesh.run(3 * S);
    assert!(mesh.nodes[0].control.health() > 0, "nobody hears it, not even helpers");
    mesh.nodes[0].group = 0;
    mesh.run_to(60 * S, |mesh| mesh.nodes[0].control.health() == 0);
}

#[test]
fn what_an_update_makes_due_is_due_at_once_and_never_before_now() {
    let mut mesh = settled(40, 47);
    let rested = mesh.now;
    mesh.issue(3, 1);
    let due = mesh.nodes[3].control.next_due();
    assert!(
        (rested..=rested + 10 * MS).contains(&due),
        "its id goes to the other neighbours {} us later",
        due - rested
    );
}

#[test]
fn who_left_is_believed_by_its_own_word_only_and_its_time_is_remembered() {
    let mut mesh = Mesh::new(48);
    mesh.settings.forget_after = Duration::from_secs(120);
    mesh.add_many(5);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.call(4, |control, now| control.leave(now));
    mesh.run(2 * S);
    mesh.kill(4);
    mesh.run(100 * S);
    assert_eq!(mesh.state(0, 4), Some(PeerState::Left));
    mesh.run(30 * S);
    assert_eq!(mesh.state(0, 4), None, "forgotten");
    assert!((0..4).all(|i| mesh.live(i) == 4), "who lives has announced itself anew meanwhile");
}
