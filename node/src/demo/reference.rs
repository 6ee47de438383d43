//! What a cell costs on this machine when nothing stands in its way, for a newcomer to hold the demo's figure against.
//!
//! The load is that of the gate's row `merge.block8.64k` (`octick-perf gate`): full batches of full frames with random
//! blocks, newer than all before, into a table that fits the second-level cache, all on one thread; parse, window and
//! merge, without hashes and signatures. It is bounded in time, so its figure is the least of few batches and no
//! replacement for the gate.

use std::time::{Duration, Instant};

use octick::{Identity, Kernel, Layout, Run, Slot, Version};
use octick_core::counters::Counters;
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Origin};
use octick_core::engine::{Engine, Parts};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX};
use octick_core::stamp::{Incarnation, Seq};
use octick_core::state::{Regions, State};
use octick_core::wire::{Block8, Kind, Sealer, Stamp};
use octick_crypto::MeshKeys;

use crate::failure::Failure;

/// Slots of the table.
pub(super) const SLOTS: u32 = 1 << 16;
/// How long to measure; a batch that has begun is finished.
const SPAN: Duration = Duration::from_millis(120);
/// Batches at least, so that caches and branches are warm for the one that counts.
const BATCHES_MIN: u32 = 8;
const MESH: &str = "octick demo reference";

/// Ticks a cell, of the fastest batch.
///
/// # Errors
/// One line: no memory, no randomness.
pub(super) fn ticks_per_cell() -> Result<f64, Failure> {
    let (origin, own) = (Identity::generate()?, Identity::generate()?);
    let run = Run { first: Slot(0), len: SLOTS };
    let origins = vec![Origin { key: origin.public().clone(), runs: vec![run], revoked: false }];
    let mut seed = octick::clock::ticks() | 1;
    let directory =
        Directory::new(origins, [seed, !seed]).map_err(|error| Failure::new(error.to_string()))?;
    let layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
    let kernel = Kernel::detect();
    let regions = Regions::take(&layout, octick::memory::huge_region)?;
    let (keys, counters) = (MeshKeys::derive(MESH), Counters::default());
    let mut micros = octick::clock::wall_micros();
    let mut engine = Engine::new(Parts {
        identity: own,
        keys: keys.clone(),
        incarnation: Incarnation(1),
        origins_max: directory.len(),
        directory: directory.clone(),
        runs: Vec::new(),
        state: State::new(layout, regions, kernel, micros),
        changes: 1 << 10,
        counters: counters.clone(),
        ticks: octick::clock::ticks,
    });
    let terms = Terms { layout, skew_micros_max: 3_600_000_000 };
    let ingress =
        Ingress::new(directory, engine.windows(), terms, keys.clone(), counters, octick::clock::ticks);
    let (mut sealer, mut first_seq, mut best) = (Sealer::new(), 1, f64::INFINITY);
    let began = Instant::now();
    for batch in 0.. {
        if batch >= BATCHES_MIN && began.elapsed() >= SPAN {
            break;
        }
        sealer.clear();
        for _ in 0..BATCH_MAX {
            frame(&mut sealer, &mut seed);
        }
        micros += 1;
        let stamp = Stamp {
            incarnation: Incarnation(1),
            first_seq: Seq(first_seq),
            version: Version::new(micros, origin.id()),
        };
        first_seq += BATCH_MAX as u64;
        sealer.seal(&origin, &keys, &stamp);
        let frames: Vec<&[u8]> = sealer.frames().collect();
        let start = octick::clock::ticks();
        let absorbed = engine.absorb(&ingress.filter(&frames, micros));
        let ticks = octick::clock::ticks().wrapping_sub(start);
        assert_eq!(absorbed.fresh.count_ones() as usize, BATCH_MAX, "every frame of the reference is merged");
        best = best.min(ticks as f64 / f64::from(absorbed.cells));
    }
    Ok(best)
}

/// A full frame: random blocks, rising. All frames of a train have one version, so cells that two of them name must agree:
/// a block's value is its number.
fn frame(sealer: &mut Sealer, seed: &mut u64) {
    let mut blocks = [0; BLOCKS_MAX];
    loop {
        blocks.iter_mut().for_each(|block| *block = below(seed, SLOTS / 8));
        blocks.sort_unstable();
        if blocks.is_sorted_by(|a, b| a < b) {
            break;
        }
    }
    sealer.frame(Kind::Block8, |draft| {
        for block in blocks {
            draft.block8(&Block8::new(block, 0xFF, 0, [block.into(); 8])).expect("as many blocks as fit");
        }
    });
}

/// A number below `bound` (Marsaglia's xorshift64; it only has to spread the blocks).
fn below(seed: &mut u64, bound: u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (((*seed >> 32) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_soon_there_and_plausible() {
        let began = Instant::now();
        let ticks = ticks_per_cell().unwrap();
        assert!(ticks.is_finite() && ticks > 0.5, "{ticks}");
        // A test's build is slow, and so is a machine with other tests on it.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
