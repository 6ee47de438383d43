//! Who is in the mesh: the answer to `GET /api/v1/members`.

use octick::{Handle, MemberView, MeshView, Partition, PeerState, TravelView};
use serde::{Deserialize, Serialize};

use super::{Admission, Quorum};

/// The answer to `GET /api/v1/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The node that answers.
    pub node: Own,
    /// Whether it reaches enough of the mesh.
    pub partition: Status,
    /// What that is counted from.
    pub quorum: Quorum,
    /// How many members are in which state.
    pub counts: Counts,
    /// By which rule members are admitted.
    #[serde(default)]
    pub admission: Admission,
    /// How updates travel.
    pub travel: Travel,
    /// Everybody on record: the node itself first, then by name.
    pub members: Vec<Member>,
}

/// How updates travel, as the node that answers sees it. Counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Travel {
    /// Neighbours that updates go to.
    pub neighbours: usize,
    /// Rounds a second at present, in thousandths.
    pub rounds_per_second_milli: u64,
    /// Updates taken in.
    pub accepted: u32,
    /// Further copies of them.
    pub duplicates: u32,
    /// Updates that had to be asked for.
    pub pulls: u32,
    /// Updates after which no neighbour was found to lack them any more.
    pub converged: u32,
    /// The same by the time that it took, as `mesh.gossip.convergence.time`: up to 10, 50, 100, 500, 1,000, 5,000, 10,000 ms, beyond.
    pub convergence_time: Vec<u32>,
    /// The same by rounds, as `mesh.gossip.convergence.rounds`: up to 3, 5, 7, 10, 15, 20, 30, beyond.
    pub convergence_rounds: Vec<u32>,
    /// Ranges of the tables that were found to differ from somebody's.
    pub ranges_differed: u64,
    /// Ranges that this node sent again because somebody lacked them.
    pub ranges_repeated: u64,
}

/// The node that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// 32 hex digits.
    pub id: String,
    /// The first eight of them.
    pub short: String,
    /// Where it receives datagrams.
    pub listen: String,
}

/// Partition status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Enough members are reachable.
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
    /// It was told where to begin, and has not compared what it knows with anybody yet.
    Joining,
}

impl Status {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Partitioned { .. } => "partitioned",
            Self::Recovering => "recovering",
            Self::Joining => "joining",
        }
    }
}

/// Members by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// They answer.
    pub alive: usize,
    /// Silent, with time to contradict.
    pub suspected: usize,
    /// Declared dead.
    pub failed: usize,
    /// Gone by their own word, or made to leave.
    pub left: usize,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// 32 hex digits.
    pub id: String,
    /// The first eight of them.
    pub short: String,
    /// What people call it, if the mesh's authority gave it a name.
    #[serde(default)]
    pub name: Option<String>,
    /// `alive`, `suspected`, `failed` or `left`.
    pub state: State,
    /// Its life.
    pub incarnation: u32,
    /// Its region.
    pub region: u16,
    /// Where it is written to.
    pub addresses: Vec<String>,
    /// How long its answers take, microseconds, once one came.
    pub round_trip_micros: Option<u64>,
    /// Runs of slots that it claims.
    pub runs: usize,
    /// Slots in them.
    pub slots: u64,
    /// Whether it never counts for a quorum, by its own word.
    #[serde(default)]
    pub ephemeral: bool,
    /// Whether it is the node that answers.
    pub this_node: bool,
}

/// What a member is believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It answers.
    Alive,
    /// Silent, with time to contradict.
    Suspected,
    /// Declared dead.
    Failed,
    /// Gone by its own word.
    Left,
}

impl State {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspected => "suspected",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }

    /// Whether the member takes part.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspected)
    }
}

impl From<PeerState> for State {
    fn from(state: PeerState) -> Self {
        match state {
            PeerState::Alive => Self::Alive,
            PeerState::Suspected => Self::Suspected,
            PeerState::Failed => Self::Failed,
            PeerState::Left => Self::Left,
        }
    }
}

impl From<Partition> for Status {
    fn from(partition: Partition) -> Self {
        match partition {
            Partition::Healthy => Self::Healthy,
            Partition::Partitioned { reachable, required } => Self::Partitioned { reachable, required },
            Partition::Recovering => Self::Recovering,
            Partition::Joining => Self::Joining,
        }
    }
}

impl Members {
    /// What `node` answers while it knows `mesh`.
    pub(in crate::admin) fn of(node: &Handle, mesh: &MeshView) -> Self {
        let mut members: Vec<Member> = mesh.members.iter().map(Member::of).collect();
        members.sort_by(|a, b| (b.this_node, &a.id).cmp(&(a.this_node, &b.id)));
        let mut counts = Counts::default();
        for member in &members {
            *match member.state {
                State::Alive => &mut counts.alive,
                State::Suspected => &mut counts.suspected,
                State::Failed => &mut counts.failed,
                State::Left => &mut counts.left,
            } += 1;
        }
        let id = node.id();
        let node =
            Own { id: id.to_string(), short: id.short().to_string(), listen: node.local_addr().to_string() };
        Self {
            node,
            partition: mesh.partition.into(),
            quorum: Quorum::of(mesh),
            counts,
            admission: Admission::of(Some(mesh)),
            travel: Travel::of(&mesh.travel),
            members,
        }
    }
}

impl Members {
    /// The same without what changes all the time while nothing happens: round trips, how updates travel, how long a credential holds.
    #[must_use]
    pub fn steady(&self) -> Self {
        let mut steady = self.clone();
        steady.admission = self.admission.steady();
        steady.travel = Travel::default();
        steady.members.iter_mut().for_each(|member| member.round_trip_micros = None);
        steady
    }
}

impl Travel {
    fn of(travel: &TravelView) -> Self {
        Self {
            neighbours: travel.neighbours,
            rounds_per_second_milli: travel.rounds_per_second_milli,
            accepted: travel.updates.accepted,
            duplicates: travel.updates.duplicates,
            pulls: travel.updates.pulls,
            converged: travel.convergence.count,
            convergence_time: travel.convergence.time.to_vec(),
            convergence_rounds: travel.convergence.rounds.to_vec(),
            ranges_differed: travel.audit.ranges,
            ranges_repeated: travel.audit.repeated,
        }
    }
}

impl Member {
    fn of(member: &MemberView) -> Self {
        Self {
            id: member.id.to_string(),
            short: member.id.short().to_string(),
            name: member.name().map(Into::into),
            state: member.state.into(),
            incarnation: member.incarnation.0,
            region: member.region.0,
            addresses: member.address.iter().map(ToString::to_string).collect(),
            round_trip_micros: member.round_trip.map(|trip| trip.as_micros() as u64),
            runs: member.runs.len(),
            slots: member.runs.iter().map(|run| u64::from(run.len)).sum(),
            ephemeral: member.ephemeral,
            this_node: member.this_node,
        }
    }
}
