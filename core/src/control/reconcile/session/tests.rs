mod bounds;

use super::super::message::PAGE_LEN;
use super::super::sketch;
use super::*;
use crate::random::Random;
use alloc::collections::BTreeSet;
use alloc::vec;
use proptest::prelude::*;
use std::eprintln;

type Set = BTreeSet<u64>;

/// Bytes of a frame around a control frame.
const FRAME: usize = 104;

/// Two nodes and the link between them.
struct Pair {
    nodes: [Reconciler<u8, u64>; 2],
    sets: [Set; 2],
    /// Due at, to whom, what.
    flying: Vec<(u64, u8, Vec<u8>)>,
    weather: Random,
    loss: u32,
    now: u64,
    /// Bodies with their heads, both ways; control frames; the most in one step.
    bytes: usize,
    control_frames: usize,
    burst: usize,
    ends: Vec<End>,
    /// When another session was asked for.
    again: Vec<u64>,
    /// Control frames from node 0 but those that want something: turns that it waited for.
    asked: usize,
}

fn nonces(seed: u64) -> Nonces {
    Nonces::new(&[3; 32], seed, "test")
}

impl Pair {
    fn new(settings: SessionSettings, sets: [Set; 2], loss: u32, seed: u64) -> Self {
        let mut weather = Random::new(seed);
        let nodes = [0, 1].map(|_| Reconciler::new(settings, nonces(weather.u64())));
        Self {
            nodes,
            sets,
            flying: Vec::new(),
            weather,
            loss,
            now: 1_000_000,
            bytes: 0,
            control_frames: 0,
            burst: 0,
            ends: Vec::new(),
            again: Vec::new(),
            asked: 0,
        }
    }

    fn settle(&mut self) {
        for at in 0..2_u8 {
            let mut burst = 0;
            while let Some(output) = self.nodes[usize::from(at)].poll() {
                match output {
                    Output::Say { to, body } => {
                        assert_ne!(to, at);
                        let paid = !matches!(
                            ReconcileMsg::decode(&body).unwrap().1,
                            ReconcileMsg::Want { .. } | ReconcileMsg::Done
                        );
                        self.bytes += if paid { body.len() + 4 } else { 0 };
                        self.control_frames += usize::from(paid);
                        burst += body.len();
                        self.asked += usize::from(paid && at == 0);
                        assert!(body.len() <= crate::wire::control_frame::BODY_MAX);
                        if !self.weather.permille(self.loss) {
                            let late = self.weather.below(if self.loss > 0 { 20_000 } else { 1 });
                            self.flying.push((self.now + 1_000 + late, to, body));
                        }
                    }
                    Output::Serve { to, names, .. } => {
                        let had = &self.sets[usize::from(at)];
                        let sent: Vec<u64> = names.into_iter().filter(|name| had.contains(name)).collect();
                        self.sets[usize::from(to)].extend(sent);
                    }
                    Output::Expect { .. } => {}
                    Output::Again { .. } => self.again.push(self.now),
                    Output::Ended { how, .. } => self.ends.push(how),
                }
            }
            self.burst = self.burst.max(burst);
        }
    }

    /// Goes on to whatever is next. Returns whether there was anything.
    fn step(&mut self) -> bool {
        self.settle();
        let next_control_frame =
            self.flying.iter().map(|control_frame| control_frame.0).min().unwrap_or(u64::MAX);
        let due = self.nodes.iter().map(Reconciler::next_due).min().unwrap();
        let next = next_control_frame.min(due);
        if next == u64::MAX {
            return false;
        }
        self.now = self.now.max(next);
        if let Some(i) = self.flying.iter().position(|control_frame| control_frame.0 <= self.now) {
            let (_, to, body) = self.flying.swap_remove(i);
            let set = &self.sets[usize::from(to)];
            let _ =
                self.nodes[usize::from(to)].handle(self.now, 1 - to, &body, |_| Some(set.iter().copied()));
        }
        self.nodes.iter_mut().for_each(|node| node.tick(self.now));
        self.settle();
        true
    }

    fn run(&mut self) {
        assert!((0..1_000_000).any(|_| !self.step()), "no end in a million steps");
    }

    /// Opens sessions until one finds all, and says how many it took.
    fn reconcile(&mut self) -> usize {
        for turn in 1..30 {
            let names: Vec<u64> = self.sets[0].iter().copied().collect();
            assert!(self.nodes[0].open(self.now, 1, 0, names.into_iter()));
            self.run();
            self.now += 1_000_000;
            if self.sets[0] == self.sets[1] {
                return turn;
            }
        }
        panic!("still apart: {:?}, {:?}", self.ends, self.nodes[0].refused());
    }
}

/// Sets of `size` names, of which `ours` and `theirs` are only on one side.
fn sets(size: usize, ours: usize, theirs: usize, seed: u64) -> [Set; 2] {
    let mut random = Random::new(seed);
    let mut draw = |count| (0..count).map(|_| random.u64()).collect::<Set>();
    let (both, ours, theirs) = (draw(size - ours.max(theirs)), draw(ours), draw(theirs));
    [&both | &ours, &both | &theirs]
}

/// `cargo test --release -p octick-core -- --nocapture a_session_costs`
#[test]
fn a_session_costs_what_its_difference_does() {
    let settings = SessionSettings { round_bytes: 1 << 20, ..SessionSettings::default() };
    for (differ, bar) in [(0, 300), (10, 600), (100, 6_000), (1_000, 40_000), (10_000, 400_000)] {
        let (mut bytes, mut framed, mut one_trip) = (0, 0, 0);
        let runs = if differ > 1_000 { 2 } else { 5 };
        for seed in 0..runs {
            let mut pair = Pair::new(settings, sets(100_000, differ / 2, differ / 2, seed), 0, seed);
            assert_eq!(pair.reconcile(), 1, "{differ}: {:?} {:?}", pair.ends, pair.nodes[0].refused());
            assert_eq!(pair.ends, [End::Complete]);
            bytes += pair.bytes;
            framed += pair.bytes + pair.control_frames * FRAME;
            one_trip += usize::from(pair.asked == 1);
        }
        let runs = runs as usize;
        eprintln!(
            "{differ:6} names differ: {:7} bytes of messages, {:7} with frames; one round trip in {one_trip} of {runs}",
            bytes / runs,
            framed / runs
        );
        assert!(bytes / runs <= bar, "{} bytes", bytes / runs);
        assert!(2 * one_trip >= runs);
    }
}

#[test]
fn a_forgotten_peer_leaves_nothing_to_whoever_bears_its_name_next() {
    let mut nodes = [0, 1].map(|seed| Reconciler::<u8, u64>::new(SessionSettings::default(), nonces(seed)));
    let (names, mut now) = (|| 0..500_u64, 1_000_000);
    assert!(nodes[0].open(now, 1, 0, names()) && nodes[0].open(now, 2, 0, names()));
    nodes[0].tick(now);
    let said: Vec<Output<u8, u64>> = core::iter::from_fn(|| nodes[0].poll()).collect();
    for output in said {
        if let Output::Say { to: 1, body } = output {
            nodes[1].handle(now, 0, &body, |_| Some(names())).unwrap();
        }
    }
    // Node 0 has yet to send what is due to either, node 1 to answer.
    now += 10_000_000;
    nodes.iter_mut().for_each(|node| node.tick(now));
    nodes[0].forget(1);
    nodes[1].forget(0);
    assert_eq!((nodes[0].len(), nodes[1].len()), (1, 0));
    let left = |node: &mut Reconciler<u8, u64>| core::iter::from_fn(|| node.poll()).collect::<Vec<_>>();
    assert!(left(&mut nodes[0]).iter().all(|output| output.peer() == 2));
    assert_eq!(left(&mut nodes[1]), []);
    // The next of that name finds the door open on both sides.
    assert!(nodes[0].open(now, 1, 0, names()));
    nodes[0].tick(now);
    let Some(Output::Say { body, .. }) = left(&mut nodes[0]).pop() else { panic!("it opens with a word") };
    assert_eq!(nodes[1].handle(now, 0, &body, |_| Some(names())), Ok(()));
}

#[test]
fn a_session_that_left_something_is_followed_by_one_that_is_answered_at_once() {
    let settings = SessionSettings::default();
    let mut pair = Pair::new(settings, sets(2_000, 0, 1_500, 4), 0, 4);
    let names = |pair: &Pair| pair.sets[0].iter().copied().collect::<Vec<u64>>().into_iter();
    assert!(pair.nodes[0].open(pair.now, 1, 0, names(&pair)));
    while pair.ends.is_empty() {
        pair.step();
    }
    assert_eq!((&pair.ends[..], &pair.again[..]), (&[End::Partly][..], &[][..]));
    let over = pair.now;
    assert!(!pair.nodes[0].open(pair.now, 1, 0, names(&pair)), "it would not be answered yet");
    while pair.step() {}
    assert_eq!(pair.again, [over + settings.peer_gap + settings.patience]);
    assert!(pair.nodes[0].open(pair.now, 1, 0, names(&pair)));
    while pair.step() {}
    assert_eq!(pair.ends, [End::Partly, End::Complete]);
    assert_eq!(pair.nodes[1].refused(), &[0; SessionRefusal::ALL.len()]);
    assert_eq!(pair.again.len(), 1, "nothing was left");
}

#[test]
fn peers_that_rest_are_remembered_up_to_a_bound_and_while_they_rest() {
    let settings = SessionSettings { peers_max: 3, ..SessionSettings::default() };
    let (mut node, mut now) = (Reconciler::<u8, u64>::new(settings, nonces(1)), 0);
    let mut ask = |peer, now| {
        let opened = node.open(now, peer, 0, 0..9);
        node.tick(now);
        let Some(Output::Say { body, .. }) = node.poll() else { return (opened, node.rests.len()) };
        let topic = ReconcileMsg::decode(&body).unwrap().0;
        node.handle(now, peer, &ReconcileMsg::Busy.encode(topic), |_| Some(0..9)).unwrap();
        assert!(matches!(node.poll(), Some(Output::Ended { how: End::Silent, .. })) && node.is_empty());
        (opened, node.rests.len())
    };
    for peer in 0..5 {
        now += 1;
        assert_eq!(ask(peer, now), (true, 3.min(usize::from(peer) + 1)));
    }
    assert_eq!(ask(4, now), (false, 3), "it rests");
    assert_eq!(ask(0, now), (true, 3), "its rest was the first to end, and made room");
    assert_eq!(ask(9, now + 10 * settings.peer_gap), (true, 1), "all have rested");
}

/// `cargo test --release -p octick-core -- --nocapture away_for_an_hour`
#[test]
fn a_node_away_for_an_hour_catches_up_in_bounded_rounds() {
    for (ours, theirs, who) in [(0, 100_000, "opener"), (100_000, 0, "answerer")] {
        let mut pair = Pair::new(SessionSettings::default(), sets(110_000, ours, theirs, 5), 0, 5);
        let began = pair.now;
        let sessions = pair.reconcile();
        let settings = SessionSettings::default();
        // A round, the names that a batch wants, and what is over in a control frame.
        assert!(
            pair.burst <= settings.round_bytes + settings.batch * 9 + 4_096,
            "{} bytes at once",
            pair.burst
        );
        eprintln!(
            "the {who} lacks 100,000 of 110,000: {sessions} sessions, {} bytes, at most {} at once, {} ms",
            pair.bytes,
            pair.burst,
            (pair.now - began) / 1_000 - 1_000 * sessions as u64
        );
        assert!(sessions <= 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sets_agree_over_a_link_that_loses_and_reorders(
        size in 1_000..3_000_usize,
        ours in 0..900_usize,
        theirs in 0..900_usize,
        loss in 0..200_u32,
        seed in any::<u64>(),
    ) {
        let sets = sets(size, ours, theirs, seed);
        let union: Set = &sets[0] | &sets[1];
        let settings = SessionSettings { round_bytes: 8 << 10, names_per_turn: 500, ..SessionSettings::default() };
        let mut pair = Pair::new(settings, sets, loss, seed);
        pair.reconcile();
        prop_assert_eq!(&pair.sets[0], &union);
        prop_assert!(pair.nodes[0].is_empty(), "sessions end");
    }

    #[test]
    fn nothing_a_peer_says_panics_or_grows(
        bodies in prop::collection::vec((0..12_u8, any::<bool>(), prop::collection::vec(any::<u8>(), 0..120)), 1..60),
        seed in any::<u64>(),
    ) {
        let settings = SessionSettings { names_per_turn: 50, symbols_max: 256, ..SessionSettings::default() };
        let mut node = Reconciler::<u8, u64>::new(settings, nonces(seed));
        node.open(0, 1, 0, 0..100);
        let mut session = 0;
        for (now, (op, known, mut body)) in bodies.into_iter().enumerate() {
            if let Some(first) = body.first_mut() {
                *first = op;
            }
            if known && body.len() >= 6 {
                body[1] = 0;
                body[2..6].copy_from_slice(&u32::to_le_bytes(session));
            }
            let _ = node.handle(now as u64 * 1_000, 1, &body, |set| (set == 0).then_some(0..100));
            node.tick(now as u64 * 1_000);
            while let Some(output) = node.poll() {
                if let Output::Say { body, .. } = output {
                    session = ReconcileMsg::decode(&body).unwrap().0.session;
                }
            }
            prop_assert!(node.memory() < 1 << 18 && node.len() <= settings.sessions_max);
        }
    }
}

/// A node that was asked by peer 1 in session 7, and says what it answered.
fn asked(settings: SessionSettings, size: u32) -> (Reconciler<u8, u64>, Vec<Vec<u8>>) {
    let mut node = Reconciler::new(settings, nonces(1));
    let open = ReconcileMsg::Open { share: 3, size, sketch: &[0; sketch::LEN] }.encode(TOPIC);
    assert_eq!(node.handle(10, 1, &open, |_| Some(0..1_000)), Ok(()));
    let said = work(&mut node, 10);
    (node, said)
}

const TOPIC: Topic = Topic { set: 0, session: 7 };

fn work(node: &mut Reconciler<u8, u64>, now: u64) -> Vec<Vec<u8>> {
    while node.next_due() == 0 {
        node.tick(now);
    }
    let mut said = vec![];
    while let Some(output) = node.poll() {
        if let Output::Say { body, .. } = output {
            said.push(body);
        }
    }
    said
}

fn handle(node: &mut Reconciler<u8, u64>, now: u64, msg: ReconcileMsg<'_>) -> Result<(), SessionRefusal> {
    node.handle(now, 1, &msg.encode(TOPIC), |_| Some(0..1_000))
}

#[test]
fn a_session_is_opened_once_and_not_too_soon() {
    let (mut node, said) = asked(SessionSettings::default(), 1_000);
    assert!(!said.is_empty());
    let open = ReconcileMsg::Open { share: 3, size: 1_000, sketch: &[0; sketch::LEN] };
    let other = open.encode(Topic { set: 0, session: 8 });
    assert_eq!(node.handle(11, 1, &other, |_| Some(0..9)), Err(SessionRefusal::TooSoon), "one at a time");
    assert_eq!(handle(&mut node, 12, ReconcileMsg::Done), Ok(()));
    assert!(node.is_empty());
    assert_eq!(node.handle(13, 1, &other, |_| Some(0..9)), Err(SessionRefusal::TooSoon), "not at once");
    assert_eq!(handle(&mut node, 10_000_000, open), Err(SessionRefusal::TooSoon), "a replay");
    assert_eq!(node.handle(10_000_000, 1, &other, |_| Some(0..9)), Ok(()));
    assert_eq!(node.refused()[SessionRefusal::TooSoon as usize], 3);
}

#[test]
fn sessions_are_bounded_and_expire() {
    let settings = SessionSettings { sessions_max: 3, ..SessionSettings::default() };
    let mut node = Reconciler::<u8, u64>::new(settings, nonces(1));
    let open = ReconcileMsg::Open { share: 3, size: 9, sketch: &[0; sketch::LEN] }.encode(TOPIC);
    let ends: Vec<_> = (0..5).map(|peer| node.handle(10, peer, &open, |_| Some(0..9))).collect();
    assert_eq!(ends, [Ok(()), Ok(()), Ok(()), Err(SessionRefusal::Full), Err(SessionRefusal::Full)]);
    assert_eq!(
        work(&mut node, 10)
            .iter()
            .filter(|body| ReconcileMsg::decode(body).unwrap().1 == ReconcileMsg::Busy)
            .count(),
        2
    );
    while node.next_due() < u64::MAX {
        let now = node.next_due();
        node.tick(now);
        assert!(now <= 10 + settings.lifetime);
    }
    assert!(node.is_empty());
}

#[test]
fn who_asks_for_everything_pays() {
    let settings = SessionSettings { session_bytes: 40_000, ..SessionSettings::default() };
    let (mut node, _) = asked(settings, 1_000);
    for (first, end) in [(5, 5), (9, 3), (0, u32::MAX), (9_000, 9_001)] {
        assert_eq!(handle(&mut node, 20, ReconcileMsg::More { first, end }), Err(SessionRefusal::Bound));
    }
    let mut bytes = 0;
    for now in 0..100 {
        let _ = handle(&mut node, 100 + now, ReconcileMsg::More { first: 0, end: 500 });
        bytes += work(&mut node, 100 + now).iter().map(Vec::len).sum::<usize>();
    }
    assert!(bytes <= 40_000 && node.is_empty(), "{bytes}");
    assert_eq!(node.refused()[SessionRefusal::Greedy as usize], 1);

    let (mut node, _) = asked(SessionSettings::default(), 1_000);
    let names = vec![0; 100 * 8];
    let ends: Vec<_> = (0..21).map(|_| handle(&mut node, 30, ReconcileMsg::Want { names: &names })).collect();
    assert!(ends[..20].iter().all(Result::is_ok) && ends[20] == Err(SessionRefusal::Greedy));
}

/// A node that opened a session with peer 1, and its topic.
fn opener(settings: SessionSettings) -> (Reconciler<u8, u64>, Topic) {
    let mut node = Reconciler::new(settings, nonces(1));
    assert!(node.open(0, 1, 0, 0..1_000));
    let said = work(&mut node, 1);
    (node, ReconcileMsg::decode(&said[0]).unwrap().0)
}

#[test]
fn symbols_that_never_decode_end_at_the_bound() {
    let settings = SessionSettings { symbols_max: 512, ..SessionSettings::default() };
    let (mut node, topic) = opener(settings);
    let mut end = None;
    for i in 0..100 {
        // Sums of nothing, and no end of them.
        let bytes = [0x55_u8; 13].repeat(8);
        let first = 8 * i;
        let body = ReconcileMsg::Symbols { share: 9, size: 1_000, first, bytes: &bytes }.encode(topic);
        let _ = node.handle(2, 1, &body, |_| Some(0..0));
        while node.next_due() == 0 {
            node.tick(3);
        }
        while let Some(output) = node.poll() {
            if let Output::Ended { how, .. } = output {
                end = Some(how);
            }
        }
    }
    assert_eq!(end, Some(End::SessionRefusal(SessionRefusal::TooLong)));
    assert_eq!(node.refused()[SessionRefusal::TooLong as usize], 1);
    assert_eq!((node.len(), node.memory()), (0, 0));
}

#[test]
fn replayed_changed_cut_and_giant_symbols_are_refused_by_name() {
    let (mut node, topic) = opener(SessionSettings::default());
    let mut say = |share, size, first, bytes: &[u8]| {
        node.handle(2, 1, &ReconcileMsg::Symbols { share, size, first, bytes }.encode(topic), |_| Some(0..0))
    };
    let symbol = [1; 13];
    assert_eq!(say(9, 1_000, 0, &symbol), Ok(()));
    assert_eq!(say(9, 1_000, 0, &symbol), Ok(()), "the network may repeat");
    assert_eq!(say(8, 1_000, 13, &symbol), Err(SessionRefusal::Changed), "another key");
    assert_eq!(say(9, 999, 13, &symbol), Err(SessionRefusal::Changed), "another set");
    assert_eq!(say(9, 1_000, 13, &symbol[..12]), Err(SessionRefusal::Garbled));
    assert_eq!(say(9, 1_000, 13, &[0xFF; 20]), Err(SessionRefusal::Garbled), "a count past 32 bits");
    assert_eq!(say(9, 1_000, u32::MAX, &symbol), Err(SessionRefusal::Bound));
    assert_eq!(say(9, u32::MAX, 13, &symbol), Err(SessionRefusal::Bound), "a giant set");
    assert_eq!(say(9, 1_000, 20, &[]), Ok(()));
}

#[test]
fn filters_and_lists_past_their_bounds_are_refused() {
    let (mut node, topic) = opener(SessionSettings::default());
    let mut say = |msg: ReconcileMsg<'_>| node.handle(2, 1, &msg.encode(topic), |_| Some(0..0));
    let filter = |total, at, bytes| ReconcileMsg::Filter { share: 9, size: 5, total, at, bytes };
    assert_eq!(say(filter(u32::MAX, 0, &[0; 8])), Err(SessionRefusal::Bound));
    assert_eq!(say(filter(20, 3, &[0; 8])), Err(SessionRefusal::Bound));
    assert_eq!(say(filter(20, 0, &[0; 8])), Err(SessionRefusal::Bound), "a piece too short");
    assert_eq!(say(ReconcileMsg::List { cursor: 0, next: 1, names: &[] }), Err(SessionRefusal::Unknown));
    assert_eq!(say(ReconcileMsg::Far { share: 9, size: 5 }), Ok(()));
    assert_eq!(
        say(ReconcileMsg::List { cursor: 0, next: 0, names: &[] }),
        Err(SessionRefusal::Bound),
        "no progress"
    );
    assert_eq!(say(ReconcileMsg::List { cursor: 0, next: 1, names: &[0; 9] }), Err(SessionRefusal::Garbled));
    assert_eq!(say(ReconcileMsg::List { cursor: 5, next: 9, names: &[] }), Err(SessionRefusal::Unknown));
    assert!(PAGE_LEN.is_multiple_of(2));
}

#[test]
fn a_peer_that_says_nothing_is_asked_as_often_as_the_settings_say() {
    let settings = SessionSettings { lifetime: 3_600_000_000, ..SessionSettings::default() };
    let (mut node, mut asks) = (Reconciler::<u8, u64>::new(settings, nonces(1)), 0);
    assert!(node.open(0, 1, 0, 0..1_000));
    let mut now = 0;
    loop {
        node.tick(now);
        while let Some(output) = node.poll() {
            match output {
                Output::Say { .. } => asks += 1,
                Output::Ended { how, .. } => {
                    assert_eq!(how, End::Silent);
                    assert_eq!(asks, u32::from(settings.tries));
                    assert!(node.is_empty());
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(asks < 100, "it is asked for ever");
        now = node.next_due().max(now + 1);
    }
}

#[test]
fn a_question_that_comes_once_more_is_answered_once_more_and_another_is_not_taken_for_it() {
    let (mut node, first) = asked(SessionSettings::default(), 1_000);
    assert!(!first.is_empty());
    let open = |share| ReconcileMsg::Open { share, size: 1_000, sketch: &[0; sketch::LEN] };
    assert_eq!(handle(&mut node, 20, open(3)), Ok(()));
    assert_eq!(work(&mut node, 20), first);
    assert_eq!(
        handle(&mut node, 30, open(4)),
        Err(SessionRefusal::Unknown),
        "another share is another question"
    );
    for _ in 1..SessionSettings::default().tries {
        assert_eq!(handle(&mut node, 40, open(3)), Ok(()));
        work(&mut node, 40);
    }
    assert_eq!(handle(&mut node, 50, open(3)), Err(SessionRefusal::Greedy), "not for ever");
}

#[test]
fn symbols_that_come_before_their_turn_are_kept_up_to_a_bound() {
    let settings = SessionSettings { symbols_max: 256, ..SessionSettings::default() };
    let (mut node, topic) = opener(settings);
    let symbols: Vec<u8> = (0..40_u32)
        .flat_map(|i| {
            let mut out = Vec::new();
            super::super::symbol::Symbol::<u64> { sum: 1, check: 1, count: 3 }.write(1_000 + i, 0, &mut out);
            out
        })
        .collect();
    let mut refused = Vec::new();
    for turn in 0..20_u32 {
        let msg = ReconcileMsg::Symbols { share: 9, size: 0, first: 100 + turn, bytes: &symbols };
        let body = msg.encode(topic);
        match node.handle(1_000, 1, &body, |_| None::<core::iter::Empty<u64>>) {
            Ok(()) => {}
            Err(reason) => refused.push((turn, reason)),
        }
    }
    // Twelve times forty are still no more than twice 256; then the session is over.
    assert_eq!(refused[0], (12, SessionRefusal::Greedy), "{refused:?}");
}

#[test]
fn lists_that_nobody_asked_for_are_refused() {
    let (mut node, topic) = opener(SessionSettings::default());
    let names = super::super::message::write_names(&[1_u64, 2, 3]);
    for (cursor, next) in [(0, 100), (0, u32::MAX), (u32::MAX, u32::MAX)] {
        let body = ReconcileMsg::List { cursor, next, names: &names }.encode(topic);
        let refused = node.handle(1_000, 1, &body, |_| None::<core::iter::Empty<u64>>);
        assert_eq!(refused, Err(SessionRefusal::Unknown), "{cursor} {next}");
    }
}
