//! Checking datagrams: whole frames of each kind, and the same with an offence in their last entry.
//!
//! Budget: one tick a cell.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octick_bench::load::Shape;
use octick_bench::table::Load;
use octick_core::wire::{Entries, Frame, Kind};

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20);
    for (kind, name) in [(Kind::Block8, "block8"), (Kind::Block16, "block16"), (Kind::Rows, "row16")] {
        let mut load = Load::new(Shape::full(kind, 1 << 16));
        load.next_batch();
        group.throughput(Throughput::Elements(load.cells() as u64));
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| load.frames().iter().filter(|frame| Frame::parse(black_box(frame)).is_ok()).count());
        });
        let damaged: Vec<Vec<u8>> = load.frames().iter().map(|frame| damage(frame)).collect();
        group.bench_function(format!("{name}.damaged"), |bencher| {
            bencher.iter(|| damaged.iter().filter(|frame| Frame::parse(black_box(frame)).is_err()).count());
        });
    }
}

/// Takes the last entry's place down to zero, so that the order breaks where a check finds it last.
fn damage(frame: &[u8]) -> Vec<u8> {
    let last = match Frame::parse(frame).expect("a load is of frames").entries() {
        Entries::Block8(blocks) => 40 + 72 * (blocks.len() - 1),
        Entries::Block16(blocks) => 40 + 72 * (blocks.len() - 1),
        Entries::Rows(rows) => 40 + 4 * (rows.len() - 1),
        Entries::Stats(_) | Entries::Control(_) => unreachable!("a load is of cells"),
    };
    let mut damaged = frame.to_vec();
    damaged[last..last + 4].fill(0);
    damaged
}

criterion_group!(benches, parse);
criterion_main!(benches);
