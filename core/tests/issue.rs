//! What a node may issue: nothing beyond what was reserved, and nothing that an earlier start of it has issued.

mod nodes;

use std::collections::BTreeSet;

use nodes::{NOW, Node, run};
use octick_core::data::Update;
use octick_core::engine::Withheld;
use octick_core::stamp::{HybridClock, Incarnation, Version};
use octick_core::time::Wall;
use octick_core::wire::Frame;
use octick_crypto::NodeId;
use proptest::prelude::*;

#[test]
fn nothing_is_issued_beyond_the_reservation_and_what_waits_goes_out_with_the_next() {
    let mut node = Node::new(0);
    let (slot, limit) = (run(0).first, NOW + 5_000);
    let updates = |value: u64| {
        [Update::Cell8(slot, value), Update::Cell4(slot, value as u32), Update::Row(slot, value)]
    };
    node.engine.reserve_clock(limit);
    let mut versions = Vec::new();
    for now in (NOW..NOW + 20_000).step_by(250) {
        updates(now).into_iter().for_each(|update| node.engine.write(update).unwrap());
        let may = node.engine.withheld(now).is_none();
        assert!(may || now + 2_048 > limit, "cells of four bytes look two units ahead at most: {now}");
        assert!(may || node.engine.pending(now).is_none(), "and nobody is kept awake");
        match node.engine.flush(now) {
            Some(train) => {
                versions.extend(train.frames().map(|frame| Frame::reopen(frame).header().version()))
            }
            None => assert_eq!(node.engine.withheld(now), Some(Withheld::Unreserved)),
        }
    }
    assert!(versions.len() > 10 && versions.iter().all(|version| version.micros() <= limit), "{versions:?}");
    assert_eq!(node.engine.pending_blocks(), 3, "the last of each waits");
    // What need not be told apart by its version goes on, and stays within.
    let asked = node.engine.query_stats(1, NOW + 20_000).frames().next().map(<[u8]>::to_vec);
    assert_eq!(Frame::reopen(&asked.unwrap()).header().version().micros(), limit);
    node.engine.reserve_clock(NOW + 60_000_000);
    let train = node.engine.flush(NOW + 20_000).expect("it waited for this");
    assert!(train.frames().all(|frame| Frame::reopen(frame).header().version().micros() >= NOW + 20_000));
    assert_eq!(node.engine.pending_blocks(), 0);
}

#[test]
fn a_write_after_a_restart_beats_all_before_wherever_the_wall_clock_is() {
    let (slot, mut reader) = (run(0).first, Node::new(1));
    let mut before = Node::new(0);
    let frames: Vec<_> = (0..50).flat_map(|value| before.publish(&[Update::Cell8(slot, value)])).collect();
    reader.take(&frames);
    let reserved = before.engine.clock_micros() + 5_000_000;
    for (incarnation, behind) in [(2, 0), (3, 1), (4, 3_600_000_000)] {
        let mut again = Node::with(0, incarnation, |_| ());
        again.engine.resume_clock(reserved + u64::from(incarnation));
        again.engine.write(Update::Cell8(slot, 1_000 + u64::from(incarnation))).unwrap();
        let train = again.engine.flush(NOW - behind).expect("it is pending");
        let frames: Vec<_> = train.frames().map(<[u8]>::to_vec).collect();
        assert_eq!(reader.take(&frames).fresh, 1);
        let cell = reader.engine.state().reader().cell8(slot).unwrap();
        assert_eq!(cell.value, 1_000 + u64::from(incarnation), "clock {behind} us back");
    }
}

#[test]
fn a_node_that_begins_again_numbers_anew_and_sends_all_its_cells_again() {
    let (mut node, mut reader) = (Node::new(0), Node::new(1));
    let slot = run(0).first;
    let first = node.publish(&[Update::Cell8(slot, 7)]);
    reader.take(&first);
    node.engine.begin_again(0, Incarnation(9));
    let again: Vec<_> = node.engine.flush(NOW).unwrap().frames().map(<[u8]>::to_vec).collect();
    let header = |frame: &[u8]| {
        let header = *Frame::reopen(frame).header();
        (header.incarnation(), header.seq().0, header.version())
    };
    let ((_, _, before), (incarnation, seq, version)) = (header(&first[0]), header(&again[0]));
    assert_eq!((incarnation, seq), (Incarnation(9), 1));
    assert!(version > before);
    assert_eq!(reader.take(&again).fresh, 1);
}

proptest! {
    /// Starts, crashes, steps of the wall clock and slow disks, in any order.
    #[test]
    fn no_version_is_issued_twice_over_any_number_of_starts(
        steps in prop::collection::vec((0_u8..8, 0_u64..20_000_000), 1..200),
    ) {
        const LEAD: u64 = 5_000_000;
        let origin = NodeId([3; 16]);
        let (mut wall, mut durable) = (NOW, 0);
        let mut clock = HybridClock::new(origin);
        let (mut last, mut all) = (Version::NEVER, BTreeSet::new());
        clock.reserve(Wall(0));
        for (step, amount) in steps {
            match step {
                0 => {
                    clock = HybridClock::new(origin);
                    clock.observe(Version::new(durable, origin));
                    clock.reserve(Wall(durable));
                }
                1 => wall -= amount,
                2 => wall += amount,
                3 | 4 => {
                    durable = durable.max(wall.max(clock.last().0) + LEAD);
                    clock.reserve(Wall(durable));
                }
                _ => {
                    wall += amount % 1_000;
                    if clock.may_issue(Wall(wall), Wall(0)) {
                        let version = clock.tick(Wall(wall));
                        prop_assert!(version > last && all.insert(version));
                        last = version;
                    }
                    prop_assert!(clock.tick_or_stay(Wall(wall)).micros() <= durable);
                }
            }
        }
    }
}
