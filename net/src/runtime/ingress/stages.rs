//! Makes what checks the datagrams of a receiving thread, one for each, all alike.

use std::io;

use octick_core::data::accept::Terms;
use octick_core::data::budget::Limits;
use octick_core::data::{Budgets, Directory, Ingress, WindowsView};
use octick_core::limits::STRANGERS;
use octick_crypto::{MeshKeys, NodeId, lanes};

use crate::clock;
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::ingress::sender_table::Senders;
use crate::runtime::ingress::verifier_upgrade::{Warmer, warm};
use crate::runtime::shared::peer_snapshot::PeerSnapshot;
use crate::runtime::shared::thread_stats::ThreadStats;

/// What a stage is made of.
pub(in crate::runtime) struct Parts {
    /// How signatures are checked.
    pub(in crate::runtime) verify: lanes::Settings,
    /// Whether by the long tables from the first datagram on.
    pub(in crate::runtime) at_once: bool,
    /// What a sender may cost.
    pub(in crate::runtime) limits: Limits,
    /// Nodes whose frames are taken.
    pub(in crate::runtime) origins_max: usize,
    /// Which node this is: control frames for others are refused.
    pub(in crate::runtime) id: NodeId,
    /// What a frame is held to.
    pub(in crate::runtime) terms: Terms,
    /// Whose frames are taken at the start.
    pub(in crate::runtime) directory: Directory,
    /// What was seen before, to look at.
    pub(in crate::runtime) windows: WindowsView,
    /// The mesh's keys.
    pub(in crate::runtime) keys: MeshKeys,
    /// Whose frames are taken later.
    pub(in crate::runtime) snapshot: PeerSnapshot,
}

/// Makes stages.
pub(in crate::runtime) struct Stages {
    parts: Parts,
    warmer: Warmer,
}

impl Stages {
    pub(in crate::runtime) fn new(parts: Parts) -> Self {
        Self { warmer: Warmer::new(parts.verify), parts }
    }

    /// The stage of the thread that counts into these.
    pub(in crate::runtime) fn stage(&mut self, thread_stats: &ThreadStats) -> IngressStage {
        let parts = &self.parts;
        let (signatures, promise) = if parts.at_once {
            (warm(parts.verify), None)
        } else {
            let (signatures, promise) = self.warmer.promise();
            (signatures, Some(promise))
        };
        let (directory, windows, counters) =
            (parts.directory.clone(), parts.windows.clone(), thread_stats.counters.clone());
        let ingress =
            Ingress::new(directory, windows, parts.terms, parts.keys.clone(), counters, clock::ticks)
                .for_node(parts.id)
                .with_signatures(signatures)
                .with_budgets(Budgets::new(&parts.limits, parts.origins_max as u32, STRANGERS));
        let senders = Senders::new(parts.origins_max);
        IngressStage::new(ingress, promise, senders, parts.snapshot.clone(), thread_stats.clone())
    }

    /// No more stages are made: the long tables are, once one of them asks.
    ///
    /// # Errors
    /// There is no thread to make them on.
    pub(in crate::runtime) fn warm_up(self) -> io::Result<()> {
        self.warmer.start()
    }
}
