//! Comparing tables: what differs is found, range by range, at a bounded price, and nothing else is asked for.

mod nodes;

use nodes::{LAYOUT, NOW, Node, run};
use octick_core::data::Update;
use octick_core::data::audit::{Answer, Audit, AuditMsg};
use octick_core::data::outbox::Outbox;
use octick_core::stamp::{Run, Slot};
use octick_core::state::{Regions, State, TableKind};
use octick_core::table::{Kernel, NoSink, Region};
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
        let mut body = Vec::new();
        message.encode(&mut body);
        assert_eq!(AuditMsg::decode(&body).as_ref(), Some(&message));
        bytes += body.len();
        let side = if to_answerer { &mut *answerer } else { &mut *asker };
        match side.audit.handle(now - 2_900 * MS, &side.state, &message) {
            Answer::Nothing => {}
            Answer::Reply(replies) => queue.extend(replies.into_iter().map(|reply| (!to_answerer, reply))),
            Answer::Differ(table, runs) => found.extend(runs.into_iter().map(|run| (table, run))),
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
    let sections = b.audit.handle(2 * S, &b.state, &AuditMsg::Root(1));
    let Answer::Reply(sections) = sections else { panic!("{sections:?}") };
    for message in &sections {
        let Answer::Reply(asks) = a.audit.handle(S + 600 * MS, &a.state, message) else { continue };
        let Answer::Reply(ranges) = b.audit.handle(2 * S, &b.state, &asks[0]) else { panic!("{asks:?}") };
        for ranges in &ranges {
            assert_eq!(a.audit.handle(S + 600 * MS, &a.state, ranges), Answer::Nothing);
        }
    }
}

#[test]
fn a_range_is_sent_again_once_in_a_while_whoever_asks() {
    let mut side = Side::new();
    let table = TableKind::Cells8;
    let ask = AuditMsg::Refresh { table, runs: vec![Run { first: Slot(512), len: 512 }] };
    assert!(matches!(side.audit.handle(S, &side.state, &ask), Answer::Repeat(..)));
    assert_eq!(side.audit.handle(2 * S, &side.state, &ask), Answer::Nothing);
    assert!(matches!(side.audit.handle(4 * S, &side.state, &ask), Answer::Repeat(..)));
    let all = AuditMsg::Refresh { table, runs: vec![Run { first: Slot(0), len: u32::MAX }] };
    assert_eq!(side.audit.handle(5 * S, &side.state, &all), Answer::Nothing, "not everything at once");
}

#[test]
fn answers_that_nobody_asked_for_find_nothing() {
    let mut side = Side::new();
    side.merge(&Node::new(1).publish(&nodes::writes()));
    side.rest(S);
    let lies = [
        AuditMsg::Sections { table: TableKind::Cells8, first: 0, hashes: vec![1; 100] },
        AuditMsg::Sections { table: TableKind::Rows, first: u16::MAX, hashes: vec![1; 100] },
        AuditMsg::Ranges { table: TableKind::Cells8, section: 0, hashes: vec![1; 32] },
        AuditMsg::Ranges { table: TableKind::Cells8, section: u16::MAX, hashes: vec![1; 32] },
    ];
    for lie in lies {
        assert_eq!(side.audit.handle(100 * S, &side.state, &lie), Answer::Nothing);
    }
    let nowhere = AuditMsg::AskRanges { table: TableKind::Cells4, sections: vec![u16::MAX, 9] };
    assert_eq!(side.audit.handle(S, &side.state, &nowhere), Answer::Reply(Vec::new()));
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
    let ask = AuditMsg::AskRanges { table: TableKind::Cells8, sections: vec![0, 1, 2, 3] };
    let Answer::Reply(shown) = Audit::new(0).handle(S, &state, &ask) else {
        panic!("it is asked for ranges")
    };
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
