//! What one member says against others costs itself, and shortens nobody's time: opinions are signed, and counted by who signed.

mod mesh;

use mesh::{MS, Mesh, S, WALL, address, identity};
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::membership::{Accusation, MembershipMsg};
use octick_core::control::{Members, PacketInfo, PeerState, Refusal};
use octick_core::crypto::NodeId;
use octick_core::limits::{ACCUSATIONS_MAX, REFUTATIONS_MAX};
use octick_core::wire::ControlFrame;

fn saying(said: Accusation) -> ControlFrame {
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Accuse(said).write(&mut control_frame));
    control_frame
}

/// That node `of` is suspected, in the words of whoever `by` is.
fn suspected(mesh: &Mesh, of: usize, by: NodeId) -> Accusation {
    let members = mesh.nodes[1].control.members();
    let rank = members.get(members.find(mesh.nodes[of].id).unwrap()).rank();
    Accusation { id: mesh.nodes[of].id, rank, state: PeerState::Suspected, by, signature: None }
}

fn signed(mesh: &Mesh, of: usize, by: usize) -> Accusation {
    suspected(mesh, of, mesh.nodes[by].id).sign(&identity(by), &mesh_key("test"))
}

/// How long node 1, alone with what it is told, gives node 7 once node 5 has accused it, and said what `more` makes of it.
fn time_given(more: impl Fn(&Mesh) -> Vec<(usize, Accusation)>) -> u64 {
    let mut mesh = Mesh::of(40, 3);
    mesh.run(8 * S);
    time_given_in(mesh, more)
}

fn time_given_in(mut mesh: Mesh, more: impl Fn(&Mesh) -> Vec<(usize, Accusation)>) -> u64 {
    mesh.stop(7, 60 * S);
    // Nobody has heard it for a moment.
    mesh.run(750 * MS);
    if mesh.state(1, 7) == Some(PeerState::Alive) {
        let (packet, said) = (mesh.packet(5), signed(&mesh, 7, 5));
        mesh.deliver(1, &packet, &saying(said));
    }
    // Only what it is told counts from now on.
    mesh.nodes[1].group = 9;
    let start = mesh.now;
    for (from, said) in more(&mesh) {
        let packet = mesh.packet(from);
        mesh.deliver(1, &packet, &saying(said));
    }
    assert_eq!(mesh.state(1, 7), Some(PeerState::Suspected));
    while mesh.state(1, 7) != Some(PeerState::Failed) {
        assert!(mesh.now < start + 60 * S);
        mesh.run(10 * MS);
    }
    mesh.now - start
}

#[test]
fn only_members_that_sign_their_own_opinion_shorten_a_suspicion() {
    let alone = time_given(|_| Vec::new());
    let made_up = time_given(|mesh| {
        let names = (0..8).map(|i| suspected(mesh, 7, NodeId([200 + i; 16])));
        let members = [10, 11, 12].map(|i| suspected(mesh, 7, mesh.nodes[i].id));
        let failed =
            [13, 14].map(|i| Accusation { state: PeerState::Failed, ..suspected(mesh, 7, mesh.nodes[i].id) });
        let forged = [15, 16].map(|i| {
            let of_another = suspected(mesh, 7, mesh.nodes[5].id).sign(&identity(5), &mesh_key("test"));
            Accusation { by: mesh.nodes[i].id, ..of_another }
        });
        names.chain(members).chain(failed).chain(forged).map(|said| (5, said)).collect()
    });
    assert_eq!(made_up, alone, "one member has one opinion, whatever names it gives it");
    let repeated =
        time_given(|mesh| vec![(5, signed(mesh, 7, 5)), (6, signed(mesh, 7, 5)), (5, signed(mesh, 7, 5))]);
    assert_eq!(repeated, alone, "whoever passes it on");
    // Opinions count when others bring them.
    let real = time_given(|mesh| vec![(6, signed(mesh, 7, 10)), (6, signed(mesh, 7, 11))]);
    println!("alone {} ms, with two more opinions {} ms", alone / MS, real / MS);
    assert!(2 * real < alone, "{real} and {alone}");
}

#[test]
fn opinions_of_newcomers_shorten_no_suspicion() {
    let grown = || {
        let mut mesh = Mesh::of(40, 3);
        mesh.run(20 * S);
        mesh.add_many(4);
        mesh.run_to(4 * S, Mesh::agrees);
        mesh
    };
    let alone = time_given_in(grown(), |_| Vec::new());
    let new = time_given_in(grown(), |mesh| (40..44).map(|i| (6, signed(mesh, 7, i))).collect());
    let old = time_given_in(grown(), |mesh| vec![(6, signed(mesh, 7, 10)), (6, signed(mesh, 7, 11))]);
    println!("alone {} ms, with four newcomers {}, with two others {}", alone / MS, new / MS, old / MS);
    assert_eq!(new, alone);
    assert!(2 * old < alone, "{old} and {alone}");
}

#[test]
fn a_flood_of_accusations_makes_nobody_announce_anew_all_the_time() {
    let n = 60;
    let mut mesh = Mesh::of(n, 6);
    mesh.run(20 * S);
    let rank = |mesh: &Mesh, i: usize| mesh.nodes[i].control.members().get(Members::ME).rank();
    mesh.nodes.iter_mut().for_each(|node| (node.bytes, node.control_frames) = (0, 0));
    mesh.run(10 * S);
    let spent = |mesh: &Mesh| -> u64 {
        mesh.nodes[1..].iter().map(|node| node.bytes + 64 * node.control_frames).sum()
    };
    let rest = spent(&mesh);
    mesh.nodes.iter_mut().for_each(|node| (node.bytes, node.control_frames) = (0, 0));
    let (mut sent, mut bytes, mut anew) = (0, 0, vec![0_u64; n]);
    let start = mesh.now;
    while mesh.now < start + 30 * S {
        for (i, count) in anew.iter_mut().enumerate().skip(1) {
            let before = rank(&mesh, i);
            let said =
                Accusation { id: mesh.nodes[i].id, rank: before, ..suspected(&mesh, i, mesh.nodes[0].id) };
            let packet = mesh.packet(0);
            mesh.deliver(i, &packet, &saying(said));
            *count += u64::from(rank(&mesh, i) != before);
            (sent, bytes) = (sent + 1, bytes + 40 + 64 + 64);
        }
        mesh.run(210 * MS);
    }
    let more = spent(&mesh).saturating_sub(3 * rest);
    let announced: u64 = anew.iter().sum();
    println!(
        "{sent} accusations: {announced} new announcements, {:.1} bytes of the others for each of the accuser's",
        more as f64 / bytes as f64
    );
    assert!(anew.iter().all(|count| *count <= REFUTATIONS_MAX + 2), "{anew:?}");
    assert!(mesh.nodes[1].control.refusals().get(Refusal::AccuserSpent) > 0);
    assert_eq!(mesh.believed(PeerState::Failed), 0);
}

#[test]
fn a_member_that_accuses_everybody_is_not_heard_for_long_and_others_are() {
    let n = 60;
    let mut mesh = Mesh::of(n, 7);
    mesh.run(10 * S);
    mesh.nodes.iter_mut().for_each(|node| node.suspicions = 0);
    // Everybody but the liar stands still, so that nothing but the lies is heard.
    let now = mesh.now;
    for i in 2..n {
        mesh.nodes[1].control.tick(now + 2 * S);
        let packet = PacketInfo { to: Some(mesh.nodes[1].id), from: address(0), ..mesh.packet(0) };
        let frame = saying(signed(&mesh, i, 0));
        let _ = mesh.nodes[1].control.handle_control_frame(now + 2 * S, &packet, frame.messages());
    }
    let suspected = (2..n).filter(|i| mesh.state(1, *i) == Some(PeerState::Suspected)).count();
    assert!(suspected <= ACCUSATIONS_MAX as usize, "{suspected} suspected on one member's word");
    assert!(mesh.nodes[1].control.refusals().get(Refusal::AccuserSpent) > 0);
    // Whoever dies is missed as soon as ever.
    mesh.run(20 * S);
    mesh.kill(9);
    let took = mesh.run_to(10 * S, |mesh| mesh.all_miss(9));
    println!("a kill is seen by all after {} ms", took / MS);
    assert!(took < 5 * S && WALL > 0);
}
