//! Comparing tables: what differs is found, range by range, at a bounded price, and nothing else is asked for.

mod nodes;

use nodes::{LAYOUT, NOW, Node, run};
use octick_core::data::Update;
use octick_core::data::audit::{Answer, Audit, AuditMsg, Replies};
use octick_core::data::outbox::Outbox;
use octick_core::list::List;
use octick_core::stamp::{Run, Slot};
use octick_core::state::{Regions, State, TableKind};
use octick_core::table::{Kernel, NoSink, Region};
use octick_core::wire::control_frame::BODY_MAX;
use octick_core::wire::{Frame, Sealer};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

/// Tables, and the audit over them.
struct Side {
    state: State,
    audit: Audit,
}

impl Side {
    fn new() -> Self {
        let regions = Regions::take(&LAYOUT, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
        Self { state: State::new(LAYOUT, regions, Kernel::detect(), NOW), audit: Audit::new(0) }
    }

    fn merge(&mut self, frames: &[Vec<u8>]) {
        frames.iter().for_each(|frame| _ = self.state.merge(&Frame::reopen(frame), &mut NoSink));
    }

    fn handle(&mut self, now: u64, message: &AuditMsg) -> (Answer, Replies) {
        let mut replies = Replies::new();
        (self.audit.handle(now, &self.state, message, &mut replies), replies)
    }

    /// Lets a pass over the tables end.
    fn rest(&mut self, from: u64) -> Option<AuditMsg> {
        (0..30).map(|step| from + step * 100 * MS).find_map(|now| self.audit.tick(now, &mut self.state))
    }
}

/// One comparison begun by `asker`. Returns what was found to differ, and the bytes that went to and fro.
fn compare(asker: &mut Side, answerer: &mut Side, now: u64) -> (Vec<(TableKind, Run)>, usize) {
    answerer.rest(now);
    let question = asker.rest(now).expect("it asks in a while");
    let now = now + 3 * S;
    let (mut found, mut bytes, mut queue) = (Vec::new(), 0, vec![(true, question)]);
    while let Some((to_answerer, message)) = queue.pop() {
        let mut body = List::<u8, BODY_MAX>::new();
        message.encode(&mut body);
        assert_eq!(AuditMsg::decode(&body).as_ref(), Some(&message));
        bytes += body.len();
        let side = if to_answerer { &mut *answerer } else { &mut *asker };
        let (answer, replies) = side.handle(now - 2_900 * MS, &message);
        queue.extend(replies.iter().map(|reply| (!to_answerer, *reply)));
        match answer {
            Answer::Nothing => {}
            Answer::Differ(table, runs) => found.extend(runs.iter().map(|run| (table, *run))),
            Answer::Repeat(..) => panic!("nobody asked for it"),
        }
    }
    (found, bytes)
}

fn writes(slots: impl Iterator<Item = u32>, value: u64) -> Vec<Update> {
    slots.map(|slot| Update::Cell8(Slot(slot), value)).collect()
}

#[test]
fn equal_tables_cost_one_hash_and_silence() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let frames = Node::new(1).publish(&nodes::writes());
    a.merge(&frames);
    b.merge(&frames);
    let (found, bytes) = compare(&mut a, &mut b, S);
    assert!(found.is_empty() && bytes == 12, "{found:?} {bytes}");
}

#[test]
fn what_one_side_missed_is_found_by_either() {
    for a_lacks in [true, false] {
        let (mut a, mut b) = (Side::new(), Side::new());
        let mut node = Node::new(1);
        let (first, second) = (node.publish(&nodes::writes()), node.publish(&writes(600..601, 7)));
        a.merge(&first);
        b.merge(&first);
        (if a_lacks { &mut b } else { &mut a }).merge(&second);
        let (found, bytes) = compare(&mut a, &mut b, S);
        let range = Run { first: Slot(512), len: 512 };
        assert_eq!(found, [(TableKind::Cells8, range)]);
        assert!(bytes < 400, "{bytes}");
        assert_eq!((a.audit.counts.begun, a.audit.counts.equal, a.audit.counts.ranges), (1, 0, 1));
    }
}

#[test]
fn what_was_merged_only_just_is_left_for_later() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let mut node = Node::new(1);
    let (first, second) = (node.publish(&nodes::writes()), node.publish(&writes(600..601, 7)));
    a.merge(&first);
    b.merge(&first);
    a.rest(S);
    b.rest(S);
    b.merge(&second);
    // Nobody hashes between: the range is busy at one side.
    let (_, sections) = b.handle(2 * S, &AuditMsg::Root(1));
    assert_eq!(sections.len(), 3, "{sections:?}");
    let asks: Vec<AuditMsg> =
        sections.iter().flat_map(|message| a.handle(S + 600 * MS, message).1.to_vec()).collect();
    assert_eq!(asks.len(), 1, "{asks:?}");
    let (_, ranges) = b.handle(2 * S, &asks[0]);
    assert_eq!(ranges.len(), 1, "{asks:?}");
    assert_eq!(a.handle(S + 600 * MS, &ranges[0]), (Answer::Nothing, Replies::new()));
}

#[test]
fn a_range_is_sent_again_once_in_a_while_whoever_asks() {
    let mut side = Side::new();
    let table = TableKind::Cells8;
    let ask = AuditMsg::Refresh { table, runs: [Run { first: Slot(512), len: 512 }].into_iter().collect() };
    assert!(matches!(side.handle(S, &ask).0, Answer::Repeat(..)));
    assert_eq!(side.handle(2 * S, &ask).0, Answer::Nothing);
    assert!(matches!(side.handle(4 * S, &ask).0, Answer::Repeat(..)));
    let all =
        AuditMsg::Refresh { table, runs: [Run { first: Slot(0), len: u32::MAX }].into_iter().collect() };
    assert_eq!(side.handle(5 * S, &all).0, Answer::Nothing, "not everything at once");
}

fn ones<const N: usize>() -> List<u64, N> {
    [1; N].into_iter().collect()
}

#[test]
fn answers_that_nobody_asked_for_find_nothing() {
    let mut side = Side::new();
    side.merge(&Node::new(1).publish(&nodes::writes()));
    side.rest(S);
    let lies = [
        AuditMsg::Sections { table: TableKind::Cells8, first: 0, hashes: ones() },
        AuditMsg::Sections { table: TableKind::Rows, first: u16::MAX, hashes: ones() },
        AuditMsg::Ranges { table: TableKind::Cells8, section: 0, hashes: ones() },
        AuditMsg::Ranges { table: TableKind::Cells8, section: u16::MAX, hashes: ones() },
    ];
    for lie in lies {
        assert_eq!(side.handle(100 * S, &lie), (Answer::Nothing, Replies::new()));
    }
    let nowhere =
        AuditMsg::AskRanges { table: TableKind::Cells4, sections: [u16::MAX, 9].into_iter().collect() };
    assert_eq!(side.handle(S, &nowhere), (Answer::Nothing, Replies::new()));
}

#[test]
fn bodies_that_are_none_are_not_read() {
    for body in
        [&[][..], &[0], &[9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], &[0; 4], &[0; 13], &[2, 0], &[4, 9, 0, 0]]
    {
        assert_eq!(AuditMsg::decode(body), None, "{body:?}");
    }
    let many = [&[3, 0, 0, 0][..], &[0; 8 * 33]].concat();
    assert_eq!(AuditMsg::decode(&many), None);
}

#[test]
fn an_owner_sends_only_what_is_its_own_and_was_ever_written() {
    let mut outbox = Outbox::new(&[run(1)], &LAYOUT);
    let mut train = Sealer::new();
    writes(600..601, 7).into_iter().for_each(|update| outbox.write(update).unwrap());
    outbox.fill(&mut train, true);
    assert!(!outbox.has_pending());
    for elsewhere in [(0, 512), (1_008, 16), (512, 80), (608, 400), (u32::MAX, u32::MAX)] {
        outbox.refresh_within(TableKind::Cells8, Run { first: Slot(elsewhere.0), len: elsewhere.1 });
        assert!(!outbox.has_pending(), "{elsewhere:?}");
    }
    outbox.refresh_within(TableKind::Rows, Run { first: Slot(512), len: 512 });
    assert!(!outbox.has_pending());
    outbox.refresh_within(TableKind::Cells8, Run { first: Slot(0), len: 601 });
    assert!(outbox.has_pending());
    train.clear();
    outbox.fill(&mut train, true);
    assert!(train.len() == 1 && !outbox.has_pending());
}

#[test]
fn a_pass_over_more_than_a_step_goes_on_a_millisecond_later_and_ends() {
    let layout = octick_core::state::Layout { slots: 32 * 512, cells8: true, cells4: false, rows: true };
    let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    let mut state = State::new(layout, regions, Kernel::detect(), NOW);
    let mut node = octick_core::wire::Sealer::new();
    let identity = nodes::identity(1);
    for range in 0..32 {
        node.frame(octick_core::wire::Kind::Block8, |draft| {
            draft.block8(&octick_core::wire::Block8::new(64 * range, 1, 0, [7; 8])).unwrap();
        });
    }
    let version = octick_core::stamp::Version::new(NOW, identity.id());
    let incarnation = octick_core::stamp::Incarnation(1);
    let stamp = octick_core::wire::Stamp { incarnation, first_seq: octick_core::stamp::Seq(1), version };
    node.seal(&identity, &octick_core::crypto::MeshKeys::derive(nodes::MESH), &stamp);
    node.frames().for_each(|frame| _ = state.merge(&Frame::reopen(frame), &mut NoSink));
    let hashed =
        |state: &State| (0..32).filter(|range| state.range_hash(TableKind::Cells8, *range).is_some()).count();
    let mut audit = Audit::new(S);
    for step in 1..=4 {
        let now = audit.next_due();
        assert_eq!(now, S + (step - 1) * MS, "step {step}");
        assert_eq!(audit.tick(now, &mut state), None);
        assert_eq!(hashed(&state), 8 * step as usize);
    }
    assert!(audit.next_due() > S + 100 * MS, "the pass has ended");
}

#[test]
fn a_section_shows_its_own_ranges_and_no_others() {
    let layout = octick_core::state::Layout { slots: 80 * 512, cells8: true, cells4: false, rows: false };
    let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    let state = State::new(layout, regions, Kernel::detect(), NOW);
    let sections = (0..4).collect();
    let (ask, mut shown) = (AuditMsg::AskRanges { table: TableKind::Cells8, sections }, Replies::new());
    assert_eq!(Audit::new(0).handle(S, &state, &ask, &mut shown), Answer::Nothing);
    let lens: Vec<(u16, usize)> = shown
        .iter()
        .map(|message| match message {
            AuditMsg::Ranges { section, hashes, .. } => (*section, hashes.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lens, [(0, 32), (1, 32), (2, 16)]);
}

#[test]
fn whoever_has_something_to_find_compares_within_half_a_second() {
    let mut side = Side::new();
    for second in 1..200 {
        side.audit.tick(second * S, &mut side.state);
    }
    let now = 200 * S;
    assert!(side.audit.next_due() > now);
    side.audit.hurry(now);
    assert_eq!(side.audit.tick(now + 500 * MS - 1, &mut side.state), None);
    assert!(side.audit.tick(now + 500 * MS, &mut side.state).is_some());
}

#[test]
fn an_answer_is_heeded_for_two_seconds() {
    let mut side = Side::new();
    side.merge(&Node::new(1).publish(&nodes::writes()));
    let asked_at = (0..40).map(|tenth| S + tenth * 100 * MS);
    let asked_at = asked_at.into_iter().find(|now| side.audit.tick(*now, &mut side.state).is_some()).unwrap();
    let sections =
        AuditMsg::Sections { table: TableKind::Cells8, first: 0, hashes: [1].into_iter().collect() };
    let ranges = AuditMsg::Ranges { table: TableKind::Cells8, section: 0, hashes: ones() };
    for (late, heeded) in [(2 * S - 1, true), (2 * S, false)] {
        let (_, replies) = side.handle(asked_at + late, &sections);
        assert_eq!(replies.len(), usize::from(heeded), "{late} us later");
        let (answer, _) = side.handle(asked_at + late, &ranges);
        assert_eq!(answer != Answer::Nothing, heeded, "{late} us later");
    }
}

#[test]
fn of_many_sections_that_differ_others_are_asked_for_each_time() {
    let layout = octick_core::state::Layout { slots: 9 * 32 * 512, cells8: true, cells4: false, rows: false };
    let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    let mut state = State::new(layout, regions, Kernel::detect(), NOW);
    let mut audit = Audit::new(0);
    let now = (0..100).map(|tenth| S + tenth * 100 * MS);
    let now = now.into_iter().find(|now| audit.tick(*now, &mut state).is_some()).expect("it asks");
    let hashes =
        AuditMsg::Sections { table: TableKind::Cells8, first: 0, hashes: [1; 9].into_iter().collect() };
    let mut asked = Vec::new();
    for _ in 0..9 {
        let mut replies = Replies::new();
        assert_eq!(audit.handle(now, &state, &hashes, &mut replies), Answer::Nothing);
        let [AuditMsg::AskRanges { table: TableKind::Cells8, sections }] = &replies[..] else {
            panic!("{replies:?}")
        };
        let mut sections = sections.to_vec();
        sections.sort_unstable();
        sections.dedup();
        assert_eq!(sections.len(), 4);
        asked.push(sections);
    }
    assert!(asked.windows(2).all(|pair| pair[0] != pair[1]), "{asked:?}");
    let times = |section| asked.iter().filter(|sections| sections.contains(&section)).count();
    assert!((0..9).all(|section| times(section) == 4), "each as often as the next: {asked:?}");
}

#[test]
fn a_range_may_be_sent_again_two_seconds_after_it_was() {
    let mut side = Side::new();
    let table = TableKind::Cells8;
    let ask = |first| AuditMsg::Refresh {
        table,
        runs: [Run { first: Slot(first), len: 512 }].into_iter().collect(),
    };
    assert!(matches!(side.handle(S, &ask(512)).0, Answer::Repeat(..)));
    assert_eq!(side.handle(3 * S - 1, &ask(512)).0, Answer::Nothing);
    assert_eq!(side.handle(3 * S - 1, &ask(513)).0, Answer::Nothing, "the same range");
    assert!(matches!(side.handle(3 * S - 1, &ask(0)).0, Answer::Repeat(..)), "another");
    assert!(matches!(side.handle(3 * S, &ask(512)).0, Answer::Repeat(..)));
    assert_eq!(side.audit.counts.repeated, 3);
}

#[test]
fn comparisons_that_find_nothing_are_made_ever_more_rarely_up_to_ten_seconds() {
    let mut side = Side::new();
    let (mut last, mut gaps) = (0, Vec::new());
    for tenth in 0..1_000 {
        let now = tenth * 100 * MS;
        if side.audit.tick(now, &mut side.state).is_some() {
            gaps.push(now - last);
            last = now;
        }
    }
    assert_eq!(gaps[..7], [500, 500, 1_000, 2_000, 4_000, 8_000, 10_000].map(|ms| ms * MS));
    assert_eq!(side.audit.counts.begun, side.audit.counts.equal + 1);
}

#[test]
fn whoever_finds_something_compares_again_half_a_second_later() {
    let mut side = Side::new();
    side.merge(&Node::new(1).publish(&nodes::writes()));
    let mut asked_at = 0;
    // Long enough at rest that it asks rarely.
    for tenth in 0..600 {
        if side.audit.tick(tenth * 100 * MS, &mut side.state).is_some() {
            asked_at = tenth * 100 * MS;
        }
    }
    let ranges = AuditMsg::Ranges { table: TableKind::Cells8, section: 0, hashes: ones() };
    let now = asked_at + MS;
    assert!(matches!(side.handle(now, &ranges).0, Answer::Differ(..)));
    assert!(side.audit.tick(now + 500 * MS - 1, &mut side.state).is_none());
    assert!(side.audit.tick(now + 500 * MS, &mut side.state).is_some());
}

#[test]
fn no_more_ranges_are_sent_again_in_two_seconds_than_are_remembered() {
    let mut side = Side::new();
    let table = TableKind::Cells8;
    let ask = |range: u32| AuditMsg::Refresh {
        table,
        runs: [Run { first: Slot(512 * range), len: 512 }].into_iter().collect(),
    };
    let heeded =
        (0..1_100).filter(|range| matches!(side.handle(S, &ask(*range)).0, Answer::Repeat(..))).count();
    assert_eq!(heeded, 1_024);
    assert!(matches!(side.handle(3 * S, &ask(1_050)).0, Answer::Repeat(..)), "then there is room again");
}

#[test]
fn of_a_large_table_another_part_is_shown_each_time() {
    // Sections beyond what a message names, in each of three tables.
    let slots = 201 * 32 * 512;
    let layout = octick_core::state::Layout { slots, cells8: true, cells4: true, rows: true };
    let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    let state = State::new(layout, regions, Kernel::detect(), NOW);
    let mut audit = Audit::new(0);
    let mut shown = Vec::new();
    for _ in 0..16 {
        let mut replies = Replies::new();
        assert_eq!(audit.handle(S, &state, &AuditMsg::Root(1), &mut replies), Answer::Nothing);
        let [AuditMsg::Sections { table, first, hashes }] = &replies[..] else { panic!("{replies:?}") };
        assert!(hashes.len() <= 100);
        shown.push((*table as u8, *first));
    }
    let mut parts = shown.clone();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts, [(0, 0), (0, 100), (0, 200), (1, 0), (1, 100), (2, 0), (2, 100), (2, 200)]);
    assert_eq!(shown[..8], shown[8..], "each in its turn");
}
