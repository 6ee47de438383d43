//! The kinds of frames: one table, from which everything that depends on a frame's kind follows.
//!
//! A frame's kind says what its entries are and stands in the header's third byte. What control planes say to each other
//! inside a frame of kind [`Kind::Control`] has kinds of its own, in another table
//! ([`control::message`](crate::control::message)): the same byte may mean something else there.

use crate::limits::{
    BLOCK_LEN, BLOCKS_MAX, CONTROL_FRAME_MAX, CONTROL_FRAME_UNIT, ENTRIES_MAX, ROW_LEN, ROWS_MAX,
};

/// A row of the table.
struct Row {
    /// Length of one entry, bytes.
    entry_len: usize,
    /// Most entries of a frame; the fewest is one.
    count_max: usize,
    /// Whether the entries are cells.
    is_data: bool,
}

/// The enum and what follows from each kind's row, from one list.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $byte:literal, $name:literal: [$len:expr; $max:expr], $data:expr;)*) => {
        /// What the entries of a frame are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind = $byte,)*
        }

        impl Kind {
            /// Every kind that this node knows, in the order of their bytes.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind that a header byte means.
            #[inline]
            pub const fn of(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// As people read it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            #[inline]
            const fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row { entry_len: $len, count_max: $max, is_data: $data },)*
                }
            }
        }
    };
}

kinds! {
    /// Blocks of eight neighbouring cells of eight bytes.
    Block8 = 0x08, "block8": [BLOCK_LEN; BLOCKS_MAX], true;
    /// Blocks of sixteen neighbouring cells of four bytes.
    Block16 = 0x09, "block16": [BLOCK_LEN; BLOCKS_MAX], true;
    /// Single cells of eight bytes, in columns.
    Rows = 0x0A, "rows": [ROW_LEN; ROWS_MAX], true;
    /// A [control frame](super::control_frame): messages between control planes, in units of 16 bytes.
    Control = 0x0B, "control": [CONTROL_FRAME_UNIT; CONTROL_FRAME_MAX / CONTROL_FRAME_UNIT], false;
    /// Asks for a [`Kind::StatsReply`]: one [`Stat`](super::Stat) with a token.
    StatsQuery = 0x0C, "stats-query": [ROW_LEN; 1], false;
    /// The answer: the token, then counters.
    StatsReply = 0x0D, "stats-reply": [ROW_LEN; ROWS_MAX], false;
}

/// Bytes that are spoken for and mean nothing yet: a frame of such a kind is refused like one of an unknown kind.
pub const RESERVED: [(u8, &str); 9] = [
    (0x0E, "record: several small ones, or one"),
    (0x0F, "chunk: a piece of a large record"),
    (0x10, "handshake: initiation"),
    (0x11, "handshake: response"),
    (0x12, "handshake: confirmation"),
    (0x13, "link: control messages that two members authenticate"),
    (0x14, "link: request for a tag a datagram"),
    (0x15, "link: a tagged datagram"),
    (0x16, "proof: two frames that contradict each other"),
];

impl Kind {
    /// Length of one entry, bytes.
    #[inline]
    pub const fn entry_len(self) -> usize {
        self.row().entry_len
    }

    /// Most entries that a frame of this kind holds; the fewest is one.
    #[inline]
    pub const fn count_max(self) -> usize {
        self.row().count_max
    }

    /// Whether frames of this kind carry cells, are relayed and live in their origin's sequence.
    #[inline]
    pub const fn is_data(self) -> bool {
        self.row().is_data
    }
}

const _: () = {
    let mut i = 0;
    while i < Kind::ALL.len() {
        assert!(Kind::ALL[i].entry_len() * Kind::ALL[i].count_max() <= ENTRIES_MAX);
        assert!(i == 0 || (Kind::ALL[i - 1] as u8) < Kind::ALL[i] as u8);
        i += 1;
    }
    let mut i = 0;
    while i < RESERVED.len() {
        assert!(Kind::of(RESERVED[i].0).is_none());
        assert!(i == 0 || RESERVED[i - 1].0 < RESERVED[i].0);
        i += 1;
    }
};
