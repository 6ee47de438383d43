//! Parse, window and merge of batches of 64 full frames to random places, by table, size, kernel and share of winners.
//!
//! Budget: eight ticks a cell. `examples/merge_ticks.rs` prints the same in ticks.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octick_bench::load::Shape;
use octick_bench::table::{Table, pipeline};
use octick_core::data::Windows;
use octick_core::table::Kernel;
use octick_core::wire::Kind;

const LOADS: [(Kind, &str, u16, u32, &str); 6] = [
    (Kind::Block8, "block8", 0xFF, 100, ""),
    (Kind::Block8, "block8", 0x11, 100, ".fill25"),
    (Kind::Block16, "block16", 0xFFFF, 100, ""),
    (Kind::Rows, "row16", 1, 0, ".win0"),
    (Kind::Rows, "row16", 1, 50, ".win50"),
    (Kind::Rows, "row16", 1, 100, ".win100"),
];

fn merge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("merge");
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20);
    for (kind, name, mask, winners, suffix) in LOADS {
        for (slots, size) in [(1 << 16, "64k"), (1 << 20, "1m")] {
            for kernel in Kernel::all_available() {
                let (mut table, mut load) = Table::filled(Shape { kind, slots, winners, mask }, kernel);
                let mut windows = Windows::new(1);
                group.throughput(Throughput::Elements(load.cells() as u64));
                group.bench_function(format!("{name}.{size}.{kernel}{suffix}"), |bencher| {
                    bencher.iter_custom(|batches| {
                        let batch = |_| {
                            load.next_batch();
                            let start = Instant::now();
                            pipeline(&load, &mut table, &mut windows);
                            start.elapsed()
                        };
                        (0..batches).map(batch).sum()
                    });
                });
            }
        }
    }
}

criterion_group!(benches, merge);
criterion_main!(benches);
