use super::*;
use crate::control::Random;
use alloc::collections::BTreeSet;
use proptest::prelude::*;
use std::eprintln;

fn key(random: &mut Random) -> Key {
    Key::of("test", random.u64(), random.u64())
}

/// Symbols, and bytes on the wire, until `theirs` is told from `ours`.
fn decode<N: Name>(key: Key, ours: &[N], theirs: &[N], step: u32) -> (Difference<N>, u32, usize) {
    let (mut here, mut there) =
        (Coder::of(key, ours.iter().copied()), Coder::of(key, theirs.iter().copied()));
    let mut decoder = Decoder::new(key, 1 << 20);
    let mut bytes = Vec::new();
    for round in 1.. {
        let (from, end) = ((round - 1) * step, round * step);
        while !here.extend(end, 1_000) {}
        while !there.extend(end, 777) {}
        let range = from as usize..end as usize;
        for (i, symbol) in there.symbols()[range.clone()].iter().enumerate() {
            symbol.write(from + i as u32, there.size(), &mut bytes);
        }
        if decoder.take(&there.symbols()[range.clone()], &here.symbols()[range]).expect("honest symbols") {
            break;
        }
    }
    (decoder.difference(), decoder.taken(), bytes.len())
}

fn sorted<N: Name>(mut names: Vec<N>) -> Vec<N> {
    names.sort_unstable();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_difference_is_that_of_two_ordered_sets(
        ours in prop::collection::btree_set(0..600_u64, 0..300),
        theirs in prop::collection::btree_set(0..600_u64, 0..300),
        step in 1..50_u32,
        seed in any::<u64>(),
    ) {
        let key = key(&mut Random::new(seed));
        let list = |set: &BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
        let (found, _, _) = decode(key, &list(&ours), &list(&theirs), step);
        prop_assert_eq!(sorted(found.theirs), list(&(&theirs - &ours)));
        prop_assert_eq!(sorted(found.ours), list(&(&ours - &theirs)));
    }

    #[test]
    fn symbols_of_no_set_end_in_bounded_work(
        noise in prop::collection::vec((any::<u64>(), any::<u32>(), -2..3_i32), 1..400),
        seed in any::<u64>(),
    ) {
        let key = key(&mut Random::new(seed));
        let mut decoder = Decoder::new(key, 300);
        for (mut sum, mut check, count) in noise {
            // Half of them pass for single names, and are no part of the symbols before.
            if count != 0 {
                sum >>= 60;
                check = sum.under(&key) as u32;
            }
            match decoder.take(&[Symbol { sum, check, count }], &[Symbol::default()]) {
                Ok(_) => prop_assert!(decoder.found.len() <= decoder.symbols.len() && decoder.taken() <= 300),
                Err(_) => break,
            }
        }
    }
}

#[test]
fn coding_in_slices_and_steps_makes_the_same_symbols() {
    let mut random = Random::new(4);
    let key = key(&mut random);
    let names: Vec<u64> = (0..500).map(|_| random.u64()).collect();
    let mut whole = Coder::of(key, names.iter().copied());
    assert!(whole.extend(200, usize::MAX));
    let mut sliced = Coder::of(key, names);
    for end in [3, 50, 51, 200] {
        assert!(!sliced.extend(end, 100) && sliced.symbols().is_empty(), "not yet complete");
        while !sliced.extend(end, 100) {}
        assert_eq!(sliced.symbols(), &whole.symbols()[..end as usize]);
    }
    assert!(Coder::<u64>::new(key).extend(5, 0), "the symbols of nothing");
}

#[test]
fn a_stream_under_another_key_is_given_up_at_the_bound() {
    let names: Vec<u64> = (0..1_000).collect();
    let mut random = Random::new(5);
    let (key, other) = (key(&mut random), key(&mut random));
    let (mut here, mut there) = (Coder::of(key, names.clone()), Coder::of(other, names));
    here.extend(400, usize::MAX);
    there.extend(400, usize::MAX);
    let mut decoder = Decoder::new(key, 256);
    let ends: Vec<_> =
        (0..400).map(|i| decoder.take(&there.symbols()[i..=i], &here.symbols()[i..=i])).collect();
    assert!(ends[..256].iter().all(|end| *end == Ok(false)));
    assert_eq!(ends[256], Err(Undecodable::TooLong));
}

#[test]
fn names_that_come_out_for_ever_are_a_contradiction() {
    let key = key(&mut Random::new(6));
    let mut decoder = Decoder::new(key, 1 << 16);
    // Each symbol alone holds one and the same name, which no set can do twice over.
    let end = (0..100_u32).find_map(|i| {
        let name = 7_u64 + u64::from(i % 3);
        let symbol = Symbol { sum: name, check: name.under(&key) as u32, count: 1 };
        decoder.take(&[symbol], &[Symbol::default()]).err()
    });
    assert!(end.is_none_or(|end| end == Undecodable::Contradiction));
    assert!(decoder.found.len() <= decoder.symbols.len());
}

/// `cargo test --release -p octick-core -- --nocapture bytes_follow_the_difference`
#[test]
fn bytes_follow_the_difference() {
    fn measure<N: Name>(draw: fn(&mut Random) -> N, size: usize, differ: usize) -> (u32, usize) {
        let mut random = Random::new(differ as u64);
        let key = key(&mut random);
        let names: Vec<N> = (0..size + differ).map(|_| draw(&mut random)).collect();
        let (ours, theirs) = (&names[..size], &names[differ..]);
        let (found, symbols, bytes) = decode(key, ours, theirs, (differ as u32 / 8).max(1));
        assert_eq!(sorted(found.ours), sorted(names[..differ].to_vec()));
        assert_eq!(sorted(found.theirs), sorted(names[size..].to_vec()));
        (symbols, bytes)
    }
    // Half of the differing names on either side.
    for (differ, bar) in [(5, 600), (50, 6_000), (500, 40_000), (5_000, 400_000)] {
        let (symbols, bytes) = measure::<u64>(Random::u64, 100_000, differ);
        let wide = |random: &mut Random| u128::from(random.u64()) << 64 | u128::from(random.u64());
        let (_, wide) = measure::<u128>(wide, 100_000, differ);
        eprintln!(
            "{:6} names differ: {symbols:6} symbols, {bytes:7} bytes, {wide:7} with names of 16",
            2 * differ
        );
        assert!(bytes <= bar && wide <= bar, "{bytes} or {wide} bytes are more than {bar}");
    }
}

#[test]
fn a_coder_knows_its_size_and_both_sides_count_their_memory() {
    let mut random = Random::new(9);
    let key = key(&mut random);
    let mut coder = Coder::of(key, (0..1_000).map(|_| random.u64()));
    assert_eq!(coder.size(), 1_000);
    let set = coder.memory();
    assert!(set >= 1_000 * size_of::<Walker<u64>>());
    while !coder.extend(500, 100) {}
    assert!(coder.memory() >= set + 500 * size_of::<Symbol<u64>>());
    let mut decoder = Decoder::new(key, 1_000);
    let none = alloc::vec![Symbol::default(); 500];
    assert_eq!(decoder.take(coder.symbols(), &none), Ok(false));
    decoder.pure.shrink_to_fit();
    decoder.symbols.shrink_to_fit();
    decoder.found.shrink_to_fit();
    let pure = decoder.pure.len() * size_of::<u32>();
    let found = decoder.found.len() * size_of::<(Walker<u64>, i32)>();
    assert_eq!(decoder.memory(), 500 * size_of::<Symbol<u64>>() + found + pure);
}
