//! What goes into a control plane, and what comes out.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::admission::{Admission, Credential, Denied, SignedDecision};
use crate::control::id::{FrameRef, PeerState, Region};
use crate::control::message::announcement::Announcement;
use crate::control::message::equivocation::Proof;
use crate::stamp::{Incarnation, Run, Seq, Version};
use crate::time::Wall;
use crate::wire::{ControlFrame, Frame};

/// How a node begins: what only the embedder can know. It has no `Debug`, for a secret is in it.
#[derive(Clone)]
pub struct NodeInit {
    /// The mesh's key: [`mesh_key`](crate::control::message::announcement::mesh_key) of its name.
    pub mesh: [u8; 32],
    /// The monotonic clock, microseconds.
    pub now: u64,
    /// The wall clock at that moment. Only dates announcements.
    pub wall: Wall,
    /// This node's name.
    pub id: NodeId,
    /// This incarnation; greater than the one before.
    pub incarnation: Incarnation,
    /// The region of this node.
    pub region: Region,
    /// What this node can do.
    pub capabilities: u32,
    /// Where this node can be reached, best first. Without any it takes the one that others see it at.
    pub addresses: Vec<SocketAddr>,
    /// The slots that it speaks for.
    pub runs: Vec<Run>,
    /// Decides all randomness.
    pub seed: u64,
    /// Random bytes that nobody else knows: they make return-address tokens.
    pub secret: [u8; 32],
    /// Who may be a member.
    pub admission: Admission,
    /// This node's own credential, verified.
    pub credential: Option<Arc<Credential>>,
}

/// What a node may do in its mesh, by its own reckoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What the mesh's rule and its credential grant.
    Full,
    /// The same, for a while: its credential is over, and should be renewed.
    Grace,
    /// Its credential is over: it may read.
    ReadOnly,
    /// Others do not take it for a member.
    Denied(Denied),
}

/// Whose control frame it is, from its frame's header, and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct PacketInfo {
    /// The address that the datagram came from.
    pub from: SocketAddr,
    /// Whom it names as its recipient; nobody if it is for whoever is at the address that it went to.
    pub to: Option<NodeId>,
    /// Who signed it.
    pub origin: NodeId,
    /// In which incarnation.
    pub incarnation: Incarnation,
    /// Its number among that incarnation's control frames.
    pub seq: Seq,
    /// When.
    pub version: Version,
}

impl PacketInfo {
    /// That of a frame which was found to be for node `me`, or for whoever is there.
    pub fn of(from: SocketAddr, frame: &Frame<'_>, me: NodeId) -> Self {
        let header = frame.header();
        Self {
            from,
            to: frame.recipient().is_somebody().then_some(me),
            origin: header.origin(),
            incarnation: header.incarnation(),
            seq: header.seq(),
            version: header.version(),
        }
    }
}

/// What a node makes of how many members it reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    /// Enough.
    #[default]
    Healthy,
    /// Too few for a quorum.
    Partitioned {
        /// Members that are reachable, this node among them.
        reachable: usize,
        /// Members that would be enough.
        required: usize,
    },
    /// Enough again, but only just now.
    Recovering,
    /// This node was told where to begin, and has not compared what it knows with anybody yet: it cannot say how many there
    /// are, and has no quorum.
    Joining,
}

/// What became of the order to have a member leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expelled {
    /// It was gone, and has left now; the quorum is counted without it.
    Left,
    /// It was believed live: it is suspected now, and leaves unless it says that it is there.
    Suspected,
    /// Nobody of that name is on record.
    Unknown,
    /// It is this node, which leaves by itself.
    Itself,
}

/// What a quorum is counted from: the members of this node's region that are not ephemeral.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quorum {
    /// All that count, n: live ones, this node among them, and those that failed, whenever that was.
    pub members: usize,
    /// How many of them may fail, f: less than a third of n.
    pub may_fail: usize,
    /// How many have to be reachable: n - f.
    pub required: usize,
    /// How many are.
    pub reachable: usize,
}

impl Quorum {
    /// Of so many reachable members and so many that failed.
    pub const fn of(reachable: usize, missing: usize) -> Self {
        let members = reachable + missing;
        let may_fail = members.saturating_sub(1) / 3;
        // Two halves never both have as many.
        assert!(members == 0 || 2 * (members - may_fail) > members);
        Self { members, may_fail, required: members - may_fail, reachable }
    }

    /// Whether enough are reachable.
    pub const fn is_there(&self) -> bool {
        self.reachable >= self.required
    }
}

/// What the control plane wants done. Control frames may be [given back](super::Control::give_back) when that is done, so that the
/// next ones take no memory.
#[derive(Debug)]
pub enum Output {
    /// Sign a control frame and send it.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What it says.
        control_frame: Box<ControlFrame>,
    },
    /// Send the bytes of an update as they were received.
    Forward {
        /// Where they are.
        frame_ref: FrameRef,
        /// Where to.
        to: SocketAddr,
    },
    /// A member is new, or something of it changed: keep the directory in step.
    Member {
        /// Its key, incarnation, addresses.
        announcement: Arc<Announcement>,
        /// What it is believed to be.
        state: PeerState,
        /// The slots that it may write now: those it claims, less those that others hold.
        runs: Vec<Run>,
        /// Whether the mesh's rule does not have it as a member any more: nothing that it signed counts.
        revoked: bool,
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
        /// The one whose announcement counts.
        winner: Arc<Announcement>,
        /// Where the other one was met, as far as known.
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
    /// The mesh remembers this incarnation of this node from before its start, or a later one:
    /// [begin again](crate::control::Control::begin_again) with a greater one.
    Outlived(Incarnation),
    /// The mesh's authority decided something: to be kept, so that a restart does not forget it.
    Decided(Arc<SignedDecision>),
    /// Somebody with the authority's keys signed two decisions of this number: nodes may differ in whom they trust.
    AuthorityContradicts(u64),
    /// A member signed two frames of one identity: it is none any more, and its cells are nobody's.
    Convicted(Arc<Proof>),
    /// This node's own rights are other ones than before.
    Rights(Rights),
    /// More, or fewer, members are reachable than before.
    Partition(Partition),
    /// No seed answers; this node works alone and keeps trying.
    Alone,
    /// A message of a member for a machine outside of the control plane.
    Deliver {
        /// Who wrote it.
        from: NodeId,
        /// The message, alone in a control frame.
        message: Box<ControlFrame>,
    },
}

/// A frame that was merged, or that this node issued.
#[derive(Clone, Copy, Debug)]
pub struct UpdateInfo {
    /// Who issued it.
    pub origin: NodeId,
    /// In which incarnation.
    pub incarnation: Incarnation,
    /// Its number among that incarnation's frames.
    pub seq: Seq,
    /// Where its bytes are.
    pub frame_ref: FrameRef,
    /// Where it came from; nowhere if this node issued it.
    pub from: Option<SocketAddr>,
    /// Whether it should hurry: it goes to more neighbours at once, and is announced to the others at once.
    pub critical: bool,
}
