//! The fast way to the same verdicts: known keys have tables, and kernels work on many signatures at once.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cache::Cache;
use super::digits::{BASE, KEY, SHORT};
use super::entry::Entry;
use super::job::{Job, LOT_MAX};
use super::kernel::{Kernel, Ready};
use super::self_test;
use super::settings::{Base, Failure, Settings};
use super::short::ShortTables;
use crate::key::{Candidate, KeyError, PublicKey};
use crate::verify::{Item, verify_many};

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
    /// Whether keys may have tables.
    long: bool,
    cache: Cache,
    short: ShortTables,
    cross_check: u32,
    until_check: u32,
    failure: Option<Failure>,
    #[cfg(test)]
    pub(super) sabotage: Option<fn(usize, bool) -> bool>,
    #[cfg(test)]
    pub(super) sabotage_short: Option<fn(usize, bool) -> bool>,
    #[cfg(test)]
    pub(super) sabotage_order: Option<fn(usize, bool) -> bool>,
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

impl Verifier {
    /// A verifier that knows no keys.
    ///
    /// # Panics
    /// When this CPU does not run the kernel of the settings: ask [`Kernel::available`] first.
    pub fn new(settings: Settings) -> Self {
        let chosen = settings.kernel.unwrap_or_else(Kernel::detect);
        assert!(chosen.available(), "this CPU does not run the {chosen} kernel");
        let long = settings.base == Base::Long;
        let ready = Ready::new(chosen, if long { BASE } else { KEY });
        let form = ready.as_ref().map_or(super::entry::Form::Words, Ready::form);
        let bytes = if ready.is_some() && long { settings.table_bytes } else { 0 };
        let mut verifier = Self {
            chosen,
            ready,
            long,
            cache: Cache::new(bytes, settings.table_after, form),
            short: ShortTables::new(form),
            cross_check: settings.cross_check,
            until_check: settings.cross_check,
            failure: None,
            #[cfg(test)]
            sabotage: None,
            #[cfg(test)]
            sabotage_short: None,
            #[cfg(test)]
            sabotage_order: None,
        };
        // Once for each kernel and process: the CPU stays the same.
        static PASSED: AtomicU32 = AtomicU32::new(0);
        let bit = 1 << (2 * chosen as u32 + u32::from(long));
        if PASSED.load(Ordering::Relaxed) & bit == 0 {
            verifier.test();
            PASSED.fetch_or(if verifier.failure.is_none() { bit } else { 0 }, Ordering::Relaxed);
        }
        verifier
    }

    /// Ends the kernel's use if it is wrong about known signatures.
    pub(super) fn test(&mut self) {
        let broken = self.ready.as_ref().is_some_and(|ready| {
            let form = ready.form();
            let long =
                !self.long || self_test::passes(form, KEY, |jobs, verdicts| self.run(ready, jobs, verdicts));
            let short = ready.lanes().is_none()
                || self_test::passes(form, SHORT, |jobs, verdicts| self.run_short(ready, jobs, verdicts))
                    && self_test::tells_orders(form, |tables, free| self.run_order(ready, tables, free));
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

    /// Admits keys, each by itself: as [`PublicKey::admit`] does, side by side.
    pub fn admit(&mut self, keys: &[[u8; 32]]) -> Vec<Result<PublicKey, KeyError>> {
        let mut admitted = Vec::with_capacity(keys.len());
        for keys in keys.chunks(LOT_MAX) {
            self.admit_lot(keys, &mut admitted);
        }
        admitted
    }

    fn admit_lot(&mut self, keys: &[[u8; 32]], admitted: &mut Vec<Result<PublicKey, KeyError>>) {
        let candidates: Vec<_> = keys.iter().map(Candidate::read).collect();
        let minus: Vec<_> = candidates.iter().flatten().map(Candidate::minus).collect();
        let in_lanes =
            self.ready.as_ref().and_then(Ready::lanes).map_or(0, |lanes| worth(lanes, minus.len()));
        let mut free = [false; LOT_MAX];
        if let Some(ready) = &self.ready
            && in_lanes > 0
        {
            self.short.fill(minus[..in_lanes].iter().copied());
            let tables: [&[Entry]; LOT_MAX] = core::array::from_fn(|i| self.short.table(i));
            self.run_order(ready, &tables[..in_lanes], &mut free[..in_lanes]);
        }
        let points: Vec<&Candidate> = candidates.iter().flatten().collect();
        let mut by_dalek = in_lanes;
        if self.checks(in_lanes).any(|i| points[i].is_torsion_free() != free[i]) {
            self.fail(Failure::CrossCheck(self.chosen));
            by_dalek = 0;
        }
        for (free, point) in free.iter_mut().zip(points).skip(by_dalek) {
            *free = point.is_torsion_free();
        }
        let mut free = free.into_iter();
        admitted
            .extend(candidates.into_iter().map(|candidate| candidate?.admit(free.next().unwrap_or(false))));
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
        let in_lanes = ready.lanes().map_or(0, |lanes| worth(lanes, unknown.len));
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

    fn run_order(&self, ready: &Ready, tables: &[&[Entry]], free: &mut [bool]) {
        ready.check_order(tables, free);
        #[cfg(test)]
        if let Some(sabotage) = self.sabotage_order {
            free.iter_mut().enumerate().for_each(|(i, verdict)| *verdict = sabotage(i, *verdict));
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
        for at in self.checks(decided.len()) {
            let i = decided[at];
            let mut strict = [false];
            verify_many(&items[i..=i], &mut strict);
            if strict[0] != verdicts[i] {
                verify_many(items, verdicts);
                return self.fail(Failure::CrossCheck(self.chosen));
            }
        }
    }

    /// Which of the kernel's next so many verdicts are to be checked.
    fn checks(&mut self, decided: usize) -> impl Iterator<Item = usize> + use<> {
        let (first, step) = (self.until_check as usize, (self.cross_check as usize).max(1));
        let count = match decided.checked_sub(first) {
            Some(behind) if self.cross_check > 0 => behind / step + 1,
            _ => 0,
        };
        if self.cross_check > 0 {
            self.until_check = (first + count * step - decided) as u32;
        }
        (0..count).map(move |i| first - 1 + i * step)
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        self.ready = None;
        self.failure = Some(failure);
    }
}

/// How many of so many a ladder is worth while for: few cost less one by one than with most of the lanes empty.
fn worth(lanes: usize, count: usize) -> usize {
    match count % lanes {
        rest if rest <= lanes / 4 => count - rest,
        _ => count,
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
    use curve25519_dalek::Scalar;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::EdwardsPoint;

    use super::*;
    use crate::{Identity, SIGNATURE_LEN};

    /// A kernel that says `SAYS` in one lane, whatever is asked.
    fn wrong<const LANE: usize, const SAYS: bool>(i: usize, verdict: bool) -> bool {
        if i % 8 == LANE { SAYS } else { verdict }
    }

    const IN_LANE: [fn(usize, bool) -> bool; 16] = [
        wrong::<0, false>,
        wrong::<0, true>,
        wrong::<1, false>,
        wrong::<1, true>,
        wrong::<2, false>,
        wrong::<2, true>,
        wrong::<3, false>,
        wrong::<3, true>,
        wrong::<4, false>,
        wrong::<4, true>,
        wrong::<5, false>,
        wrong::<5, true>,
        wrong::<6, false>,
        wrong::<6, true>,
        wrong::<7, false>,
        wrong::<7, true>,
    ];

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
            let settings =
                Settings { kernel: Some(kernel), cross_check: 4, base: Base::Short, ..Settings::default() };
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
            for sabotage in IN_LANE {
                let mut verifier = Verifier::new(Settings { base: Base::Short, ..settings });
                verifier.sabotage_short = Some(sabotage);
                verifier.test();
                assert_eq!(verifier.failure(), Some(Failure::SelfTest(kernel)));
            }
        }
    }

    #[test]
    fn a_ladder_that_admits_what_it_should_not_ends_the_kernel_as_well() {
        for kernel in fast_kernels() {
            let settings = Settings { kernel: Some(kernel), cross_check: 4, ..Settings::default() };
            let mut verifier = Verifier::new(Settings { base: Base::Short, ..settings });
            if verifier.ready.as_ref().is_some_and(|ready| ready.lanes().is_none()) {
                continue;
            }
            let keys: Vec<[u8; 32]> =
                signed(8).iter().map(|(identity, _)| *identity.public().as_bytes()).collect();
            verifier.sabotage_order = Some(|i, verdict| verdict && i != 3);
            assert!(verifier.admit(&keys).iter().all(Result::is_ok), "the wrong one was the fourth");
            assert_eq!(verifier.failure(), Some(Failure::CrossCheck(kernel)));
            for sabotage in IN_LANE {
                let mut verifier = Verifier::new(Settings { base: Base::Short, ..settings });
                verifier.sabotage_order = Some(sabotage);
                verifier.test();
                assert_eq!(verifier.failure(), Some(Failure::SelfTest(kernel)));
            }
        }
    }

    #[test]
    fn keys_are_admitted_together_as_they_are_one_by_one() {
        let mut keys: Vec<[u8; 32]> = Vec::new();
        for n in 0..40_u64 {
            let point = EdwardsPoint::mul_base(&Scalar::from(n * n));
            // Key, and key with torsion, by turns; the neutral point among them, and bytes that are no point.
            keys.extend([EIGHT_TORSION[0], EIGHT_TORSION[n as usize % 8]].map(|t| (point + t).compress().0));
            keys.push(core::array::from_fn(|i| (n * 37 + i as u64 * 11) as u8));
        }
        keys.push([0xFF; 32]);
        for kernel in Kernel::all_available() {
            let settings = Settings { kernel: Some(kernel), base: Base::Short, ..Settings::default() };
            let mut verifier = Verifier::new(settings);
            for len in [0, 1, 2, 3, 7, 8, 9, 64, 65, keys.len()] {
                for keys in keys.chunks(len.max(1)).take(12) {
                    let one_by_one: Vec<_> = keys.iter().map(PublicKey::admit).collect();
                    assert_eq!(verifier.admit(keys), one_by_one, "{kernel}, {len} at once");
                }
            }
            assert_eq!(verifier.failure(), None);
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
