//! The whole pipeline in process, signatures included: trains in, merged cells out, for trains of several lengths.
//!
//! Budget: a signature a train (see `verify`), a hash of 1,500 ticks a frame, 8 ticks a cell for the rest.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octick_core::counters::Counters;
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Origin, Run, Sender};
use octick_core::engine::{Engine, Parts};
use octick_core::limits::BLOCKS_MAX;
use octick_core::stamp::{Incarnation, Seq, Slot, Version};
use octick_core::state::{Layout, Regions, State};
use octick_core::table::{Kernel, Region};
use octick_core::wire::{Block8, Kind, Sealer, Stamp};
use octick_crypto::{Identity, MeshKeys};

const LAYOUT: Layout = Layout { slots: 65_536, cells8: true, cells4: false, rows: false };
const NOW: u64 = 1_800_000_000_000_000;
/// Frames that are signed before the clock starts.
const FRAMES: usize = 4_096;

struct Node {
    ingress: Ingress,
    engine: Engine,
}

impl Node {
    fn new(identity: &Identity, keys: &MeshKeys) -> Self {
        let run = Run { first: Slot(0), len: LAYOUT.slots };
        let origin = Origin { key: identity.public().clone(), runs: vec![run], revoked: false };
        let directory = Directory::new(vec![origin], [3, 5]).expect("one origin");
        let regions =
            Regions::take(&LAYOUT, |len| Ok::<_, ()>(Region::heap(len))).expect("the heap has room");
        let counters = Counters::default();
        let engine = Engine::new(Parts {
            identity: Identity::from_seed(&[9; 32]),
            keys: keys.clone(),
            incarnation: Incarnation(1),
            directory: directory.clone(),
            origins_max: directory.len(),
            runs: vec![],
            state: State::new(LAYOUT, regions, Kernel::detect(), NOW),
            changes: 1_024,
            counters: counters.clone(),
            ticks: octick::clock::ticks,
        });
        let terms = Terms { layout: LAYOUT, skew_micros_max: 10_000_000 };
        let windows = engine.windows();
        let ingress = Ingress::new(directory, windows, terms, keys.clone(), counters, octick::clock::ticks);
        Self { ingress, engine }
    }
}

/// [`FRAMES`] full frames in trains of `len`, each cell newer than the one before it.
fn signed(identity: &Identity, keys: &MeshKeys, len: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::with_capacity(FRAMES);
    while frames.len() < FRAMES {
        let mut train = Sealer::new();
        for i in 0..len {
            let first = ((frames.len() + i) * BLOCKS_MAX) as u32 % (LAYOUT.slots / 8 - BLOCKS_MAX as u32);
            train.frame(Kind::Block8, |draft| {
                for j in 0..BLOCKS_MAX as u32 {
                    draft.block8(&Block8::new(first + j, 0xFF, 0, [u64::from(j); 8])).expect("there is room");
                }
            });
        }
        let stamp = Stamp {
            incarnation: Incarnation(1),
            first_seq: Seq(frames.len() as u64 + 1),
            version: Version::new(NOW + frames.len() as u64, identity.id()),
        };
        train.seal(identity, keys, &stamp);
        frames.extend(train.frames().map(<[u8]>::to_vec));
    }
    frames
}

fn pipeline(criterion: &mut Criterion) {
    let (identity, keys) = (Identity::from_seed(&[1; 32]), MeshKeys::derive("bench"));
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements((64 * BLOCKS_MAX * 8) as u64)).sample_size(20);
    for len in [1, 8, 64] {
        let frames = signed(&identity, &keys, len);
        group.bench_function(format!("64 frames in trains of {len}"), |bencher| {
            bencher.iter_custom(|batches| {
                let (mut node, mut at, mut spent) = (Node::new(&identity, &keys), 0, Duration::ZERO);
                for _ in 0..batches {
                    if at == FRAMES {
                        (node, at) = (Node::new(&identity, &keys), 0);
                    }
                    let views: [&[u8]; 64] = std::array::from_fn(|i| frames[at + i].as_slice());
                    at += 64;
                    let began = Instant::now();
                    let batch = node.ingress.check(&views, &[Sender(0); 64], NOW);
                    let absorbed = node.engine.absorb(&batch);
                    spent += began.elapsed();
                    assert_eq!(absorbed.fresh, u64::MAX, "every frame is new and proves itself");
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
