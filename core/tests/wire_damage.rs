//! A damaged datagram is refused for the first rule that it breaks, at the byte that breaks it; never a panic.

mod samples;

use std::collections::BTreeSet;

use octick_core::Reject;
use octick_core::limits::{FRAME_MAX, FRAME_MIN, HEADER_LEN};
use octick_core::wire::{Damage, Entries, Frame, Kind};
use proptest::prelude::*;

/// What the wire alone can refuse. The other reasons need a directory, a window, a clock or a table.
const WIRE: [Reject; 13] = [
    Reject::Truncated,
    Reject::Oversized,
    Reject::Magic,
    Reject::WireVersion,
    Reject::Reserved,
    Reject::Kind,
    Reject::Count,
    Reject::Train,
    Reject::Length,
    Reject::Order,
    Reject::EmptyBlock,
    Reject::ControlFrame,
    Reject::VersionTag,
];

fn parsed(bytes: &[u8]) -> Result<(), Damage> {
    Frame::parse(bytes).map(|_| ())
}

fn refused(reject: Reject, at: usize) -> Result<(), Damage> {
    Err(Damage { reject, at })
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `docs/wire.md` read aloud: one rule after the other, byte by byte.
fn twin(bytes: &[u8]) -> Result<(), Damage> {
    if bytes.len() < 120 {
        return refused(Reject::Truncated, bytes.len());
    }
    if bytes.len() > 1_232 {
        return refused(Reject::Oversized, 1_232);
    }
    if bytes[0] != 0x4F {
        return refused(Reject::Magic, 0);
    }
    if bytes[1] & 15 != 2 {
        return refused(Reject::WireVersion, 1);
    }
    if bytes[1] >> 4 != 0 {
        return refused(Reject::Reserved, 1);
    }
    let (entry_len, count_max) = match bytes[2] {
        0x0C => (16, 1),
        0x0A | 0x0B | 0x0D => (16, 58),
        0x08 | 0x09 => (72, 13),
        _ => return refused(Reject::Kind, 2),
    };
    let count = usize::from(bytes[3]);
    if count < 1 || count > count_max {
        return refused(Reject::Count, 3);
    }
    let (index, len) = (bytes[30], bytes[31]);
    if !(1..=64).contains(&len) {
        return refused(Reject::Train, 31);
    }
    if index >= len {
        return refused(Reject::Train, 30);
    }
    let version = le(&bytes[32..40]);
    if version & 0xFFF != (le(&bytes[4..6]) & 0x7FF) * 2 || version >> 12 < 1 << 26 {
        return refused(Reject::VersionTag, 32);
    }
    let depth = (0..).find(|depth| 1 << depth >= len).unwrap();
    let whole = 40 + count * entry_len + 64 + 32 * depth;
    if bytes.len() != whole {
        return refused(Reject::Length, whole.min(bytes.len()));
    }
    if bytes[2] == 0x0B {
        return twin_of_control_frames(&bytes[..40 + 16 * count]);
    }
    let mut floor = 0;
    for i in 0..count {
        // Every kind begins its entry with a number that rises; rows keep theirs in a column.
        let at = 40 + i * if bytes[2] == 0x0A { 4 } else { entry_len };
        let number = le(&bytes[at..at + 4]);
        if number < floor {
            return refused(Reject::Order, at);
        }
        floor = number + 1;
        match bytes[2] {
            0x08 if bytes[at + 4] == 0 => return refused(Reject::EmptyBlock, at + 4),
            0x08 if bytes[at + 5] != 0 => return refused(Reject::Reserved, at + 5),
            0x09 if bytes[at + 4..at + 6] == [0, 0] => return refused(Reject::EmptyBlock, at + 4),
            0x0C | 0x0D if bytes[at + 4..at + 8] != [0; 4] => return refused(Reject::Reserved, at + 4),
            _ => {}
        }
    }
    if bytes[2] == 0x0A {
        let ages = 40 + 4 * count;
        if let Some(i) = (0..count).find(|i| bytes[ages + 4 * i + 3] != 0) {
            return refused(Reject::Reserved, ages + 4 * i + 3);
        }
    }
    Ok(())
}

/// Four bytes of a name, messages end to end, then zeros; `bytes` are header and entries.
fn twin_of_control_frames(bytes: &[u8]) -> Result<(), Damage> {
    let mut at = 44;
    while at < bytes.len() && bytes[at] != 0 {
        if bytes[at + 1] != 0 {
            return refused(Reject::Reserved, at + 1);
        }
        let body = at + 4;
        let len = le(&bytes[at + 2..at + 4]) as usize;
        if body + len > bytes.len() {
            return refused(Reject::ControlFrame, at + 2);
        }
        at = body + len;
        while at % 4 != 0 {
            if bytes[at] != 0 {
                return refused(Reject::Reserved, at);
            }
            at += 1;
        }
    }
    match bytes[at..].iter().position(|byte| *byte != 0) {
        Some(offset) => refused(Reject::Reserved, at + offset),
        None if at == 44 => refused(Reject::ControlFrame, 44),
        None => Ok(()),
    }
}

/// Small and full frames of every kind, alone and in trains.
fn all_samples() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for &kind in Kind::ALL {
        for count in BTreeSet::from([1, 2.min(kind.count_max()), kind.count_max()]) {
            for len in [1, 2, 5, 64] {
                all.push(samples::train(kind, count, len).frames().last().unwrap().to_vec());
            }
        }
    }
    all
}

#[test]
fn a_frame_cut_anywhere_is_refused_where_it_ends() {
    for bytes in all_samples() {
        for len in 0..bytes.len() {
            let reject = if len < FRAME_MIN { Reject::Truncated } else { Reject::Length };
            assert_eq!(parsed(&bytes[..len]), refused(reject, len));
        }
    }
}

#[test]
fn a_frame_with_more_behind_it_is_refused_where_it_should_end() {
    for bytes in all_samples() {
        let mut longer = bytes.clone();
        while longer.len() < FRAME_MAX + 40 {
            longer.push(0);
            let expected = if longer.len() <= FRAME_MAX {
                refused(Reject::Length, bytes.len())
            } else {
                refused(Reject::Oversized, FRAME_MAX)
            };
            assert_eq!(parsed(&longer), expected);
        }
    }
}

#[test]
fn a_datagram_of_64_kib_is_oversized() {
    assert_eq!(parsed(&vec![0x4F; 65_507]), refused(Reject::Oversized, FRAME_MAX));
}

#[test]
fn every_value_of_every_header_byte_is_judged_as_the_twin_judges_it() {
    for bytes in all_samples() {
        for at in 0..HEADER_LEN {
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                assert_eq!(parsed(&damaged), twin(&damaged), "byte {at} = {value:#04x}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_behind_the_header_is_judged_as_the_twin_judges_it() {
    for bytes in all_samples() {
        for bit in 8 * HEADER_LEN..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parsed(&damaged), twin(&damaged), "bit {} of byte {}", bit % 8, bit / 8);
        }
    }
}

/// One broken rule: a sample, what is done to it, and what must be said of it.
type Case = (Reject, usize, Vec<u8>);

fn broken(kind: Kind, count: usize, reject: Reject, at: usize, edit: impl FnOnce(&mut Vec<u8>)) -> Case {
    let mut bytes = samples::train_of_one(kind, 100, count);
    edit(&mut bytes);
    (reject, at, bytes)
}

fn cases() -> Vec<Case> {
    use Kind::{Block8, Block16, Control, Rows, StatsQuery, StatsReply};
    let entry = |kind: Kind, i: usize| HEADER_LEN + i * kind.entry_len();
    let mut cases = vec![
        broken(Rows, 1, Reject::Truncated, 119, |bytes| bytes.truncate(119)),
        broken(Rows, 1, Reject::Truncated, 0, Vec::clear),
        broken(Rows, 1, Reject::Oversized, FRAME_MAX, |bytes| bytes.resize(FRAME_MAX + 1, 0)),
        broken(Rows, 1, Reject::Magic, 0, |bytes| bytes[0] = b'o'),
        broken(Rows, 1, Reject::WireVersion, 1, |bytes| bytes[1] = 0),
        broken(Rows, 1, Reject::WireVersion, 1, |bytes| bytes[1] = 1),
        broken(Rows, 1, Reject::WireVersion, 1, |bytes| bytes[1] = 0xFF),
        broken(Rows, 1, Reject::Reserved, 1, |bytes| bytes[1] = 0x12),
        broken(Rows, 1, Reject::Reserved, 1, |bytes| bytes[1] = 0x82),
        broken(StatsQuery, 1, Reject::Count, 3, |bytes| bytes[3] = 2),
        broken(Rows, 1, Reject::Train, 30, |bytes| bytes[30] = 1),
        broken(Rows, 1, Reject::Train, 31, |bytes| bytes[31] = 0),
        broken(Rows, 1, Reject::Train, 31, |bytes| bytes[31] = 65),
        broken(Rows, 1, Reject::Train, 31, |bytes| bytes[31] = 255),
        broken(Rows, 1, Reject::Length, 120, |bytes| bytes[31] = 2),
        broken(Rows, 2, Reject::Length, 120, |bytes| bytes[3] = 1),
        broken(Rows, 2, Reject::Length, 136, |bytes| bytes[3] = 3),
        broken(Rows, 1, Reject::VersionTag, 32, |bytes| bytes[32] ^= 1),
        broken(Rows, 1, Reject::VersionTag, 32, |bytes| bytes[4] ^= 1),
        broken(Rows, 1, Reject::VersionTag, 32, |bytes| bytes[34..40].fill(0)),
        broken(Rows, 5, Reject::Reserved, HEADER_LEN + 20 + 8 + 3, |bytes| bytes[HEADER_LEN + 31] = 1),
        // The slots stand before the ages.
        broken(Rows, 5, Reject::Order, HEADER_LEN + 16, |bytes| {
            bytes[HEADER_LEN + 20..HEADER_LEN + 40].fill(0xFF);
            bytes[HEADER_LEN + 16..HEADER_LEN + 20].fill(0);
        }),
        broken(Block8, 3, Reject::EmptyBlock, entry(Block8, 1) + 4, |bytes| bytes[entry(Block8, 1) + 4] = 0),
        broken(Block8, 3, Reject::Reserved, entry(Block8, 2) + 5, |bytes| bytes[entry(Block8, 2) + 5] = 1),
        broken(Block16, 3, Reject::EmptyBlock, entry(Block16, 1) + 4, |bytes| {
            bytes[entry(Block16, 1) + 4..][..2].fill(0);
        }),
        broken(Control, 3, Reject::ControlFrame, entry(Control, 1) + 2, |bytes| {
            bytes[entry(Control, 1) + 2] = 99
        }),
        broken(Control, 3, Reject::ControlFrame, HEADER_LEN + 4, |bytes| {
            bytes[HEADER_LEN..HEADER_LEN + 48].fill(0)
        }),
        broken(Control, 3, Reject::Reserved, entry(Control, 2) + 1, |bytes| bytes[entry(Control, 2) + 1] = 1),
        broken(StatsReply, 9, Reject::Reserved, entry(StatsReply, 8) + 4, |bytes| {
            bytes[entry(StatsReply, 8) + 7] = 1
        }),
    ];
    for &kind in Kind::ALL {
        cases.push(broken(kind, 1, Reject::Count, 3, |bytes| bytes[3] = 0));
        cases.push(broken(kind, 1, Reject::Count, 3, |bytes| bytes[3] = kind.count_max() as u8 + 1));
        cases.push(broken(kind, 1, Reject::Count, 3, |bytes| bytes[3] = 255));
    }
    for unknown in (0..=u8::MAX).filter(|byte| Kind::of(*byte).is_none()) {
        cases.push(broken(Rows, 1, Reject::Kind, 2, |bytes| bytes[2] = unknown));
    }
    for kind in [Block8, Block16, StatsReply, Rows] {
        let stride = if kind == Rows { 4 } else { kind.entry_len() };
        let (last, before) = (HEADER_LEN + 6 * stride, HEADER_LEN + 5 * stride);
        // Equal numbers, and falling ones.
        cases.push(broken(kind, 7, Reject::Order, last, |bytes| bytes.copy_within(before..before + 4, last)));
        cases.push(broken(kind, 7, Reject::Order, last, |bytes| bytes[last..last + 4].fill(0)));
        // After the greatest number nothing rises.
        cases.push(broken(kind, 7, Reject::Order, last, |bytes| bytes[before..before + 4].fill(0xFF)));
    }
    cases
}

#[test]
fn each_broken_rule_is_named_at_its_byte() {
    for (i, (reject, at, bytes)) in cases().into_iter().enumerate() {
        assert_eq!(parsed(&bytes), refused(reject, at), "case {i}");
    }
}

#[test]
fn each_reason_of_the_wire_is_raised() {
    let raised: BTreeSet<Reject> = cases().into_iter().map(|(reject, ..)| reject).collect();
    assert_eq!(raised, BTreeSet::from(WIRE));
}

#[test]
fn a_damage_reads_as_place_and_reason() {
    let damage = Damage { reject: Reject::Kind, at: 2 };
    assert_eq!(damage.to_string(), "at byte 2: A message kind that this node does not know.");
}

#[test]
fn reasons_are_numbered_in_order_and_named_apart() {
    let names: BTreeSet<&str> = Reject::ALL.iter().map(|reject| reject.metric()).collect();
    assert_eq!(names.len(), Reject::ALL.len());
    for (i, reject) in Reject::ALL.into_iter().enumerate() {
        assert_eq!(reject as usize, i);
        let name = reject.metric();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(reject.to_string().ends_with('.') && !reject.to_string().starts_with(' '), "{name}");
    }
}

/// Looks at all that an accepted frame offers.
fn look_around(frame: &Frame<'_>) {
    let bytes = frame.bytes();
    assert_eq!([frame.signed_part(), frame.signature(), frame.path().as_flattened()].concat(), bytes);
    let rising = match frame.entries() {
        Entries::Block8(blocks) => blocks.is_sorted_by(|a, b| a.index.get() < b.index.get()),
        Entries::Block16(blocks) => blocks.is_sorted_by(|a, b| a.index.get() < b.index.get()),
        Entries::Rows(rows) => rows.slots.is_sorted_by(|a, b| a.get() < b.get()),
        Entries::Control(mut messages) => messages.all(|message| message.kind != 0),
        Entries::Stats(stats) => stats.is_sorted_by(|a, b| a.id.get() < b.id.get()),
    };
    assert!(rising && format!("{frame:?}").starts_with("Frame"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_are_judged_as_the_twin_judges_them(bytes in prop::collection::vec(any::<u8>(), 0..1_300)) {
        prop_assert_eq!(parsed(&bytes), twin(&bytes));
    }

    /// Random bytes behind a plausible header, so that the rules further in are reached too.
    #[test]
    fn plausible_bytes_are_judged_as_the_twin_judges_them(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        count in any::<prop::sample::Index>(),
        len in 1_usize..6,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let count = 1 + count.index(kind.count_max());
        let train = samples::train(kind, count, len);
        let mut bytes = train.frames().next().unwrap().to_vec();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let verdict = Frame::parse(&bytes);
        prop_assert_eq!(verdict.map(|_| ()), twin(&bytes));
        if let Ok(frame) = verdict {
            look_around(&frame);
        }
    }
}
