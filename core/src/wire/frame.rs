//! A datagram that was checked as a whole; its accessors cannot fail.

use core::fmt;

use octick_crypto::SIGNATURE_LEN;
use octick_crypto::train::{TRAIN_MAX, depth};
use zerocopy::FromBytes;

use super::control_frame::{self, Messages};
use super::header::{MAGIC, WIRE_VERSION};
use super::{Block8, Block16, Damage, Header, Kind, RecipientMark, Rows, Stat, rows};
use crate::limits::{AUTH_MAX, ENTRIES_MAX, FRAME_MAX, FRAME_MIN, HEADER_LEN};
use crate::reject::Reject;

/// One frame, viewed where it was received.
///
/// Holding one means: every length, count, order and reserved bit holds. It does not mean that the
/// signature does; that is [`verify`](crate::data::verify)'s word.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    kind: Kind,
}

/// A datagram whose header and length hold, and whose entries nobody has looked at: enough to ask whether it was
/// seen before, which most are.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a>(Frame<'a>);

impl<'a> Envelope<'a> {
    /// Checks the header, and the length against it. Touches the first cache line only.
    ///
    /// # Errors
    /// The first rule that they break, in the order of the bytes.
    #[inline]
    pub fn open(bytes: &'a [u8]) -> Result<Self, Damage> {
        Frame::open(bytes).map(Self)
    }

    /// Its header.
    #[inline]
    pub fn header(&self) -> &'a Header {
        self.0.header
    }

    /// What its entries claim to be.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Checks the entries. Costs under one tick a cell.
    ///
    /// # Errors
    /// The first rule that they break.
    #[inline]
    pub fn check(self) -> Result<Frame<'a>, Damage> {
        self.0.check_entries()?;
        Ok(self.0)
    }
}

const _: () = {
    assert!(HEADER_LEN + ENTRIES_MAX + AUTH_MAX == FRAME_MAX && FRAME_MIN > HEADER_LEN + SIGNATURE_LEN);
    let mut i = 0;
    while i < Kind::ALL.len() {
        // One entry of it makes the shortest frame, and no frame the longest.
        let (one, most) = (Kind::ALL[i].entry_len(), Kind::ALL[i].count_max());
        assert!(HEADER_LEN + one + SIGNATURE_LEN >= FRAME_MIN && most <= u8::MAX as usize);
        i += 1;
    }
};

/// What a frame carries.
#[derive(Clone, Debug)]
pub enum Entries<'a> {
    /// Dense cells of eight bytes, blocks strictly increasing.
    Block8(&'a [Block8]),
    /// Dense cells of four bytes, blocks strictly increasing.
    Block16(&'a [Block16]),
    /// Sparse cells of eight bytes.
    Rows(Rows<'a>),
    /// Numbered values, numbers strictly increasing.
    Stats(&'a [Stat]),
    /// Messages of the control plane, in order.
    Control(Messages<'a>),
}

impl<'a> Frame<'a> {
    /// Checks a whole datagram. Costs under one tick a cell.
    ///
    /// # Errors
    /// The first rule that it breaks, in the order of the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        Envelope::open(bytes)?.check()
    }

    /// Views a datagram that [`Frame::parse`] accepted before, at the price of the header alone.
    ///
    /// # Panics
    /// When the header is not that of a frame: the bytes are not those that were checked.
    #[inline]
    pub fn reopen(bytes: &'a [u8]) -> Self {
        Self::open(bytes).expect("these bytes were checked before")
    }

    #[inline]
    fn open(bytes: &'a [u8]) -> Result<Self, Damage> {
        let damage = |reject, at| Err(Damage { reject, at });
        if bytes.len() < FRAME_MIN {
            return damage(Reject::Truncated, bytes.len());
        }
        if bytes.len() > FRAME_MAX {
            return damage(Reject::Oversized, FRAME_MAX);
        }
        let (header, _) = Header::ref_from_prefix(bytes).expect("a frame is longer than its header");
        if header.magic != MAGIC {
            return damage(Reject::Magic, 0);
        }
        if header.wire_version != WIRE_VERSION {
            let newer_bits = header.wire_version & 0x0F == WIRE_VERSION;
            return damage(if newer_bits { Reject::Reserved } else { Reject::WireVersion }, 1);
        }
        let Some(kind) = Kind::of(header.kind) else {
            return damage(Reject::Kind, 2);
        };
        if header.count() == 0 || header.count() > kind.count_max() {
            return damage(Reject::Count, 3);
        }
        if header.train_len() == 0 || header.train_len() > TRAIN_MAX {
            return damage(Reject::Train, 31);
        }
        if header.train_index() >= header.train_len() {
            return damage(Reject::Train, 30);
        }
        if !header.version().is_of(header.origin()) {
            return damage(Reject::VersionTag, 32);
        }
        let frame = Self { bytes, header, kind };
        let len = frame.signed_len() + SIGNATURE_LEN + 32 * depth(header.train_len());
        debug_assert!(
            (FRAME_MIN..=FRAME_MAX).contains(&len),
            "a header that claims {len} bytes was let through"
        );
        if bytes.len() != len {
            return damage(Reject::Length, len.min(bytes.len()));
        }
        Ok(frame)
    }

    #[inline]
    fn check_entries(&self) -> Result<(), Damage> {
        match self.entries() {
            Entries::Block8(blocks) => check_blocks8(blocks),
            Entries::Block16(blocks) => check_blocks16(blocks),
            Entries::Rows(rows) => rows::check(&rows),
            Entries::Stats(stats) => check_stats(stats),
            Entries::Control(_) => control_frame::check(&self.bytes[HEADER_LEN..self.signed_len()])
                .map_err(|(reject, offset)| Damage { reject, at: HEADER_LEN + offset }),
        }
    }

    /// The whole datagram.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its header.
    #[inline]
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// What its entries are.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Header and entries: what the leaf hash covers.
    #[inline]
    pub fn signed_part(&self) -> &'a [u8] {
        &self.bytes[..self.signed_len()]
    }

    /// The signature over its train's root.
    #[inline]
    pub fn signature(&self) -> &'a [u8; SIGNATURE_LEN] {
        self.bytes[self.signed_len()..].first_chunk().expect("the length was checked")
    }

    /// The siblings on the way to its train's root, lowest first; empty for a frame alone.
    #[inline]
    pub fn path(&self) -> &'a [[u8; 32]] {
        let path = &self.bytes[self.signed_len() + SIGNATURE_LEN..];
        <[[u8; 32]]>::ref_from_bytes(path).expect("the length was checked")
    }

    /// Whom it is for: of a control frame what it says, anyone of other kinds.
    #[inline]
    pub fn recipient(&self) -> RecipientMark {
        match self.kind {
            Kind::Control => control_frame::recipient(&self.bytes[HEADER_LEN..self.signed_len()]),
            _ => RecipientMark::ANYONE,
        }
    }

    /// Its entries, viewed in place.
    #[inline]
    pub fn entries(&self) -> Entries<'a> {
        let entries = &self.bytes[HEADER_LEN..self.signed_len()];
        let whole = "the length was checked";
        match self.kind {
            Kind::Block8 => Entries::Block8(<[Block8]>::ref_from_bytes(entries).expect(whole)),
            Kind::Block16 => Entries::Block16(<[Block16]>::ref_from_bytes(entries).expect(whole)),
            Kind::Rows => Entries::Rows(Rows::view(entries)),
            Kind::StatsQuery | Kind::StatsReply => {
                Entries::Stats(<[Stat]>::ref_from_bytes(entries).expect(whole))
            }
            Kind::Control => Entries::Control(Messages::view(entries)),
        }
    }

    #[inline]
    fn signed_len(&self) -> usize {
        HEADER_LEN + self.header.count() * self.kind.entry_len()
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("kind", &self.kind).field("header", self.header).finish_non_exhaustive()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.reject)
    }
}

impl core::error::Error for Damage {}

/// First offence of entry `i` among entries of `len` bytes, `offset` bytes into the entry.
fn entry_damage(reject: Reject, i: usize, len: usize, offset: usize) -> Damage {
    debug_assert!(offset < len && (i + 1) * len <= ENTRIES_MAX, "byte {offset} of entry {i}");
    Damage { reject, at: HEADER_LEN + i * len + offset }
}

#[inline]
fn check_blocks8(blocks: &[Block8]) -> Result<(), Damage> {
    let mut floor = 0;
    for (i, block) in blocks.iter().enumerate() {
        let damage = |reject, offset| Err(entry_damage(reject, i, size_of::<Block8>(), offset));
        if u64::from(block.index.get()) < floor {
            return damage(Reject::Order, 0);
        }
        if block.mask == 0 {
            return damage(Reject::EmptyBlock, 4);
        }
        if block.reserved != 0 {
            return damage(Reject::Reserved, 5);
        }
        floor = u64::from(block.index.get()) + 1;
    }
    Ok(())
}

#[inline]
fn check_blocks16(blocks: &[Block16]) -> Result<(), Damage> {
    let mut floor = 0;
    for (i, block) in blocks.iter().enumerate() {
        let damage = |reject, offset| Err(entry_damage(reject, i, size_of::<Block16>(), offset));
        if u64::from(block.index.get()) < floor {
            return damage(Reject::Order, 0);
        }
        if block.mask.get() == 0 {
            return damage(Reject::EmptyBlock, 4);
        }
        floor = u64::from(block.index.get()) + 1;
    }
    Ok(())
}

#[inline]
fn check_stats(stats: &[Stat]) -> Result<(), Damage> {
    let mut floor = 0;
    for (i, stat) in stats.iter().enumerate() {
        let damage = |reject, offset| Err(entry_damage(reject, i, size_of::<Stat>(), offset));
        if u64::from(stat.id.get()) < floor {
            return damage(Reject::Order, 0);
        }
        if stat.reserved.get() != 0 {
            return damage(Reject::Reserved, 4);
        }
        floor = u64::from(stat.id.get()) + 1;
    }
    Ok(())
}
