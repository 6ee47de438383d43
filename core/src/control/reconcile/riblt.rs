//! Rateless invertible Bloom lookup tables (Yang, Gilad, Alizadeh: "Practical Rateless Set Reconciliation", 2024).
//!
//! A [`Coder`] makes of a set as many coded symbols as are wanted; 1.35 to 1.7 times as many as two sets differ in names
//! let the other side's [`Decoder`] find the difference, whatever the size of the sets. Who codes need not know how many
//! those are: every prefix of the symbols is good, and more can follow.

use alloc::vec::Vec;
use core::fmt;

use super::key::{Key, Name};
use super::symbol::Symbol;
use super::walk::Walk;

#[derive(Clone, Copy, Debug)]
struct Walker<N> {
    name: N,
    check: u32,
    walk: Walk,
}

impl<N: Name> Walker<N> {
    fn new(key: &Key, name: N) -> Self {
        let hash = name.under(key);
        Self { name, check: hash as u32, walk: Walk::new(hash) }
    }

    /// Walks on through `symbols`, and in each meets `add`.
    #[inline]
    fn through(&mut self, symbols: &mut [Symbol<N>], sign: i32, mut met: impl FnMut(usize, &Symbol<N>)) {
        while let Some(symbol) = symbols.get_mut(self.walk.next() as usize) {
            symbol.add(self.name, self.check.into(), sign);
            met(self.walk.next() as usize, symbol);
            self.walk.step();
        }
    }
}

/// A set as coded symbols, made a slice of the set at a time.
#[derive(Clone, Debug)]
pub struct Coder<N> {
    key: Key,
    walkers: Vec<Walker<N>>,
    symbols: Vec<Symbol<N>>,
    /// Walkers that have gone through all of `symbols`.
    walked: usize,
    /// Walkers whose names were hashed: those of the first pass are when it comes to them.
    hashed: usize,
}

impl<N: Name> Coder<N> {
    /// The symbols of nothing; names are still to come.
    pub fn new(key: Key) -> Self {
        Self { key, walkers: Vec::new(), symbols: Vec::new(), walked: 0, hashed: 0 }
    }

    /// A whole set at once.
    pub fn of(key: Key, names: impl IntoIterator<Item = N>) -> Self {
        let mut coder = Self::new(key);
        names.into_iter().for_each(|name| coder.push(name));
        coder
    }

    /// Puts a name into the set. No name may come twice.
    ///
    /// # Panics
    /// When symbols were made already.
    pub fn push(&mut self, name: N) {
        assert!(self.symbols.is_empty(), "a set is complete before it is coded");
        self.walkers.push(Walker { name, check: 0, walk: Walk::new(0) });
    }

    /// How many names there are.
    pub fn size(&self) -> u32 {
        self.walkers.len() as u32
    }

    /// Makes symbols below `end`, for at most `names` of the names. Returns whether that was all; if not, go on.
    ///
    /// The price is a look at each name, and some ten nanoseconds for each of its 2 ln(1 + end/2) symbols.
    pub fn extend(&mut self, end: u32, names: usize) -> bool {
        let done = self.walked == self.walkers.len() || self.symbols.is_empty();
        if done && (end as usize) > self.symbols.len() {
            self.symbols.resize(end as usize, Symbol::default());
            self.walked = 0;
        }
        let slice = self.walkers.iter_mut().enumerate().skip(self.walked).take(names);
        self.walked += slice.len();
        for (i, walker) in slice {
            if i >= self.hashed {
                *walker = Walker::new(&self.key, walker.name);
                self.hashed = i + 1;
            }
            walker.through(&mut self.symbols, 1, |_, _| ());
        }
        assert!(
            self.walked <= self.walkers.len() && self.hashed <= self.walkers.len(),
            "more than the set has"
        );
        self.walked == self.walkers.len() && self.symbols.len() >= end as usize
    }

    /// The symbols that are complete.
    pub fn symbols(&self) -> &[Symbol<N>] {
        if self.walked == self.walkers.len() { &self.symbols } else { &[] }
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.walkers.capacity() * size_of::<Walker<N>>() + self.symbols.capacity() * size_of::<Symbol<N>>()
    }
}

/// Why a stream of symbols will never decode. Whoever sent it wasted this node's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// No difference was found in as many symbols as may be looked at.
    TooLong,
    /// More names came out than any difference could hold: the symbols are those of no set.
    Contradiction,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "no difference in as many symbols as may be looked at",
            Self::Contradiction => "the symbols are those of no set",
        })
    }
}

impl core::error::Error for Undecodable {}

/// A difference found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference<N> {
    /// What the other side has and this one lacks.
    pub theirs: Vec<N>,
    /// What this side has and the other lacks.
    pub ours: Vec<N>,
}

/// Takes the other side's symbols in order, and peels off name after name.
///
/// Its work is bounded: n symbols cost at most n peelings of 2 ln(1 + n/2) steps, whatever they are.
#[derive(Clone, Debug)]
pub struct Decoder<N> {
    key: Key,
    /// Theirs less ours, less what was found.
    symbols: Vec<Symbol<N>>,
    /// What was found, on its way to symbols to come; 1 for theirs, -1 for ours.
    found: Vec<(Walker<N>, i32)>,
    /// Symbols that may hold one name alone.
    pure: Vec<u32>,
    most: usize,
}

impl<N: Name> Decoder<N> {
    /// Looks at no more than `most` symbols.
    pub fn new(key: Key, most: usize) -> Self {
        Self { key, symbols: Vec::new(), found: Vec::new(), pure: Vec::new(), most }
    }

    /// How many symbols it took: the number of the next.
    pub fn taken(&self) -> u32 {
        self.symbols.len() as u32
    }

    /// Takes the next symbols, theirs and as many of ours. Returns whether the difference is complete.
    ///
    /// # Errors
    /// [`Undecodable`]; the decoder is of no more use.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn take(&mut self, theirs: &[Symbol<N>], ours: &[Symbol<N>]) -> Result<bool, Undecodable> {
        assert_eq!(theirs.len(), ours.len(), "the same symbols of both sides");
        if self.is_complete() {
            return Ok(true);
        }
        if self.symbols.len() + theirs.len() > self.most {
            return Err(Undecodable::TooLong);
        }
        let first = self.symbols.len();
        assert!(self.found.len() <= first, "{} names of {first} symbols", self.found.len());
        self.symbols.extend(theirs.iter().zip(ours).map(|(theirs, ours)| theirs.minus(ours)));
        for (walker, sign) in &mut self.found {
            walker.through(&mut self.symbols, -*sign, |_, _| ());
        }
        self.pure.clear();
        for i in first..self.symbols.len() {
            if self.is_candidate(&self.symbols[i]) {
                self.pure.push(i as u32);
            }
        }
        self.peel()?;
        Ok(self.is_complete())
    }

    /// Whether every difference was found: all names walk through symbol 0, and nothing is left there.
    pub fn is_complete(&self) -> bool {
        self.symbols.first().is_some_and(Symbol::is_empty)
    }

    /// What was found so far.
    pub fn difference(&self) -> Difference<N> {
        debug_assert!(self.found.iter().all(|(_, sign)| sign.unsigned_abs() == 1), "either side's, once");
        let side = |sign| self.found.iter().filter(move |found| found.1 == sign).map(|found| found.0.name);
        Difference { theirs: side(1).collect(), ours: side(-1).collect() }
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.symbols.capacity() * size_of::<Symbol<N>>()
            + self.found.capacity() * size_of::<(Walker<N>, i32)>()
            + self.pure.capacity() * size_of::<u32>()
    }

    #[inline]
    fn is_candidate(&self, symbol: &Symbol<N>) -> bool {
        symbol.count.unsigned_abs() == 1 && symbol.sum.under(&self.key) as u32 == symbol.check
    }

    fn peel(&mut self) -> Result<(), Undecodable> {
        while let Some(at) = self.pure.pop() {
            let symbol = self.symbols[at as usize];
            // Other peelings may have emptied it since it was put here.
            if symbol.count.unsigned_abs() != 1 {
                continue;
            }
            let mut walker = Walker::new(&self.key, symbol.sum);
            if walker.check != symbol.check || !passes(walker.walk, at) {
                continue;
            }
            // Each name found leaves a symbol of its own empty for good, if they are the symbols of a set.
            if self.found.len() == self.symbols.len() {
                return Err(Undecodable::Contradiction);
            }
            let (sign, pure) = (symbol.count, &mut self.pure);
            walker.through(&mut self.symbols, -sign, |i, symbol| {
                if symbol.count.unsigned_abs() == 1 {
                    pure.push(i as u32);
                }
            });
            debug_assert!(
                sign.unsigned_abs() == 1 && self.symbols[at as usize].is_empty(),
                "symbol {at} was one name"
            );
            self.found.push((walker, sign));
        }
        Ok(())
    }
}

/// Whether a walk passes through a symbol.
fn passes(mut walk: Walk, at: u32) -> bool {
    while walk.next() < at {
        walk.step();
    }
    walk.next() == at
}

#[cfg(test)]
mod tests;
