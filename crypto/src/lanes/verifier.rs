//! The fast way to the same verdicts: known keys have tables, and kernels work on many signatures at once.

use core::fmt;
use core::ops::Range;

use super::cache::Cache;
use super::digits::{KEY, SHORT};
use super::job::{Job, LOT_MAX};
use super::kernel::{Kernel, Ready};
use super::self_test;
use super::short::ShortTables;
use super::table::Entry;
use crate::verify::{Item, verify_many};

/// How a verifier works. Any choice gives the same verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The kernel; `None` takes the best that this CPU has.
    pub kernel: Option<Kernel>,
    /// Memory for tables of known keys, bytes: [`KEY_TABLE_BYTES`](super::KEY_TABLE_BYTES) each. Default 64 MB, which is 360 keys.
    pub table_bytes: usize,
    /// One of how many kernel verdicts is checked against `verify_strict`; 0 checks none. Default 1,024.
    pub cross_check: u32,
    /// Signatures after which a key gets a table. With one, a signature costs some 30,000 ticks less, and to build it
    /// takes some 500,000: default 16.
    pub table_after: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kernel: None, table_bytes: 64 << 20, cross_check: 1024, table_after: 16 }
    }
}

/// Decides signatures, and learns whose tables are worth their memory. One for each thread that verifies.
///
/// The verdicts are those of [`verify_many`], whatever the kernel, the tables and the company. A key that is seen
/// often gets a table by [`build_step`](Self::build_step); until it is whole, the key's signatures are checked without.
///
/// The kernel is tested when a verifier is made, and a sample of its verdicts afterwards. The first wrong one ends its
/// use: [`failure`](Self::failure) says so, and everything is checked by ed25519-dalek from then on.
pub struct Verifier {
    chosen: Kernel,
    ready: Option<Ready>,
    cache: Cache,
    short: ShortTables,
    cross_check: u32,
    until_check: u32,
    failure: Option<Failure>,
    #[cfg(test)]
    pub(super) sabotage: Option<fn(usize, bool) -> bool>,
    #[cfg(test)]
    pub(super) sabotage_short: Option<fn(usize, bool) -> bool>,
}

/// Some of a lot's items, and where their tables are.
struct Lot {
    which: [usize; LOT_MAX],
    places: [u32; LOT_MAX],
    len: usize,
}

impl Default for Lot {
    fn default() -> Self {
        Self { which: [0; LOT_MAX], places: [0; LOT_MAX], len: 0 }
    }
}

impl Lot {
    fn push(&mut self, i: usize, place: u32) {
        (self.which[self.len], self.places[self.len]) = (i, place);
        self.len += 1;
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn which(&self) -> &[usize] {
        &self.which[..self.len]
    }

    /// Has `decide` decide these of the items, the j-th of them by `table(j)`.
    #[inline]
    fn decide<'t>(
        &self,
        items: &[Item<'_>],
        verdicts: &mut [bool],
        table: impl Fn(usize) -> &'t [Entry],
        decide: impl FnOnce(&[Job<'_>], &mut [bool]),
    ) {
        let jobs: [Job<'_>; LOT_MAX] = core::array::from_fn(|j| {
            let j = if j < self.len { j } else { 0 };
            let item = &items[self.which[j]];
            Job {
                table: table(j),
                key: item.key.as_bytes(),
                message: item.message,
                signature: item.signature,
            }
        });
        let mut decided = [false; LOT_MAX];
        decide(&jobs[..self.len], &mut decided[..self.len]);
        for (&i, verdict) in self.which().iter().zip(decided) {
            verdicts[i] = verdict;
        }
    }
}

/// Why a kernel was taken out of use. Verdicts come from ed25519-dalek since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It gave a wrong verdict on a known signature when it was started, and was never used.
    SelfTest(Kernel),
    /// One of its verdicts was not that of `verify_strict`. Those of the same call were decided again.
    CrossCheck(Kernel),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfTest(kernel) => {
                write!(
                    f,
                    "the {kernel} verification kernel failed its self-test on this CPU; dalek serves instead"
                )
            }
            Self::CrossCheck(kernel) => write!(
                f,
                "the {kernel} verification kernel disagreed with verify_strict and is disabled; dalek serves instead"
            ),
        }
    }
}

impl Verifier {
    /// A verifier that knows no keys. The first one of a process takes about 20 ms for the base point's table.
    ///
    /// # Panics
    /// When this CPU does not run the kernel of the settings: ask [`Kernel::available`] first.
    pub fn new(settings: Settings) -> Self {
        let chosen = settings.kernel.unwrap_or_else(Kernel::detect);
        assert!(chosen.available(), "this CPU does not run the {chosen} kernel");
        let ready = Ready::new(chosen);
        let form = ready.as_ref().map_or(super::table::Form::Words, Ready::form);
        let bytes = if ready.is_some() { settings.table_bytes } else { 0 };
        let mut verifier = Self {
            chosen,
            ready,
            cache: Cache::new(bytes, settings.table_after, form),
            short: ShortTables::new(form),
            cross_check: settings.cross_check,
            until_check: settings.cross_check,
            failure: None,
            #[cfg(test)]
            sabotage: None,
            #[cfg(test)]
            sabotage_short: None,
        };
        verifier.test();
        verifier
    }

    /// Ends the kernel's use if it is wrong about known signatures.
    pub(super) fn test(&mut self) {
        let broken = self.ready.as_ref().is_some_and(|ready| {
            let long = self_test::passes(ready.form(), KEY, |jobs, verdicts| self.run(ready, jobs, verdicts));
            let short = ready.lanes().is_none()
                || self_test::passes(ready.form(), SHORT, |jobs, verdicts| {
                    self.run_short(ready, jobs, verdicts)
                });
            !(long && short)
        });
        if broken {
            self.fail(Failure::SelfTest(self.chosen));
        }
    }

    /// The kernel in use.
    pub fn kernel(&self) -> Kernel {
        if self.ready.is_some() { self.chosen } else { Kernel::Dalek }
    }

    /// Why the kernel that was chosen is not in use any more. An operator wants to know.
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// How many keys have a whole table.
    pub fn tables(&self) -> usize {
        self.cache.tables()
    }

    /// Where the tables will be, in whole huge pages of 2 MiB: for whoever can ask the system to use such pages.
    /// Nothing there was touched yet.
    pub fn table_memory(&self) -> Range<*const u8> {
        self.cache.arena().span()
    }

    /// Where the base point's table is, in whole huge pages of 2 MiB: for whoever can ask the system to use such pages.
    pub fn base_memory(&self) -> Range<*const u8> {
        self.ready.as_ref().map_or(core::ptr::null()..core::ptr::null(), Ready::base_memory)
    }

    /// Works on the table of a key that has none, for some 30 microseconds. False when none is wanted.
    ///
    /// For idle times and between batches; never needed for a right verdict.
    pub fn build_step(&mut self) -> bool {
        self.ready.is_some() && self.cache.build_step()
    }

    /// Decides every item by itself: `verdicts[i]` becomes whether `items[i]` is valid.
    ///
    /// # Panics
    /// When the two slices differ in length.
    pub fn verify(&mut self, items: &[Item<'_>], verdicts: &mut [bool]) {
        assert_eq!(items.len(), verdicts.len(), "one verdict an item");
        for (items, verdicts) in items.chunks(LOT_MAX).zip(verdicts.chunks_mut(LOT_MAX)) {
            self.verify_lot(items, verdicts);
        }
    }

    /// At most [`LOT_MAX`] items: those with tables go to the kernel together, and so do those without.
    fn verify_lot(&mut self, items: &[Item<'_>], verdicts: &mut [bool]) {
        let Some(ready) = self.ready.take() else { return verify_many(items, verdicts) };
        self.verify_with(&ready, items, verdicts);
        if self.failure.is_none() {
            self.ready = Some(ready);
        }
    }

    fn verify_with(&mut self, ready: &Ready, items: &[Item<'_>], verdicts: &mut [bool]) {
        let (mut known, mut unknown) = (Lot::default(), Lot::default());
        for (i, item) in items.iter().enumerate() {
            match self.cache.count(item.key) {
                Some(place) => known.push(i, place),
                None => unknown.push(i, 0),
            }
        }
        if !known.is_empty() {
            let table = |j: usize| self.cache.table(known.places[j]);
            let decide = |jobs: &[Job<'_>], decided: &mut [bool]| self.run(ready, jobs, decided);
            known.decide(items, verdicts, table, decide);
            self.sample(items, verdicts, known.which());
        }
        // Few signatures cost less one by one than a ladder costs with most of its lanes empty.
        let in_lanes = ready.lanes().map_or(0, |lanes| match unknown.len % lanes {
            rest if rest <= lanes / 4 => unknown.len - rest,
            _ => unknown.len,
        });
        for &i in &unknown.which()[in_lanes..] {
            verify_many(&items[i..=i], &mut verdicts[i..=i]);
        }
        unknown.len = in_lanes;
        if !unknown.is_empty() && self.failure.is_none() {
            self.short.fill(unknown.which().iter().map(|&i| items[i].key.minus()));
            let decide = |jobs: &[Job<'_>], decided: &mut [bool]| self.run_short(ready, jobs, decided);
            unknown.decide(items, verdicts, |j| self.short.table(j), decide);
            self.sample(items, verdicts, unknown.which());
        } else {
            for &i in unknown.which() {
                verify_many(&items[i..=i], &mut verdicts[i..=i]);
            }
        }
    }

    #[inline]
    fn run_short(&self, ready: &Ready, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        ready.check_short(jobs, verdicts);
        #[cfg(test)]
        if let Some(sabotage) = self.sabotage_short {
            verdicts.iter_mut().enumerate().for_each(|(i, verdict)| *verdict = sabotage(i, *verdict));
        }
    }

    #[inline]
    fn run(&self, ready: &Ready, jobs: &[Job<'_>], verdicts: &mut [bool]) {
        ready.check(jobs, verdicts);
        #[cfg(test)]
        if let Some(sabotage) = self.sabotage {
            verdicts.iter_mut().enumerate().for_each(|(i, verdict)| *verdict = sabotage(i, *verdict));
        }
    }

    /// Asks `verify_strict` about one in so many of the kernel's verdicts.
    fn sample(&mut self, items: &[Item<'_>], verdicts: &mut [bool], decided: &[usize]) {
        if self.cross_check == 0 {
            return;
        }
        let mut at = self.until_check as usize;
        while at <= decided.len() {
            let i = decided[at - 1];
            let mut strict = [false];
            verify_many(&items[i..=i], &mut strict);
            if strict[0] != verdicts[i] {
                verify_many(items, verdicts);
                return self.fail(Failure::CrossCheck(self.chosen));
            }
            at += self.cross_check as usize;
        }
        self.until_check = (at - decided.len()) as u32;
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        self.ready = None;
        self.failure = Some(failure);
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("kernel", &self.kernel())
            .field("tables", &self.tables())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, SIGNATURE_LEN};
    use std::vec::Vec;

    fn signed(n: u8) -> Vec<(Identity, [u8; SIGNATURE_LEN])> {
        (0..n)
            .map(|i| {
                let identity = Identity::from_seed(&[i; 32]);
                let signature = identity.sign(b"m");
                (identity, signature)
            })
            .collect()
    }

    fn items(signed: &[(Identity, [u8; SIGNATURE_LEN])]) -> Vec<Item<'_>> {
        signed
            .iter()
            .map(|(identity, signature)| Item { key: identity.public(), message: b"m", signature })
            .collect()
    }

    fn fast_kernels() -> impl Iterator<Item = Kernel> {
        Kernel::all_available().filter(|kernel| *kernel != Kernel::Dalek)
    }

    #[test]
    fn a_kernel_that_is_wrong_in_any_one_lane_fails_its_self_test() {
        const IN_LANE: [fn(usize, bool) -> bool; 8] = [
            |i, verdict| if i % 8 == 0 { true } else { verdict },
            |i, verdict| if i % 8 == 1 { false } else { verdict },
            |i, verdict| if i % 8 == 2 { true } else { verdict },
            |i, verdict| if i % 8 == 3 { false } else { verdict },
            |i, verdict| if i % 8 == 4 { true } else { verdict },
            |i, verdict| if i % 8 == 5 { false } else { verdict },
            |i, verdict| if i % 8 == 6 { true } else { verdict },
            |i, verdict| if i % 8 == 7 { false } else { verdict },
        ];
        for kernel in fast_kernels() {
            let settings = Settings { kernel: Some(kernel), ..Settings::default() };
            let mut verifier = Verifier::new(settings);
            assert_eq!((verifier.kernel(), verifier.failure()), (kernel, None));
            for sabotage in IN_LANE {
                verifier = Verifier::new(settings);
                verifier.sabotage = Some(sabotage);
                verifier.test();
                assert_eq!(verifier.failure(), Some(Failure::SelfTest(kernel)));
                assert_eq!(verifier.kernel(), Kernel::Dalek);
            }
            let signed = signed(3);
            let mut verdicts = [false; 3];
            verifier.verify(&items(&signed), &mut verdicts);
            assert_eq!(verdicts, [true; 3]);
        }
    }

    #[test]
    fn the_first_disagreement_ends_the_kernel_and_is_repaired() {
        for kernel in fast_kernels() {
            let settings =
                Settings { kernel: Some(kernel), cross_check: 10, table_after: 2, ..Settings::default() };
            let mut verifier = Verifier::new(settings);
            let signed = signed(4);
            let items = items(&signed);
            let mut verdicts = [false; 4];
            for _ in 0..2 {
                verifier.verify(&items, &mut verdicts);
            }
            while verifier.build_step() {}
            assert_eq!(verifier.tables(), 4);
            verifier.sabotage = Some(|_, _| false);
            verifier.until_check = 10;
            // Nine verdicts go unchecked, the tenth does not.
            for _ in 0..2 {
                verifier.verify(&items, &mut verdicts);
                assert_eq!((verdicts, verifier.failure()), ([false; 4], None));
            }
            verifier.verify(&items, &mut verdicts);
            assert_eq!(verdicts, [true; 4]);
            assert_eq!(verifier.failure(), Some(Failure::CrossCheck(kernel)));
            assert_eq!(verifier.kernel(), Kernel::Dalek);
            assert!(!verifier.build_step());
        }
    }

    #[test]
    fn a_ladder_that_is_wrong_ends_the_kernel_as_well() {
        for kernel in fast_kernels() {
            let settings = Settings { kernel: Some(kernel), table_bytes: 0, cross_check: 4, table_after: 2 };
            let mut verifier = Verifier::new(settings);
            if verifier.ready.as_ref().is_some_and(|ready| ready.lanes().is_none()) {
                continue;
            }
            let signed = signed(8);
            let mut verdicts = [false; 8];
            verifier.sabotage_short = Some(|i, verdict| verdict && i != 3);
            verifier.verify(&items(&signed), &mut verdicts);
            assert_eq!(verdicts, [true; 8], "the wrong verdict was the fourth, which is checked");
            assert_eq!(verifier.failure(), Some(Failure::CrossCheck(kernel)));
            let mut verifier = Verifier::new(settings);
            verifier.sabotage_short = Some(|i, verdict| if i == 6 { true } else { verdict });
            verifier.test();
            assert_eq!(verifier.failure(), Some(Failure::SelfTest(kernel)));
        }
    }

    #[test]
    fn busy_signers_displace_quiet_ones_and_not_the_other_way_round() {
        let table_bytes = 2 * crate::lanes::KEY_TABLE_BYTES;
        let settings = Settings { table_bytes, table_after: 2, ..Settings::default() };
        let mut verifier = Verifier::new(settings);
        if verifier.kernel() == Kernel::Dalek {
            return;
        }
        let signed = signed(3);
        let items = items(&signed);
        let say = |verifier: &mut Verifier, who: usize, times: usize| {
            (0..times).for_each(|_| verifier.verify(&items[who..=who], &mut [false]));
            while verifier.build_step() {}
        };
        let has =
            |verifier: &mut Verifier, who: usize| verifier.cache.count(signed[who].0.public()).is_some();
        say(&mut verifier, 0, 2);
        say(&mut verifier, 1, 20);
        say(&mut verifier, 2, 3);
        assert_eq!([0, 1, 2].map(|who| has(&mut verifier, who)), [true, true, false]);
        say(&mut verifier, 2, 40);
        assert_eq!([0, 1, 2].map(|who| has(&mut verifier, who)), [false, true, true]);
        assert_eq!(verifier.tables(), 2);
    }
}
