//! The ring of changes: what the engine pays for a change, and a reader for taking it.
//!
//! Budget: 26 ticks a change, which is one for a block of eight cells.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octick_core::data::publish::{Change, Next, Publisher};
use octick_core::stamp::{Slot, Version};
use octick_core::state::TableKind;

/// Changes in a batch: the blocks of 64 full frames.
const CHANGES: u32 = 64 * 13;

fn change(i: u32) -> Change {
    Change { table: TableKind::Cells8, first: Slot(8 * i), mask: 0xFF, version: Version(u64::from(i) << 12) }
}

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    group.throughput(Throughput::Elements(CHANGES.into()));
    group.bench_function("push a batch", |bencher| {
        let mut publisher = Publisher::new(65_536);
        bencher.iter(|| {
            (0..CHANGES).for_each(|i| publisher.push(change(i)));
            publisher.flush();
        });
    });
    group.bench_function("push and read a batch", |bencher| {
        let mut publisher = Publisher::new(65_536);
        let mut reader = publisher.source().subscribe();
        bencher.iter(|| {
            (0..CHANGES).for_each(|i| publisher.push(change(i)));
            publisher.flush();
            let mut read = 0;
            while let Next::Change(_) = reader.poll() {
                read += 1;
            }
            assert_eq!(read, CHANGES);
        });
    });
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
