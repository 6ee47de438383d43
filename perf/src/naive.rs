//! A node the obvious way: what one writes in an afternoon with tokio, ed25519-dalek and the standard collections.
//!
//! It keeps every promise of a node that receives: known origins only, no frame twice, every signature checked (with
//! `verify` or `verify_strict`, once a frame), ownership of slots, last writer wins. It speaks the same wire format and uses the
//! same hashes. What it lacks is what Octick is about: batches, trains received whole, one signature a train, windows
//! of fixed size, dense tables, prefetching.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use octick_core::crypto::train::{message, root_of};
use octick_core::crypto::{MeshKeys, NodeId};
use octick_core::data::Origin;
use octick_core::wire::{Entries, Frame};
use tokio::net::UdpSocket;

use crate::ticks;

/// Ticks that each frame spent in the naive node's stages.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// Hashing, the path, and the signature.
    pub(crate) verify: Vec<u64>,
    /// Updating the cells.
    pub(crate) merge: Vec<u64>,
}

/// The node.
pub(crate) struct Naive {
    strict: bool,
    keys: MeshKeys,
    members: HashMap<NodeId, Member>,
    seen: HashSet<(NodeId, u32, u64)>,
    cells: HashMap<u32, Cell>,
    skew_micros_max: u64,
    spent: Spent,
}

struct Member {
    key: VerifyingKey,
    slots: Vec<Range<u32>>,
}

#[derive(Clone, Copy)]
struct Cell {
    version: u64,
    value: u64,
}

impl Naive {
    /// A node that knows `origins`, and checks with `verify` or, if `strict`, with `verify_strict`.
    pub(crate) fn new(mesh: &str, origins: &[Origin], strict: bool) -> Self {
        let member = |origin: &Origin| {
            let key = VerifyingKey::from_bytes(origin.key.as_bytes()).expect("the key was admitted before");
            let slots = origin.runs.iter().map(|run| run.first.0..run.first.0 + run.len).collect();
            (origin.key.id(), Member { key, slots })
        };
        Self {
            strict,
            keys: MeshKeys::derive(mesh),
            members: origins.iter().map(member).collect(),
            seen: HashSet::new(),
            cells: HashMap::new(),
            skew_micros_max: 10_000_000,
            spent: Spent::default(),
        }
    }

    /// Receives until `target` frames are merged, telling `merged` after each; returns where the time went.
    pub(crate) async fn run(mut self, socket: UdpSocket, merged: Arc<AtomicU64>, target: u64) -> Spent {
        let mut buffer = [0; 2_048];
        while merged.load(Ordering::Relaxed) < target {
            let Ok((len, _)) = socket.recv_from(&mut buffer).await else { continue };
            if self.take(&buffer[..len]).is_some() {
                merged.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.spent
    }

    /// Takes one datagram; nothing if it is not to be merged.
    fn take(&mut self, datagram: &[u8]) -> Option<()> {
        let frame = Frame::parse(datagram).ok()?;
        let header = frame.header();
        let member = self.members.get(&header.origin())?;
        let name = (header.origin(), header.incarnation().0, header.seq().0);
        if self.seen.contains(&name) || header.version().micros() > now_micros() + self.skew_micros_max {
            return None;
        }
        let start = ticks::now();
        let leaf = self.keys.leaf(frame.signed_part());
        let root = root_of(&self.keys, leaf, header.train_index(), header.train_len(), frame.path());
        let signature = Signature::from_bytes(frame.signature());
        let signed = message(header.train_len(), &root);
        let checked = match self.strict {
            true => member.key.verify_strict(&signed, &signature),
            false => member.key.verify(&signed, &signature),
        };
        checked.ok()?;
        let verified = ticks::now();
        self.spent.verify.push(verified - start);
        self.seen.insert(name);

        let Entries::Block8(blocks) = frame.entries() else { return None };
        for block in blocks {
            let version = header.version().aged(block.age.get().into()).0;
            for lane in (0..8).filter(|lane| block.mask >> lane & 1 == 1) {
                let slot = block.index.get() * 8 + lane;
                if !member.slots.iter().any(|slots| slots.contains(&slot)) {
                    return None;
                }
                let cell = Cell { version, value: block.values[lane as usize].get() };
                let kept = self.cells.entry(slot).or_insert(cell);
                if (cell.version, cell.value) > (kept.version, kept.value) {
                    *kept = cell;
                }
            }
        }
        self.spent.merge.push(ticks::now() - verified);
        Some(())
    }
}

fn now_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
