//! Numbers with a meaning: where a cell lies, who wrote it, and when.

use core::fmt;

use octick_crypto::NodeId;

use crate::limits::{RUN_ALIGN, SLOTS_MAX};

use crate::time::Wall;

/// One agent's place in the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Slot(pub u32);

/// Neighbouring slots that one origin speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// The first of them; a multiple of [`RUN_ALIGN`].
    pub first: Slot,
    /// How many; a multiple of [`RUN_ALIGN`], not zero.
    pub len: u32,
}

impl Run {
    /// The last slot in it.
    pub(crate) const fn last(self) -> u32 {
        assert!(self.len > 0, "a run without slots has no last one");
        self.first.0 + (self.len - 1)
    }

    /// Whether all of `other` lies in it.
    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.end() <= self.end()
    }

    /// Whether somebody can own it: it is not empty, and begins and ends where runs do.
    pub(crate) fn is_sound(self) -> bool {
        let aligned = self.first.0.is_multiple_of(RUN_ALIGN) && self.len.is_multiple_of(RUN_ALIGN);
        self.len > 0 && aligned && self.end() <= u64::from(SLOTS_MAX)
    }

    /// The slot behind the last, which may lie past 32 bits.
    pub const fn end(self) -> u64 {
        self.first.0 as u64 + self.len as u64
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.first.0, self.len)
    }
}

/// Counts the starts of a node: a restart takes a larger one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Incarnation(pub u32);

/// Numbers the frames of one incarnation of one origin, from 1; 48 bits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The last number that fits the wire: at ten million frames a second, 325 days.
    pub const MAX: Self = Self((1 << 48) - 1);
}

/// Where an origin stands in this node's [`Directory`](crate::data::directory::Directory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct OriginIndex(pub u32);

/// When a cell was written, and by whom: one integer whose order is the order (time, origin).
///
/// ```text
///  63                                          12 11          1   0
/// +----------------------------------------------+-------------+---+
/// | microseconds since 1970, hybrid clock        | origin tag  | 0 |
/// +----------------------------------------------+-------------+---+
/// ```
///
/// The tag is 11 bits of the origin's id, so that two origins do not issue the same version. The lowest bit is
/// never set on the wire: a table sets it while a writer is inside the cell. Zero means "never written". The
/// clock is hybrid (Kulkarni et al., 2014): never behind the wall clock, always ahead of what was issued or seen.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Version(pub u64);

impl Version {
    /// Bits below the microseconds.
    pub const SHIFT: u32 = 12;
    /// Of a cell that nobody has written.
    pub const NEVER: Self = Self(0);
    /// The earliest version on the wire: older by the greatest age (16 bits of 1,024 microseconds, in a
    /// [`Block16`](crate::wire::Block16)), it still is not zero or less.
    pub const MIN_WIRE: Self = Self((1 << 26) << Self::SHIFT);

    /// The version that `origin` gives at `micros` (taken modulo 2^52: the year 2112).
    pub const fn new(micros: u64, origin: NodeId) -> Self {
        Self((micros << Self::SHIFT) | Self::tag(origin))
    }

    /// The bits that `origin` leaves in each of its versions.
    pub const fn tag(origin: NodeId) -> u64 {
        (u16::from_le_bytes([origin.0[0], origin.0[1]]) as u64 & 0x7FF) << 1
    }

    /// When, by its origin's hybrid clock.
    pub const fn wall(self) -> Wall {
        Wall(self.micros())
    }

    /// Microseconds since 1970 by its origin's hybrid clock.
    pub const fn micros(self) -> u64 {
        self.0 >> Self::SHIFT
    }

    /// Whether `origin` can have issued it, and it may stand in a header.
    pub const fn is_of(self, origin: NodeId) -> bool {
        self.0 & ((1 << Self::SHIFT) - 1) == Self::tag(origin) && self.0 >= Self::MIN_WIRE.0
    }

    /// The version of a cell whose entry is `age_micros` older than its frame.
    pub const fn aged(self, age_micros: u32) -> Self {
        Self(self.0 - ((age_micros as u64) << Self::SHIFT))
    }
}

// The time and the tag fill a word, and leave the lowest bit to the tables' lock.
const _: () = {
    assert!(Version::tag(NodeId([0xFF; 16])) == (1 << Version::SHIFT) - 2 && Version::MIN_WIRE.0 & 1 == 0);
    assert!(Version::new(1, NodeId([0; 16])).0 == 1 << Version::SHIFT);
};

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us/{:03x}", self.micros(), self.0 & 0xFFF)
    }
}

/// Issues versions that only rise: never behind the wall clock, always ahead of the last, and never beyond what was reserved for
/// it where the next start of the node will find it.
#[derive(Clone, Copy, Debug)]
pub struct HybridClock {
    origin: NodeId,
    last_micros: u64,
    reserved: Wall,
}

impl HybridClock {
    /// A clock that speaks for `origin`, with no end to what it may issue.
    pub const fn new(origin: NodeId) -> Self {
        Self { origin, last_micros: 0, reserved: Wall(u64::MAX) }
    }

    /// From now on versions `up_to` this time may be issued, and none that are later.
    pub fn reserve(&mut self, up_to: Wall) {
        self.reserved = up_to;
    }

    /// The time of the latest version that was issued or seen.
    pub fn last(&self) -> Wall {
        Wall(self.last_micros)
    }

    /// Whether the next version, and any other `up_to` a time, is within what was reserved.
    pub fn may_issue(&self, now: Wall, up_to: Wall) -> bool {
        self.peek(now).wall().max(up_to) <= self.reserved
    }

    /// The version that the next [`HybridClock::tick`] would issue.
    pub fn peek(&self, now: Wall) -> Version {
        Version::new(now.0.max(self.last_micros + 1), self.origin)
    }

    /// The next version, given the wall clock: the time, or the last version's and a microsecond if that is later.
    ///
    /// # Panics
    /// When it is beyond what was reserved: [`HybridClock::may_issue`] is to be asked first.
    pub fn tick(&mut self, now: Wall) -> Version {
        assert!(self.may_issue(now, now), "nothing is issued beyond the reservation");
        let version = self.peek(now);
        assert!(version.micros() > self.last_micros, "{version:?} is no later than the last one");
        self.last_micros = version.micros();
        version
    }

    /// The same for what need not be told apart by its version: where nothing more is reserved, the last that was, once more.
    pub fn tick_or_stay(&mut self, now: Wall) -> Version {
        if self.may_issue(now, now) { self.tick(now) } else { Version::new(self.reserved.0, self.origin) }
    }

    /// Takes note of a version that was accepted, so that the next issued one is later.
    pub fn observe(&mut self, seen: Version) {
        self.last_micros = self.last_micros.max(seen.micros());
        debug_assert!(self.peek(Wall(0)) > seen, "what comes next is later than what was seen");
    }
}
