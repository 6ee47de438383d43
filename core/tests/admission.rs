//! Who may be a member, in meshes of virtual time: credentials, revocations, and strangers without either.

mod mesh;

use std::sync::Arc;

use mesh::{MS, Mesh, S, WALL, identity};
use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::log::Appended;
use octick_core::admission::{
    Admission, Authority, AuthorityLog, Credential, Decision, Denied, Grant, SignedDecision,
};
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_core::control::output::Rights;
use octick_core::control::{Announcement, Claim, PacketInfo, PeerState, Refusal, Statement};
use octick_core::crypto::Identity;
use octick_core::stamp::{Run, Seq, Slot, Version};
use octick_core::wire::ControlFrame;

/// The authority's key is nobody's in the mesh.
fn authority() -> Identity {
    identity(1_000_000)
}

fn log() -> AuthorityLog {
    let root = Authority::new(vec![authority().public().clone()], 1).expect("one key");
    AuthorityLog::new(authority_key("test"), root)
}

/// A day, unless said otherwise; sixteen slots for each.
fn grant(key: usize, serial: u64) -> Grant {
    let now = (WALL / S) as u32;
    Grant {
        serial,
        member: identity(key).id(),
        from: now,
        until: now + 86_400,
        grace: 3_600,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: format!("node-{key}"),
        runs: vec![run_of(key)],
    }
}

fn run_of(key: usize) -> Run {
    Run { first: Slot(16 * key as u32), len: 16 }
}

fn issue(grant: &Grant) -> Arc<Credential> {
    Arc::new(Credential::issue(grant, &authority_key("test"), &[&authority()]).expect("a sound grant"))
}

fn revoke(number: u64, key: usize, serial: u64) -> SignedDecision {
    let decision = Decision::Revoke { member: identity(key).id(), serial };
    SignedDecision::sign(number, &decision, &authority_key("test"), &[&authority()])
}

/// `n` members with credentials, met.
fn issued(n: usize, seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    mesh.admission = Admission::issued(log());
    mesh.credentials = (0..n).map(|key| issue(&grant(key, 1 + key as u64))).collect();
    for key in 0..n {
        mesh.add(&[run_of(key)]);
    }
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    mesh
}

fn refused(mesh: &Mesh, i: usize, refusal: Refusal) -> u64 {
    mesh.nodes[i].control.refusals().get(refusal)
}

fn knows(mesh: &Mesh, i: usize, of: usize) -> bool {
    mesh.state(i, of).is_some_and(PeerState::is_live)
}

/// How many runs node `i` has heard `of` claim.
fn claims_of(mesh: &Mesh, i: usize, of: usize) -> usize {
    let members = mesh.nodes[i].control.members();
    let place = members.find(identity(of).id()).expect("a member");
    members.get(place).announcement().statement().claims.len()
}

fn runs_of(mesh: &Mesh, i: usize, of: usize) -> Vec<Run> {
    mesh.nodes[i].runs.get(&identity(of).id()).cloned().unwrap_or_default()
}

#[test]
fn whoever_has_a_credential_joins_with_the_slots_that_it_grants() {
    let mesh = issued(12, 1);
    for i in 0..12 {
        assert_eq!(mesh.nodes[i].control.quorum().members, 12);
        assert!((0..12).all(|of| runs_of(&mesh, i, of) == [run_of(of)]), "node {i}");
        assert_eq!(mesh.nodes[i].rights, Rights::Full);
    }
}

#[test]
fn who_has_none_changes_nothing_however_many_they_are() {
    let mut mesh = issued(6, 2);
    let before = mesh.nodes[0].control.quorum();
    let first = mesh.nodes.len();
    for key in first..first + 60 {
        mesh.add(&[run_of(key % 6)]);
        mesh.run(20 * MS);
    }
    mesh.run(20 * S);
    for i in 0..6 {
        assert_eq!(mesh.nodes[i].control.quorum(), before);
        assert_eq!(mesh.nodes[i].control.members().len(), 6, "nobody is put on record");
        assert!((0..6).all(|of| runs_of(&mesh, i, of) == [run_of(of)]));
    }
    assert!(refused(&mesh, 0, Refusal::NoCredential) > 0);
    let outside = &mesh.nodes[first];
    assert_eq!(outside.rights, Rights::Denied(Denied::NoCredential), "and knows why");
}

#[test]
fn nobody_lives_by_the_credential_of_another() {
    let mut mesh = issued(3, 3);
    let mut thief = Statement { serial: 2, ..mesh.nodes[1].control.me().statement().clone() };
    thief.addresses = vec![mesh::address(500)];
    say(&mut mesh, 0, &identity(500), thief, issue(&grant(1, 2)).bytes().to_vec());
    assert!((0..3).all(|i| mesh.nodes[i].control.members().find(identity(500).id()).is_none()));
    assert_eq!(refused(&mesh, 0, Refusal::CredentialUnsound), 1);
}

#[test]
fn nobody_lives_by_another_credential_of_its_own_than_it_names() {
    let mut mesh = issued(3, 30);
    let member = identity(500);
    let mut statement = Statement { serial: 70, ..mesh.nodes[1].control.me().statement().clone() };
    statement.addresses = vec![mesh::address(500)];
    statement.claims.clear();
    say(&mut mesh, 0, &member, statement.clone(), issue(&grant(500, 71)).bytes().to_vec());
    assert_eq!(refused(&mesh, 0, Refusal::CredentialUnsound), 1);
    assert!(mesh.nodes[0].control.members().find(member.id()).is_none());
    say(&mut mesh, 0, &member, statement, issue(&grant(500, 70)).bytes().to_vec());
    assert!(mesh.nodes[0].control.members().find(member.id()).is_some(), "by the one that it names");
}

/// Lets node `to` hear what somebody with a key of its own announces, and with which credential.
fn say(mesh: &mut Mesh, to: usize, who: &Identity, mut statement: Statement, credential: Vec<u8>) {
    let version = Version::new(WALL + mesh.now, who.id());
    statement.version = version;
    let word = Announcement::sign(who, &mesh_key("test"), &statement);
    let mut control_frame = ControlFrame::new();
    let announced = Announced { announcement: word.bytes(), credential: &credential };
    assert!(MembershipMsg::Announce(announced).write(&mut control_frame));
    let (from, incarnation) = (statement.addresses[0], statement.incarnation);
    let packet = PacketInfo { from, to: None, origin: who.id(), incarnation, seq: Seq(1_000), version };
    mesh.deliver(to, &packet, &control_frame);
}

#[test]
fn a_claim_beyond_the_credential_is_refused_whole() {
    let mut mesh = issued(3, 4);
    let greedy = mesh.nodes.len();
    mesh.credentials.push(issue(&grant(greedy, 9)));
    mesh.add(&[Run { first: Slot(0), len: 16 }]);
    mesh.run(10 * S);
    assert!((0..3).all(|i| mesh.state(i, greedy).is_none()));
    assert!((0..3).all(|i| runs_of(&mesh, i, 0) == [run_of(0)]));
    assert!(refused(&mesh, 0, Refusal::Ungranted) > 0);
}

#[test]
fn a_revocation_is_everywhere_within_two_seconds_and_stays() {
    let n = 100;
    let mut mesh = issued(n, 5);
    let told = mesh.call(7, |control, now| control.decide(now, revoke(1, 42, 43)));
    assert_eq!(told, Appended::New);
    let others = || (0..n).filter(|i| *i != 42);
    let took = mesh.run_to(2 * S, |mesh| others().all(|i| !knows(mesh, i, 42)));
    println!("revoked everywhere after {} ms", took / MS);
    assert!(others().all(|i| runs_of(&mesh, i, 42).is_empty()));
    // It goes on announcing itself, starts again, and others that heard nothing tell of it.
    mesh.run(10 * S);
    mesh.kill(42);
    mesh.restart(42);
    mesh.run(20 * S);
    assert!(others().all(|i| !knows(&mesh, i, 42)), "nothing that is gossiped undoes it");
    assert!(others().all(|i| mesh.nodes[i].control.quorum().members == n - 1));
}

#[test]
fn who_comes_later_learns_of_every_decision_and_of_nobody_who_was_revoked() {
    let mut mesh = issued(5, 6);
    for (number, key) in [(1, 1), (2, 2)] {
        mesh.call(0, |control, now| control.decide(now, revoke(number, key, 100)));
    }
    mesh.run(5 * S);
    let late = mesh.nodes.len();
    mesh.credentials.push(issue(&grant(late, 50)));
    mesh.add(&[run_of(late)]);
    let decided = |mesh: &Mesh| mesh.nodes[late].control.admission().log().map(AuthorityLog::len);
    mesh.run_to(30 * S, |mesh| decided(mesh) == Some(2));
    mesh.run(S);
    assert!(knows(&mesh, late, 3) && !knows(&mesh, late, 1) && !knows(&mesh, late, 2));
}

#[test]
fn the_authority_readmits_by_a_later_credential() {
    let mut mesh = issued(5, 7);
    mesh.call(0, |control, now| control.decide(now, revoke(1, 4, 5)));
    mesh.run(5 * S);
    assert!((0..4).all(|i| !knows(&mesh, i, 4)));
    let again = issue(&grant(4, 60));
    mesh.credentials[4] = again;
    mesh.kill(4);
    mesh.restart(4);
    mesh.run_to(60 * S, |mesh| (0..4).all(|i| knows(mesh, i, 4)));
}

#[test]
fn only_the_authority_decides() {
    let mut mesh = issued(3, 8);
    let decision = Decision::Revoke { member: identity(1).id(), serial: 100 };
    let forged = SignedDecision::sign(1, &decision, &authority_key("test"), &[&identity(2)]);
    assert_eq!(mesh.call(0, |control, now| control.decide(now, forged)), Appended::Unsigned);
    let elsewhere = SignedDecision::sign(1, &decision, &authority_key("other"), &[&authority()]);
    assert_eq!(mesh.call(0, |control, now| control.decide(now, elsewhere)), Appended::Unsigned);
    mesh.run(5 * S);
    assert!((0..3).all(|i| mesh.nodes[i].decided == 0 && knows(&mesh, i, (i + 1) % 3)));
}

#[test]
fn what_is_forged_over_or_revoked_is_refused_by_its_name() {
    let mut mesh = issued(3, 14);
    let member = identity(500);
    let mut statement = Statement { serial: 70, ..mesh.nodes[1].control.me().statement().clone() };
    statement.addresses = vec![mesh::address(500)];
    statement.claims.clear();
    let over = Grant { from: 1, until: 2, grace: 0, ..grant(500, 70) };
    say(&mut mesh, 0, &member, statement.clone(), issue(&over).bytes().to_vec());
    assert_eq!(refused(&mesh, 0, Refusal::CredentialExpired), 1);
    mesh.call(0, |control, now| control.decide(now, revoke(1, 500, 80)));
    say(&mut mesh, 0, &member, statement, issue(&grant(500, 70)).bytes().to_vec());
    assert_eq!(refused(&mesh, 0, Refusal::Revoked), 1);
    // A member tells of a decision that the authority did not make.
    let decision = Decision::Revoke { member: identity(2).id(), serial: 100 };
    let forged = SignedDecision::sign(2, &decision, &authority_key("test"), &[&identity(1)]);
    let mut control_frame = ControlFrame::new();
    assert!(MembershipMsg::Decision(forged.bytes()).write(&mut control_frame));
    let packet = mesh.packet(1);
    mesh.deliver(0, &packet, &control_frame);
    assert_eq!(refused(&mesh, 0, Refusal::DecisionUnsound), 1);
    assert!(knows(&mesh, 0, 2) && mesh.nodes[0].control.members().find(member.id()).is_none());
}

#[test]
fn a_credential_that_ends_is_borne_for_a_while_then_reads_and_renewed_writes_again() {
    let mut mesh = issued(4, 9);
    let short = Grant { until: (WALL / S) as u32 + 60, grace: 60, ..grant(3, 40) };
    mesh.call(3, |control, now| control.renew(now, issue(&short)));
    mesh.run(10 * S);
    let members = |mesh: &Mesh, i: usize| mesh.nodes[i].control.quorum().members;
    assert!((0..4).all(|i| members(&mesh, i) == 4));
    mesh.run(70 * S);
    assert_eq!(mesh.nodes[3].rights, Rights::Grace);
    assert!((0..4).all(|i| members(&mesh, i) == 4 && runs_of(&mesh, i, 3) == [run_of(3)]), "with a warning");
    mesh.run(60 * S);
    assert_eq!(mesh.nodes[3].rights, Rights::ReadOnly);
    assert!((0..4).all(|i| members(&mesh, i) == 3 && runs_of(&mesh, i, 3).is_empty()));
    assert!((0..3).all(|i| knows(&mesh, i, 3)), "it reads");
    mesh.call(3, |control, now| control.renew(now, issue(&grant(3, 41))));
    mesh.run(10 * S);
    assert!((0..4).all(|i| members(&mesh, i) == 4 && runs_of(&mesh, i, 3) == [run_of(3)]));
    assert_eq!(mesh.nodes[3].rights, Rights::Full);
}

#[test]
fn who_may_only_read_for_too_long_is_no_member_any_more() {
    let mut mesh = issued(4, 10);
    let short = Grant { until: (WALL / S) as u32 + 60, grace: 60, ..grant(3, 40) };
    mesh.call(3, |control, now| control.renew(now, issue(&short)));
    // The credential, its grace twice, and what clocks may differ.
    mesh.run(320 * S);
    assert!((0..3).all(|i| !knows(&mesh, i, 3)));
    assert_eq!(mesh.nodes[3].rights, Rights::Denied(Denied::Over));
}

#[test]
fn whom_the_configuration_bans_is_refused_whatever_the_authority_says() {
    let mut mesh = Mesh::new(11);
    mesh.admission = Admission::issued(log());
    mesh.admission.ban(identity(1).id());
    mesh.credentials = (0..3).map(|key| issue(&grant(key, 1 + key as u64))).collect();
    for key in 0..3 {
        mesh.add(&[run_of(key)]);
    }
    mesh.run(10 * S);
    assert!(!knows(&mesh, 0, 1) && knows(&mesh, 0, 2));
    assert!(refused(&mesh, 0, Refusal::Banned) > 0);
}

#[test]
fn in_an_open_mesh_a_claim_dated_zero_takes_nothing_from_a_live_holder() {
    let mut mesh = Mesh::new(12);
    mesh.add(&[run_of(0)]);
    mesh.add(&[run_of(1)]);
    mesh.run(10 * S);
    let thief = mesh.add(&[]);
    mesh.run(10 * S);
    let mut statement = mesh.nodes[thief].control.me().statement().clone();
    statement.claims = vec![Claim { run: Run { first: Slot(0), len: 32 }, since: 0 }];
    (0..2).for_each(|to| say(&mut mesh, to, &identity(thief), statement.clone(), Vec::new()));
    assert!((0..2).all(|i| claims_of(&mesh, i, thief) == 1), "they heard it");
    mesh.run(5 * S);
    for i in 0..2 {
        assert_eq!((runs_of(&mesh, i, 0), runs_of(&mesh, i, 1)), (vec![run_of(0)], vec![run_of(1)]));
        assert!(runs_of(&mesh, i, thief).is_empty());
    }
}

#[test]
fn an_open_mesh_with_an_authority_counts_only_whom_it_knows() {
    let mut mesh = Mesh::new(13);
    mesh.admission = Admission::open(Some(log()));
    mesh.credentials = (0..4).map(|key| issue(&grant(key, 1 + key as u64))).collect();
    for key in 0..4 {
        mesh.add(&[run_of(key)]);
    }
    mesh.add_many(8);
    mesh.run(15 * S);
    assert_eq!(mesh.live(0), 12, "strangers are members");
    assert!((0..4).all(|i| mesh.nodes[i].control.quorum().members == 4), "and count for nothing");
    (4..12).for_each(|i| mesh.kill(i));
    mesh.run(30 * S);
    let healthy = octick_core::control::Partition::Healthy;
    assert!((0..4).all(|i| mesh.partition(i) == healthy), "whether they are there or not");
}

#[test]
fn a_member_that_was_granted_nothing_to_write_has_all_its_rights() {
    let mut mesh = Mesh::new(11);
    mesh.admission = Admission::issued(log());
    mesh.credentials = vec![issue(&grant(0, 1)), issue(&Grant { rights: 0, runs: vec![], ..grant(1, 2) })];
    mesh.add(&[run_of(0)]);
    mesh.add(&[]);
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(3 * S);
    assert_eq!(mesh.nodes[1].rights, Rights::Full, "nothing of it is over");
    assert!(knows(&mesh, 0, 1));
}

#[test]
fn who_hears_of_a_decision_after_the_next_asks_for_those_between_and_one_that_is_known_says_nothing() {
    use octick_core::control::message::kind::MessageKind;

    let mut mesh = issued(3, 31);
    let tell = |mesh: &mut Mesh, decision: &SignedDecision| {
        let mut control_frame = ControlFrame::new();
        assert!(MembershipMsg::Decision(decision.bytes()).write(&mut control_frame));
        let packet = mesh.packet(1);
        mesh.record = Some(Vec::new());
        mesh.deliver(0, &packet, &control_frame);
        let sent = mesh.record.take().unwrap();
        sent.iter().any(|(to, _, said)| {
            *to == 1 && said.messages().any(|message| message.kind == MessageKind::DecisionsAsk as u8)
        })
    };
    assert!(tell(&mut mesh, &revoke(3, 500, 1)) && mesh.nodes[0].decided == 0);
    assert!(!tell(&mut mesh, &revoke(1, 501, 1)) && mesh.nodes[0].decided == 1);
    assert!(!tell(&mut mesh, &revoke(1, 501, 1)) && mesh.nodes[0].decided == 1);
    assert!(tell(&mut mesh, &revoke(3, 500, 1)), "the second is still to come");
    assert!(!tell(&mut mesh, &revoke(2, 502, 1)) && mesh.nodes[0].decided == 2);
}

#[test]
fn in_an_open_mesh_who_names_a_credential_and_does_not_show_it_is_a_member_that_counts_for_nothing() {
    let mut mesh = Mesh::new(32);
    mesh.admission = Admission::open(Some(log()));
    mesh.credentials = (0..3).map(|key| issue(&grant(key, 1 + key as u64))).collect();
    (0..3).for_each(|key| _ = mesh.add(&[run_of(key)]));
    mesh.run_to(5 * S, Mesh::agrees);
    mesh.run(15 * S);
    let before = mesh.nodes[0].control.quorum().members;
    let member = identity(500);
    let mut statement = Statement { serial: 70, ..mesh.nodes[1].control.me().statement().clone() };
    statement.addresses = vec![mesh::address(500)];
    statement.claims.clear();
    say(&mut mesh, 0, &member, statement, Vec::new());
    assert!(mesh.nodes[0].control.members().find(member.id()).is_some());
    assert_eq!(mesh.nodes[0].control.quorum().members, before);
}
