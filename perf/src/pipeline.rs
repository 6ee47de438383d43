//! A node without sockets: the very `Ingress` and `Engine` of the data plane, over one table.

use octick_bench::load::{EPOCH_MICROS, LIFE};
use octick_core::counters::Counters;
use octick_core::crypto::{Identity, MeshKeys, Verifier};
use octick_core::data::accept::Terms;
use octick_core::data::{Arrived, Batch, Directory, Ingress, Sender};
use octick_core::engine::{Absorbed, Engine, Parts};
use octick_core::limits::{BATCH_MAX, WAVE_MAX};
use octick_core::state::{Layout, Regions, State};
use octick_core::table::Kernel;
use octick_core::wire::Kind;

use crate::ticks;

/// How far the clock of a load may run: a day, for it goes by 1,024 microseconds a frame, and recording takes its time.
const SPAN_MICROS: u64 = 86_400_000_000;
/// The mesh that all signatures of a load are for.
pub(crate) const MESH: &str = "perf";

/// What stands between a socket's receive and its send.
pub(crate) struct Pipeline {
    ingress: Ingress,
    engine: Engine,
}

impl Pipeline {
    /// An empty table of `slots` slots for entries of `kind` from the origins of `directory`.
    pub(crate) fn new(kind: Kind, slots: u32, kernel: Kernel, directory: &Directory) -> Self {
        let layout = Layout {
            slots,
            cells8: kind == Kind::Block8,
            cells4: kind == Kind::Block16,
            rows: kind == Kind::Rows,
        };
        let regions = Regions::take(&layout, octick::memory::huge_region).expect("memory for a table");
        let (keys, counters) = (MeshKeys::derive(MESH), Counters::default());
        let engine = Engine::new(Parts {
            identity: Identity::from_seed(&[0xFF; 32]),
            keys: keys.clone(),
            incarnation: LIFE,
            directory: directory.clone(),
            origins_max: directory.len(),
            runs: Vec::new(),
            state: State::new(layout, regions, kernel, EPOCH_MICROS),
            changes: 1 << 10,
            counters: counters.clone(),
            ticks: ticks::now,
        });
        let terms = Terms { layout, skew_micros_max: SPAN_MICROS };
        let ingress = Ingress::new(directory.clone(), engine.windows(), terms, keys, counters, ticks::now);
        Self { ingress, engine }
    }

    /// The same, with signatures decided by `signatures`.
    pub(crate) fn with_signatures(mut self, signatures: Verifier) -> Self {
        self.ingress = self.ingress.with_signatures(signatures);
        self
    }

    /// Builds every table that is wanted, as idle times do.
    pub(crate) fn idle(&mut self) {
        while self.ingress.build_step() {}
    }

    /// Takes a wave of batches all the way; returns how many frames were new and are merged.
    pub(crate) fn take_wave(&mut self, wave: &[&[&[u8]]]) -> u32 {
        let senders = &[Sender(0); BATCH_MAX];
        let mut arrived = [Arrived { datagrams: &[], senders: &[] }; WAVE_MAX];
        for (to, datagrams) in arrived.iter_mut().zip(wave) {
            *to = Arrived { datagrams, senders: &senders[..datagrams.len()] };
        }
        let mut batches: [Batch<'_>; WAVE_MAX] = std::array::from_fn(|_| Batch::new());
        let batches = &mut batches[..wave.len()];
        self.ingress.check_wave(&arrived[..wave.len()], batches, EPOCH_MICROS);
        batches.iter().map(|batch| self.engine.absorb(batch).fresh.count_ones()).sum()
    }

    /// Takes up to 64 datagrams all the way.
    pub(crate) fn take(&mut self, datagrams: &[&[u8]]) -> Absorbed {
        let senders = &[Sender(0); BATCH_MAX][..datagrams.len()];
        let batch = self.ingress.check(datagrams, senders, EPOCH_MICROS);
        self.engine.absorb(&batch)
    }

    /// Takes up to 64 datagrams all the way but for hashes and signatures.
    #[inline(never)]
    pub(crate) fn take_unsigned(&mut self, datagrams: &[&[u8]]) -> Absorbed {
        let batch = self.ingress.filter(datagrams, EPOCH_MICROS);
        self.engine.absorb(&batch)
    }
}
