//! What two nodes say to each other to find out how their sets differ: bodies of messages that travel in control frames.
//!
//! Every body begins with op u8, set u8, session u32. All numbers are little-endian.
//!
//! | op | name | rest of the body |
//! |---|---|---|
//! | 0 | open | share u64, size u32, sketch of 96 bytes |
//! | 1 | symbols | share u64, size u32, first u32, coded symbols |
//! | 2 | more | first u32, end u32 |
//! | 3 | far | share u64, size u32 |
//! | 4 | filter | share u64, size u32, bytes of the filter u32, offset u32, some of its bytes |
//! | 5 | next | cursor u32 |
//! | 6 | list | cursor u32, next u32, names |
//! | 7 | want | names |
//! | 8 | done | |
//! | 9 | busy | |

use alloc::vec::Vec;

use super::key::Name;
use super::sketch;
use crate::wire::control_frame::BODY_MAX;

/// Bytes that every body begins with.
pub const HEAD_LEN: usize = 6;
/// Bytes before the symbols of a message, its head included.
pub const SYMBOLS_AT: usize = HEAD_LEN + 16;
/// Bytes of a filter in one message.
pub const PAGE_LEN: usize = BODY_MAX - HEAD_LEN - 20;
// Whatever a message says, some of what it carries has room: names, symbols, pages, and the opener's sketch.
const _: () = assert!(HEAD_LEN + 12 + sketch::LEN <= BODY_MAX && SYMBOLS_AT + 64 <= BODY_MAX && PAGE_LEN > 0);
const _: () = assert!(names_max::<u64>() > 0 && names_max::<u128>() > 0);

/// Which conversation a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// Which of its sets; the embedder numbers them.
    pub set: u8,
    /// Drawn by who opened the session.
    pub session: u32,
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileMsg<'a> {
    /// How does your set differ from this one?
    Open {
        /// The sender's part of the key.
        share: u64,
        /// Names in its set.
        size: u32,
        /// Its set, in short, under the key of this share alone.
        sketch: &'a [u8; sketch::LEN],
    },
    /// Coded symbols of the sender's set, under the key of both shares.
    Symbols {
        /// The sender's part of the key.
        share: u64,
        /// Names in its set.
        size: u32,
        /// The number of the first.
        first: u32,
        /// The symbols.
        bytes: &'a [u8],
    },
    /// Send the symbols from `first` to below `end`.
    More {
        /// The first.
        first: u32,
        /// Behind the last.
        end: u32,
    },
    /// You are far behind: send a filter.
    Far {
        /// The sender's part of the key.
        share: u64,
        /// Names in its set.
        size: u32,
    },
    /// A piece of a filter of the sender's set: it is the one that is far behind.
    Filter {
        /// The sender's part of the key.
        share: u64,
        /// Names in its set.
        size: u32,
        /// Bytes of the whole filter.
        total: u32,
        /// Where the piece belongs.
        at: u32,
        /// The piece.
        bytes: &'a [u8],
    },
    /// List what is not in the filter, from here on.
    Next {
        /// Where the last list ended; 0 at first.
        cursor: u32,
    },
    /// Names that are not in the filter.
    List {
        /// That of the question.
        cursor: u32,
        /// Where to go on; [`u32::MAX`] when the set is at its end, [`LIST_GOES_ON`] if another list answers the question too.
        next: u32,
        /// The names.
        names: &'a [u8],
    },
    /// Send what bears these names.
    Want {
        /// The names.
        names: &'a [u8],
    },
    /// The sender needs nothing more.
    Done,
    /// The sender has no room for another session.
    Busy,
}

/// See [`ReconcileMsg::List`].
pub const LIST_GOES_ON: u32 = u32::MAX - 1;
/// See [`ReconcileMsg::List`].
pub const LIST_ENDS: u32 = u32::MAX;

/// How many names fit a message.
pub const fn names_max<N: Name>() -> usize {
    (BODY_MAX - HEAD_LEN - 8) / N::LEN
}

/// Writes names as they stand in messages.
pub fn write_names<N: Name>(names: &[N]) -> Vec<u8> {
    let mut bytes = alloc::vec![0; names.len() * N::LEN];
    bytes.chunks_exact_mut(N::LEN).zip(names).for_each(|(place, name)| name.put(place));
    bytes
}

/// Reads names; nothing if a piece of one is left over.
pub fn read_names<N: Name>(bytes: &[u8]) -> Option<Vec<N>> {
    bytes.len().is_multiple_of(N::LEN).then(|| bytes.chunks_exact(N::LEN).map(N::take).collect())
}

/// A body about to be said, without the names that it wants and nobody lacks by now; nothing if it wanted no others. Bodies that
/// want nothing are as they were.
pub fn still_wanted<N: Name>(body: Vec<u8>, lacks: impl Fn(N) -> bool) -> Option<Vec<u8>> {
    let Some((topic, ReconcileMsg::Want { names })) = ReconcileMsg::decode(&body) else { return Some(body) };
    let names: Vec<N> = read_names(names)?.into_iter().filter(|name| lacks(*name)).collect();
    (!names.is_empty()).then(|| ReconcileMsg::Want { names: &write_names(&names) }.encode(topic))
}

impl<'a> ReconcileMsg<'a> {
    /// The body of the message.
    pub fn encode(&self, topic: Topic) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&[self.op(), topic.set]);
        let mut word = |word: u32| out.extend_from_slice(&word.to_le_bytes());
        word(topic.session);
        let (numbers, bytes): (&[u32], &[u8]) = match self {
            Self::Open { share, size, sketch } => {
                (&[*share as u32, (share >> 32) as u32, *size], &sketch[..])
            }
            Self::Symbols { share, size, first, bytes } => {
                (&[*share as u32, (share >> 32) as u32, *size, *first], bytes)
            }
            Self::More { first, end } => (&[*first, *end], &[]),
            Self::Far { share, size } => (&[*share as u32, (share >> 32) as u32, *size], &[]),
            Self::Filter { share, size, total, at, bytes } => {
                (&[*share as u32, (share >> 32) as u32, *size, *total, *at], bytes)
            }
            Self::Next { cursor } => (&[*cursor], &[]),
            Self::List { cursor, next, names } => (&[*cursor, *next], names),
            Self::Want { names } => (&[], names),
            Self::Done | Self::Busy => (&[], &[]),
        };
        numbers.iter().for_each(|number| word(*number));
        out.extend_from_slice(bytes);
        assert!(out.len() <= BODY_MAX, "a body of {} bytes fits no control frame", out.len());
        debug_assert_eq!(ReconcileMsg::decode(&out), Some((topic, *self)), "what is said can be understood");
        out
    }

    /// Reads a body; nothing if it is too short or too long for what it is, or of no known op.
    pub fn decode(body: &'a [u8]) -> Option<(Topic, Self)> {
        let (&[op, set], mut rest) = body.split_first_chunk()?;
        let mut word = || {
            let (word, after) = rest.split_first_chunk()?;
            rest = after;
            Some(u32::from_le_bytes(*word))
        };
        let topic = Topic { set, session: word()? };
        let mut long = || Some(u64::from(word()?) | u64::from(word()?) << 32);
        let msg = match op {
            0 => Self::Open { share: long()?, size: word()?, sketch: rest.try_into().ok()? },
            1 => Self::Symbols { share: long()?, size: word()?, first: word()?, bytes: rest },
            2 => Self::More { first: word()?, end: word()? },
            3 => Self::Far { share: long()?, size: word()? },
            4 => Self::Filter { share: long()?, size: word()?, total: word()?, at: word()?, bytes: rest },
            5 => Self::Next { cursor: word()? },
            6 => Self::List { cursor: word()?, next: word()?, names: rest },
            7 => Self::Want { names: rest },
            8 => Self::Done,
            9 => Self::Busy,
            _ => return None,
        };
        let takes_rest = matches!(op, 0 | 1 | 4 | 6 | 7);
        (takes_rest || rest.is_empty()).then_some((topic, msg))
    }

    fn op(&self) -> u8 {
        match self {
            Self::Open { .. } => 0,
            Self::Symbols { .. } => 1,
            Self::More { .. } => 2,
            Self::Far { .. } => 3,
            Self::Filter { .. } => 4,
            Self::Next { .. } => 5,
            Self::List { .. } => 6,
            Self::Want { .. } => 7,
            Self::Done => 8,
            Self::Busy => 9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_body_is_one_message_or_none(op in 0..12_u8, body in prop::collection::vec(any::<u8>(), 0..130)) {
            let mut body = body;
            if let Some(first) = body.first_mut() {
                *first = op;
            }
            if let Some((topic, msg)) = ReconcileMsg::decode(&body) {
                prop_assert_eq!(msg.encode(topic), body);
            }
        }
    }

    #[test]
    fn what_came_meanwhile_is_taken_out_of_what_is_wanted_and_of_nothing_else() {
        let topic = Topic { set: 1, session: 9 };
        let names = write_names(&[1_u64, 2, 3, 4]);
        let wanted = ReconcileMsg::Want { names: &names }.encode(topic);
        let rest = ReconcileMsg::Want { names: &write_names(&[2_u64, 4]) }.encode(topic);
        assert_eq!(still_wanted(wanted.clone(), |name: u64| name.is_multiple_of(2)), Some(rest));
        assert_eq!(still_wanted(wanted, |_: u64| false), None, "nothing is left to say");
        let list = ReconcileMsg::List { cursor: 0, next: 4, names: &names }.encode(topic);
        assert_eq!(still_wanted(list.clone(), |_: u64| false), Some(list));
    }

    #[test]
    fn a_message_is_as_long_as_its_op_says() {
        let topic = Topic { set: 1, session: 9 };
        let sketch = [3; sketch::LEN];
        for msg in [
            ReconcileMsg::Open { share: 1 << 40, size: 2, sketch: &sketch },
            ReconcileMsg::More { first: 1, end: 2 },
            ReconcileMsg::Far { share: 1, size: 2 },
            ReconcileMsg::Next { cursor: 7 },
            ReconcileMsg::Done,
            ReconcileMsg::Busy,
        ] {
            let mut body = msg.encode(topic);
            assert_eq!(ReconcileMsg::decode(&body), Some((topic, msg)));
            body.push(0);
            assert_eq!(ReconcileMsg::decode(&body), None);
            assert_eq!(ReconcileMsg::decode(&body[..body.len() - 2]), None);
        }
    }
}
