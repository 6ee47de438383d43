//! What other threads ask of the engine's.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam::channel::Sender;
use octick_core::admission::SignedDecision;
use octick_core::admission::log::Appended;
use octick_core::data::Update;
use octick_core::data::report::Report;
use octick_core::engine::NotLearnt;
use octick_crypto::{Hash, NodeId};

use crate::config::Peer;
use crate::mesh::{Expelled, MeshView, Steering, Whom};

/// An agent's write, on its way to the engine's thread.
pub(crate) struct Write {
    pub(crate) what: What,
    pub(crate) urgency: Urgency,
}

/// What is written.
pub(crate) enum What {
    /// One cell.
    One(Update),
    /// All of these, before anything leaves.
    All(Vec<Update>),
}

/// How soon a write is to leave.
#[derive(Clone, Copy)]
pub(crate) enum Urgency {
    /// With others.
    Normal,
    /// At once, and straight to whom it concerns.
    Critical(Option<NodeId>),
}

/// What a handle asks of the engine's thread.
pub(crate) enum Command {
    /// Hash all tables.
    Digest(Sender<Hash>),
    /// Send all own cells again.
    Refresh,
    /// Take these peers into the directory, and send to those with an address.
    Learn(Vec<Peer>, Sender<Result<(), NotLearnt>>),
    /// Say who is in the mesh.
    View(Sender<Option<MeshView>>),
    /// Change this node's part in the mesh; the answer is whether it did.
    /// Nothing without membership.
    Steer(Steering, Sender<Option<bool>>),
    /// Have members leave, and forget them if so; the answer is what became of each, or nothing without membership.
    Expel(Whom, bool, Sender<Option<Vec<(NodeId, Expelled)>>>),
    /// Take a decision of the mesh's authority, and pass it on; the answer is what became of it, or nothing without membership.
    Decide(Box<SignedDecision>, Sender<Option<Appended>>),
    /// Say what the mesh's authority decided after the first so many; nothing without membership.
    Decisions(u64, Sender<Option<Vec<Arc<SignedDecision>>>>),
    /// Ask the node at this address for its report.
    QueryStats(SocketAddr, Sender<Report>),
    /// Say goodbye, send all that is pending, and then say so.
    Drain(Sender<()>),
}
