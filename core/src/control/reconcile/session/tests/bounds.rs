//! Where either side of a session draws its lines: to the symbol, the name and the microsecond.

use super::*;
use crate::control::reconcile::key::Key;
use crate::control::reconcile::message::{LIST_ENDS, LIST_GOES_ON, names_max, write_names};
use crate::control::reconcile::sketch::Sketch;
use crate::control::reconcile::symbol::Symbol;
use crate::wire::control_frame::BODY_MAX;
use core::ops::Range;

/// What a node of the names from 0 on answers to a peer that has `size` names, by a sketch of `sketched`.
fn answers(settings: SessionSettings, names: u64, size: u32, sketched: Range<u64>) -> Vec<Vec<u8>> {
    let sketch = Sketch::of(&Key::of("sketch", 3, 0), sketched).encode();
    let mut node = Reconciler::<u8, u64>::new(settings, nonces(1));
    let open = ReconcileMsg::Open { share: 3, size, sketch: &sketch }.encode(TOPIC);
    assert_eq!(node.handle(10, 1, &open, |_| Some(0..names)), Ok(()));
    work(&mut node, 10)
}

/// The first and the number of the symbols in these answers, which follow each other; nothing if they are others.
fn symbols(bodies: &[Vec<u8>], size: u32) -> Option<(u32, u32)> {
    let (mut begin, mut at) = (None, 0);
    for body in bodies {
        let ReconcileMsg::Symbols { first, mut bytes, .. } = ReconcileMsg::decode(body)?.1 else {
            return None;
        };
        assert_eq!(first, *begin.get_or_insert(first) + at);
        while !bytes.is_empty() {
            Symbol::<u64>::read(first + at, size, &mut bytes)?;
            at += 1;
        }
    }
    Some((begin?, at))
}

/// How many symbols are offered at first to a peer that has some of the same 1,000 names, or more.
fn offered(settings: SessionSettings, size: u32) -> Option<u32> {
    symbols(&answers(settings, 1_000, size, 0..1_000), 1_000).map(|(_, count)| count)
}

#[test]
fn the_first_answer_has_a_symbol_and_seventeen_twentieths_for_each_difference_and_ten() {
    let settings = SessionSettings::default();
    for (size, count) in [(1_000, 10), (990, 28), (1_010, 28), (980, 47), (1_100, 195)] {
        assert_eq!(offered(settings, size), Some(count), "{size} names against 1,000");
    }
}

#[test]
fn who_lacks_a_quarter_or_more_of_many_is_far_behind_and_filters_take_the_place_of_symbols() {
    let settings = SessionSettings::default();
    assert_eq!(offered(settings, 745), Some(481), "255 differ");
    assert_eq!(offered(settings, 1_255), Some(481));
    let first = |size| {
        let bodies = answers(settings, 1_000, size, 0..1_000);
        bodies.into_iter().next().expect("an answer")
    };
    assert!(matches!(ReconcileMsg::decode(&first(744)), Some((_, ReconcileMsg::Far { size: 1_000, .. }))));
    assert!(matches!(ReconcileMsg::decode(&first(1_256)), Some((_, ReconcileMsg::Filter { .. }))));
    // A filter of the smaller set, at a byte and a quarter a name, against symbols at 17 bytes a difference.
    let of_many = |names: u64, size| symbols(&answers(settings, names, size, 0..names), names as u32);
    assert_eq!(of_many(3_738, 3_482), Some((0, 483)));
    assert_eq!(of_many(3_737, 3_481), None);
    // Where both lack something, a filter of one side finds half of it.
    let mixed = |size, sketched| symbols(&answers(settings, 1_000, size, sketched), 1_000);
    assert!(mixed(1_000, 5_000..6_000).is_some(), "all differ, and neither is behind");
    assert!(mixed(600, 500..1_100).is_some(), "a third of what differs is on the smaller side");
}

#[test]
fn what_would_take_most_of_the_symbols_that_may_be_looked_at_is_left_to_a_filter() {
    let settings = SessionSettings { symbols_max: 260, ..SessionSettings::default() };
    assert_eq!(offered(settings, 900), Some(195), "three quarters");
    assert_eq!(offered(settings, 899), None);
    let few = SessionSettings { symbols_max: 12, ..settings };
    let bodies = answers(few, 1_000, 1_000, 0..1_000);
    let told = ReconcileMsg::decode(&bodies[0]).unwrap().1;
    assert!(matches!(told, ReconcileMsg::Far { .. }), "of two alike, who asks sends the filter: {told:?}");
}

#[test]
fn more_symbols_are_sent_from_the_last_on_and_up_to_the_bound() {
    let settings = SessionSettings { symbols_max: 256, ..SessionSettings::default() };
    let sketch = Sketch::of(&Key::of("sketch", 3, 0), 0..1_000_u64).encode();
    let mut node = Reconciler::new(settings, nonces(1));
    let open = ReconcileMsg::Open { share: 3, size: 1_000, sketch: &sketch }.encode(TOPIC);
    assert_eq!(node.handle(10, 1, &open, |_| Some(0..1_000)), Ok(()));
    assert_eq!(symbols(&work(&mut node, 10), 1_000), Some((0, 10)));
    for (first, end) in [(11, 12), (3, 3), (4, 3), (0, 257)] {
        let refused = handle(&mut node, 20, ReconcileMsg::More { first, end });
        assert_eq!(refused, Err(SessionRefusal::Bound), "{first}..{end}");
    }
    assert_eq!(handle(&mut node, 20, ReconcileMsg::More { first: 10, end: 256 }), Ok(()));
    assert_eq!(symbols(&work(&mut node, 20), 1_000), Some((10, 246)));
    assert_eq!(
        handle(&mut node, 30, ReconcileMsg::More { first: 256, end: 256 }),
        Err(SessionRefusal::Bound)
    );
}

#[test]
fn a_round_of_symbols_fills_its_control_frames_and_stops_at_its_bytes() {
    let settings = SessionSettings { round_bytes: 4_000, ..SessionSettings::default() };
    let (mut node, _) = asked(settings, 1_000);
    assert_eq!(handle(&mut node, 20, ReconcileMsg::More { first: 0, end: 2_000 }), Ok(()));
    let bodies = work(&mut node, 20);
    let full = |body: &Vec<u8>| BODY_MAX - Symbol::<u64>::LEN_MAX < body.len() && body.len() <= BODY_MAX;
    assert!(bodies.iter().all(full), "{:?}", bodies.iter().map(Vec::len).collect::<Vec<_>>());
    let bytes: usize = bodies.iter().map(|body| body.len() - super::super::super::message::SYMBOLS_AT).sum();
    assert!((4_000..4_000 + BODY_MAX).contains(&bytes), "{bytes}");
    assert!(node.next_due() > 20, "the rest is asked for");
}

#[test]
fn who_opened_asks_again_after_its_patience_and_who_answers_waits_as_long_as_it_may_be_asked() {
    let settings = SessionSettings::default();
    let (node, _) = opener(settings);
    assert_eq!(node.next_due(), 1 + settings.patience);
    let (node, _) = asked(settings, 1_000);
    assert_eq!(node.next_due(), 10 + (u64::from(settings.tries) + 2) * settings.patience);
}

fn more(bodies: &[Vec<u8>]) -> Vec<(u32, u32)> {
    let more = |body: &Vec<u8>| match ReconcileMsg::decode(body).unwrap().1 {
        ReconcileMsg::More { first, end } => (first, end),
        other => panic!("{other:?}"),
    };
    bodies.iter().map(more).collect()
}

#[test]
fn symbols_that_are_lacking_are_asked_for_and_a_quarter_as_many_again_where_all_are_there() {
    let settings = SessionSettings::default();
    // Sums of nothing: no number of them is enough.
    let bytes = [0x55_u8; 13].repeat(8);
    let say = |node: &mut Reconciler<u8, u64>, topic, now, first| {
        let body = ReconcileMsg::Symbols { share: 9, size: 1_000, first, bytes: &bytes }.encode(topic);
        assert_eq!(node.handle(now, 1, &body, |_| Some(0..0)), Ok(()));
        work(node, now)
    };
    let (mut node, topic) = opener(settings);
    say(&mut node, topic, 1_000, 0);
    assert_eq!(node.next_due(), 1_000 + settings.patience / 8, "others may still be on their way");
    node.tick(1_000 + settings.patience / 8);
    assert_eq!(more(&work(&mut node, 400_000)), [(8, 8 + 2 + 6)]);
    let (mut node, topic) = opener(settings);
    say(&mut node, topic, 1_000, 0);
    say(&mut node, topic, 2_000, 12);
    assert_eq!(node.next_due(), 2_000 + settings.patience);
    node.tick(2_000 + settings.patience);
    assert_eq!(more(&work(&mut node, 400_000)), [(8, 12)], "the hole");
}

/// What a node says, asks to be sent and ends with.
#[derive(Default, Debug, PartialEq)]
struct Said {
    wanted: Vec<u64>,
    expected: Vec<u64>,
    served: Vec<u64>,
    next: Vec<u32>,
    done: bool,
    ended: Option<End>,
}

fn said(node: &mut Reconciler<u8, u64>) -> Said {
    let mut said = Said::default();
    while let Some(output) = node.poll() {
        match output {
            Output::Say { body, .. } => match ReconcileMsg::decode(&body).unwrap().1 {
                ReconcileMsg::Want { names } => {
                    assert!(names.len() / 8 <= names_max::<u64>());
                    said.wanted.extend(super::super::super::message::read_names::<u64>(names).unwrap());
                }
                ReconcileMsg::Next { cursor } => said.next.push(cursor),
                ReconcileMsg::Done => said.done = true,
                _ => {}
            },
            Output::Expect { names, .. } => said.expected.extend(names),
            Output::Serve { names, .. } => said.served.extend(names),
            Output::Ended { how, .. } => said.ended = Some(how),
            Output::Again { .. } => {}
        }
    }
    said
}

/// A node that is far behind, as it was told, and waits for lists.
fn listing(settings: SessionSettings) -> (Reconciler<u8, u64>, Topic) {
    let (mut node, topic) = opener(settings);
    let far = ReconcileMsg::Far { share: 9, size: 5 }.encode(topic);
    assert_eq!(node.handle(1_000, 1, &far, |_| None::<core::iter::Empty<u64>>), Ok(()));
    assert_eq!(said(&mut node).next, [0], "from the beginning on");
    (node, topic)
}

fn list(
    node: &mut Reconciler<u8, u64>,
    topic: Topic,
    cursor: u32,
    next: u32,
    names: Range<u64>,
) -> Result<(), SessionRefusal> {
    let names = write_names(&names.collect::<Vec<_>>());
    let body = ReconcileMsg::List { cursor, next, names: &names }.encode(topic);
    node.handle(2_000, 1, &body, |_| None::<core::iter::Empty<u64>>)
}

#[test]
fn lists_that_overtake_each_other_are_all_heeded_and_the_set_goes_on_where_it_ended() {
    let (mut node, topic) = listing(SessionSettings::default());
    assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, 5_000..5_010), Ok(()));
    assert_eq!(said(&mut node), Said::default(), "another answers the question, too");
    assert_eq!(list(&mut node, topic, 0, 700, 5_010..5_020), Ok(()));
    assert_eq!(said(&mut node).next, [700]);
    assert_eq!(node.next_due(), 2_000 + SessionSettings::default().patience);
    assert_eq!(
        list(&mut node, topic, 701, 900, 6_000..6_001),
        Err(SessionRefusal::Unknown),
        "of no question"
    );
    assert_eq!(list(&mut node, topic, 700, 700, 6_000..6_001), Err(SessionRefusal::Bound), "no progress");
    assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, 5_020..5_030), Ok(()), "late, and heeded");
    assert_eq!(said(&mut node), Said::default());
    assert_eq!(list(&mut node, topic, 700, LIST_ENDS, 5_030..5_040), Ok(()));
    let mut first = said(&mut node);
    first.wanted.sort_unstable();
    assert_eq!(first.wanted, (5_000..5_040).collect::<Vec<_>>());
    // Its last was overtaken by the end.
    assert_eq!(list(&mut node, topic, 700, LIST_GOES_ON, 5_040..5_050), Ok(()));
    assert_eq!(list(&mut node, topic, 0, 900, 5_050..5_051), Ok(()));
    assert_eq!(said(&mut node), Said::default(), "nothing is asked for again");
    node.tick(30_000);
    assert_eq!(said(&mut node).wanted, (5_040..5_051).collect::<Vec<_>>());
    node.tick(60_000);
    assert_eq!(
        said(&mut node).ended,
        Some(End::Partly),
        "a filter lets some pass: the next session finds them"
    );
}

#[test]
fn lists_name_each_of_the_most_that_a_set_may_hold_twice_and_no_more() {
    let settings = SessionSettings { set_max: 100, ..SessionSettings::default() };
    let (mut node, topic) = listing(settings);
    for first in [5_000, 5_100] {
        assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, first..first + 100), Ok(()));
    }
    assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, 5_200..5_201), Err(SessionRefusal::Greedy));
    assert!(node.is_empty());
}

#[test]
fn what_differs_is_asked_for_a_batch_at_a_time() {
    let settings = SessionSettings { batch: 50, ..SessionSettings::default() };
    let (mut node, topic) = listing(settings);
    assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, 5_000..5_060), Ok(()));
    assert_eq!(list(&mut node, topic, 0, LIST_ENDS, 5_060..5_120), Ok(()));
    let mut now = 2_000;
    for count in [50, 50, 20] {
        let said = said(&mut node);
        assert_eq!((said.wanted.len(), said.done), (count, false));
        assert_eq!(said.wanted, said.expected);
        now += settings.batch_gap;
        assert_eq!(node.next_due(), now);
        node.tick(now - 1);
        node.tick(now);
    }
    let last = said(&mut node);
    assert!(last.done && last.ended == Some(End::Partly) && last.wanted.is_empty(), "{last:?}");
}

#[test]
fn a_piece_of_a_filter_that_does_not_come_denies_nothing() {
    let settings = SessionSettings::default();
    let (mut node, topic) = opener(settings);
    let total = 2 * PAGE_LEN as u32;
    let filter =
        |at, len| ReconcileMsg::Filter { share: 9, size: 5, total, at, bytes: &[0; PAGE_LEN][..len] };
    let mut say = |msg: ReconcileMsg<'_>| node.handle(1_000, 1, &msg.encode(topic), |_| Some(0..0));
    assert_eq!(say(filter(PAGE_LEN as u32, PAGE_LEN - 1)), Err(SessionRefusal::Bound), "cut short");
    assert_eq!(say(filter(1, PAGE_LEN)), Err(SessionRefusal::Bound), "no page begins there");
    let giant = settings.filter_bytes_max as u32 + 1;
    let giant = ReconcileMsg::Filter { share: 9, size: 5, total: giant, at: 0, bytes: &[0; PAGE_LEN] };
    assert_eq!(say(giant), Err(SessionRefusal::Bound), "a giant filter");
    assert_eq!(say(filter(PAGE_LEN as u32, PAGE_LEN)), Ok(()));
    assert_eq!(say(filter(PAGE_LEN as u32, PAGE_LEN)), Ok(()), "the network may repeat");
    let other = ReconcileMsg::Filter { share: 9, size: 5, total: 4, at: 0, bytes: &[0; 4] };
    assert_eq!(say(other), Err(SessionRefusal::Changed));
    work(&mut node, 1_000);
    assert_eq!(node.next_due(), 1_000 + settings.patience, "the other half may come");
    node.tick(1_000 + settings.patience);
    let mut served = 0;
    while node.next_due() < u64::MAX {
        let now = node.next_due().max(1_001 + settings.patience);
        node.tick(now);
        served += said(&mut node).served.len();
    }
    // Nothing is in the half that came: whoever has one of seven bits there is lacking.
    assert!((950..1_000).contains(&served), "{served} of 1,000");
}

#[test]
fn a_filter_that_came_whole_is_looked_into_at_once() {
    let (mut node, topic) = opener(SessionSettings::default());
    let total = 2 * PAGE_LEN as u32;
    for at in [PAGE_LEN as u32, 0] {
        assert_ne!(node.next_due(), 0);
        let piece = ReconcileMsg::Filter { share: 9, size: 5, total, at, bytes: &[0; PAGE_LEN] };
        assert_eq!(node.handle(1_000, 1, &piece.encode(topic), |_| Some(0..0)), Ok(()));
    }
    assert_eq!(node.next_due(), 0);
    node.tick(1_000);
    assert_eq!(said(&mut node).served.len(), 1_000, "none of them is in it");
}

#[test]
fn one_session_a_peer_and_set_is_opened_and_what_is_answered_is_another_matter() {
    let settings = SessionSettings { sessions_max: 4, ..SessionSettings::default() };
    let (mut node, _) = asked(settings, 1_000);
    assert!(node.open(20, 1, 0, 0..9), "though its peer has opened one");
    assert!(!node.open(20, 1, 0, 0..9), "once");
    assert!(node.open(20, 1, 1, 0..9) && node.open(20, 2, 0, 0..9), "another set, another peer");
    assert!(!node.open(20, 3, 0, 0..9) && node.len() == 4, "no room");
    let mut node = Reconciler::<u8, u64>::new(settings, nonces(1));
    assert!(node.open(20, 1, 0, 0..9));
    let open = ReconcileMsg::Open { share: 3, size: 9, sketch: &[0; sketch::LEN] }.encode(TOPIC);
    assert_eq!(node.handle(20, 1, &open, |_| Some(0..9)), Ok(()), "whom this node asks may ask it");
}

#[test]
fn of_peers_remembered_the_one_whose_time_comes_first_makes_room() {
    let settings = SessionSettings { peers_max: 2, ..SessionSettings::default() };
    let mut node = Reconciler::<u8, u64>::new(settings, nonces(1));
    let mut ask = |now, peer, session| {
        let topic = Topic { set: 0, session };
        let open = ReconcileMsg::Open { share: 3, size: 9, sketch: &[0; sketch::LEN] }.encode(topic);
        let asked = node.handle(now, peer, &open, |_| Some(0..9));
        let _ = node.handle(now, peer, &ReconcileMsg::Done.encode(topic), |_| Some(0..9));
        asked
    };
    assert_eq!([ask(10, 1, 1), ask(20, 2, 1), ask(30, 3, 1)], [Ok(()); 3]);
    assert_eq!(ask(40, 2, 2), Err(SessionRefusal::TooSoon));
    assert_eq!(ask(40, 3, 2), Err(SessionRefusal::TooSoon));
    assert_eq!(ask(40, 1, 2), Ok(()), "the first was forgotten");
    assert_eq!(ask(30 + settings.peer_gap - 1, 3, 3), Err(SessionRefusal::TooSoon));
    assert_eq!(ask(30 + settings.peer_gap, 3, 3), Ok(()), "its time has come");
}

#[test]
fn a_question_that_comes_again_is_answered_as_before_whatever_the_answer_was() {
    for (size, is_far) in [(744, true), (1_256, false)] {
        let sketch = Sketch::of(&Key::of("sketch", 3, 0), 0..1_000_u64).encode();
        let open = ReconcileMsg::Open { share: 3, size, sketch: &sketch }.encode(TOPIC);
        let mut node = Reconciler::<u8, u64>::new(SessionSettings::default(), nonces(1));
        let ask = |node: &mut Reconciler<u8, u64>, now| {
            assert_eq!(node.handle(now, 1, &open, |_| Some(0..1_000)), Ok(()));
            work(node, now)
        };
        let first = ask(&mut node, 10);
        assert_eq!((first.len() == 1, ask(&mut node, 20) == first), (is_far, true));
        if is_far {
            let filter = ReconcileMsg::Filter { share: 3, size, total: 1, at: 0, bytes: &[0] };
            assert_eq!(handle(&mut node, 30, filter), Ok(()));
            assert_eq!(ask(&mut node, 40).len(), 0, "its answer has come");
        }
    }
}

#[test]
fn a_peer_without_room_ends_what_waits_for_it_and_nothing_else() {
    let settings = SessionSettings { set_max: 1_000, ..SessionSettings::default() };
    let (mut node, topic) = opener(settings);
    let mut say = |msg: ReconcileMsg<'_>| node.handle(2, 1, &msg.encode(topic), |_| Some(0..0));
    let symbols = |size| ReconcileMsg::Symbols { share: 9, size, first: 0, bytes: &[1; 13] };
    assert_eq!(say(symbols(1_001)), Err(SessionRefusal::Bound), "a set larger than any");
    assert_eq!(say(symbols(1_000)), Ok(()));
    assert_eq!(say(ReconcileMsg::Busy), Err(SessionRefusal::Unknown), "it has answered");
    assert_eq!(
        say(ReconcileMsg::Want { names: &[0; 8] }),
        Err(SessionRefusal::Unknown),
        "only an opener wants"
    );
    assert_eq!(say(ReconcileMsg::Next { cursor: 0 }), Err(SessionRefusal::Unknown));
    let (mut node, topic) = opener(settings);
    assert_eq!(node.handle(2, 1, &ReconcileMsg::Busy.encode(topic), |_| Some(0..0)), Ok(()));
    assert_eq!((said(&mut node).ended, node.is_empty()), (Some(End::Silent), true));
}

#[test]
fn a_filter_goes_in_pages_side_by_side() {
    let bodies = answers(SessionSettings::default(), 1_000, 1_256, 0..1_000);
    let mut behind = 0;
    for body in &bodies {
        let ReconcileMsg::Filter { size, total, at, bytes, .. } = ReconcileMsg::decode(body).unwrap().1
        else {
            panic!("a page of a filter")
        };
        assert_eq!((size, total, at as usize), (1_000, 1_250, behind), "ten bits a name");
        behind += bytes.len();
    }
    assert_eq!((bodies.len(), behind), (2, 1_250));
    let most = SessionSettings::default().filter_bytes_max as u32;
    let (mut node, topic) = opener(SessionSettings::default());
    let largest = ReconcileMsg::Filter { share: 9, size: 5, total: most, at: 0, bytes: &[0; PAGE_LEN] };
    assert_eq!(node.handle(2, 1, &largest.encode(topic), |_| Some(0..0)), Ok(()));
}

#[test]
fn who_knows_the_whole_difference_takes_no_lists() {
    let mut node = Reconciler::<u8, u64>::new(SessionSettings::default(), nonces(1));
    assert!(node.open(0, 1, 0, 0..1_000));
    let opened = work(&mut node, 1);
    let Some((topic, ReconcileMsg::Open { share, .. })) = ReconcileMsg::decode(&opened[0]) else {
        panic!("{opened:?}")
    };
    let key = Key::of("symbols", share, 9);
    let mut coder = crate::control::reconcile::riblt::Coder::of(key, 0..1_004_u64);
    assert!(coder.extend(32, usize::MAX));
    let mut bytes = Vec::new();
    (0..32).for_each(|i| coder.symbols()[i as usize].write(i, 1_004, &mut bytes));
    let body = ReconcileMsg::Symbols { share: 9, size: 1_004, first: 0, bytes: &bytes }.encode(topic);
    assert_eq!(node.handle(2, 1, &body, |_| Some(0..0)), Ok(()));
    while node.next_due() == 0 {
        node.tick(3);
    }
    let mut wanted = said(&mut node).wanted;
    wanted.sort_unstable();
    assert_eq!(wanted, [1_000, 1_001, 1_002, 1_003]);
    assert_eq!(list(&mut node, topic, 0, LIST_GOES_ON, 5_000..5_001), Err(SessionRefusal::Unknown));
}
