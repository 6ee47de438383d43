//! The directory and the windows, a batch of 64 frames at a time.
//!
//! Budget: 16 ticks a frame (8 ns) from an id to the word "duplicate" at 10,000 origins, of which the window takes
//! about a third; at 100 origins everything lies in the first-level cache.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use octick_core::crypto::{Identity, NodeId};
use octick_core::data::{Directory, Origin, Windows};
use octick_core::limits::{BATCH_MAX, WINDOW};
use octick_core::stamp::{Incarnation, OriginIndex, Seq};

const LIFE: Incarnation = Incarnation(1);
/// Batches that one measured pass spans, so that origins do not repeat within the caches.
const BATCHES: usize = 64;

fn directory(count: usize) -> Directory {
    let origin = |i: usize| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&i.to_le_bytes());
        Origin { key: Identity::from_seed(&seed).public().clone(), runs: Vec::new(), revoked: false }
    };
    Directory::new((0..count).map(origin).collect(), [1, 2]).expect("keys of different seeds differ")
}

/// Origins in an order that no prefetcher guesses: steps of a stride that has no factor in common with the count.
fn scattered(count: usize) -> Vec<OriginIndex> {
    let stride = (count as f64 * 0.618) as usize | 1;
    (0..BATCHES * BATCH_MAX).map(|i| OriginIndex((i * stride % count) as u32)).collect()
}

fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window");
    group.throughput(Throughput::Elements((BATCHES * BATCH_MAX) as u64));
    for count in [100, 10_000] {
        let directory = directory(count);
        let origins = scattered(count);
        let ids: Vec<NodeId> = origins.iter().map(|&origin| directory.origin(origin).key.id()).collect();
        let mut windows = Windows::new(count);
        for origin in 0..count as u32 {
            for seq in 1..=WINDOW {
                windows.insert(OriginIndex(origin), LIFE, Seq(seq)).expect("numbers rise");
            }
        }
        let view = windows.view();

        group.bench_function(BenchmarkId::new("find", count), |bencher| {
            bencher.iter(|| {
                let mut found = [None; BATCH_MAX];
                for ids in ids.chunks(BATCH_MAX) {
                    directory.find_many(ids, &mut found, |_| ());
                    black_box(&found);
                }
            });
        });
        group.bench_function(BenchmarkId::new("find_and_ask", count), |bencher| {
            bencher.iter(|| {
                let mut found = [None; BATCH_MAX];
                for ids in ids.chunks(BATCH_MAX) {
                    directory.find_many(ids, &mut found, |origin| view.prefetch(origin));
                    for origin in found.iter().flatten() {
                        black_box(view.ask(*origin, LIFE, Seq(WINDOW / 2)));
                    }
                }
            });
        });
        let mut seq = WINDOW;
        group.bench_function(BenchmarkId::new("insert", count), |bencher| {
            let next = || {
                seq += 1;
                seq
            };
            let pass = |seq| {
                for origin in &origins {
                    // Late by a few numbers at times, as relays make frames; a repeated number is a duplicate.
                    let _ = black_box(windows.insert(*origin, LIFE, Seq(seq - u64::from(origin.0 & 3))));
                }
            };
            bencher.iter_batched(next, pass, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
