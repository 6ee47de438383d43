//! What an embedder holds: writes go in, reads, changes and events come out, and the node stops when it is told to.
//!
//! Each call says what it waits for and how long; those that say nothing return at once. After the node has ended nothing
//! says that it was done.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{self, RecvTimeoutError, Sender};
use crossbeam::queue::ArrayQueue;
use octick_core::admission::SignedDecision;
use octick_core::counters::Tally;
use octick_core::data::Run;
use octick_core::data::publish::Source;
use octick_core::data::report::Report;
use octick_core::limits::OFFENDERS_MAX;
use octick_core::stamp::Slot;
use octick_core::state::StateReader;
use octick_core::table::Kernel;
use octick_crypto::{Hash, NodeId, lanes};

use crate::changes::Changes;
use crate::config::{Peer, check_runs};
use crate::error::{Gone, LearnError, MeshError, NotReady, QueryError, RenewError};
use crate::events::{EventSource, Events};
use crate::mesh::{Appended, Credential, Expelled, MemberView, MeshView, Quorum, Steering, Whom};
use crate::notify::{Closed, Waiters};
use crate::runtime::{
    Command, Latencies, PeerSnapshot, SenderStats, ThreadStats, Threads, Waker, Write, tally,
};
use crate::socket::{self, Backend, Socket, Why};
use crate::stable::{Beginning, Keeper};
use crate::status::{Standing, Status, Unsent};
use crate::writer::{Groups, Writer};

/// A running node. Dropping it stops the node.
pub struct Handle {
    /// First, so that the threads have ended before what they use is dropped.
    running: Running,
    inner: Inner,
}

pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) local: SocketAddr,
    pub(crate) about: About,
    pub(crate) runs: Arc<[Run]>,
    pub(crate) writes: Arc<ArrayQueue<Write>>,
    pub(crate) commands: Sender<Command>,
    pub(crate) reader: StateReader,
    pub(crate) groups: Groups,
    pub(crate) changes: Source,
    pub(crate) waiters: Waiters,
    pub(crate) all_stats: Vec<ThreadStats>,
    pub(crate) events: EventSource,
    pub(crate) quorum: Quorum,
    pub(crate) status: Status,
    pub(crate) peers: PeerSnapshot,
    pub(crate) seeds: Vec<SocketAddr>,
    pub(crate) beginning: Beginning,
    /// Saves for the last time when the threads have ended.
    pub(crate) keeper: Keeper,
}

/// The threads of a node.
pub(crate) struct Running {
    pub(crate) threads: Threads,
    /// Wakes the engine's.
    pub(crate) waker: Waker,
    /// What became of their start that somebody should know.
    pub(crate) warnings: Vec<String>,
}

/// What a node runs on, chosen at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The socket's backend.
    pub backend: Backend,
    /// Why that one.
    pub why: Why,
    /// The merge kernel.
    pub kernel: Kernel,
    /// The verification kernel.
    pub verify: lanes::Kernel,
    /// What the kernel granted as receive buffer, bytes as it counts them.
    pub receive_buffer_bytes: usize,
}

impl About {
    pub(crate) fn of(socket: &Socket, kernel: Kernel, verify: lanes::Kernel) -> Self {
        Self {
            backend: socket.backend(),
            why: socket.why(),
            kernel,
            verify,
            receive_buffer_bytes: socket.receive_buffer_bytes(),
        }
    }
}

/// A node's figures since its start.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Counters of all threads.
    pub tally: Tally,
    /// Counters of all sockets, at most 100 ms old.
    pub socket: socket::Counters,
    /// Latencies, at most 100 ms old.
    pub latencies: Latencies,
    /// The addresses that sent the most bad or refused frames, the worst first, at most 16; at most 100 ms old.
    pub senders: Vec<SenderStats>,
}

/// How a node ended.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// What did not get out in time.
    pub unsent: Unsent,
    /// Its last figures.
    pub stats: Stats,
}

impl Handle {
    pub(crate) fn new(inner: Inner, running: Running) -> Self {
        Self { inner, running }
    }

    /// The node's name.
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// Where it receives.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// The runs of slots that it writes.
    pub fn runs(&self) -> &[Run] {
        &self.inner.runs
    }

    /// What it runs on.
    pub fn about(&self) -> &About {
        &self.inner.about
    }

    /// What did not go as configured, and does not stop the node: a line each.
    pub fn warnings(&self) -> &[String] {
        &self.running.warnings
    }

    /// Writes cells, from any thread; clones share the queue.
    pub fn writer(&self) -> Writer {
        let Inner { runs, writes, groups, quorum, status, peers, .. } = &self.inner;
        Writer {
            runs: runs.clone(),
            layout: self.inner.reader.layout(),
            writes: writes.clone(),
            groups: groups.clone(),
            waker: self.running.waker.clone(),
            quorum: quorum.clone(),
            status: status.clone(),
            peers: peers.clone(),
        }
    }

    /// Reads cells without a lock, from any thread, while the node merges.
    pub fn reader(&self) -> StateReader {
        self.inner.reader.clone()
    }

    /// Follows the changes from now on, in the order in which they were merged, to be polled or waited for. A subscriber
    /// that falls behind is told how many it missed and where to look instead, and never holds the node up.
    pub fn subscribe(&self) -> Changes {
        Changes::new(self.inner.changes.subscribe(), self.inner.waiters.waiter())
    }

    /// Waits until this node is a member like any other: it has met its mesh, has learnt who is there, and reaches a quorum.
    /// Without membership, or as the first of its mesh, a node is ready at once. Updates that are older still come
    /// in after that.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing after `timeout`.
    pub fn ready(&self, timeout: Duration) -> Result<(), NotReady> {
        let status = &self.inner.status;
        let is_ready = || (status.standing() == Standing::Ready).then_some(());
        match self.inner.events.waiter().wait(timeout, is_ready) {
            Ok(Some(())) if self.is_running() => return Ok(()),
            Ok(None) if self.is_running() => {}
            Ok(_) | Err(Closed) => return Err(NotReady::Gone),
        }
        Err(match (status.standing(), self.inner.quorum.lacks()) {
            (Standing::Unmet, _) => {
                NotReady::NoSeedAnswers { seeds: self.inner.seeds.clone(), waited: timeout }
            }
            (Standing::Partitioned, Some((reachable, required))) => {
                NotReady::Partitioned { reachable, required }
            }
            _ => NotReady::NotSettled { waited: timeout },
        })
    }

    /// Who speaks for `slot`, as far as this node knows: itself, a peer, or a member, whether it is there or gone. `None` where
    /// nobody does. Looks at every run of slots that is known; not for a hot path.
    pub fn owner_of(&self, slot: Slot) -> Option<NodeId> {
        self.inner.status.lost_to(slot).or_else(|| self.inner.peers.owner_of(slot))
    }

    /// The node's counters as they stand. Takes no lock and no memory.
    pub fn tally(&self) -> Tally {
        tally(&self.inner.all_stats)
    }

    /// The node's figures. Takes the memory of two histograms.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { tally: self.tally(), ..Stats::default() };
        for thread_stats in &self.inner.all_stats {
            thread_stats.look(|bulk| {
                stats.socket = stats.socket.plus(&bulk.socket);
                stats.latencies.add(&bulk.latencies);
                stats.senders.extend_from_slice(&bulk.senders);
            });
        }
        stats.senders.sort_by_key(|sender| std::cmp::Reverse(sender.score.score()));
        stats.senders.truncate(OFFENDERS_MAX);
        stats
    }

    /// A hash of all tables: equal on nodes that merged the same frames. Costs the engine time in proportion to what
    /// changed since the last call.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn digest(&self) -> Result<Hash, Gone> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Digest(reply))?;
        answer.recv().map_err(|_| Gone)
    }

    /// Sends all own cells again, for whoever missed some.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn refresh(&self) -> Result<(), Gone> {
        self.command(Command::Refresh)
    }

    /// Makes peers known while the node runs, or gives those that are known other addresses and rights. Their frames
    /// are taken, and they are sent to, from now on. The own key may not be among them.
    ///
    /// # Errors
    /// [`LearnError`]: none of them was taken.
    pub fn learn(&self, peers: Vec<Peer>) -> Result<(), LearnError> {
        let slots = self.inner.reader.layout().slots;
        for (i, peer) in peers.iter().enumerate() {
            if peer.key.id() == self.inner.id {
                return Err(LearnError::Own);
            }
            check_runs(&format!("peers[{i}].runs"), &peer.runs, slots).map_err(LearnError::Run)?;
        }
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Learn(peers, reply)).map_err(|Gone| LearnError::Gone)?;
        answer.recv().map_err(|_| LearnError::Gone)?.map_err(LearnError::Refused)
    }

    /// Who is in the mesh, as far as this node knows.
    ///
    /// # Errors
    /// [`MeshError::NoMembership`] for a node that was started without.
    pub fn mesh(&self) -> Result<MeshView, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::View(reply)).map_err(|Gone| MeshError::Gone)?;
        answer.recv().map_err(|_| MeshError::Gone)?.ok_or(MeshError::NoMembership)
    }

    /// The member that goes by `name`, which the mesh's authority gave it; `None` where nobody does. What of many members is asked
    /// at a time, [`MeshView::member_named`] answers.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn member_named(&self, name: &str) -> Result<Option<MemberView>, MeshError> {
        Ok(self.mesh()?.member_named(name).cloned())
    }

    /// What this node finds out about its mesh, for one more consumer: from the oldest of the last 1,024 events on. However
    /// many consumers there are, each gets every event, at its own pace, and is told of those it missed.
    pub fn events(&self) -> Events {
        self.inner.events.consumer()
    }

    /// Greets whoever is at `address`, so that the two meshes become one. Returns before an answer can have come.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn join(&self, address: SocketAddr) -> Result<(), MeshError> {
        self.steer(Steering::Join(address)).map(drop)
    }

    /// Says goodbye to the mesh: others take this node for gone, not for failed. The node itself goes on until it is
    /// stopped, which should be a little later, so that the word gets out; [`Handle::shutdown`] does both.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn leave(&self) -> Result<(), MeshError> {
        self.steer(Steering::Leave).map(drop)
    }

    /// Has a member leave that is gone for good: every node takes it for left, and no quorum counts it any more. With `prune`
    /// it is forgotten besides: it is shown to nobody, and its slots are free. One that is believed live is suspected first, and
    /// says that it is there if it is. Any member may do this.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn force_leave(&self, id: NodeId, prune: bool) -> Result<Expelled, MeshError> {
        let expelled = self.expel(Whom::One(id), prune)?;
        Ok(expelled.first().map_or(Expelled::Unknown, |(_, expelled)| *expelled))
    }

    /// The same of every member that failed. Returns who has left by that.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn force_leave_failed(&self, prune: bool) -> Result<Vec<NodeId>, MeshError> {
        Ok(self.expel(Whom::Failed, prune)?.into_iter().map(|(id, _)| id).collect())
    }

    /// Gives the mesh a decision of its authority, which every member hears: a revocation, new keys. What became of it here says
    /// [`Appended`]; a decision that is [`Appended::Gap`] is lost, for others come before it.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn decide(&self, decision: SignedDecision) -> Result<Appended, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Decide(Box::new(decision), reply)).map_err(|Gone| MeshError::Gone)?;
        answer.recv().map_err(|_| MeshError::Gone)?.ok_or(MeshError::NoMembership)
    }

    /// What the mesh's authority decided after the first `known` decisions, in their order: for whoever keeps them over restarts.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn decisions(&self, known: u64) -> Result<Vec<Arc<SignedDecision>>, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Decisions(known, reply)).map_err(|Gone| MeshError::Gone)?;
        answer.recv().map_err(|_| MeshError::Gone)?.ok_or(MeshError::NoMembership)
    }

    /// Lives by another credential from now on, which every member is shown.
    ///
    /// # Errors
    /// [`RenewError`].
    pub fn renew(&self, credential: Credential) -> Result<(), RenewError> {
        let member = credential.grant().member;
        if member != self.id() {
            return Err(RenewError::Others(member));
        }
        if let Some(run) = self.runs().iter().find(|run| !credential.grant().covers(**run)) {
            return Err(RenewError::Slots(*run));
        }
        self.steer(Steering::Renew(Arc::new(credential)))?;
        Ok(())
    }

    fn expel(&self, whom: Whom, prune: bool) -> Result<Vec<(NodeId, Expelled)>, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Expel(whom, prune, reply)).map_err(|Gone| MeshError::Gone)?;
        answer.recv().map_err(|_| MeshError::Gone)?.ok_or(MeshError::NoMembership)
    }

    fn steer(&self, steering: Steering) -> Result<bool, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Steer(steering, reply)).map_err(|Gone| MeshError::Gone)?;
        answer.recv().map_err(|_| MeshError::Gone)?.ok_or(MeshError::NoMembership)
    }

    /// Asks the node at `to` for its figures, by a signed question and answer, and waits up to `timeout`. That node answers
    /// those that it lists as peers, and members.
    ///
    /// # Errors
    /// [`QueryError`]; the question may have been answered too late.
    pub fn query_stats(&self, to: SocketAddr, timeout: Duration) -> Result<Report, QueryError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::QueryStats(to, reply)).map_err(|Gone| QueryError::Gone)?;
        answer.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => QueryError::Silent { to, timeout },
            // Either the node ended, or the question gave way to 64 later ones.
            RecvTimeoutError::Disconnected if self.is_running() => QueryError::Silent { to, timeout },
            RecvTimeoutError::Disconnected => QueryError::Gone,
        })
    }

    /// Why the store of what the node must not forget took nothing the last time, if so: writes are refused
    /// ([`WriteError::NotReserved`](crate::WriteError::NotReserved)) once what it took before is used up, within seconds. It is tried again all the time.
    pub fn stable_failure(&self) -> Option<String> {
        self.inner.keeper.reservation().failure().map(|(_, says)| says)
    }

    /// Whether all of its threads still run.
    pub fn is_running(&self) -> bool {
        self.running.threads.is_whole()
    }

    /// Ends the node in good order: takes no more writes, says goodbye to its mesh, sends all that was written, and stops.
    /// With company that takes as long as it takes to tell the goodbye as often as news is told, some 0.1 s and 0.3 s at
    /// most; what is not done after `timeout` is left undone, and told. Subscribers read what is left, and are then told that it is over.
    ///
    /// # Errors
    /// As [`Handle::stop`].
    ///
    /// # Panics
    /// As [`Handle::stop`].
    pub fn shutdown(mut self, timeout: Duration) -> io::Result<Shutdown> {
        self.inner.status.stop();
        let (reply, drained) = channel::bounded(1);
        if self.command(Command::Drain(reply)).is_ok() {
            // Too late, or gone: what is left says so.
            let _ = drained.recv_timeout(timeout);
        }
        self.running.threads.stop()?;
        // What was queued at the last moment was not among what the engine saw.
        let unsent = Unsent { writes: self.inner.writes.len(), ..self.inner.status.unsent() };
        Ok(Shutdown { unsent, stats: self.stats() })
    }

    /// Stops the node at once, waits for its threads, and returns its last figures. The mesh takes it for failed; see
    /// [`Handle::shutdown`].
    ///
    /// # Errors
    /// A thread had ended before, because its socket was gone.
    ///
    /// # Panics
    /// When a thread panicked: a bug, passed on.
    pub fn stop(mut self) -> io::Result<Stats> {
        self.inner.status.stop();
        self.running.threads.stop()?;
        Ok(self.stats())
    }

    fn command(&self, command: Command) -> Result<(), Gone> {
        self.inner.commands.send(command).map_err(|_| Gone)?;
        self.running.waker.ring();
        Ok(())
    }
}
