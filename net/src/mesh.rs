//! What an embedder sees of the mesh, and what it may ask of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use octick_core::admission::log::Appended;
pub use octick_core::admission::{Admission, Authority, AuthorityLog, Credential, Rule};
use octick_core::control;
pub use octick_core::control::dissemination::select::Strategy;
pub use octick_core::control::dissemination::spread::{Convergence, Counts as TravelCounts, SpreadSettings};
pub use octick_core::control::output::Rights;
pub use octick_core::control::{
    Expelled, MembershipSettings, Partition, PeerState, Quorum as QuorumView, Region,
};
pub use octick_core::data::audit::Counts as AuditCounts;
pub use octick_core::engine::MeshEvent;
use octick_core::stamp::{Incarnation, Run};
use octick_crypto::NodeId;

/// A node that finds its mesh by itself: it joins through seeds, notices who is gone, and tells others.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Where this node is at home. Default 0.
    pub region: Region,
    /// What this node can do, as the mesh's agents agree to number it. Default nothing.
    pub capabilities: u32,
    /// Whether this node never counts for a quorum, neither while it is there nor when it is gone: for nodes that come and go as
    /// they please. Default no. It is announced as the highest bit of the capabilities, which is not the agents' to use.
    pub ephemeral: bool,
    /// Where others reach this node, best first, at most four. By default the address that it listens on or, if that is any
    /// address, the one that others see.
    pub advertise: Vec<SocketAddr>,
    /// Bytes of the frames that were merged last, kept for members that miss some. Default 16 MiB: a tenth of a second of
    /// 130,000 full frames a second.
    pub frame_cache: usize,
    /// Who may be a member. Default [`Rule::Open`]: anyone. Peers that are listed are known to it with their slots, and those that are
    /// revoked are refused whatever anybody says.
    pub admission: Admission,
    /// What the mesh's authority grants this node, where it has one.
    pub credential: Option<Arc<Credential>>,
    /// Seeds, timers and bounds. Peers that are listed count as seeds.
    pub settings: MembershipSettings,
    /// How updates spread.
    pub spread: SpreadSettings,
    /// Which neighbour is compared with in a round. Default any.
    pub selection: Strategy,
}

impl Membership {
    /// What the control plane is to be told of it.
    pub(crate) fn control(&self) -> control::Config {
        let Self { settings, spread, selection, .. } = self;
        control::Config { membership: settings.clone(), spread: *spread, selection: *selection }
    }
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            region: Region::default(),
            capabilities: 0,
            ephemeral: false,
            advertise: Vec::new(),
            frame_cache: 16 << 20,
            admission: Admission::default(),
            credential: None,
            settings: MembershipSettings::default(),
            spread: SpreadSettings::default(),
            selection: Strategy::default(),
        }
    }
}

/// One member as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its name.
    pub id: NodeId,
    /// What it is believed to be.
    pub state: PeerState,
    /// Where it is at home.
    pub region: Region,
    /// What it says that it can do, as the mesh's agents agree to number it.
    pub capabilities: u32,
    /// Its incarnation: a later start has a greater one.
    pub incarnation: Incarnation,
    /// Where it is written to.
    pub address: Option<SocketAddr>,
    /// How long its answers take, once one came.
    pub round_trip: Option<Duration>,
    /// The runs of slots that it claims.
    pub runs: Vec<Run>,
    /// Whether it never counts for a quorum, by its own word.
    pub ephemeral: bool,
    /// Whether a quorum of this node's region counts it: it is there, or failed, is of the region, not ephemeral,
    /// and was here long enough.
    pub counts: bool,
    /// Whether it is this node itself.
    pub this_node: bool,
    /// What the mesh's authority granted it, if it showed that: its name and its slots, until when.
    pub credential: Option<Arc<Credential>>,
}

impl MemberView {
    /// What people call it, if the mesh's authority gave it a name.
    pub fn name(&self) -> Option<&str> {
        self.credential.as_ref().map(|credential| credential.grant().name.as_str())
    }
}

/// By which rule this node admits members, and what it may do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionView {
    /// The rule.
    pub rule: Rule,
    /// Whether the mesh has an authority, as far as this node's configuration says.
    pub has_authority: bool,
    /// How many decisions of the authority are known: the number of the last.
    pub decisions: u64,
    /// What this node may do, by its own reckoning.
    pub rights: Rights,
}

/// How updates travel, as this node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TravelView {
    /// Neighbours that updates go to.
    pub neighbours: usize,
    /// Rounds a second at present, in thousandths.
    pub rounds_per_second_milli: u64,
    /// How long updates took until no neighbour was found to lack them, and how many rounds.
    pub convergence: Convergence,
    /// Updates taken in, repeated, asked for and refused.
    pub updates: TravelCounts,
    /// What comparing tables has found.
    pub audit: AuditCounts,
}

/// Who is in the mesh, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshView {
    /// Everybody on record, this node and those that are gone included.
    pub members: Vec<MemberView>,
    /// Whether enough of them are reachable.
    pub partition: Partition,
    /// What that is counted from.
    pub quorum: QuorumView,
    /// How updates travel.
    pub travel: TravelView,
    /// Whether nobody has answered for a while: of a node with seeds, that they are down.
    pub alone: bool,
    /// By which rule members are admitted.
    pub admission: AdmissionView,
}

impl MeshView {
    /// Members that are believed to be there, this node among them.
    pub fn live(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|member| member.state.is_live())
    }

    /// The member of that name: of several, as after a name was given again, the one whose credential is the latest.
    pub fn member_named(&self, name: &str) -> Option<&MemberView> {
        let serial = |member: &&MemberView| member.credential.as_ref().map(|it| it.grant().serial);
        self.members.iter().filter(|member| member.name() == Some(name)).max_by_key(serial)
    }

    /// Members that failed and that a quorum counts: until they come back or are made to leave, however long that takes.
    pub fn missing(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|member| member.counts && !member.state.is_live())
    }
}

/// Whether enough members are reachable, for writers on any thread to look at. Clones share one word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quorum(Arc<AtomicU64>);

impl Quorum {
    /// Takes note of a change. Two numbers of 32 bits; zero where nothing stands in the way.
    pub(crate) fn set(&self, partition: Partition) {
        let word = match partition {
            Partition::Healthy | Partition::Recovering => 0,
            // There is at least one other, of whom it was told, and that one is not known yet.
            Partition::Joining => 1 << 32 | 2,
            Partition::Partitioned { reachable, required } => {
                (reachable as u64) << 32 | required.max(1) as u64 & u64::from(u32::MAX)
            }
        };
        self.0.store(word, Ordering::Relaxed);
    }

    /// How many are reachable and how many would be enough, if they are too few.
    pub(crate) fn lacks(&self) -> Option<(usize, usize)> {
        let word = self.0.load(Ordering::Relaxed);
        (word != 0).then_some(((word >> 32) as usize, (word & u64::from(u32::MAX)) as usize))
    }
}

/// What a handle asks of the control plane.
#[derive(Clone, Debug)]
pub(crate) enum Steering {
    Join(SocketAddr),
    Leave,
    Renew(Arc<Credential>),
}

/// Who is to be made to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom {
    One(NodeId),
    /// Everybody who failed.
    Failed,
}
