//! Signed trains, made ahead of their time.
//!
//! A train's version is the time at which it is to be sent, so that what the receiver measures against it includes
//! every delay: its own, the network's, and the generator's.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use octick_core::limits::{BLOCKS_MAX, FRAME_MAX};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{Block8, Kind, Sealer, Stamp};
use octick_crypto::{Identity, MeshKeys};

use crate::config::Run;
use crate::failure::Failure;

/// Memory that trains may wait in.
const MEMORY: usize = 512 << 20;
/// Longest time to sign before the first train goes out.
const LEAD_MAX: Duration = Duration::from_secs(10);

/// When each train is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Frames in a second.
    pub(super) rate: u64,
    /// Frames in a train.
    pub(super) train: usize,
    /// Trains in all.
    pub(super) trains: u64,
}

impl Schedule {
    /// How long after the first train number `i` is due.
    pub(super) fn due(&self, i: u64) -> Duration {
        let nanos = u128::from(i) * self.train as u128 * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(nanos as u64)
    }

    /// Frames in all.
    pub(super) fn frames(&self) -> u64 {
        self.trains * self.train as u64
    }
}

/// A signed train, waiting to be sent.
pub(super) struct Train {
    bytes: Box<[u8]>,
    /// All frames of a train have one length: they hold as many blocks.
    frame_len: usize,
    /// When it was ready, nanoseconds since 1970.
    pub(super) signed_ns: u64,
}

impl Train {
    pub(super) fn frames(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.frame_len)
    }
}

/// Signs trains of cells in one run.
pub(super) struct Signer {
    pub(super) identity: Arc<Identity>,
    pub(super) keys: MeshKeys,
    pub(super) incarnation: Incarnation,
    pub(super) run: Run,
    pub(super) schedule: Schedule,
}

/// Trains on their way from the signer's thread.
pub(super) struct Stock {
    /// In the order of the schedule.
    pub(super) trains: Receiver<Train>,
    /// How much later than the first train may be sent, microseconds since 1970.
    pub(super) start_micros: u64,
}

impl Signer {
    /// Signs on a thread of its own, ahead of the schedule: as many trains as fit memory and a short wait. The first
    /// train is due when the wait is over.
    pub(super) fn start(self) -> Result<Stock, Failure> {
        let stock = MEMORY / (self.schedule.train * FRAME_MAX);
        let (sender, trains) = mpsc::sync_channel(stock);
        let each = self.time_of_one();
        let ahead = self.schedule.trains.min(stock as u64) as u32;
        let lead = (each * ahead * 3 / 2 + Duration::from_millis(100)).min(LEAD_MAX);
        let start_micros = octick::clock::wall_micros() + lead.as_micros() as u64;
        thread::Builder::new().name("signer".into()).spawn(move || self.sign_all(start_micros, &sender))?;
        Ok(Stock { trains, start_micros })
    }

    /// Signs a train for the clock's sake.
    fn time_of_one(&self) -> Duration {
        let mut sealer = Sealer::new();
        let began = Instant::now();
        self.sign(0, octick::clock::wall_micros(), &mut sealer, &mut 0);
        began.elapsed()
    }

    fn sign_all(&self, start_micros: u64, to: &SyncSender<Train>) {
        let (mut sealer, mut block) = (Sealer::new(), 0);
        for i in 0..self.schedule.trains {
            let micros = start_micros + self.schedule.due(i).as_micros() as u64;
            let train = self.sign(i, micros, &mut sealer, &mut block);
            if to.send(train).is_err() {
                return;
            }
        }
    }

    /// Train number `i`: full blocks, going round the run. All cells of a train have one value, for they have one
    /// version, and a short run is gone round several times.
    fn sign(&self, i: u64, micros: u64, sealer: &mut Sealer, block: &mut u32) -> Train {
        let (first, blocks) = (self.run.first / 8, (self.run.end - self.run.first) / 8);
        let per_frame = blocks.min(BLOCKS_MAX as u32);
        sealer.clear();
        for _ in 0..self.schedule.train {
            // Indices rise within a frame, so a frame does not reach over the end of the run.
            if *block + per_frame > blocks {
                *block = 0;
            }
            sealer.frame(Kind::Block8, |draft| {
                for index in *block..*block + per_frame {
                    draft.block8(&Block8::new(first + index, 0xFF, 0, [i; 8])).expect("it fits");
                }
            });
            *block += per_frame;
        }
        let stamp = Stamp {
            incarnation: self.incarnation,
            first_seq: Seq(1 + i * self.schedule.train as u64),
            version: Version::new(micros, self.identity.id()),
        };
        sealer.seal(&self.identity, &self.keys, &stamp);
        let bytes = sealer.frames().collect::<Vec<_>>().concat();
        let frame_len = bytes.len() / self.schedule.train;
        Train { bytes: bytes.into(), frame_len, signed_ns: octick::clock::wall_ns() }
    }
}
