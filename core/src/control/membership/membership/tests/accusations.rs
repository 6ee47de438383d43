//! Who is suspected, lost, made to leave, and what whoever is accused says.

use super::*;

#[test]
fn a_member_of_another_region_that_does_not_answer_is_lost_once() {
    let mut rig = Rig::new(2);
    rig.learn(NOW, 9, None, |statement| statement.region = Region(1)).unwrap();
    rig.rest();
    let place = rig.place(9);
    assert!(rig.membership.lose(NOW, place, &mut rig.out));
    assert_eq!(rig.state(9), PeerState::Failed);
    assert_eq!(rig.membership.poll_change(), Some(MemberChange::Changed(place)));
    assert!(
        rig.out
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Member { state: PeerState::Failed, .. }))
    );
    assert!(rig.membership.is_told(place), "here nobody need hear of it");
    assert!(!rig.membership.lose(NOW, place, &mut rig.out));
    assert_eq!(rig.membership.poll_change(), None);
}

#[test]
fn whoever_hears_of_a_suspicion_looks_for_itself_where_few_live_and_five_of_many_do() {
    let looks = |others: u8, by: u8| {
        let mut rig = Rig::new(others);
        let mut looked = 0;
        for key in 1..=others.min(100) {
            let said = rig.accused(key, PeerState::Suspected, by);
            rig.membership.suspect(rig.place(key), said, NOW, &mut rig.out);
            assert_eq!(rig.state(key), PeerState::Suspected);
            rig.membership.poll_prober(NOW, &mut rig.out);
            looked += rig.told(MessageKind::Ping).len();
        }
        looked
    };
    assert_eq!(looks(4, 99), 4);
    assert_eq!(looks(4, 0), 0, "it has looked already");
    let looked = looks(100, 99);
    assert!((1..=14).contains(&looked), "one of twenty: {looked}");
    let settings = MembershipSettings { lifeguard: false, ..MembershipSettings::default() };
    let mut plain = Rig::with(4, settings);
    let said = plain.accused(1, PeerState::Suspected, 99);
    plain.membership.suspect(plain.place(1), said, NOW, &mut plain.out);
    plain.membership.poll_prober(NOW, &mut plain.out);
    assert_eq!(plain.told(MessageKind::Ping), []);
}

#[test]
fn who_was_heard_within_an_interval_is_told_of_an_accusation_and_anybody_else_is_suspected() {
    let mut rig = Rig::new(4);
    let interval = micros(rig.membership.settings.probe_interval);
    let place = rig.place(1);
    rig.membership.members.get_mut(place).heard_from(address(1), NOW);
    let said = rig.accused(1, PeerState::Suspected, 2);
    assert_eq!(rig.accuse(NOW + interval - 1, 2, said), Ok(()));
    assert_eq!((rig.state(1), rig.told(MessageKind::Accuse)), (PeerState::Alive, [address(1)].to_vec()));
    assert_eq!(rig.accuse(NOW + interval, 2, said), Ok(()));
    assert_eq!(rig.state(1), PeerState::Suspected);
    // Who never wrote was never heard.
    let said = rig.accused(3, PeerState::Suspected, 4);
    assert_eq!((rig.accuse(1, 4, said), rig.state(3)), (Ok(()), PeerState::Suspected));
}

#[test]
fn an_accusation_of_an_earlier_word_is_answered_with_the_latest_of_whoever_lives() {
    let mut rig = Rig::new(4);
    let old = rig.accused(1, PeerState::Failed, 2);
    rig.learn(NOW, 1, None, later(1)).unwrap();
    rig.rest();
    assert_eq!(rig.accuse(NOW, 2, old), Ok(()));
    assert_eq!((rig.state(1), rig.told(MessageKind::Announce)), (PeerState::Alive, [address(2)].to_vec()));
    rig.membership.fail(rig.place(1), NOW, &mut rig.out);
    rig.rest();
    assert_eq!(rig.accuse(NOW, 2, old), Ok(()));
    assert_eq!(rig.sent(), [], "it is gone as it was");
    let ahead = Accusation { rank: (Incarnation(9), old.rank.1), ..old };
    assert_eq!(rig.accuse(NOW, 2, ahead), Err(Refusal::Unheard));
}

#[test]
fn who_is_accused_itself_says_something_new_five_times_a_second_at_most() {
    let mut rig = Rig::new(4);
    let me = |rig: &Rig| rig.accused(0, PeerState::Failed, 2);
    let (first, said) = (rig.membership.me().rank(), me(&rig));
    assert_eq!(rig.accuse(NOW, 2, said), Ok(()));
    let second = rig.membership.me().rank();
    assert!(second > first && rig.membership.health() == 1);
    assert_eq!(rig.told(MessageKind::Announce), [address(2)], "whoever said so, first of all");
    let said = me(&rig);
    assert_eq!(rig.accuse(NOW + 200 * MS - 1, 2, said), Ok(()));
    assert_eq!((rig.membership.me().rank(), rig.membership.health()), (second, 1));
    assert_eq!(rig.told(MessageKind::Announce), [address(2)]);
    assert_eq!(rig.accuse(NOW + 200 * MS, 2, said), Ok(()));
    assert!(rig.membership.me().rank() > second && rig.membership.health() == 2);
    let third = rig.membership.me().rank();
    assert_eq!(rig.accuse(NOW + S, 2, said), Ok(()), "of a word that is over");
    assert_eq!(rig.membership.me().rank(), third);
    rig.rest();
    for (incarnation, told) in [(third.0, 0), (Incarnation(third.0.0 + 1), 1)] {
        let rank = (incarnation, Version(third.1.0 + (1 << 12)));
        let ahead = Accusation { rank, ..me(&rig) };
        assert_eq!(rig.accuse(NOW + 2 * S, 2, ahead), Err(Refusal::Unheard));
        assert_eq!(rig.told(MessageKind::Announce).len(), told);
    }
    rig.membership.leave(NOW + 3 * S, &mut rig.out);
    let gone = rig.membership.me().rank();
    let said = me(&rig);
    assert_eq!(rig.accuse(NOW + 4 * S, 2, said), Ok(()));
    assert_eq!(rig.membership.me().rank(), gone, "it says no more than goodbye");
}

#[test]
fn news_rides_to_live_members_only_and_says_the_last_word_of_each() {
    let mut rig = Rig::new(4);
    rig.membership.spread(rig.place(1), NOW);
    rig.membership.fail(rig.place(2), NOW, &mut rig.out);
    rig.membership.fail(rig.place(3), NOW, &mut rig.out);
    let fill = |rig: &mut Rig, to: u8| {
        let mut control_frame = ControlFrame::new();
        rig.membership.fill(rig.place(to), &mut control_frame);
        control_frame.messages().map(|message| (message.kind, message.body.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(fill(&mut rig, 2), [], "it is gone");
    let said = fill(&mut rig, 4);
    let kinds: Vec<u8> = said.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [MessageKind::Announce as u8, MessageKind::Accuse as u8, MessageKind::Accuse as u8]);
    assert!(said[1].1.starts_with(&identity(2).id().0) && said[1].1[32..48] == identity(0).id().0);
}

#[test]
fn an_answer_to_a_probe_shows_that_its_target_is_there_where_it_was_asked_and_how_far() {
    let mut rig = Rig::new(4);
    let (place, settings) = (rig.place(1), rig.membership.settings.clone());
    rig.membership.prober.probe(place, NOW, &settings);
    rig.membership.poll_prober(NOW, &mut rig.out);
    let ping = rig.sent().remove(0).1.remove(0).1;
    let nonce = u32::from_le_bytes(*ping.first_chunk().unwrap());
    let digest = rig.membership.members.digest();
    let said = rig.accused(1, PeerState::Suspected, 0);
    rig.membership.suspect(place, said, NOW, &mut rig.out);
    rig.rest();
    let ack = MembershipMsg::Ack { nonce, digest };
    assert!(rig.handle(NOW + 3 * MS, 1, false, ack).is_ok());
    let member = rig.membership.members.get(place);
    assert_eq!((member.proven, member.rtt.micros(), member.state()), (true, Some(3_000), PeerState::Alive));
    assert_eq!(rig.told(MessageKind::Accuse), [address(1)], "so that it can say to all that it lives");
    assert_eq!(rig.handle(NOW + 4 * MS, 1, false, ack), Err(Refusal::Unasked), "once");
}

#[test]
fn nobody_is_declared_dead_nor_sooner_on_the_word_of_one_who_is_sure() {
    let due = |state| {
        let mut rig = Rig::new(40);
        let said = rig.accused(1, state, 2);
        assert_eq!(rig.accuse(NOW, 2, said), Ok(()));
        assert_eq!(rig.state(1), PeerState::Suspected);
        rig.membership.suspicions.next_due() - NOW
    };
    let (least, most, _) =
        crate::control::membership::suspicion::terms(&MembershipSettings::default(), 40, 0);
    assert_eq!((due(PeerState::Suspected), due(PeerState::Failed)), (most, most));
    assert!(least < most);
    let mut plain = Rig::with(4, MembershipSettings { lifeguard: false, ..MembershipSettings::default() });
    let said = plain.accused(1, PeerState::Failed, 2);
    assert_eq!(
        (plain.accuse(NOW, 2, said), plain.state(1)),
        (Ok(()), PeerState::Failed),
        "plain SWIM believes it"
    );
}

#[test]
fn the_last_word_of_a_member_is_that_it_failed_or_had_to_leave_or_its_own() {
    let mut rig = Rig::new(5);
    rig.membership.fail(rig.place(2), NOW, &mut rig.out);
    rig.membership.fail(rig.place(3), NOW, &mut rig.out);
    assert_eq!(rig.membership.expel(NOW, identity(3).id(), false, &mut rig.out), Expelled::Left);
    rig.learn(NOW, 4, None, |statement| {
        statement.version = Version(statement.version.0 + (S << 12));
        statement.leaves = true;
    })
    .unwrap();
    rig.rest();
    let said = [1, 2, 3, 4].map(|key| {
        rig.membership.say_word_of(rig.place(key), rig.place(5), &mut rig.out);
        let (to, mut messages) = rig.sent().remove(0);
        assert_eq!(to, address(5));
        messages.remove(0).0
    });
    let kinds = [MessageKind::Announce, MessageKind::Missing, MessageKind::ForceLeave, MessageKind::Announce];
    assert_eq!(said, kinds.map(|kind| kind as u8));
}

#[test]
fn whoever_is_made_to_leave_or_pruned_is_told_of_once_each() {
    let mut rig = Rig::new(4);
    let id = identity(2).id();
    rig.membership.fail(rig.place(2), NOW, &mut rig.out);
    rig.rest();
    let told = |rig: &mut Rig, prune| {
        assert_eq!(rig.membership.expel(NOW, id, prune, &mut rig.out), Expelled::Left);
        let (mut left, mut forgotten) = (0, 0);
        for output in core::mem::take(&mut rig.out.outputs) {
            match output {
                Output::Member { state: PeerState::Left, .. } => left += 1,
                Output::Forgotten(of) if of == id => forgotten += 1,
                other => panic!("{other:?}"),
            }
        }
        (left, forgotten)
    };
    assert_eq!(told(&mut rig, false), (1, 0));
    assert_eq!(told(&mut rig, false), (0, 0), "it has left");
    assert_eq!(told(&mut rig, true), (1, 1));
    assert_eq!(told(&mut rig, true), (0, 0));
}

#[test]
fn where_many_are_suspected_at_once_each_has_longer_to_answer() {
    let mut rig = Rig::new(40);
    let suspect = |rig: &mut Rig, key| {
        let said = rig.accused(key, PeerState::Suspected, 99);
        let before = rig.membership.suspicions.next_due();
        rig.membership.suspect(rig.place(key), said, NOW, &mut rig.out);
        (before, rig.membership.suspicions.next_due())
    };
    let (_, alone) = suspect(&mut rig, 1);
    for key in 2..=20 {
        assert_eq!(suspect(&mut rig, key).1, alone, "those that come later are due later");
    }
    rig.membership.suspicions.close(rig.place(1));
    assert!(rig.membership.suspicions.next_due() > alone, "from the second on");
    assert_eq!(rig.membership.suspicions.len(), 19);
}
