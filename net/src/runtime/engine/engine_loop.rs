//! The engine and everything that its thread does around it: writes, timers, questions, egress.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender};
use crossbeam::queue::ArrayQueue;
use octick_core::control::{Control, Member, Members, Partition};
use octick_core::data::batch::{Batch, bits};
use octick_core::data::report::{Pages, Report};
use octick_core::data::{Directory, Origin, Update};
use octick_core::engine::{Engine, MeshEvent, NotLearnt};
use octick_core::limits::BATCH_MAX;
use octick_core::time::Wall;
use octick_core::wire::{Entries, Frame};
use octick_crypto::NodeId;

use crate::clock;
use crate::config::{Peer, Push};
use crate::events::EventLog;
use crate::limits::QUESTIONS_MAX;
use crate::mesh::{
    AdmissionView, AuthorityLog, Expelled, MemberView, MeshView, PeerState, Quorum, Steering, TravelView,
    Whom,
};
use crate::notify::Notifier;
use crate::runtime::engine::command::{Command, Urgency, What, Write};
use crate::runtime::engine::egress::Egress;
use crate::runtime::engine::stats_query::{report, token_of};
use crate::runtime::engine::timers::Timers;
use crate::runtime::ingress::batches::BatchPos;
use crate::runtime::shared::latency::Latencies;
use crate::runtime::shared::peer_snapshot::{News, PeerSnapshot};
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::socket::{self, Arrival};
use crate::stable::Reservation;
use crate::status::Unsent;
use crate::status::{Standing, Status};
use crate::writer::Groups;

/// Writes taken from the queue before the sockets are looked at again.
const WRITES_PER_TURN: usize = 8_192;
/// Own trains made before the sockets are looked at again: 64 frames and a signature each.
const TRAINS_PER_TURN: usize = 4;
/// How long a node that leaves goes on at most until its goodbye was told as often as news is.
const GOODBYE_MICROS: u64 = 300_000;
/// How long a store may take before writes are refused: a disk that is busy is no failure.
const UNRESERVED_MICROS: u64 = 100_000;

/// The engine with its surroundings, on whichever thread runs it.
pub(in crate::runtime) struct EngineLoop {
    parts: Parts,
    /// Counts of the socket that this thread receives from, if it does; the loop brings them up to date.
    pub(in crate::runtime) received: socket::Counters,
    latencies: Latencies,
    /// Ticks of batches that brought no cell, duplicates say: the next cells are charged with them.
    unpaid_ticks: u64,
    questions: Vec<Question>,
    /// What [`Engine::published`] said when subscribers were last woken.
    notified: u64,
    /// Whether to say when all is sent, and until when a goodbye may be told.
    draining: Option<(u64, Sender<()>)>,
    /// Since when the clock waits for the store.
    unreserved_since: Option<u64>,
    began: Instant,
    timers: Timers,
}

/// A question for another node's figures that is open.
struct Question {
    token: u64,
    /// What came of its answer.
    pages: Pages,
    reply: Sender<Report>,
}

/// What an engine loop is made of.
pub(in crate::runtime) struct Parts {
    /// The state machine.
    pub(in crate::runtime) engine: Engine,
    /// The way out.
    pub(in crate::runtime) egress: Egress,
    /// Where the receivers look for a new directory.
    pub(in crate::runtime) snapshot: PeerSnapshot,
    /// Wakes who waits for changes.
    pub(in crate::runtime) changes: Notifier,
    /// Who watches the mesh.
    pub(in crate::runtime) events: EventLog,
    /// Where others see how the node stands.
    pub(in crate::runtime) status: Status,
    /// Whether this node has been told of others, and is not ready without them.
    pub(in crate::runtime) seeded: bool,
    /// Where writers look whether enough members are reachable.
    pub(in crate::runtime) quorum: Quorum,
    /// This thread's statistics.
    pub(in crate::runtime) thread_stats: ThreadStats,
    /// The agents' writes.
    pub(in crate::runtime) writes: Arc<ArrayQueue<Write>>,
    /// Where lists of writes go back to.
    pub(in crate::runtime) groups: Groups,
    /// What handles ask.
    pub(in crate::runtime) commands: Receiver<Command>,
    /// The statistics of all threads, this one's among them.
    pub(in crate::runtime) all_stats: Vec<ThreadStats>,
    /// How updates leave.
    pub(in crate::runtime) push: Push,
    /// How far the clock may go, and as which incarnation the node speaks.
    pub(in crate::runtime) reservation: Reservation,
}

impl EngineLoop {
    pub(in crate::runtime) fn new(parts: Parts) -> Self {
        Self {
            timers: Timers::new(&parts.push),
            began: Instant::now(),
            parts,
            received: socket::Counters::default(),
            latencies: Latencies::default(),
            unpaid_ticks: 0,
            questions: Vec::with_capacity(QUESTIONS_MAX),
            notified: 0,
            draining: None,
            unreserved_since: None,
        }
    }

    /// Merges a checked batch, relays what is new, answers who asked.
    pub(in crate::runtime) fn absorb(
        &mut self,
        batch: &Batch<'_>,
        frames: &[&[u8]],
        places: &[BatchPos],
        arrivals: &[Arrival],
    ) {
        self.unpaid_ticks += batch.ticks;
        for i in bits(batch.strangers) {
            let frame = Frame::reopen(frames[i]);
            self.parts.engine.handle_stranger(self.now(), arrivals[places[i].arrival].from(), &frame);
        }
        if batch.repeats != 0 && self.parts.engine.control().is_some() {
            let now = self.now();
            for i in bits(batch.repeats) {
                self.parts.engine.handle_duplicate(now, arrivals[places[i].arrival].from(), frames[i]);
            }
        }
        if batch.mask() == 0 {
            return;
        }
        let absorbed = self.parts.engine.absorb(batch);
        self.wake_subscribers();
        self.unpaid_ticks += absorbed.ticks;
        if absorbed.cells > 0 {
            self.latencies.record_centiticks(self.unpaid_ticks * 100 / u64::from(absorbed.cells));
            self.unpaid_ticks = 0;
        }
        self.measure(batch, places, arrivals);
        if self.parts.engine.control().is_some() {
            let now = self.now();
            for i in bits(absorbed.fresh) {
                self.parts.engine.pass_on(now, arrivals[places[i].arrival].from(), frames[i]);
            }
            // Copies that came together, and passed the check together.
            for i in bits(absorbed.repeats) {
                self.parts.engine.handle_duplicate(now, arrivals[places[i].arrival].from(), frames[i]);
            }
        } else {
            self.relay(batch, absorbed.fresh, frames, places, arrivals);
        }
        for i in bits(absorbed.queries) {
            self.reply_stats(batch, i, arrivals[places[i].arrival].from());
        }
        for i in bits(absorbed.replies) {
            self.handle_stats_reply(batch, i);
        }
        for i in bits(absorbed.control_frames) {
            let (now, from) = (self.now(), arrivals[places[i].arrival].from());
            if let Some(checked) = batch.get(i) {
                self.parts.engine.handle_control_frame(now, from, &checked.frame);
            }
        }
    }

    /// Everything that is not caused by an arrival. Returns whether there is more to do at once.
    pub(in crate::runtime) fn turn(&mut self) -> bool {
        let mut busy = self.take_writes();
        self.take_commands();
        busy |= self.parts.egress.retry();
        let now = self.now();
        if now >= self.parts.engine.next_due() {
            self.parts.engine.tick(now);
        }
        self.keep_reservation(now);
        self.keep_mesh();
        if self.timers.take_refresh(now) {
            self.parts.engine.refresh();
        }
        if self.timers.may_flush(now) {
            busy |= self.flush();
        }
        if self.timers.take_publish_stats(now) {
            self.publish_stats();
        }
        busy |= !self.wake_subscribers();
        busy |= !self.tell_mesh();
        self.end_draining(now);
        busy
    }

    /// How long this thread may sleep with nothing more to do.
    pub(in crate::runtime) fn nap(&self) -> Duration {
        let now = self.now();
        let due = Duration::from_micros(self.parts.engine.next_due().saturating_sub(now));
        self.timers.nap(now, self.parts.engine.pending(clock::wall_micros())).min(due)
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// Every origin that is known by now.
    pub(in crate::runtime) fn directory(&self) -> &Directory {
        self.parts.engine.directory()
    }

    /// Whether nothing was asked or written since it was last looked.
    pub(in crate::runtime) fn is_idle(&self) -> bool {
        self.parts.writes.is_empty() && self.parts.commands.is_empty()
    }

    /// Lets go of arrivals whose frames went where they should; those still owed to somebody are kept.
    pub(in crate::runtime) fn release(&mut self, arrivals: impl Iterator<Item = Arrival>) {
        self.parts.egress.release(arrivals);
    }

    /// Lets others read this thread's bulkier figures.
    pub(in crate::runtime) fn publish_stats(&mut self) {
        self.parts.thread_stats.publish_stats(|bulk| {
            bulk.socket = self.received.plus(&self.parts.egress.socket_counters());
            bulk.latencies.drain(&mut self.latencies);
        });
    }

    /// Wakes who waits for what was merged since. Returns whether that is done; if not, it is to be tried again soon.
    #[inline]
    fn wake_subscribers(&mut self) -> bool {
        let published = self.parts.engine.published();
        if published != self.notified && self.parts.changes.notify() {
            self.notified = published;
        }
        published == self.notified
    }

    fn take_writes(&mut self) -> bool {
        let mut taken = 0;
        while taken < WRITES_PER_TURN {
            let Some(Write { what, urgency }) = self.parts.writes.pop() else {
                return false;
            };
            match what {
                What::One(update) => {
                    self.write(update);
                    taken += 1;
                }
                // All of it before anything leaves: the cells of one block then stand in one frame.
                What::All(group) => {
                    group.iter().for_each(|update| self.write(*update));
                    taken += group.len();
                    self.parts.groups.give_back(group);
                }
            }
            if let Urgency::Critical(to) = urgency {
                self.parts.engine.hurry(to);
                self.timers.hurry();
            }
        }
        true
    }

    fn write(&mut self, update: Update) {
        let taken = self.parts.engine.write(update);
        debug_assert!(taken.is_ok(), "writers refuse what is not ours");
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.parts.commands.try_recv() {
            match command {
                // Whoever asked may have gone away; then nobody misses the answer.
                Command::Digest(reply) => {
                    let _ = reply.try_send(self.parts.engine.digest());
                }
                Command::Refresh => self.parts.engine.refresh(),
                Command::Learn(peers, reply) => {
                    let _ = reply.try_send(self.learn(peers));
                }
                Command::View(reply) => {
                    let _ = reply.try_send(self.view());
                }
                Command::Expel(whom, prune, reply) => {
                    let _ = reply.try_send(self.expel(whom, prune));
                }
                Command::Steer(steering, reply) => {
                    let _ = reply.try_send(self.steer(steering));
                }
                Command::Decide(decision, reply) => {
                    let now = self.now();
                    let control = self.parts.engine.control_mut();
                    let _ = reply.try_send(control.map(|control| control.decide(now, *decision)));
                }
                Command::Decisions(known, reply) => {
                    let log = self.parts.engine.control().map(|control| control.admission().log());
                    let after =
                        |log: Option<&AuthorityLog>| log.map_or(Vec::new(), |log| log.after(known).to_vec());
                    let _ = reply.try_send(log.map(after));
                }
                Command::QueryStats(to, reply) => self.query_stats(to, reply),
                Command::Drain(reply) => self.drain(reply),
            }
        }
    }

    /// The engine learns first: frames of a peer that the receivers know and the engine does not would be lost.
    fn learn(&mut self, peers: Vec<Peer>) -> Result<(), NotLearnt> {
        let origin =
            |peer: &Peer| Origin { key: peer.key.clone(), runs: peer.runs.clone(), revoked: peer.revoked };
        self.parts.engine.learn(peers.iter().map(origin))?;
        let directory = self.parts.engine.directory();
        for peer in &peers {
            let place = directory.find(&peer.key.id()).expect("it was learnt just now");
            self.parts.egress.aim(place, peer.addr.filter(|_| !peer.revoked));
        }
        self.post();
        Ok(())
    }

    /// Tells the receivers who is known.
    fn post(&self) {
        let (directory, peers) =
            (self.parts.engine.directory().clone(), self.parts.egress.targets().to_vec());
        self.parts.snapshot.post(News { directory, peers });
    }

    /// Sends what the control plane wants sent, and follows its view of who is there.
    fn keep_mesh(&mut self) {
        let Parts { engine, egress, .. } = &mut self.parts;
        engine.forward(|frames, to| egress.forward(frames, to));
        while let Some((to, control_frame)) = self.parts.engine.next_control_frame(clock::wall_micros()) {
            self.parts.egress.reply(control_frame, to);
        }
        if let Some(aims) = self.parts.engine.settle_members() {
            aims.into_iter().for_each(|(origin, addr)| self.parts.egress.aim(origin, addr));
            self.post();
        }
    }

    /// Follows what is durable, and tells how far the clock has gone. Where it can go no further, the store is hurried, and after
    /// a moment writes are refused.
    fn keep_reservation(&mut self, now: u64) {
        let Parts { engine, reservation, status, .. } = &mut self.parts;
        engine.reserve_clock(reservation.reserved().0);
        reservation.set_latest(Wall(engine.clock_micros()));
        let incarnation = reservation.incarnation();
        if incarnation > engine.incarnation() {
            engine.begin_again(now, incarnation);
        }
        if engine.is_reserved(clock::wall_micros()) {
            if self.unreserved_since.take().is_some() {
                status.set_not_reserved(None);
            }
            return;
        }
        reservation.hurry();
        if now >= *self.unreserved_since.get_or_insert(now) + UNRESERVED_MICROS {
            let why = reservation.failure().map_or(ErrorKind::TimedOut, |(kind, _)| kind);
            status.set_not_reserved(Some(why));
        }
    }

    /// Tells other threads what happened in the mesh, and how this node stands there. Returns whether all is told; if not,
    /// somebody is reading just now, and it is to be tried again soon.
    fn tell_mesh(&mut self) -> bool {
        let Parts { engine, events, quorum, status, seeded, reservation, .. } = &mut self.parts;
        let Some(control) = engine.control() else { return true };
        if status.set_standing(standing(control, *seeded)) {
            events.stir();
        }
        let Some(mut log) = events.open() else { return false };
        let mut claims_changed = false;
        loop {
            let lost = engine.take_events_lost();
            let Some(event) = engine.next_event() else { break };
            match &event {
                MeshEvent::Partition(partition) => quorum.set(*partition),
                MeshEvent::Outlived(incarnation) => reservation.outlived(*incarnation),
                MeshEvent::Member { .. } | MeshEvent::SlotsLost { .. } => claims_changed = true,
                _ => {}
            }
            log.push(lost, event);
        }
        drop(log);
        if let Some(control) = engine.control().filter(|_| claims_changed) {
            status.set_lost(control.slots_lost());
        }
        events.notify()
    }

    /// Says goodbye and hurries; [`EngineLoop::end_draining`] sees when it is done.
    fn drain(&mut self, reply: Sender<()>) {
        let has_company = self.parts.engine.control().is_some_and(Control::has_company);
        let goodbye = if has_company { GOODBYE_MICROS } else { 0 };
        self.steer(Steering::Leave);
        self.draining = Some((self.now() + goodbye, reply));
    }

    /// Whether nothing stands between this node and its end, if it is to end: then whoever waits for that is told.
    fn end_draining(&mut self, now: u64) {
        let Some((until, reply)) = &self.draining else { return };
        self.timers.hurry();
        let is_told = self.parts.engine.control().is_none_or(Control::is_own_word_told);
        if (is_told || now >= *until) && self.unsent() == Unsent::default() {
            let _ = reply.try_send(());
            self.draining = None;
        }
    }

    /// What has not left this node.
    fn unsent(&self) -> Unsent {
        Unsent {
            writes: self.parts.writes.len(),
            blocks: self.parts.engine.pending_blocks(),
            frames: self.parts.egress.waiting(),
        }
    }

    /// What the node knows of its mesh; nothing if it is not looking after one.
    fn view(&self) -> Option<MeshView> {
        let control = self.parts.engine.control()?;
        let (members, travel) = (control.members(), control.dissemination());
        let own_region = members.get(Members::ME).region();
        let member = |(place, member): (_, &Member)| MemberView {
            id: member.id(),
            state: member.state(),
            region: member.region(),
            capabilities: member.announcement().statement().capabilities,
            incarnation: member.rank().0,
            address: member.address(),
            round_trip: member.rtt.micros().map(|micros| Duration::from_micros(micros.into())),
            runs: member.announcement().statement().claims.iter().map(|claim| claim.run).collect(),
            ephemeral: member.announcement().statement().is_ephemeral(),
            counts: member.counts()
                && member.region() == own_region
                && (member.state().is_live() || member.state() == PeerState::Failed),
            this_node: place == Members::ME,
            credential: member.announcement().credential().cloned(),
        };
        let admission = control.admission();
        Some(MeshView {
            members: members.iter().filter(|(_, member)| !member.is_pruned()).map(member).collect(),
            partition: control.partition(),
            quorum: control.quorum(),
            travel: TravelView {
                neighbours: travel.neighbours().count(),
                rounds_per_second_milli: travel.rounds_per_second_milli(self.now()),
                convergence: *travel.convergence(),
                updates: *travel.counts(),
                audit: self.parts.engine.audit().copied().unwrap_or_default(),
            },
            alone: control.is_alone() && members.live().is_empty(),
            admission: AdmissionView {
                rule: admission.rule(),
                has_authority: admission.log().is_some(),
                decisions: admission.log().map_or(0, AuthorityLog::len),
                rights: control.rights(),
            },
        })
    }

    /// Whether it was done; nothing without membership.
    fn steer(&mut self, steering: Steering) -> Option<bool> {
        let now = self.now();
        let control = self.parts.engine.control_mut()?;
        match steering {
            Steering::Join(address) => {
                control.join(now, address);
                self.parts.seeded = true;
            }
            Steering::Leave => control.leave(now),
            Steering::Renew(credential) => control.renew(now, credential),
        }
        Some(true)
    }

    fn expel(&mut self, whom: Whom, prune: bool) -> Option<Vec<(NodeId, Expelled)>> {
        let now = self.now();
        let control = self.parts.engine.control_mut()?;
        let ids: Vec<NodeId> = match whom {
            Whom::One(id) => vec![id],
            Whom::Failed => {
                let failed = |member: &&Member| member.state() == PeerState::Failed;
                control.members().iter().map(|(_, member)| member).filter(failed).map(Member::id).collect()
            }
        };
        Some(ids.into_iter().map(|id| (id, control.expel(now, id, prune))).collect())
    }

    /// Sends pending writes; says whether some are left, which then go next turn.
    fn flush(&mut self) -> bool {
        let in_mesh = self.parts.engine.control().is_some();
        for trains in 0..TRAINS_PER_TURN {
            let wall = clock::wall_micros();
            let Some(train) = self.parts.engine.flush(wall) else {
                let left = self.parts.engine.pending(wall);
                if trains > 0 || left.is_some() {
                    self.timers.flushed(self.now(), left);
                }
                return false;
            };
            if in_mesh {
                self.parts.engine.pass_own_on(self.now());
                let Parts { engine, egress, .. } = &mut self.parts;
                engine.forward(|frames, to| egress.forward(frames, to));
            } else {
                let mut frames = [&[][..]; BATCH_MAX];
                frames.iter_mut().zip(train.frames()).for_each(|(place, frame)| *place = frame);
                self.parts.egress.push(&frames[..train.len()]);
            }
            self.wake_subscribers();
        }
        true
    }

    /// One reading of each clock a batch; one record a datagram.
    fn measure(&mut self, batch: &Batch<'_>, places: &[BatchPos], arrivals: &[Arrival]) {
        let now_ns = clock::wall_ns();
        let mut last = usize::MAX;
        for (i, checked) in batch.live() {
            let arrival = places[i].arrival;
            if arrival == last {
                continue;
            }
            last = arrival;
            let stamp_ns = arrivals[arrival].stamp_ns();
            if stamp_ns > 0 {
                self.latencies.record_wire(now_ns.saturating_sub(stamp_ns));
            }
            let version = checked.frame.header().version();
            self.latencies.record_origin((now_ns / 1_000).saturating_sub(version.micros()));
        }
    }

    /// Passes new frames on, those of one origin in one arrival together.
    fn relay(
        &mut self,
        batch: &Batch<'_>,
        fresh: u64,
        frames: &[&[u8]],
        places: &[BatchPos],
        arrivals: &[Arrival],
    ) {
        if self.parts.push.relay == 0 {
            return;
        }
        let mut group = [0; BATCH_MAX];
        let mut rest = bits(fresh).peekable();
        while let Some(first) = rest.next() {
            let key = |i: usize| (places[i].arrival, batch.get(i).map(|checked| checked.origin));
            let mut len = 0;
            group[len] = first;
            len += 1;
            while let Some(next) = rest.next_if(|&next| key(next) == key(first)) {
                group[len] = next;
                len += 1;
            }
            let mut train = [&[][..]; BATCH_MAX];
            train.iter_mut().zip(&group[..len]).for_each(|(place, &i)| *place = frames[i]);
            let (arrival, Some(origin)) = key(first) else { continue };
            let from = arrivals[arrival].from();
            self.parts.egress.relay(&train[..len], |j| places[group[j]].frame, arrival, from, origin);
        }
    }

    fn reply_stats(&mut self, batch: &Batch<'_>, i: usize, to: SocketAddr) {
        if let Some(token) = batch.get(i).and_then(|checked| token_of(&checked.frame.entries())) {
            self.publish_stats();
            let report = report(&self.parts.all_stats);
            let answer = self.parts.engine.reply_stats(token, &report, clock::wall_micros());
            answer.frames().for_each(|frame| self.parts.egress.reply(frame, to));
        }
    }

    fn query_stats(&mut self, to: SocketAddr, reply: Sender<Report>) {
        let token = crate::config::random_word(self.questions.len() as u64);
        if self.questions.len() == QUESTIONS_MAX {
            self.questions.remove(0);
        }
        self.questions.push(Question { token, pages: Pages::default(), reply });
        let question = self.parts.engine.query_stats(token, clock::wall_micros());
        question.frames().for_each(|frame| self.parts.egress.reply(frame, to));
    }

    /// A frame of an answer counts if this node asked, and all of them are one; anything else is passed over.
    fn handle_stats_reply(&mut self, batch: &Batch<'_>, i: usize) {
        let Some(entries) = batch.get(i).map(|checked| checked.frame.entries()) else { return };
        let (Some(token), Entries::Stats(stats)) = (token_of(&entries), entries) else { return };
        let Some(at) = self.questions.iter().position(|open| open.token == token) else { return };
        if let Some(report) = self.questions[at].pages.take(stats) {
            let _ = self.questions.remove(at).reply.try_send(report);
        }
    }
}

impl Drop for EngineLoop {
    /// However its thread ends, nobody is told any more that a write was taken, and who waits for changes stops waiting.
    fn drop(&mut self) {
        self.parts.reservation.set_latest(Wall(self.parts.engine.clock_micros()));
        self.parts.status.stop();
        self.parts.status.set_unsent(self.unsent());
    }
}

fn standing(control: &Control, seeded: bool) -> Standing {
    match control.partition() {
        Partition::Partitioned { .. } => Standing::Partitioned,
        _ if !control.has_company() => {
            if seeded {
                Standing::Unmet
            } else {
                Standing::Ready
            }
        }
        _ if !control.is_settled() => Standing::Unsettled,
        _ => Standing::Ready,
    }
}
