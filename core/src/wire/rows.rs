//! Sparse entries: single cells, in columns.

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use super::Damage;
use crate::limits::{HEADER_LEN, ROW_LEN};
use crate::reject::Reject;
use crate::stamp::Version;

/// Sparse cells as three columns of equal length, viewed in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Which slots, strictly increasing.
    pub slots: &'a [U32],
    /// Low 24 bits: how much older than the frame, microseconds. High 8 bits: reserved, zero.
    pub ages: &'a [U32],
    /// The cells' values.
    pub values: &'a [U64],
}

const _: () = assert!(ROW_LEN == 2 * size_of::<U32>() + size_of::<U64>());
// The greatest age takes the earliest version of the wire to no time before the first.
const _: () = assert!((Rows::AGE_MAX as u64) < Version::MIN_WIRE.micros());

impl<'a> Rows<'a> {
    /// Greatest age of a row, microseconds.
    pub const AGE_MAX: u32 = (1 << 24) - 1;

    /// Splits `16 * n` bytes of entries into columns of n.
    #[inline]
    pub(super) fn view(entries: &'a [u8]) -> Self {
        debug_assert!(entries.len().is_multiple_of(ROW_LEN), "{} bytes are no rows", entries.len());
        let n = entries.len() / ROW_LEN;
        let (slots, rest) = <[U32]>::ref_from_prefix_with_elems(entries, n).expect("n rows are 16 n bytes");
        let (ages, rest) = <[U32]>::ref_from_prefix_with_elems(rest, n).expect("n rows are 16 n bytes");
        let (values, _) = <[U64]>::ref_from_prefix_with_elems(rest, n).expect("n rows are 16 n bytes");
        Self { slots, ages, values }
    }

    /// Number of cells.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no cell; never so in a checked frame.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// Whether slots rise strictly and reserved bits are clear: the specification that vector kernels equal.
///
/// # Errors
/// The first broken rule, and where.
#[inline]
pub(super) fn check(rows: &Rows<'_>) -> Result<(), Damage> {
    // Without branches in the loops, so that the compiler makes them SIMD (AVX2 by hand saved a tenth of a tick a
    // cell: the bytes come from the second-level cache, and that is the price); only damaged frames pay for finding
    // out where.
    let (before, after) = (rows.slots, rows.slots.get(1..).unwrap_or_default());
    let falls = before.iter().zip(after).fold(0, |any, (a, b)| any | u32::from(a.get() >= b.get()));
    let ages = rows.ages.iter().fold(0, |all, age| all | age.get());
    if falls != 0 || ages > Rows::AGE_MAX { Err(locate(rows)) } else { Ok(()) }
}

#[cold]
fn locate(rows: &Rows<'_>) -> Damage {
    let falls = rows.slots.windows(2).position(|pair| pair[0].get() >= pair[1].get());
    let reserved = rows.ages.iter().position(|age| age.get() > Rows::AGE_MAX);
    match (falls, reserved) {
        (Some(i), _) => Damage { reject: Reject::Order, at: HEADER_LEN + 4 * (i + 1) },
        (None, Some(i)) => Damage { reject: Reject::Reserved, at: HEADER_LEN + 4 * (rows.len() + i) + 3 },
        (None, None) => unreachable!("only damaged rows are searched"),
    }
}
