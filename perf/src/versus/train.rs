//! A fully verified cell: trains of full frames all the way, from the datagram to the merged table, hashes, trees and
//! signatures included. Ticks a cell.
//!
//! As many trains arrive together as a wave takes: 8 batches. What a lone train costs, whose one signature has the
//! lanes to itself, stands beside it.

use octick_bench::load::EPOCH_MICROS;
use octick_core::crypto::Verifier;
use octick_core::crypto::lanes::Settings;
use octick_core::data::Directory;
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX, WAVE_MAX};
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use super::options::Options;
use crate::pipeline::Pipeline;
use crate::report::{Bar, Report, Row};
use crate::sample::{Sample, best_of, sample};
use crate::signers::{Signers, width};

const UNIT: &str = "ticks/cell";
/// Origins whose trains arrive, all with tables.
const ORIGINS: usize = 8;
/// Blocks of each: a little more than the longest train has.
const BLOCKS_EACH: u32 = 1_024;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let bars = [(Kind::Block8, [(8, 25.0), (64, 12.0)]), (Kind::Block16, [(8, f64::NAN), (64, 7.0)])];
    for (kind, bars) in bars {
        let name = if kind == Kind::Block8 { "block8" } else { "block16" };
        for (len, bar) in bars {
            let bar = (!bar.is_nan()).then_some(Bar::AtMost(bar));
            let mut load = Load::new(kind);
            let taken = load.measure(options, bar, |load| load.trains(len, WAVE_MAX * BATCH_MAX / len));
            let mut lone = Load::new(kind);
            let lone = lone.measure(options, None, |load| load.trains(len, 1)).least;
            let note = format!("p50 {:.1}; a lone train {lone:.1}", taken.median);
            let row = Row::value(format!("train.{len}.{name}.ticks_per_cell"), UNIT, taken.least);
            report.push(row.bar(bar).note(note));
        }
    }
    report.push(alone(options));
}

/// Frames of trains whose root is known, one at a time: what a relayed straggler costs.
fn alone(options: &Options) -> Row {
    let bar = Bar::AtMost(42.0);
    let mut load = Load::new(Kind::Block8);
    let taken = load.measure(options, Some(bar), |load| {
        let waves = load.trains(BATCH_MAX, 1);
        let (first, rest) = waves[0][0].split_first().expect("a train has frames");
        load.take(&[vec![vec![first.clone()]]]);
        rest.iter().map(|frame| vec![vec![frame.clone()]]).collect()
    });
    let note = format!("p50 {:.1}; each frame carries a path of six hashes", taken.median);
    Row::value("train.alone.ticks_per_cell", UNIT, taken.least).bar(bar).note(note)
}

/// Batches of datagrams that arrive together.
type Wave = Vec<Vec<Vec<u8>>>;

/// The datagrams of a batch, as a node sees them.
fn views(batch: &[Vec<u8>]) -> [&[u8]; BATCH_MAX] {
    std::array::from_fn(|i| batch.get(i).map_or(&[][..], Vec::as_slice))
}

/// A node that receives, and who sends to it.
struct Load {
    kind: Kind,
    signers: Signers,
    node: Pipeline,
}

impl Load {
    fn new(kind: Kind) -> Self {
        let slots = ORIGINS as u32 * BLOCKS_EACH * width(kind);
        let signers = Signers::of(kind, ORIGINS, slots, EPOCH_MICROS);
        let directory =
            Directory::new(signers.roster(), [1, 2]).expect("signers share the table without overlap");
        let signatures = Verifier::new(Settings { cross_check: 0, table_after: 2, ..Settings::default() });
        octick::memory::advise_huge(signatures.table_memory());
        octick::memory::collapse_huge(signatures.base_memory());
        let node = Pipeline::new(kind, slots, Kernel::detect(), &directory).with_signatures(signatures);
        let mut load = Self { kind, signers, node };
        // Every signer is met, and gets its table; every cell is written.
        for _ in 0..8 {
            let waves = load.trains(1, WAVE_MAX * BATCH_MAX);
            load.take(&waves);
            load.node.idle();
        }
        load
    }

    /// `count` fresh trains of `len` frames, in waves.
    fn trains(&mut self, len: usize, count: usize) -> Vec<Wave> {
        let mut frames = Vec::new();
        for _ in 0..count {
            let (_, train) = self.signers.train(len);
            frames.extend(train.frames().map(<[u8]>::to_vec));
        }
        let batches: Vec<Vec<Vec<u8>>> = frames.chunks(BATCH_MAX).map(<[Vec<u8>]>::to_vec).collect();
        batches.chunks(WAVE_MAX).map(<[_]>::to_vec).collect()
    }

    fn take(&mut self, waves: &[Wave]) {
        for wave in waves {
            let fresh = match &wave[..] {
                [batch] => self.node.take(&views(batch)[..batch.len()]).fresh.count_ones(),
                batches => {
                    let mut views_of = [[&[][..]; BATCH_MAX]; WAVE_MAX];
                    let mut wave = [&[][..]; WAVE_MAX];
                    for ((views_of, wave), batch) in views_of.iter_mut().zip(&mut wave).zip(batches) {
                        *views_of = views(batch);
                        *wave = &views_of[..batch.len()];
                    }
                    self.node.take_wave(&wave[..batches.len()])
                }
            };
            let frames: usize = wave.iter().map(Vec::len).sum();
            assert_eq!(fresh as usize, frames, "all are genuine and new");
        }
    }

    /// Ticks a cell of what `next` brings; its memory is prepared before the clock starts.
    fn measure(
        &mut self,
        options: &Options,
        bar: Option<Bar>,
        mut next: impl FnMut(&mut Self) -> Vec<Wave>,
    ) -> Sample {
        let cells_a_frame = BLOCKS_MAX * width(self.kind) as usize;
        let mut frames = 0;
        let once = || {
            let mut state = (&mut *self, Vec::new());
            let taken = sample(
                options.batches(),
                &mut state,
                |(load, waves)| {
                    *waves = next(load);
                    frames = waves.iter().flatten().map(Vec::len).sum::<usize>();
                    load.node.idle();
                },
                |(load, waves)| load.take(waves),
            );
            taken.per(frames * cells_a_frame)
        };
        best_of(options.patience(), once, |taken| bar.is_none_or(|bar| bar.allows(taken.least)))
    }
}
