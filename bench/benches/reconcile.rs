//! What reconciling two sets of 100,000 names costs: per name of the set, per symbol, per name that differs.
//!
//! Budget: 10 ns a name to estimate, 400 ns a name to code ten thousand symbols, 1 µs a difference to find it. A session spends
//! it in slices of 4,096 names, so that nothing waits longer than a millisecond.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use octick_core::control::Random;
use octick_core::control::reconcile::bloom::Bloom;
use octick_core::control::reconcile::key::{Key, Name};
use octick_core::control::reconcile::riblt::{Coder, Decoder};
use octick_core::control::reconcile::sketch::Sketch;

const SIZE: usize = 100_000;

fn draw<N: Name>(random: &mut Random) -> N {
    let bytes: Vec<u8> = (0..2).flat_map(|_| random.u64().to_le_bytes()).collect();
    N::take(&bytes)
}

fn wide<N: Name>(criterion: &mut Criterion) {
    let mut random = Random::new(7);
    let key = Key::of("bench", random.u64(), random.u64());
    let names: Vec<N> = (0..2 * SIZE).map(|_| draw(&mut random)).collect();
    let ours = &names[..SIZE];
    let mut group = criterion.benchmark_group(format!("reconcile/names_of_{}", N::LEN));
    group.sample_size(10);

    group.throughput(Throughput::Elements(SIZE as u64));
    group.bench_function("sketch", |bencher| {
        bencher.iter(|| black_box(Sketch::of(&key, ours.iter().copied())));
    });
    group.bench_function("filter", |bencher| bencher.iter(|| black_box(Bloom::of(key, ours, 1 << 20))));
    for symbols in [24, 1_850, 18_500] {
        group.bench_function(BenchmarkId::new("code", symbols), |bencher| {
            bencher.iter_batched(
                || Coder::of(key, ours.iter().copied()),
                |mut coder| {
                    coder.extend(symbols, usize::MAX);
                    coder
                },
                BatchSize::LargeInput,
            );
        });
    }
    for differ in [10, 1_000, 10_000] {
        let mut here = Coder::of(key, ours.iter().copied());
        let mut there = Coder::of(key, names[differ / 2..SIZE + differ / 2].iter().copied());
        let symbols = 2 * differ + 20;
        here.extend(symbols as u32, usize::MAX);
        there.extend(symbols as u32, usize::MAX);
        group.throughput(Throughput::Elements(differ as u64));
        group.bench_function(BenchmarkId::new("decode", differ), |bencher| {
            bencher.iter(|| {
                let mut decoder = Decoder::new(key, symbols);
                let done = decoder.take(&there.symbols()[..symbols], &here.symbols()[..symbols]);
                assert_eq!(black_box(done), Ok(true));
            });
        });
    }
    group.finish();
}

fn reconcile(criterion: &mut Criterion) {
    wide::<u64>(criterion);
    wide::<u128>(criterion);
}

criterion_group!(benches, reconcile);
criterion_main!(benches);
