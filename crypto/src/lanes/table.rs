//! Comb tables: all multiples of a point that a sum may need, so that sums have no doublings.
//!
//! Window i of a table for P holds j * 2^(w i) * P for j from 0 to 2^(w-1), affine, 128 bytes each: two cache lines.
//! A key's table has 42 windows of 33 entries, 177 KB, the base point's 21 of 2,049, 5.5 MB; its short one is like a key's.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::arch::Arena;
use super::digits::{BASE, KEY, Windows};
use super::entry::{Entry, Form};
use super::field::Fe;
use super::point::{Affine, Point, invert_all};

/// Bytes of a key's table.
pub const KEY_TABLE_BYTES: usize = KEY.table() * size_of::<Entry>();

/// Fills a table, some windows at a time.
pub(super) struct Filler {
    windows: Windows,
    form: Form,
    /// What the next window's entries are multiples of.
    next: Point,
    points: Vec<Point>,
    inverses: Vec<Fe>,
    scratch: Vec<Fe>,
}

impl Filler {
    /// For tables that are filled `at_once` windows a step.
    pub(super) fn new(windows: Windows, form: Form, at_once: usize) -> Self {
        let points = at_once * windows.half();
        Self {
            windows,
            form,
            next: Point::IDENTITY,
            points: Vec::with_capacity(points),
            inverses: vec![Fe::ZERO; points],
            scratch: vec![Fe::ZERO; points],
        }
    }

    /// Begins a table for the multiples of `point`.
    pub(super) fn begin(&mut self, point: Point) {
        self.next = point;
    }

    /// Fills the next windows: as many as `out` has room for.
    pub(super) fn fill(&mut self, out: &mut [Entry]) {
        self.points.clear();
        for _ in out.chunks_exact(self.windows.entries()) {
            self.multiply();
        }
        self.write(out);
    }

    /// Fills the lowest window of each of `points`, one behind the other.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no kernel there has lanes"))]
    pub(super) fn fill_lowest(&mut self, points: impl Iterator<Item = Point>, out: &mut [Entry]) {
        self.points.clear();
        for point in points {
            self.begin(point);
            self.multiply();
        }
        self.write(out);
    }

    /// The multiples of one window, 1 to half; the next begins at twice the last.
    fn multiply(&mut self) {
        let (mut multiple, step) = (self.next, self.next.addend());
        self.points.push(multiple);
        for _ in 1..self.windows.half() {
            multiple = multiple.add(&step);
            self.points.push(multiple);
        }
        self.next = multiple.double();
    }

    /// Makes all points affine, with one inversion, and enters them.
    fn write(&mut self, out: &mut [Entry]) {
        let (inverses, scratch) = (&mut self.inverses[..self.points.len()], &mut self.scratch);
        inverses.iter_mut().zip(&self.points).for_each(|(to, point)| *to = point.z.add(point.z));
        invert_all(inverses, scratch);
        let identity = Entry::new(&Affine::identity(), self.form);
        let mut made = self.points.iter().zip(inverses);
        for window in out.chunks_exact_mut(self.windows.entries()) {
            let (zero, multiples) = window.split_first_mut().expect("a window has entries");
            *zero = identity;
            for (entry, (point, inverse)) in multiples.iter_mut().zip(&mut made) {
                *entry = Entry::new(&point.affine(*inverse), self.form);
            }
        }
    }
}

/// The base point's table, as kernels are given it.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) windows: Windows,
    pub(super) entries: &'a [Entry],
}

impl<'a> Base<'a> {
    /// The entries of the long table.
    ///
    /// # Panics
    /// When this is the short one, with which no key gets a table.
    #[inline(always)]
    pub(super) fn long(self) -> &'a [Entry] {
        assert!(self.windows == BASE, "tables of keys go with the long table of the base point");
        self.entries
    }
}

/// The base point's table.
pub(crate) struct BaseTable {
    windows: Windows,
    arena: Arena,
}

impl BaseTable {
    fn build(windows: Windows, form: Form) -> Self {
        let mut arena = Arena::new(windows.table());
        // As many windows share an inversion as make one of the long table.
        let at_once = (BASE.entries() / windows.entries()).min(windows.count());
        let mut filler = Filler::new(windows, form, at_once);
        filler.begin(Point::base());
        arena.entries_mut().chunks_mut(at_once * windows.entries()).for_each(|some| filler.fill(some));
        Self { windows, arena }
    }

    /// The table, built on first use and shared by all verifiers of the process: about 20 ms for the long one.
    #[cfg(feature = "std")]
    pub(super) fn shared(windows: Windows, form: Form) -> Arc<Self> {
        use std::sync::OnceLock;
        static TABLES: [OnceLock<Arc<BaseTable>>; 4] = [const { OnceLock::new() }; 4];
        let place = 2 * usize::from(windows == BASE) + usize::from(form == Form::Floats);
        TABLES[place].get_or_init(|| Arc::new(Self::build(windows, form))).clone()
    }

    /// The table; without `std`, each verifier builds its own.
    #[cfg(not(feature = "std"))]
    pub(super) fn shared(windows: Windows, form: Form) -> Arc<Self> {
        Arc::new(Self::build(windows, form))
    }

    pub(super) fn base(&self) -> Base<'_> {
        Base { windows: self.windows, entries: self.arena.entries() }
    }

    /// Where it is.
    pub(super) fn memory(&self) -> Range<*const u8> {
        self.arena.span()
    }
}
