//! What a node decides about members, one call at a time.

use super::*;
use crate::control::membership::signer::Signed;
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::mesh_key;
use crate::control::message::kind::MessageKind;
use crate::refusal::Refusal;
use octick_crypto::Identity;

const NOW: u64 = 1_000 * S;
const WALL: u64 = 1_700_000_000 * S;

fn identity(key: u8) -> Identity {
    Identity::from_seed(&[key + 1; 32])
}

fn address(key: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, key], 7_700))
}

/// A node of key 0 and what it wants done.
struct Rig {
    membership: Membership,
    out: Effects,
}

/// A control frame that was sent: to whom, and its messages.
type Sent = (SocketAddr, Vec<(u8, Vec<u8>)>);

impl Rig {
    /// A node that has heard of the members of keys 1 to `others`, and has told all of it.
    fn new(others: u8) -> Self {
        Self::with(others, MembershipSettings::default())
    }

    fn with(others: u8, settings: MembershipSettings) -> Self {
        let init = NodeInit {
            mesh: mesh_key("t"),
            now: NOW,
            wall: Wall(WALL),
            id: identity(0).id(),
            incarnation: Incarnation(2),
            region: Region(0),
            capabilities: 0,
            addresses: [address(0)].to_vec(),
            runs: Vec::new(),
            seed: 1,
            secret: [1; 32],
            admission: Admission::default(),
            credential: None,
        };
        let (mut out, signer) = (Effects::default(), Box::new(Signed::new(identity(0), "t", None)));
        let membership = Membership::new(settings, &init, signer, &mut Random::new(1), &mut out);
        let mut rig = Self { membership, out };
        for key in 1..=others {
            assert_eq!(rig.learn(NOW, key, None, |_| ()), Ok(()));
        }
        rig.rest();
        rig
    }

    /// Nothing is news any more, and nothing waits to be sent.
    fn rest(&mut self) {
        let places: Vec<MemberIndex> = self.membership.members.iter().map(|(place, _)| place).collect();
        places
            .into_iter()
            .for_each(|place| self.membership.broadcasts.stop(&mut self.membership.members, place));
        self.sent();
        self.out.outputs.clear();
        while self.membership.poll_change().is_some() {}
    }

    /// What member `key` says of itself, dated a second before the rig begins.
    fn word(&self, key: u8, change: impl FnOnce(&mut Statement)) -> Announcement {
        let mut statement = Statement {
            incarnation: Incarnation(1),
            boot: 7,
            version: Version::new(WALL - S, identity(key).id()),
            capabilities: 0,
            region: Region(0),
            leaves: false,
            addresses: [address(key)].to_vec(),
            claims: Vec::new(),
            serial: 0,
        };
        change(&mut statement);
        Announcement::sign(&identity(key), &mesh_key("t"), &statement)
    }

    fn learn(
        &mut self,
        now: u64,
        key: u8,
        teller: Option<MemberIndex>,
        change: impl FnOnce(&mut Statement),
    ) -> Result<(), Refusal> {
        let word = self.word(key, change);
        self.membership.learn(now, Announced::of(&word), teller, &mut Ahead::default(), &mut self.out)
    }

    fn place(&self, key: u8) -> MemberIndex {
        self.membership.members.find(identity(key).id()).expect("on record")
    }

    fn state(&self, key: u8) -> PeerState {
        self.membership.members.get(self.place(key)).state()
    }

    fn sent(&mut self) -> Vec<Sent> {
        let frames = core::iter::from_fn(|| self.out.send_queue.take());
        let messages = |sent: crate::control::send_queue::Addressed| {
            let messages = sent.control_frame.messages();
            (sent.to, messages.map(|message| (message.kind, message.body.to_vec())).collect())
        };
        frames.map(messages).collect()
    }

    /// To whom a message of this kind was sent.
    fn told(&mut self, kind: MessageKind) -> Vec<SocketAddr> {
        let of_kind =
            |(to, messages): Sent| messages.iter().any(|(other, _)| *other == kind as u8).then_some(to);
        self.sent().into_iter().filter_map(of_kind).collect()
    }

    fn accused(&self, key: u8, state: PeerState, by: u8) -> Accusation {
        let member = self.membership.members.get(self.place(key));
        Accusation { id: member.id(), rank: member.rank(), state, by: identity(by).id() }
    }

    /// Handles a message of member `from`, who has shown its address or not.
    fn handle(
        &mut self,
        now: u64,
        from: u8,
        proven: bool,
        message: MembershipMsg<'_>,
    ) -> Result<crate::control::membership::delivery::Handled, Refusal> {
        let mut delivery = crate::control::membership::delivery::Delivery {
            from: self.place(from),
            address: address(from),
            proven,
            announced: false,
            ahead: Ahead::default(),
        };
        self.membership.handle_message(now, &mut delivery, message, &mut self.out)
    }

    fn accuse(&mut self, now: u64, from: u8, said: Accusation) -> Result<(), Refusal> {
        self.membership.handle_accusation(now, self.place(from), said, &mut self.out)
    }
}

/// A second later each time: what a member says next.
fn later(seconds: u64) -> impl FnOnce(&mut Statement) {
    move |statement| statement.version = Version(statement.version.0 + ((seconds * S) << 12))
}

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
    rig.membership.gossip_at = NOW + 1;
    assert!(
        rig.membership.next_due() > NOW + 1
            || rig.membership.prober.next_due(&rig.membership.members) <= NOW + 1
    );
    rig.membership.spread(rig.place(1), NOW);
    rig.membership.gossip_at = NOW + 1;
    assert!(rig.membership.next_due() <= NOW + 1);
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
fn a_key_in_use_twice_is_named_once_an_hour_and_no_more_of_them_than_are_kept() {
    let mut rig = Rig::new(1);
    let id = identity(1).id();
    assert!(rig.membership.may_name_conflict(id, NOW) && !rig.membership.may_name_conflict(id, NOW + 1));
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
    let said = rig.accused(3, PeerState::Suspected, 2);
    assert_eq!((rig.accuse(1, 2, said), rig.state(3)), (Ok(()), PeerState::Suspected));
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
    let me = |rig: &Rig| Accusation { by: identity(2).id(), ..rig.accused(0, PeerState::Failed, 2) };
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
    assert_eq!(rig.learn(NOW, 11, None, abroad), Err(Refusal::Full));
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
    assert!(said[1].1.starts_with(&identity(2).id().0) && said[1].1.ends_with(&identity(0).id().0));
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
