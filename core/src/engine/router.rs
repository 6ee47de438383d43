//! Between the planes: control frames to the control plane, and what it decides to the directory.
//!
//! In come frames of kind Control, verified if their origin is known; out come sealed control frames, the members' rights as
//! origins of the directory, and [`MeshEvent`]s for whoever watches. Only routes: what a control frame means is for
//! [`control`](crate::control) to say.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::train::{message, root_of};
use octick_crypto::{Item, NodeId, verify_many};

use crate::admission::{Credential, SignedDecision};
use crate::control::id::{FrameRef, UpdateId};
use crate::control::message::equivocation::Proof;
use crate::control::output::Rights;
use crate::control::{Control, Members, Output, PacketInfo, Partition, PeerState, Region, UpdateInfo};
use crate::counters::Counter;
use crate::data::audit::Audit;
use crate::data::frame_cache::FrameCache;
use crate::data::roster::Origin;
use crate::engine::{Engine, NotLearnt};
use crate::limits::{AUDIT_INBOX_MAX, BATCH_MAX, CONCERNED_MAX, CONTRADICTIONS_PER_SEC, EVENTS_MAX};
use crate::refusal::Refusals;
use crate::reject::Reject;
use crate::stamp::{Incarnation, OriginIndex, Run, Seq};
use crate::time::Wall;
use crate::token_bucket::TokenBucket;
use crate::wire::recipient::root_for;
use crate::wire::{ControlFrame, Entries, Envelope, Frame, Header, Kind, Stamp};

/// What the control plane found out.
#[derive(Clone, Debug, PartialEq)]
pub enum MeshEvent {
    /// A member is new, or something of it changed.
    Member {
        /// Which.
        id: NodeId,
        /// What it is believed to be.
        state: PeerState,
        /// Where it is at home.
        region: Region,
        /// Where it is written to.
        address: Option<SocketAddr>,
        /// The credential that it lives by, if it showed one: with its name.
        credential: Option<Arc<Credential>>,
    },
    /// A member that was gone is forgotten.
    Forgotten(NodeId),
    /// This node claims slots that another member has the older claim to.
    SlotsLost {
        /// Which.
        run: Run,
        /// Who holds them.
        to: NodeId,
    },
    /// Two processes use one key.
    Conflict {
        /// Whose key; this node's own, perhaps.
        id: NodeId,
        /// Where the one that does not count was met, as far as known.
        other: Option<SocketAddr>,
    },
    /// Another process uses this node's key, and is the later of the two: it speaks for the node now, and this one is heard by
    /// nobody any more.
    Superseded {
        /// The other's incarnation.
        incarnation: Incarnation,
        /// Where it is, as far as known.
        at: Option<SocketAddr>,
    },
    /// The mesh remembers this incarnation of this node from before its start, or a later one. The node issues nothing more before
    /// it has [begun again](Engine::begin_again) in a greater one.
    Outlived(Incarnation),
    /// More, or fewer, members are reachable than before.
    Partition(Partition),
    /// No seed answers; this node works alone and keeps trying.
    Alone,
    /// A member signed two frames of one identity. It is none any more, and its cells are nobody's.
    Convicted(Arc<Proof>),
    /// The mesh's authority decided something: to be kept, so that a restart does not forget it.
    Decided(Arc<SignedDecision>),
    /// Somebody with the authority's keys signed two decisions of this number: nodes may differ in whom they trust.
    AuthorityContradicts(u64),
    /// What this node may do in its mesh is something else than before.
    Rights(Rights),
    /// A member was not taken into the directory, or without its slots.
    NotLearnt {
        /// Which.
        id: NodeId,
        /// Why.
        why: NotLearnt,
    },
}

/// Messages about tables that were not looked at yet, each alone in a control frame.
type Inbox = VecDeque<(NodeId, Box<ControlFrame>)>;

/// A member's rights, and whether it is there.
pub(super) struct Settled {
    pub(super) origin: Origin,
    pub(super) is_live: bool,
}

/// The control plane, and what it wants that is not done yet.
pub(super) struct Mesh {
    pub(super) control: Control,
    pub(super) audit: Audit,
    /// What others said of their tables.
    pub(super) inbox: Inbox,
    /// What the engine itself refused of what members said.
    pub(super) refusals: Refusals,
    /// Whether a newcomer's first comparisons of members were over, and whether it was cut off, when last looked.
    pub(super) standing: (bool, Partition),
    /// Frames that others may ask for.
    pub(super) frame_cache: FrameCache,
    /// Copies that contradict, as far as they may be looked at.
    pub(super) contradictions: TokenBucket,
    /// Origins that were convicted since their cells were last cleared.
    pub(super) convicted: Vec<NodeId>,
    /// Frames to be sent on, by their spots.
    forwards: Vec<(SocketAddr, FrameRef)>,
    /// Where some of them go.
    to: Vec<SocketAddr>,
    /// Whether the next own train should hurry, and whom it concerns.
    critical: bool,
    concerned: Vec<NodeId>,
    control_frames: VecDeque<(SocketAddr, Box<ControlFrame>)>,
    pub(super) next_control_frame: Seq,
    /// The latest incarnation that others remember of this node, if it is not before this one.
    pub(super) outlived: Option<Incarnation>,
    /// Members whose rights changed, in the order of the news.
    pub(super) changed: Vec<Settled>,
    /// Where members are to be written to from now on.
    pub(super) aims: Vec<(NodeId, Option<SocketAddr>)>,
    /// Members that were forgotten.
    pub(super) forgotten: Vec<NodeId>,
    /// Places of the directory that were given back.
    pub(super) vacated: Vec<OriginIndex>,
    /// The monotonic clock, as last heard.
    pub(super) now: u64,
    /// Until when nobody is looked for who would make room in the directory.
    pub(super) barren_until: u64,
    events: VecDeque<MeshEvent>,
    /// Events that gave way to later ones before anybody took them.
    events_lost: u64,
}

impl Engine {
    /// The same engine as a member of a mesh that `control` finds and keeps. It keeps the last `frame_cache` bytes of frames
    /// for members that miss some.
    pub fn with_control(mut self, mut control: Control, frame_cache: usize) -> Self {
        control.reserve();
        self.mesh = Some(Mesh {
            control,
            audit: Audit::new(0),
            inbox: Inbox::with_capacity(AUDIT_INBOX_MAX),
            refusals: Refusals::default(),
            standing: (false, Partition::Healthy),
            frame_cache: FrameCache::new(frame_cache),
            contradictions: TokenBucket::new(CONTRADICTIONS_PER_SEC, 0),
            convicted: Vec::new(),
            forwards: Vec::new(),
            to: Vec::new(),
            critical: false,
            concerned: Vec::new(),
            control_frames: VecDeque::new(),
            next_control_frame: Seq(1),
            outlived: None,
            changed: Vec::new(),
            aims: Vec::new(),
            forgotten: Vec::new(),
            vacated: Vec::new(),
            now: 0,
            barren_until: 0,
            events: VecDeque::new(),
            events_lost: 0,
        });
        self
    }

    /// The control plane, if this node is a member of a mesh.
    pub fn control(&self) -> Option<&Control> {
        self.mesh.as_ref().map(|mesh| &mesh.control)
    }

    /// The same, to be told something.
    pub fn control_mut(&mut self) -> Option<&mut Control> {
        self.mesh.as_mut().map(|mesh| &mut mesh.control)
    }

    /// Takes a control frame that was verified, from a known origin. `now` is the monotonic clock.
    pub fn handle_control_frame(&mut self, now: u64, from: SocketAddr, frame: &Frame<'_>) {
        let (Some(mesh), Entries::Control(messages)) = (&mut self.mesh, frame.entries()) else { return };
        mesh.now = now;
        // Refusals are counted by the control plane.
        let packet = PacketInfo::of(from, frame, self.identity.id());
        let _ = mesh.control.handle_control_frame(now, &packet, messages);
        self.compare(now);
    }

    /// Takes a control frame of an unknown or revoked origin, which nobody has verified: its first message must say who writes.
    pub fn handle_stranger(&mut self, now: u64, from: SocketAddr, frame: &Frame<'_>) {
        let Some(mesh) = &mut self.mesh else {
            let known = self.directory.find(&frame.header().origin());
            let revoked = known.is_some_and(|origin| self.directory.is_revoked(origin));
            return self.counters.reject(if revoked { Reject::RevokedOrigin } else { Reject::UnknownOrigin });
        };
        let (header, Entries::Control(messages)) = (frame.header(), frame.entries()) else { return };
        mesh.now = now;
        let was_known = mesh.control.members().find(header.origin()).is_some();
        let Ok(announcement) = mesh.control.introduce(now, from, header.origin(), messages.clone()) else {
            return;
        };
        let leaf = self.keys.leaf(frame.signed_part());
        let (index, len) = (header.train_index(), header.train_len());
        let root = root_of(&self.keys, leaf, index, len, frame.path());
        let packet = PacketInfo::of(from, frame, self.identity.id());
        let signed = message(len, &root_for(&self.keys, root, packet.to));
        let mut holds = [false];
        let item = Item { key: announcement.key(), message: &signed, signature: frame.signature() };
        verify_many(&[item], &mut holds);
        if !holds[0] {
            return self.counters.reject(Reject::BadSignature);
        }
        let _ = mesh.control.handle_introduced(now, &packet, announcement, messages);
        if was_known {
            // It made room for others in the directory, and is heard now.
            mesh.control.tell_again(header.origin());
        }
        self.compare(now);
    }

    /// Sends a frame that [`Engine::absorb`] called fresh on its way through the mesh. `bytes` are all of it, as they came
    /// from `from`.
    pub fn pass_on(&mut self, now: u64, from: SocketAddr, bytes: &[u8]) {
        if let Some(mesh) = self.mesh.as_mut().filter(|mesh| mesh.control.has_company()) {
            mesh.set_out(now, bytes, Some(from));
        }
    }

    /// Takes note of a frame in a batch's [`repeats`](crate::data::Batch::repeats).
    pub fn handle_duplicate(&mut self, now: u64, from: SocketAddr, bytes: &[u8]) {
        if let (Some(mesh), Ok(envelope)) = (&mut self.mesh, Envelope::open(bytes)) {
            let update = update(envelope.header(), FrameRef::default(), Some(from));
            mesh.contradict(now, &update, bytes, self.identity.id());
            mesh.control.handle_duplicate(now, &update);
        }
    }

    /// What was written last is critical: the next train goes to more neighbours at once, is announced to the others at
    /// once, and goes straight `to` the member that it concerns, if there is one.
    pub fn hurry(&mut self, to: Option<NodeId>) {
        let Some(mesh) = &mut self.mesh else { return };
        mesh.critical = true;
        if mesh.concerned.len() < CONCERNED_MAX {
            mesh.concerned.extend(to);
        }
        assert!(mesh.concerned.len() <= CONCERNED_MAX, "{} members concerned", mesh.concerned.len());
    }

    /// Sends the train that [`Engine::flush`] made on its way through the mesh. While nobody else is there it is kept all
    /// the same: it is what the first neighbours are offered.
    pub fn pass_own_on(&mut self, now: u64) {
        let Some(mesh) = self.mesh.as_mut() else { return };
        for frame in self.train.frames() {
            let id = mesh.set_out(now, frame, None);
            for to in &mesh.concerned {
                mesh.control.send_update(now, id, *to);
            }
        }
        mesh.critical = false;
        mesh.concerned.clear();
    }

    /// Gives whatever is to be sent on to `send`: up to 64 frames in the order in which they came, and where each of them
    /// goes.
    pub fn forward(&mut self, mut send: impl FnMut(&[&[u8]], &[SocketAddr])) {
        let Some(mesh) = &mut self.mesh else { return };
        mesh.collect(self.identity.id());
        // Of those that go to one address, the first that came is the first in the cache, too.
        mesh.forwards.sort_unstable_by_key(|(to, frame_ref)| (*to, frame_ref.0));
        let mut groups = mesh.forwards.chunk_by(|a, b| a.0 == b.0).peekable();
        while let Some(group) = groups.next() {
            mesh.to.clear();
            mesh.to.push(group[0].0);
            // Whoever gets the same gets it in the same calls of the socket.
            let same = |next: &&[(SocketAddr, FrameRef)]| {
                next.len() == group.len() && next.iter().zip(group).all(|(a, b)| a.1 == b.1)
            };
            while let Some(same) = groups.next_if(same) {
                mesh.to.push(same[0].0);
            }
            for part in group.chunks(BATCH_MAX) {
                let mut frames = [&[][..]; BATCH_MAX];
                let mut len = 0;
                for frame in part.iter().filter_map(|(_, frame_ref)| mesh.frame_cache.get(frame_ref.0)) {
                    frames[len] = frame;
                    len += 1;
                }
                assert!(!mesh.to.is_empty() && len <= part.len(), "{len} frames of {}", part.len());
                let late = (part.len() - len) * mesh.to.len();
                self.counters.add(Counter::CacheMisses, late as u64);
                if len > 0 {
                    send(&frames[..len], &mesh.to);
                }
            }
        }
        mesh.forwards.clear();
    }

    /// Lets the control plane do what is due.
    pub fn tick(&mut self, now: u64) {
        if let Some(mesh) = &mut self.mesh {
            mesh.now = now;
            if mesh.control.next_due() <= now {
                mesh.control.tick(now);
            }
            let mut refusals = mesh.control.refusals();
            mesh.refusals
                .iter()
                .for_each(|(refusal, count)| refusals.set(refusal, refusals.get(refusal) + count));
            self.counters.show_refusals(&refusals);
            self.tick_audit(now);
        }
    }

    /// When [`Engine::tick`] should be called at the latest.
    pub fn next_due(&self) -> u64 {
        self.mesh.as_ref().map_or(u64::MAX, |mesh| match mesh.control.has_company() {
            true => mesh.control.next_due().min(mesh.audit.next_due()),
            false => mesh.control.next_due(),
        })
    }

    /// The next control frame to be sent, sealed, and where to. To be called until there is none, after every other call that
    /// concerns the mesh. Each costs a signature.
    pub fn next_control_frame(&mut self, wall_micros: u64) -> Option<(SocketAddr, &[u8])> {
        let mesh = self.mesh.as_mut()?;
        mesh.collect(self.identity.id());
        let (to, control_frame) = mesh.control_frames.pop_front()?;
        self.train.clear();
        self.train.frame(Kind::Control, |draft| draft.control_frame(&control_frame));
        mesh.control.give_back(control_frame);
        let stamp = Stamp {
            incarnation: self.incarnation,
            first_seq: mesh.next_control_frame,
            // Says how old it is, and need not be told apart by it: nothing need be reserved for it.
            version: self.clock.peek(Wall(wall_micros)),
        };
        mesh.next_control_frame = Seq(mesh.next_control_frame.0 + 1);
        self.train.seal(&self.identity, &self.keys, &stamp);
        assert!(self.train.len() == 1, "a control frame is a train by itself");
        self.counters.add(Counter::ControlFramesMade, 1);
        self.train.frames().next().map(|frame| (to, frame))
    }

    /// What the control plane found out since, oldest first.
    pub fn next_event(&mut self) -> Option<MeshEvent> {
        self.mesh.as_mut()?.events.pop_front()
    }

    /// How many events were lost before the next one, because nobody took them in time; counted anew from then on.
    pub fn take_events_lost(&mut self) -> u64 {
        self.mesh.as_mut().map_or(0, |mesh| core::mem::take(&mut mesh.events_lost))
    }

    /// Everybody on record, this node among them.
    pub fn members(&self) -> Option<&Members> {
        self.control().map(Control::members)
    }
}

fn update(header: &Header, frame_ref: FrameRef, from: Option<SocketAddr>) -> UpdateInfo {
    let (origin, incarnation, seq) = (header.origin(), header.incarnation(), header.seq());
    UpdateInfo { origin, incarnation, seq, frame_ref, from, critical: false }
}

impl Mesh {
    fn set_out(&mut self, now: u64, bytes: &[u8], from: Option<SocketAddr>) -> UpdateId {
        let frame_ref = FrameRef(self.frame_cache.put(bytes));
        self.control.forget_bytes(FrameRef(self.frame_cache.oldest()));
        let update = update(Frame::reopen(bytes).header(), frame_ref, from);
        let critical = self.critical && from.is_none();
        self.control.handle_update(now, &UpdateInfo { critical, ..update })
    }

    /// Takes what the control plane wants done.
    pub(super) fn collect(&mut self, own: NodeId) {
        while let Some(output) = self.control.poll() {
            self.note(output, own);
        }
    }

    fn note(&mut self, output: Output, own: NodeId) {
        let event = match output {
            Output::Member { announcement, state, runs, revoked } => {
                let id = announcement.id();
                let address = self.address(id);
                // This node's own rights, too: slots that it lost are then the other's here as everywhere.
                let origin = Origin { key: announcement.key().clone(), runs, revoked };
                self.changed.push(Settled { origin, is_live: state.is_live() });
                if id != own {
                    self.aims.push((id, address.filter(|_| state.is_live())));
                }
                let (region, credential) =
                    (announcement.statement().region, announcement.credential().cloned());
                MeshEvent::Member { id, state, region, address, credential }
            }
            Output::Forgotten(id) => {
                self.forgotten.push(id);
                MeshEvent::Forgotten(id)
            }
            Output::SlotsLost { run, to } => MeshEvent::SlotsLost { run, to },
            Output::Conflict { id, other, .. } => MeshEvent::Conflict { id, other },
            Output::Superseded { incarnation, at } => MeshEvent::Superseded { incarnation, at },
            Output::Outlived(incarnation) => {
                self.outlived = self.outlived.max(Some(incarnation));
                MeshEvent::Outlived(incarnation)
            }
            Output::Partition(partition) => MeshEvent::Partition(partition),
            Output::Alone => MeshEvent::Alone,
            Output::Convicted(proof) => {
                self.convicted.push(proof.origin());
                MeshEvent::Convicted(proof)
            }
            Output::Decided(decision) => MeshEvent::Decided(decision),
            Output::AuthorityContradicts(number) => MeshEvent::AuthorityContradicts(number),
            Output::Rights(rights) => MeshEvent::Rights(rights),
            Output::Send { to, control_frame } => return self.control_frames.push_back((to, control_frame)),
            Output::Forward { frame_ref, to } => return self.forwards.push((to, frame_ref)),
            Output::Deliver { from, message } => return self.put_aside(from, message),
        };
        self.tell(event);
    }

    /// Whether the directory is behind.
    pub(super) fn has_news(&self) -> bool {
        !(self.changed.is_empty() && self.forgotten.is_empty() && self.vacated.is_empty())
    }

    fn address(&self, id: NodeId) -> Option<SocketAddr> {
        let members = self.control.members();
        members.find(id).and_then(|place| members.get(place).address())
    }

    /// Nobody may be watching: the oldest gives way.
    pub(super) fn tell(&mut self, event: MeshEvent) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(event);
        assert!(self.events.len() <= EVENTS_MAX, "{} events wait", self.events.len());
    }
}
