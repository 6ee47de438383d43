//! What the kernels ask of a CPU: some lanes of 64 bits, as integers and as floating-point numbers.

use crate::lanes::entry::Entry;

/// Most lanes that any CPU has.
pub(in crate::lanes) const LANES_MAX: usize = 8;

/// The proof that this CPU has such lanes, and what they can do. Integers wrap; floats round to nearest.
///
/// Methods are inlined into functions that enable the CPU's features, or else they would be slow calls.
pub(in crate::lanes) trait Lanes: Copy {
    /// How many.
    const COUNT: usize;
    /// Integers.
    type Ints: Copy;
    /// Floating-point numbers.
    type Floats: Copy;

    fn ints(self, all: u64) -> Self::Ints;
    fn floats(self, all: f64) -> Self::Floats;
    fn store(self, from: Self::Ints, to: &mut [u64; LANES_MAX]);

    fn add(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn sub(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Exclusive or of three.
    fn xor3(self, a: Self::Ints, b: Self::Ints, c: Self::Ints) -> Self::Ints;
    /// (a and mask) or bits.
    fn and_or(self, a: Self::Ints, mask: Self::Ints, bits: Self::Ints) -> Self::Ints;
    fn shift_right<const BITS: u32>(self, a: Self::Ints) -> Self::Ints;
    fn shift_left<const BITS: u32>(self, a: Self::Ints) -> Self::Ints;
    fn rotate_right<const BITS: u32>(self, a: Self::Ints) -> Self::Ints;
    /// Bit by bit, b where a is set, else c.
    fn choose(self, a: Self::Ints, b: Self::Ints, c: Self::Ints) -> Self::Ints;
    /// Bit by bit, what two of the three have.
    fn majority(self, a: Self::Ints, b: Self::Ints, c: Self::Ints) -> Self::Ints;
    /// 19 times: by shifts and additions, which beat every 64-bit multiplication that these CPUs have.
    fn times_19(self, a: Self::Ints) -> Self::Ints;
    /// Lane by lane, b where the lane's bit is set, else a.
    fn blend(self, bits: u8, a: Self::Ints, b: Self::Ints) -> Self::Ints;

    fn add_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn sub_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a * b + c, rounded once.
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// Lane by lane, b where the lane's bit is set, else a.
    fn blend_floats(self, bits: u8, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Lane by lane, negated where the lane's bit is set.
    fn negate_floats(self, bits: u8, a: Self::Floats) -> Self::Floats;

    fn to_bits(self, a: Self::Floats) -> Self::Ints;
    fn of_bits(self, a: Self::Ints) -> Self::Floats;

    /// Word i of lane l becomes word i of `from[l]`.
    fn transpose(self, from: &[&Entry; LANES_MAX]) -> [Self::Ints; 16];
    /// The same, of words whose bytes go the other way round.
    fn transpose_big_endian(self, from: &[Block; LANES_MAX]) -> [Self::Ints; 16];
}

/// The proof that this CPU multiplies integers of 52 bits in its lanes.
pub(in crate::lanes) trait MulAdd52: Copy {
    /// The lanes.
    type Lanes: Lanes;

    fn lanes(self) -> Self::Lanes;
    /// `sum` plus the low 52 bits of the product of the low 52 bits of `a` and `b`.
    fn add_low(
        self,
        sum: <Self::Lanes as Lanes>::Ints,
        a: <Self::Lanes as Lanes>::Ints,
        b: <Self::Lanes as Lanes>::Ints,
    ) -> <Self::Lanes as Lanes>::Ints;
    /// `sum` plus the high 52 bits of the same product.
    fn add_high(
        self,
        sum: <Self::Lanes as Lanes>::Ints,
        a: <Self::Lanes as Lanes>::Ints,
        b: <Self::Lanes as Lanes>::Ints,
    ) -> <Self::Lanes as Lanes>::Ints;
}

/// A block of a SHA-512 message.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::lanes) struct Block(pub(in crate::lanes) [u8; 128]);
