//! What an embedder holds: writes go in, reads and changes come out, and the node stops when it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, Sender};
use crossbeam::queue::ArrayQueue;
use octick_core::counters::Tally;
use octick_core::data::Run;
use octick_core::data::publish::{Reader as Changes, Source};
use octick_core::data::report::Report;
use octick_core::limits::OFFENDERS_MAX;
use octick_core::state::StateReader;
use octick_core::table::Kernel;
use octick_crypto::{Hash, NodeId, lanes};

use crate::config::{ConfigError, Peer};
use crate::error::{AskError, Gone, LearnError, MeshError};
use crate::mesh::{MeshEvent, MeshView, Quorum, Steering};
use crate::runtime::{Command, Latencies, SenderStats, ThreadStats, Threads, Waker, Write, tally};
use crate::socket::{self, Backend, Socket, Why};
use crate::writer::Writer;

/// A running node. Dropping it stops the node.
pub struct Handle {
    inner: Inner,
}

pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) local: SocketAddr,
    pub(crate) about: About,
    pub(crate) warnings: Vec<String>,
    pub(crate) threads: Threads,
    pub(crate) runs: Arc<[Run]>,
    pub(crate) writes: Arc<ArrayQueue<Write>>,
    pub(crate) commands: Sender<Command>,
    pub(crate) waker: Waker,
    pub(crate) reader: StateReader,
    pub(crate) changes: Source,
    pub(crate) all_stats: Vec<ThreadStats>,
    pub(crate) events: Receiver<MeshEvent>,
    pub(crate) quorum: Quorum,
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

impl Handle {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner }
    }

    /// The node's name.
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// Where it receives.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// What it runs on.
    pub fn about(&self) -> &About {
        &self.inner.about
    }

    /// What did not go as configured, and does not stop the node: a line each.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Writes cells, from any thread; clones share the queue.
    pub fn writer(&self) -> Writer {
        let Inner { runs, writes, waker, quorum, .. } = &self.inner;
        Writer {
            runs: runs.clone(),
            writes: writes.clone(),
            waker: waker.clone(),
            quorum: quorum.clone(),
            layout: self.inner.reader.layout(),
        }
    }

    /// Reads cells without a lock, from any thread, while the node merges.
    pub fn reader(&self) -> StateReader {
        self.inner.reader.clone()
    }

    /// Follows the changes from now on, in the order in which they were merged. A subscriber that falls behind
    /// is told how many it missed, and never holds the node up.
    pub fn subscribe(&self) -> Changes {
        self.inner.changes.subscribe()
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
        for peer in &peers {
            let node = peer.key.id();
            if node == self.inner.id {
                return Err(LearnError::Own);
            }
            let outside = |run: &&Run| u64::from(run.first.0) + u64::from(run.len) > u64::from(slots);
            if let Some(&run) = peer.runs.iter().find(outside) {
                return Err(LearnError::Run(ConfigError::RunOutside { node, run, slots }));
            }
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

    /// What this node found out about its mesh since the last call, oldest first. At most 1,024 events wait; later
    /// ones are dropped until somebody asks.
    pub fn mesh_events(&self) -> impl Iterator<Item = MeshEvent> + '_ {
        self.inner.events.try_iter()
    }

    /// The next of these events, or nothing if none comes within `patience`.
    pub fn next_mesh_event(&self, patience: Duration) -> Option<MeshEvent> {
        self.inner.events.recv_timeout(patience).ok()
    }

    /// Greets whoever is at `address`, so that the two meshes become one. Returns before an answer can have come.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn join(&self, address: SocketAddr) -> Result<(), MeshError> {
        self.steer(Steering::Join(address)).map(drop)
    }

    /// Says goodbye to the mesh: others take this node for gone, not for failed. The node itself goes on until it is
    /// stopped, which should be a little later, so that the word gets out.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn leave(&self) -> Result<(), MeshError> {
        self.steer(Steering::Leave).map(drop)
    }

    /// Declares a member gone for good; true if it was known. If it lives after all, it will say so.
    ///
    /// # Errors
    /// As [`Handle::mesh`].
    pub fn force_leave(&self, id: NodeId) -> Result<bool, MeshError> {
        self.steer(Steering::Expel(id))
    }

    fn steer(&self, steering: Steering) -> Result<bool, MeshError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Steer(steering, reply)).map_err(|Gone| MeshError::Gone)?;
        let done = answer.recv().map_err(|_| MeshError::Gone)?;
        match steering {
            Steering::Join(_) | Steering::Leave if !done => Err(MeshError::NoMembership),
            _ => Ok(done),
        }
    }

    /// Asks the node at `to` for its report, and waits up to `patience`.
    ///
    /// # Errors
    /// [`AskError`]; the question may have been answered too late.
    pub fn ask(&self, to: SocketAddr, patience: Duration) -> Result<Report, AskError> {
        let (reply, answer) = channel::bounded(1);
        self.command(Command::Ask(to, reply)).map_err(|Gone| AskError::Gone)?;
        answer.recv_timeout(patience).map_err(|_| AskError::Silent { to, patience })
    }

    /// Whether all of its threads still run.
    pub fn is_running(&self) -> bool {
        self.inner.threads.is_whole()
    }

    /// Stops the node, waits for its threads, and returns its last figures.
    ///
    /// # Errors
    /// A thread had ended before, because its socket was gone.
    ///
    /// # Panics
    /// When a thread panicked: a bug, passed on.
    pub fn stop(mut self) -> io::Result<Stats> {
        self.inner.threads.stop()?;
        Ok(self.stats())
    }

    fn command(&self, command: Command) -> Result<(), Gone> {
        self.inner.commands.send(command).map_err(|_| Gone)?;
        self.inner.waker.ring();
        Ok(())
    }
}
