//! The hand-over between threads: a single-producer ring, a many-producer ring and a channel, for items of 32 bytes,
//! which is what the description of a received buffer takes.
//!
//! Budget: 20 ticks an item, 10 ns, for the ring chosen. Threads hand over batches of frames, never cells, so this
//! price is paid once a buffer.

use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel;
use crossbeam::queue::ArrayQueue;

/// What travels.
type Item = [u64; 4];
/// Places in each ring.
const PLACES: usize = 1 << 10;
/// Items of one measured run.
const ITEMS: u64 = 1 << 17;

fn rings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rings");
    group.throughput(Throughput::Elements(ITEMS)).sample_size(10);
    bench(&mut group, "rtrb", || {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(PLACES);
        hand_over(|item| producer.push(item).is_ok(), move || consumer.pop().ok())
    });
    bench(&mut group, "crossbeam_array_queue", || {
        let queue = ArrayQueue::new(PLACES);
        hand_over(|item| queue.push(item).is_ok(), || queue.pop())
    });
    bench(&mut group, "crossbeam_channel", || {
        let (sender, receiver) = channel::bounded(PLACES);
        hand_over(|item| sender.try_send(item).is_ok(), || receiver.try_recv().ok())
    });
    group.finish();
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, once: impl Fn() -> Duration) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| once()).sum());
    });
}

/// Time to bring [`ITEMS`] from this thread to another; both wait by spinning.
fn hand_over(mut push: impl FnMut(Item) -> bool, mut pop: impl FnMut() -> Option<Item> + Send) -> Duration {
    thread::scope(|scope| {
        let consumer = scope.spawn(move || {
            let mut sum = 0;
            for _ in 0..ITEMS {
                let mut item = pop();
                let mut spins = 0;
                while item.is_none() {
                    pause(&mut spins);
                    item = pop();
                }
                sum += item.map_or(0, |[number, ..]| number);
            }
            sum
        });
        let start = Instant::now();
        for i in 0..ITEMS {
            let mut spins = 0;
            while !push([i; 4]) {
                pause(&mut spins);
            }
        }
        let sum = consumer.join().expect("the consumer counts to the end");
        assert_eq!(sum, ITEMS * (ITEMS - 1) / 2, "every item came over once");
        start.elapsed()
    })
}

/// Spins, and lets the other thread run if that has not helped: it may be waiting for this core.
fn pause(spins: &mut u32) {
    *spins += 1;
    if spins.is_multiple_of(1_024) { thread::yield_now() } else { spin_loop() }
}

criterion_group!(benches, rings);
criterion_main!(benches);
