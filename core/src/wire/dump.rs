//! Frames as text for people: one line a frame, one line an entry.
//!
//! Lines come as [`Display`](fmt::Display) values, so that the command line, the fuzzers and the simulator write
//! them wherever they like. Nothing here is on the hot path.

use core::fmt;

use octick_crypto::SIGNATURE_LEN;
use octick_crypto::train::{TRAIN_MAX, depth};
use zerocopy::FromBytes;

use super::header::{MAGIC, WIRE_VERSION};
use super::{Block8, Block16, Entries, Frame, Header, Kind, Message, Stat};
use crate::limits::HEADER_LEN;
use crate::stamp::Version;

/// A frame on one line, without its entries:
///
/// `block8 1200 bytes  1a2b3c4d incarnation 3 seq 1001  train 2 of 64  2026-11-20T23:38:28.123456Z  13 blocks`
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(pub Frame<'a>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(frame) = self;
        let header = frame.header();
        write!(f, "{} {} bytes  ", frame.kind().name(), frame.bytes().len())?;
        write!(
            f,
            "{} incarnation {} seq {}  ",
            header.origin().short(),
            header.incarnation().0,
            header.seq().0
        )?;
        write!(f, "train {} of {}  ", header.train_index() + 1, header.train_len())?;
        if frame.recipient().is_somebody() {
            write!(f, "for {}  ", frame.recipient())?;
        }
        write!(f, "{}  {} {}", Time(header.version()), header.count(), unit(frame.kind(), header.count()))
    }
}

/// The entries of a frame, in their order, each a line of its own.
pub fn entries<'a>(frame: &Frame<'a>) -> impl ExactSizeIterator<Item = Entry<'a>> + use<'a> {
    let entries = frame.entries();
    let count = match &entries {
        Entries::Control(messages) => messages.clone().count(),
        _ => frame.header().count(),
    };
    (0..count).map(move |i| match &entries {
        Entries::Block8(blocks) => Entry::Block8(&blocks[i]),
        Entries::Block16(blocks) => Entry::Block16(&blocks[i]),
        Entries::Rows(rows) => Entry::Row {
            slot: rows.slots[i].get(),
            age_micros: rows.ages[i].get(),
            value: rows.values[i].get(),
        },
        Entries::Stats(stats) => Entry::Stat(&stats[i]),
        Entries::Control(messages) => Entry::Message(messages.clone().nth(i).expect("they were counted")),
    })
}

/// One entry of a frame. Displays as one line:
///
/// ```text
/// block 42 age 12us  336=17 337=18 343=9
/// slot 99 age 0us  value 17
/// stat 3 = 1200
/// message 0x05, 8 bytes: 1a2b3c4d00000000
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Eight cells.
    Block8(&'a Block8),
    /// Sixteen cells.
    Block16(&'a Block16),
    /// One cell.
    Row {
        /// Which slot.
        slot: u32,
        /// How much older than its frame, microseconds.
        age_micros: u32,
        /// The cell's value.
        value: u64,
    },
    /// A numbered value, which is no cell.
    Stat(&'a Stat),
    /// A message of the control plane.
    Message(Message<'a>),
}

impl<'a> Entry<'a> {
    /// The cells that are present, as (slot, value). A slot may lie past every table, past 32 bits even.
    pub fn cells(&self) -> impl Iterator<Item = (u64, u64)> + use<'a> {
        let entry = *self;
        (0..16).filter_map(move |lane: usize| {
            let at = |index: u32, width: u64| u64::from(index) * width + lane as u64;
            match entry {
                Self::Block8(b) => (lane < 8 && b.mask >> lane & 1 == 1)
                    .then(|| (at(b.index.get(), 8), b.values[lane].get())),
                Self::Block16(b) => (b.mask.get() >> lane & 1 == 1)
                    .then(|| (at(b.index.get(), 16), b.values[lane].get().into())),
                Self::Row { slot, value, .. } => (lane == 0).then_some((slot.into(), value)),
                Self::Stat(_) | Self::Message(_) => None,
            }
        })
    }

    /// How much older than its frame the entry is, microseconds; only cells have an age.
    pub fn age_micros(&self) -> Option<u32> {
        match self {
            Self::Block8(block) => Some(block.age.get().into()),
            Self::Block16(block) => Some(u32::from(block.age.get()) << 10),
            Self::Row { age_micros, .. } => Some(*age_micros),
            Self::Stat(_) | Self::Message(_) => None,
        }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = match self {
            Self::Block8(block) => block.index.get(),
            Self::Block16(block) => block.index.get(),
            Self::Row { slot, age_micros, value } => {
                return write!(f, "slot {slot} age {age_micros}us  value {value}");
            }
            Self::Stat(stat) => return write!(f, "stat {} = {}", stat.id, stat.value),
            Self::Message(Message { kind, body }) => {
                write!(f, "message {kind:#04x}, {} bytes: ", body.len())?;
                return body.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
            }
        };
        write!(f, "block {index} age {}us ", self.age_micros().unwrap_or(0))?;
        self.cells().try_for_each(|(slot, value)| write!(f, " {slot}={value}"))
    }
}

const fn unit(kind: Kind, count: usize) -> &'static str {
    match (kind, count) {
        (Kind::Block8 | Kind::Block16, 1) => "block",
        (Kind::Block8 | Kind::Block16, _) => "blocks",
        (Kind::Rows, 1) => "row",
        (Kind::Rows, _) => "rows",
        (Kind::StatsQuery | Kind::StatsReply, 1) => "stat",
        (Kind::StatsQuery | Kind::StatsReply, _) => "stats",
        (Kind::Control, 1) => "unit",
        (Kind::Control, _) => "units",
    }
}

/// The time of a version by the calendar, in UTC: `2026-11-20T23:38:28.123456Z`.
#[derive(Clone, Copy, Debug)]
pub struct Time(pub Version);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.micros();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day of the day that lies `days` after 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms"): years begin in March, so that the leap day ends one.
pub const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    assert!(1 <= month && month <= 12 && 1 <= day && day <= 31);
    (year, month, day)
}

const _: () = {
    assert!(matches!(civil(0), (1970, 1, 1)) && matches!(civil(11_016), (2000, 2, 29)));
    assert!(matches!(civil(47_540), (2100, 2, 28)) && matches!(civil(47_541), (2100, 3, 1)));
};

/// The length that a header claims for its frame, when it claims one: how frames that stand one behind another,
/// in a file or in a datagram that the kernel has joined, are told apart. Says nothing about the rest.
pub fn claimed_len(bytes: &[u8]) -> Option<usize> {
    let (header, _) = Header::ref_from_prefix(bytes).ok()?;
    let kind = Kind::of(header.kind)?;
    let ours = header.magic == MAGIC && header.wire_version == WIRE_VERSION;
    let counts = (1..=kind.count_max()).contains(&header.count());
    let train = header.train_index() < header.train_len() && header.train_len() <= TRAIN_MAX;
    (ours && counts && train).then(|| {
        HEADER_LEN + header.count() * kind.entry_len() + SIGNATURE_LEN + 32 * depth(header.train_len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::{Incarnation, Seq};
    use crate::wire::{Sealer, Stamp};
    use octick_crypto::{Identity, MeshKeys};
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn train() -> Sealer {
        let mut train = Sealer::new();
        train.frame(Kind::Block8, |d| {
            d.block8(&Block8::new(42, 0b1000_0011, 12, [17, 18, 0, 0, 0, 0, 0, 9])).unwrap();
        });
        train.frame(Kind::Block16, |d| d.block16(&Block16::new(u32::MAX, 0x8001, 2, [5; 16])).unwrap());
        train.frame(Kind::Rows, |d| assert_eq!(d.rows(&[(7, 3, 70), (99, 0, u64::MAX)]), 2));
        train.frame(Kind::StatsReply, |d| {
            d.stat(&Stat::new(0, 1)).unwrap();
            d.stat(&Stat::new(3, 1_200)).unwrap();
        });
        let identity = Identity::from_seed(&[1; 32]);
        let version = Version::new(1_795_217_908_123_456, identity.id());
        let stamp = Stamp { incarnation: Incarnation(3), first_seq: Seq(1_001), version };
        train.seal(&identity, &MeshKeys::derive("test"), &stamp);
        train
    }

    #[test]
    fn every_frame_and_entry_is_one_readable_line() {
        let train = train();
        let lines: Vec<String> = train
            .frames()
            .map(|bytes| Frame::parse(bytes).unwrap())
            .flat_map(|frame| {
                core::iter::once(Line(frame).to_string()).chain(entries(&frame).map(|e| e.to_string()))
            })
            .collect();
        assert_eq!(
            lines,
            [
                "block8 240 bytes  83561adb incarnation 3 seq 1001  train 1 of 4  2026-11-20T23:38:28.123456Z  1 block",
                "block 42 age 12us  336=17 337=18 343=9",
                "block16 240 bytes  83561adb incarnation 3 seq 1002  train 2 of 4  2026-11-20T23:38:28.123456Z  1 block",
                "block 4294967295 age 2048us  68719476720=5 68719476735=5",
                "rows 200 bytes  83561adb incarnation 3 seq 1003  train 3 of 4  2026-11-20T23:38:28.123456Z  2 rows",
                "slot 7 age 3us  value 70",
                "slot 99 age 0us  value 18446744073709551615",
                "stats-reply 200 bytes  83561adb incarnation 3 seq 1004  train 4 of 4  2026-11-20T23:38:28.123456Z  2 stats",
                "stat 0 = 1",
                "stat 3 = 1200",
            ]
        );
    }

    #[test]
    fn a_frame_claims_its_own_length() {
        for bytes in train().frames() {
            let mut joined = bytes.to_vec();
            joined.extend_from_slice(b"and what follows");
            assert_eq!(claimed_len(&joined), Some(bytes.len()));
        }
        assert_eq!(claimed_len(&[MAGIC; 39]), None);
    }

    #[test]
    fn days_fall_where_the_calendar_has_them() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date);
        }
    }
}
