//! What adds points side by side: the one thing in which the forms of field arithmetic differ.

use super::arch::LANES_MAX;
use super::entry::{Entry, Form};
use super::field::Fe;

/// Adds points in lanes, in some form of field arithmetic.
pub(super) trait Adder: Copy {
    /// What the words of entries are.
    const FORM: Form;
    /// A point in each lane.
    type Sum: Copy;

    fn zero(self) -> Self::Sum;
    /// Adds term l in lane l, or subtracts it where the bit of `negative` is set.
    fn add(self, sum: &Self::Sum, terms: &[&Entry; LANES_MAX], negative: u8) -> Self::Sum;
    /// Doubles every lane's point.
    fn double(self, sum: &Self::Sum) -> Self::Sum;
    /// Each lane's Y + X, Y - X and Z, limbs below 2^53.
    fn unpack(self, sum: &Self::Sum) -> [[Fe; LANES_MAX]; 3];
}
