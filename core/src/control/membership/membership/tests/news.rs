//! Who is taken in and forgotten, and how often that is told.

use super::*;

#[test]
fn few_news_go_on_quickly_and_many_in_more_control_frames_and_more_rarely() {
    for (news, quickly, frames) in
        [(1, true, 1), (8, true, 1), (9, false, 1), (16, false, 2), (24, false, 3), (40, false, 3)]
    {
        let mut rig = Rig::new(40);
        let interval = micros(rig.membership.settings.gossip_interval);
        (1..=news).for_each(|key| rig.membership.spread(rig.place(key), NOW));
        let at = rig.membership.gossip_at;
        assert!((NOW..=NOW + interval / 4).contains(&at), "for news seldom comes alone");
        rig.membership.tick(at, &mut rig.out);
        let blank = rig.sent().iter().filter(|(_, messages)| messages.is_empty()).count();
        assert_eq!(blank, frames * rig.membership.settings.gossip_fanout, "{news} news");
        let wait = rig.membership.gossip_at - at;
        assert_eq!(wait, if quickly { interval / 4 } else { interval }, "{news} news");
    }
}

#[test]
fn a_node_is_due_for_news_only_where_somebody_is_there_to_be_told() {
    let mut rig = Rig::new(3);
    rig.membership.gossip_at = 1;
    assert!(rig.membership.next_due() > 1, "there is no news");
    rig.membership.spread(rig.place(1), NOW);
    rig.membership.gossip_at = 1;
    assert_eq!(rig.membership.next_due(), 1);
    let mut alone = Rig::new(0);
    alone.membership.spread(Members::ME, NOW);
    alone.membership.gossip_at = 1;
    assert!(alone.membership.next_due() > 1);
}

#[test]
fn what_a_node_says_of_itself_is_said_anew_in_a_third_of_the_time_that_it_is_remembered() {
    let mut rig = Rig::new(2);
    let third = micros(rig.membership.settings.forget_after) / 3;
    assert_eq!(rig.membership.announce_at, NOW + third);
    let before = rig.membership.me().rank();
    rig.membership.tick(NOW + third - 1, &mut rig.out);
    assert_eq!(rig.membership.me().rank(), before);
    rig.membership.tick(NOW + third, &mut rig.out);
    assert!(rig.membership.me().rank() > before);
    assert_eq!(rig.membership.announce_at, NOW + 2 * third);
}

#[test]
fn what_a_newcomer_is_taught_is_no_news_whom_it_meets_is_mentioned_and_the_rest_is_told_on() {
    let mut rig = Rig::new(3);
    let (teacher, other) = (rig.place(1), rig.place(2));
    rig.membership.sync.greet(teacher, true, NOW);
    let tells = |rig: &Rig, key| !rig.membership.is_told(rig.place(key));
    rig.learn(NOW, 20, Some(teacher), |_| ()).unwrap();
    assert!(!tells(&rig, 20), "others have taught it the same");
    rig.learn(NOW, 21, Some(other), |_| ()).unwrap();
    assert!(tells(&rig, 21));
    rig.learn(NOW, 22, None, |_| ()).unwrap();
    assert!(tells(&rig, 22));
    // How often: by whom it is told is what differs.
    let often = |rig: &mut Rig, key| {
        let (place, mut times) = (rig.place(key), 0);
        let places: Vec<MemberIndex> = rig.membership.members.iter().map(|(place, _)| place).collect();
        for other in places.into_iter().filter(|other| *other != place) {
            rig.membership.broadcasts.stop(&mut rig.membership.members, other);
        }
        while !rig.membership.is_told(place) {
            let mut control_frame = ControlFrame::new();
            rig.membership.fill(teacher, &mut control_frame);
            times += control_frame.messages().count();
        }
        times
    };
    let mut told = Rig::new(3);
    let other = told.place(2);
    told.learn(NOW, 21, Some(other), |_| ()).unwrap();
    assert_eq!(often(&mut told, 21), 6, "log2(5) and four");
    told.learn(NOW, 22, None, |_| ()).unwrap();
    assert_eq!(often(&mut told, 22), 3, "it knows others, who tell of it as well");
    told.learn(NOW, 22, None, later(1)).unwrap();
    assert_eq!(often(&mut told, 22), 6, "what it says now is news");
}

#[test]
fn of_other_regions_no_more_are_taken_in_than_there_is_room_for_and_who_is_known_goes_on() {
    let settings = MembershipSettings { remote_max: 1, ..MembershipSettings::default() };
    let mut rig = Rig::with(2, settings);
    let abroad = |statement: &mut Statement| statement.region = Region(1);
    assert_eq!(rig.learn(NOW, 10, None, abroad), Ok(()));
    assert!(rig.membership.is_told(rig.place(10)), "its own region tells of it");
    let place = rig.place(10);
    rig.membership.members.get_mut(place).proven = true;
    assert_eq!(rig.learn(NOW, 11, None, abroad), Err(Refusal::Full), "who was heard is not let go");
    let moved = |statement: &mut Statement| {
        statement.region = Region(1);
        statement.version = Version(statement.version.0 + (S << 12));
    };
    assert_eq!(rig.learn(NOW, 10, None, moved), Ok(()));
    assert_eq!(rig.learn(NOW, 12, None, |_| ()), Ok(()), "of this region there is room");
}

#[test]
fn where_all_places_are_taken_who_may_be_forgotten_makes_room() {
    let settings = MembershipSettings { members_max: 4, ..MembershipSettings::default() };
    let mut rig = Rig::with(3, settings);
    assert_eq!(rig.learn(NOW, 9, None, |_| ()), Err(Refusal::Full), "all of them live");
    rig.learn(NOW, 1, None, |statement| {
        statement.version = Version(statement.version.0 + (S << 12));
        statement.leaves = true;
    })
    .unwrap();
    assert_eq!(rig.learn(NOW, 9, None, |_| ()), Ok(()));
    assert!(rig.membership.members.find(identity(1).id()).is_none(), "it had left");
}

#[test]
fn who_left_is_forgotten_in_time_and_until_then_its_key_is_remembered_as_in_use_once() {
    let mut rig = Rig::new(3);
    rig.learn(NOW, 1, None, |statement| {
        statement.version = Version(statement.version.0 + (S << 12));
        statement.leaves = true;
    })
    .unwrap();
    let keep = micros(rig.membership.settings.forget_after);
    rig.membership.look_at = NOW + keep;
    rig.membership.announce_at = u64::MAX;
    rig.membership.tick(NOW + keep, &mut rig.out);
    assert!(rig.membership.members.find(identity(1).id()).is_some());
    assert_eq!(rig.membership.look_at, NOW + keep + 500 * MS);
    rig.membership.tick(NOW + keep + 500 * MS, &mut rig.out);
    assert!(rig.membership.members.find(identity(1).id()).is_none());
    let forgotten = |output: &Output| matches!(output, Output::Forgotten(id) if *id == identity(1).id());
    assert!(rig.out.outputs.iter().any(forgotten));
}

#[test]
fn who_leaves_says_so_to_four_times_as_many_as_it_tells_other_news() {
    let mut rig = Rig::new(40);
    rig.membership.leave(NOW, &mut rig.out);
    assert!(rig.membership.me().statement().leaves && !rig.membership.is_told(Members::ME));
    let told: Vec<SocketAddr> = rig.sent().into_iter().map(|(to, _)| to).collect();
    assert_eq!(told.len(), 4 * rig.membership.settings.gossip_fanout);
    let mut few = Rig::new(2);
    few.membership.leave(NOW, &mut few.out);
    assert_eq!(few.sent().len(), 2);
}

#[test]
fn news_waits_a_moment_for_company_within_a_quarter_of_an_interval() {
    let mut rig = Rig::new(3);
    let quarter = micros(rig.membership.settings.gossip_interval) / 4;
    let mut waits = Vec::new();
    for _ in 0..60 {
        rig.rest();
        rig.membership.gossip_at = 0;
        rig.membership.spread(rig.place(1), NOW);
        waits.push(rig.membership.gossip_at - NOW);
        rig.membership.spread(rig.place(2), NOW + quarter);
        assert_eq!(rig.membership.gossip_at - NOW, waits[waits.len() - 1], "it does not wait for ever");
    }
    assert!(waits.iter().all(|wait| *wait <= quarter));
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*least < quarter / 4 && *most > quarter / 4 * 3, "{least} to {most}");
}

#[test]
fn the_first_of_its_region_is_in_the_mesh_once_it_has_been_in_touch_with_others_for_a_while() {
    let settings = MembershipSettings { seeds: [address(50)].to_vec(), ..MembershipSettings::default() };
    let mut rig = Rig::with(0, settings);
    rig.learn(NOW, 9, None, |statement| statement.region = Region(1)).unwrap();
    let mut joined_at = None;
    for tick in 0..200 {
        let now = NOW + tick * 100 * MS;
        rig.membership.tick(now, &mut rig.out);
        if rig.membership.partition() == Partition::Healthy {
            joined_at.get_or_insert(now);
        }
    }
    let joined_at = joined_at.expect("it is whole as it is");
    assert!((NOW + 5 * S..NOW + 8 * S).contains(&joined_at), "after {} ms", (joined_at - NOW) / MS);
}
