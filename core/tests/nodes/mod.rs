//! Two nodes without sockets that know each other, for the tests of what a node takes.

#![allow(dead_code, reason = "each test file takes what it needs")]

use octick_core::Reject;
use octick_core::counters::Counters;
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Origin, Run, Sender, Update};
use octick_core::engine::{Absorbed, Engine, Parts};
use octick_core::stamp::{Incarnation, Slot};
use octick_core::state::{Layout, Regions, State};
use octick_core::table::{Kernel, Region};
use octick_crypto::{Identity, MeshKeys};

pub(crate) const LAYOUT: Layout = Layout { slots: 1_024, cells8: true, cells4: true, rows: true };
pub(crate) const MESH: &str = "test";
pub(crate) const NOW: u64 = 1_800_000_000_000_000;
pub(crate) const SKEW: u64 = 10_000_000;

/// One of two nodes that know each other: node n writes slots 512 n to 512 n + 495.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) ingress: Ingress,
    pub(crate) counters: Counters,
}

pub(crate) fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n + 1; 32])
}

pub(crate) fn run(n: u8) -> Run {
    Run { first: Slot(512 * u32::from(n)), len: 496 }
}

pub(crate) fn senders(count: usize) -> Vec<Sender> {
    vec![Sender(0); count]
}

pub(crate) fn no_ticks() -> u64 {
    0
}

impl Node {
    pub(crate) fn new(n: u8) -> Self {
        Self::with(n, 1, |_| ())
    }

    pub(crate) fn with(n: u8, incarnation: u32, change: impl FnOnce(&mut Vec<Origin>)) -> Self {
        let origin = |n| Origin { key: identity(n).public().clone(), runs: vec![run(n)], revoked: false };
        let mut origins = vec![origin(0), origin(1)];
        change(&mut origins);
        let directory = Directory::new(origins, [1, 2]).unwrap();
        let regions = Regions::take(&LAYOUT, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
        let (keys, counters) = (MeshKeys::derive(MESH), Counters::default());
        let engine = Engine::new(Parts {
            identity: identity(n),
            keys: keys.clone(),
            incarnation: Incarnation(incarnation),
            directory: directory.clone(),
            origins_max: directory.len(),
            runs: vec![run(n)],
            state: State::new(LAYOUT, regions, Kernel::detect(), NOW),
            changes: 64,
            counters: counters.clone(),
            ticks: no_ticks,
        });
        let terms = Terms { layout: LAYOUT, skew_micros_max: SKEW };
        let ingress = Ingress::new(directory, engine.windows(), terms, keys, counters.clone(), no_ticks)
            .for_node(identity(n).id());
        Self { engine, ingress, counters }
    }

    /// The frames of one train that writes `updates`.
    pub(crate) fn publish(&mut self, updates: &[Update]) -> Vec<Vec<u8>> {
        updates.iter().for_each(|update| self.engine.write(*update).unwrap());
        self.engine.flush(NOW).expect("something is pending").frames().map(<[u8]>::to_vec).collect()
    }

    pub(crate) fn take(&mut self, frames: &[Vec<u8>]) -> Absorbed {
        let views: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let batch = self.ingress.check(&views, &senders(views.len()), NOW);
        self.engine.absorb(&batch)
    }

    /// Takes one frame and returns why it was dropped.
    pub(crate) fn refuse(&mut self, frame: &[u8]) -> Reject {
        let (before, digest) = (self.counters.snapshot(), self.engine.digest());
        assert_eq!(self.take(&[frame.to_vec()]), Absorbed::default());
        assert_eq!(self.engine.digest(), digest, "a refused frame changes no table");
        let counted = self.counters.snapshot().since(&before);
        let reasons: Vec<_> = counted.rejects().collect();
        assert_eq!(reasons.len(), 1, "one reason for one frame, not {reasons:?}");
        assert_eq!(reasons[0].1, 1);
        reasons[0].0
    }
}

pub(crate) fn writes() -> Vec<Update> {
    let slots = 512..1_000;
    let all = slots.map(|slot| match slot % 3 {
        0 => Update::Cell8(Slot(slot), u64::from(slot) << 32),
        1 => Update::Cell4(Slot(slot), slot),
        _ => Update::Row(Slot(slot), slot.into()),
    });
    all.collect()
}
