//! What is answered, and taken for an answer; and how a node that was stopped goes on.

use super::*;

#[test]
fn a_key_in_use_twice_is_named_once_an_hour_and_no_more_of_them_than_are_kept() {
    let mut rig = Rig::new(1);
    let id = identity(1).id();
    assert!(rig.membership.may_name_conflict(id, NOW) && !rig.membership.may_name_conflict(id, NOW + 1));
    rig.membership.look_at = NOW + S;
    rig.membership.tick(NOW + S, &mut rig.out);
    assert!(!rig.membership.may_name_conflict(id, NOW + CONFLICT_GAP - 1));
    assert!(rig.membership.may_name_conflict(id, NOW + CONFLICT_GAP));
    let many = |n: u32| NodeId(core::array::from_fn(|i| if i < 4 { n.to_le_bytes()[i] } else { 9 }));
    let named =
        (0..2 * CONFLICTS_MAX as u32).filter(|n| rig.membership.may_name_conflict(many(*n), NOW)).count();
    assert_eq!(named, CONFLICTS_MAX - 1, "one place is taken");
    assert!(rig.membership.may_name_conflict(id, NOW + 3 * CONFLICT_GAP), "who has a place keeps it");
}

#[test]
fn a_node_that_was_stopped_waits_as_much_longer_and_feels_worse() {
    let wake = |late: u64, lifeguard| {
        let settings = MembershipSettings { lifeguard, ..MembershipSettings::default() };
        let mut rig = Rig::with(3, settings);
        let due = rig.membership.prober.next_due(&rig.membership.members);
        let stopped = rig.membership.wake(NOW + late, NOW);
        let moved = rig.membership.prober.next_due(&rig.membership.members) - due;
        (stopped, moved, rig.membership.health())
    };
    assert_eq!(wake(STALL, true), (false, 0, 0));
    assert_eq!(wake(STALL + 1, true), (true, STALL + 1, 1));
    assert_eq!(wake(10 * S, false), (false, 0, 0), "plain SWIM knows nothing of that");
    let mut rig = Rig::new(1);
    assert!(!rig.membership.wake(u64::MAX, u64::MAX), "nothing was due");
    assert!(!rig.membership.wake(NOW, NOW + S), "it is early");
}

#[test]
fn a_neighbour_shows_its_address_once_and_a_greeting_asks_for_everybody_where_nobody_is_known() {
    let mut rig = Rig::new(2);
    let place = rig.place(1);
    rig.membership.get_proof_of(NOW, place, &mut rig.out);
    assert_eq!(rig.told(MessageKind::Challenge), [address(1)]);
    rig.membership.members.get_mut(place).proven = true;
    rig.membership.get_proof_of(NOW, place, &mut rig.out);
    assert_eq!(rig.sent(), []);
    let greets = |rig: &mut Rig| {
        rig.membership.join(NOW, address(50), &mut rig.out);
        let (to, messages) = rig.sent().remove(0);
        assert!(to == address(50) && rig.membership.joiner.expects(to, NOW));
        messages.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    let kinds = [MessageKind::Announce, MessageKind::Hello, MessageKind::Sync].map(|kind| kind as u8);
    assert_eq!(greets(&mut rig), kinds[..2]);
    assert_eq!(greets(&mut Rig::new(0)), kinds);
}

#[test]
fn answers_are_taken_from_whom_they_are_owed_and_refused_of_anybody_else() {
    use crate::control::membership::delivery::Handled;
    use crate::control::message::membership::BUCKETS;

    let list = MembershipMsg::SyncList { bucket: 0, entries: &[] };
    let done = MembershipMsg::SyncDone { next: BUCKETS as u8, digest: 0 };
    let mut rig = Rig::new(4);
    assert_eq!(rig.handle(NOW, 1, true, list), Err(Refusal::Unasked));
    assert_eq!(rig.handle(NOW, 1, true, done), Err(Refusal::Unasked));
    rig.membership.sync.note_question(rig.place(1), NOW);
    assert_eq!(rig.handle(NOW, 1, true, list), Ok(Handled::Done), "late, and no offence");
    assert_eq!(rig.handle(NOW, 1, true, done), Ok(Handled::Done));
    assert_eq!(rig.handle(NOW, 1, true, done), Err(Refusal::Unasked), "one answer a question");
    rig.membership.joiner.expect(address(2), NOW);
    assert_eq!(rig.handle(NOW, 2, true, list), Ok(Handled::Done), "a greeting asks as well");
    assert_eq!(rig.handle(NOW, 2, true, done), Ok(Handled::Done));
    rig.learn(NOW, 9, None, |statement| statement.region = Region(1)).unwrap();
    assert_eq!(rig.handle(NOW, 9, true, done), Ok(Handled::Done), "the scout asks members of other regions");
}

#[test]
fn much_is_said_only_to_whoever_has_shown_its_address_and_has_not_had_its_share() {
    use crate::control::membership::delivery::Handled;

    let ask = MembershipMsg::SyncAsk { cursor: 0, digests: None };
    let mut rig = Rig::new(4);
    assert_eq!(rig.handle(NOW, 1, false, ask), Err(Refusal::Unproven));
    let told = rig.sent();
    let kinds: Vec<u8> = told[0].1.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [MessageKind::Announce, MessageKind::Challenge].map(|kind| kind as u8),
        "it never wrote"
    );
    rig.membership.members.get_mut(rig.place(1)).heard_from(address(1), NOW);
    assert_eq!(rig.handle(NOW, 1, false, ask), Err(Refusal::Unproven));
    let kinds: Vec<u8> = rig.sent()[0].1.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [MessageKind::Challenge as u8], "it knows this node");
    assert_eq!(rig.handle(NOW, 1, true, ask), Ok(Handled::Done));
    assert!(rig.told(MessageKind::Announce).contains(&address(1)));
    rig.membership.members.get_mut(rig.place(1)).answered(2_000, NOW);
    assert_eq!(rig.handle(NOW, 1, true, ask), Err(Refusal::Budget));
    rig.learn(NOW, 9, None, |statement| statement.region = Region(1)).unwrap();
    assert_eq!(rig.handle(NOW, 9, true, ask), Ok(Handled::RemoteAsks(true)));
    let digests = rig.membership.members.digests();
    let some = MembershipMsg::SyncAsk { cursor: 0, digests: Some(&digests) };
    assert_eq!(rig.handle(NOW, 9, true, some), Ok(Handled::RemoteAsks(false)));
}

#[test]
fn who_is_asked_where_it_can_be_reached_takes_the_address_that_it_is_seen_at_if_it_knows_none() {
    let mut rig = Rig::new(3);
    rig.membership.statement.addresses.clear();
    let challenge = MembershipMsg::Challenge { token: [9; 16], seen_at: address(77) };
    assert!(rig.handle(NOW, 1, true, challenge).is_ok());
    assert_eq!(rig.membership.me().statement().addresses, [address(77)]);
    assert_eq!(rig.told(MessageKind::Response), [address(1)]);
    let again = MembershipMsg::Challenge { token: [9; 16], seen_at: address(78) };
    assert!(rig.handle(NOW, 1, true, again).is_ok());
    assert_eq!(rig.membership.me().statement().addresses, [address(77)]);
}
