//! A region, seen as rows.

#[cfg(loom)]
use alloc::boxed::Box;
#[cfg(not(loom))]
use core::{marker::PhantomData, slice};

use super::Region;
use crate::sync::FromZeros;

/// Rows of one table in a region that the plane owns. Rows are made of atomics, so a shared plane is enough to
/// write to them; that only one thread does is the tables' business.
#[cfg(not(loom))]
pub(super) struct Plane<R> {
    region: Region,
    len: usize,
    rows: PhantomData<R>,
}

#[cfg(not(loom))]
impl<R: FromZeros> Plane<R> {
    /// Sees the first `len` rows of `region`, all of them zero.
    ///
    /// # Panics
    /// When the region is too short.
    pub(super) fn new(len: usize, region: Region) -> Self {
        const { assert!(align_of::<R>() <= Region::ALIGN && size_of::<R>() > 0) };
        let needed = len * size_of::<R>();
        assert!(region.len() >= needed, "a table of {needed} bytes in a region of {}", region.len());
        Self { region, len, rows: PhantomData }
    }

    /// All rows.
    #[inline(always)]
    pub(super) fn rows(&self) -> &[R] {
        // SAFETY: the region is `len` rows long and aligned for them (`new` checked both), it was zero when it
        // came, which is a valid row (`FromZeros`), and the plane owns it as long as `self` is borrowed.
        unsafe { slice::from_raw_parts(self.region.base().cast().as_ptr(), self.len) }
    }
}

/// As above, with rows of the model checker's atomics, which have to be made one by one.
#[cfg(loom)]
pub(super) struct Plane<R> {
    rows: Box<[R]>,
}

#[cfg(loom)]
impl<R: FromZeros> Plane<R> {
    pub(super) fn new(len: usize, _: Region) -> Self {
        Self { rows: (0..len).map(|_| R::new_zeroed()).collect() }
    }

    pub(super) fn rows(&self) -> &[R] {
        &self.rows
    }
}
