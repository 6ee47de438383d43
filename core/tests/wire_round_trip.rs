//! What was put into a frame is what comes out of it.

mod samples;

use octick_core::crypto::train::{TRAIN_MAX, depth};
use octick_core::crypto::{Identity, MeshKeys, SIGNATURE_LEN};
use octick_core::limits::{FRAME_MAX, HEADER_LEN, ROWS_MAX};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{
    Block8, Block16, ControlFrame, Draft, Entries, Frame, Full, Kind, Sealer, Stamp, Stat,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// The entries of one frame as a person would write them down.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Block8(Vec<Block8>),
    Block16(Vec<Block16>),
    Rows(Vec<(u32, u32, u64)>),
    Stats(Kind, Vec<Stat>),
    Control(Vec<(u8, Vec<u8>)>),
}

impl Said {
    fn kind(&self) -> Kind {
        match self {
            Self::Block8(_) => Kind::Block8,
            Self::Block16(_) => Kind::Block16,
            Self::Rows(_) => Kind::Rows,
            Self::Stats(kind, _) => *kind,
            Self::Control(_) => Kind::Control,
        }
    }

    fn say(&self, draft: &mut Draft<'_>) {
        match self {
            Self::Block8(blocks) => blocks.iter().for_each(|block| draft.block8(block).unwrap()),
            Self::Block16(blocks) => blocks.iter().for_each(|block| draft.block16(block).unwrap()),
            Self::Rows(rows) => assert_eq!(draft.rows(rows), rows.len()),
            Self::Stats(_, stats) => stats.iter().for_each(|stat| draft.stat(stat).unwrap()),
            Self::Control(messages) => {
                let mut control_frame = ControlFrame::new();
                messages.iter().for_each(|(kind, body)| assert!(control_frame.push(*kind, body)));
                draft.control_frame(&control_frame);
            }
        }
    }

    fn heard(frame: &Frame<'_>) -> Self {
        match frame.entries() {
            Entries::Block8(blocks) => Self::Block8(blocks.to_vec()),
            Entries::Block16(blocks) => Self::Block16(blocks.to_vec()),
            Entries::Rows(rows) => {
                assert!(rows.len() == rows.slots.len() && !rows.is_empty());
                let row = |i: usize| (rows.slots[i].get(), rows.ages[i].get(), rows.values[i].get());
                Self::Rows((0..rows.len()).map(row).collect())
            }
            Entries::Stats(stats) => Self::Stats(frame.kind(), stats.to_vec()),
            Entries::Control(messages) => {
                Self::Control(messages.map(|m| (m.kind, m.body.to_vec())).collect())
            }
        }
    }
}

/// Rising numbers, each with something else.
fn rising<T: std::fmt::Debug>(
    most: usize,
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(u32, T)>> {
    btree_map(any::<u32>(), of, 1..=most).prop_map(|map| map.into_iter().collect())
}

fn said() -> impl Strategy<Value = Said> {
    let block8 = rising(Kind::Block8.count_max(), (1_u8.., any::<u16>(), any::<[u64; 8]>()));
    let block16 = rising(Kind::Block16.count_max(), (1_u16.., any::<u16>(), any::<[u32; 16]>()));
    let rows = rising(Kind::Rows.count_max(), (0_u32..1 << 24, any::<u64>()));
    let control = vec((1_u8.., vec(any::<u8>(), 0..150)), 1..6);
    let ping = (any::<u32>(), any::<u64>());
    let pong = rising(Kind::StatsReply.count_max(), any::<u64>());
    let stats = |list: Vec<(u32, u64)>| list.into_iter().map(|(id, value)| Stat::new(id, value)).collect();
    prop_oneof![
        block8.prop_map(|list| Said::Block8(
            list.into_iter().map(|(i, (mask, age, values))| Block8::new(i, mask, age, values)).collect()
        )),
        block16.prop_map(|list| Said::Block16(
            list.into_iter().map(|(i, (mask, age, values))| Block16::new(i, mask, age, values)).collect()
        )),
        rows.prop_map(|list| Said::Rows(
            list.into_iter().map(|(slot, (age, value))| (slot, age, value)).collect()
        )),
        ping.prop_map(|(id, value)| Said::Stats(Kind::StatsQuery, vec![Stat::new(id, value)])),
        pong.prop_map(move |list| Said::Stats(Kind::StatsReply, stats(list))),
        control.prop_map(Said::Control),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_goes_into_a_train_comes_out_of_its_frames(
        all_said in vec(said(), 1..8),
        seed: [u8; 32],
        incarnation: u32,
        first_seq in 0..Seq::MAX.0 - 8,
        micros in Version::MIN_WIRE.micros()..1 << 52,
    ) {
        let (identity, keys) = (Identity::from_seed(&seed), MeshKeys::derive("round trip"));
        let version = Version::new(micros, identity.id());
        let mut train = Sealer::new();
        all_said.iter().for_each(|said| train.frame(said.kind(), |draft| said.say(draft)));
        train.seal(
            &identity,
            &keys,
            &Stamp { incarnation: Incarnation(incarnation), first_seq: Seq(first_seq), version },
        );
        prop_assert_eq!(train.len(), all_said.len());
        for (i, (bytes, said)) in train.frames().zip(&all_said).enumerate() {
            let frame = Frame::parse(bytes).unwrap();
            let header = frame.header();
            prop_assert_eq!(&Said::heard(&frame), said);
            prop_assert_eq!(header.origin(), identity.id());
            prop_assert_eq!(header.incarnation(), Incarnation(incarnation));
            prop_assert_eq!(header.seq(), Seq(first_seq + i as u64));
            prop_assert_eq!((header.train_index(), header.train_len()), (i, all_said.len()));
            prop_assert_eq!(header.version(), version);
            prop_assert_eq!(frame.kind(), said.kind());
        }
    }
}

#[test]
fn every_kind_and_count_parses_alone_and_in_the_longest_train() {
    for &kind in Kind::ALL {
        for count in 1..=kind.count_max() {
            for len in [1, TRAIN_MAX] {
                let train = samples::train(kind, count, len);
                let bytes = train.frames().last().unwrap();
                let frame = Frame::parse(bytes).unwrap();
                assert_eq!(frame.header().count(), count);
                let signed = HEADER_LEN + count * kind.entry_len();
                assert_eq!(bytes.len(), signed + SIGNATURE_LEN + 32 * depth(len));
                let parts = [frame.signed_part(), frame.signature(), frame.path().as_flattened()];
                assert_eq!(parts.concat(), bytes, "the parts tile the frame");
                assert_eq!(frame.bytes(), bytes);
            }
        }
    }
}

#[test]
fn a_reopened_frame_is_the_parsed_one() {
    for &kind in Kind::ALL {
        let bytes = samples::frame(kind, kind.count_max());
        let (parsed, reopened) = (Frame::parse(&bytes).unwrap(), Frame::reopen(&bytes));
        assert!(std::ptr::eq(parsed.header(), reopened.header()));
        assert!(std::ptr::eq(parsed.bytes(), reopened.bytes()));
        assert!(std::ptr::eq(parsed.signature(), reopened.signature()));
        assert_eq!(parsed.kind(), reopened.kind());
        assert_eq!(Said::heard(&parsed), Said::heard(&reopened));
    }
}

#[test]
#[should_panic(expected = "checked before")]
fn reopening_what_was_never_a_frame_is_a_bug() {
    Frame::reopen(&[0; FRAME_MAX]);
}

#[test]
fn the_fullest_frame_of_the_longest_train_is_the_longest_frame() {
    let train = samples::train(Kind::Block8, Kind::Block8.count_max(), TRAIN_MAX);
    assert!(train.frames().all(|bytes| bytes.len() == FRAME_MAX));
    assert!(train.is_full());
}

#[test]
fn a_full_draft_takes_no_more() {
    let mut buffer = [0xEE; FRAME_MAX];
    for (kind, most) in Kind::ALL.iter().map(|&kind| (kind, kind.count_max())) {
        let mut draft = Draft::begin(&mut buffer, kind);
        let mut push = |n: u32| match kind {
            Kind::Block8 => draft.block8(&Block8::new(n, 1, 0, [0; 8])),
            Kind::Block16 => draft.block16(&Block16::new(n, 1, 0, [0; 16])),
            Kind::StatsQuery | Kind::StatsReply => draft.stat(&Stat::new(n, 0)),
            Kind::Rows => match draft.rows(&vec![(0, 0, 0); n as usize + 1]) {
                taken if taken == n as usize + 1 => Ok(()),
                _ => Err(Full),
            },
            Kind::Control => {
                let mut control_frame = ControlFrame::new();
                let fits = (0..=n).all(|i| control_frame.push(1, &[0; 12][..if i == 0 { 8 } else { 12 }]));
                draft.control_frame(&control_frame);
                if fits { Ok(()) } else { Err(Full) }
            }
        };
        for n in 0..most as u32 {
            assert_eq!(push(n), Ok(()), "{kind:?} {n}");
        }
        assert_eq!(push(most as u32), Err(Full), "{kind:?}");
        assert_eq!(draft.count(), most);
        assert_eq!(draft.finish(), HEADER_LEN + most * kind.entry_len());
    }
    assert_eq!(ROWS_MAX, Kind::Rows.count_max());
}

#[test]
fn a_cleared_train_begins_again() {
    let mut train = samples::train(Kind::Rows, 3, 5);
    train.clear();
    assert!(train.is_empty());
    samples::fill(&mut train, Kind::StatsQuery, 9, 1);
    train.seal(&samples::identity(), &samples::mesh(), &samples::stamp());
    assert_eq!(train.frames().next().unwrap(), samples::train_of_one(Kind::StatsQuery, 9, 1));
}

#[test]
#[should_panic(expected = "sealed once")]
fn sealing_twice_is_a_bug() {
    samples::train(Kind::Rows, 1, 1).seal(&samples::identity(), &samples::mesh(), &samples::stamp());
}

#[test]
#[should_panic(expected = "cleared before the next")]
fn adding_to_a_sealed_train_is_a_bug() {
    samples::fill(&mut samples::train(Kind::Rows, 1, 1), Kind::Rows, 0, 1);
}

#[test]
#[should_panic(expected = "2^48 - 1 frames")]
fn running_out_of_numbers_is_a_bug_and_not_another_place_in_the_train() {
    let mut train = Sealer::new();
    samples::fill(&mut train, Kind::Rows, 0, 1);
    samples::fill(&mut train, Kind::Rows, 0, 1);
    let stamp = Stamp { first_seq: Seq::MAX, ..samples::stamp() };
    train.seal(&samples::identity(), &samples::mesh(), &stamp);
}

#[test]
#[should_panic(expected = "origin's tag")]
fn a_version_of_somebody_else_is_a_bug() {
    let mut train = Sealer::new();
    samples::fill(&mut train, Kind::Rows, 0, 1);
    train.seal(&Identity::from_seed(&[2; 32]), &samples::mesh(), &samples::stamp());
}
