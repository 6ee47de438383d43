//! Who a node is, what it runs on, and where it stands in its mesh: the answer to `GET /api/v1/info`.

use octick::{Handle, MeshView};
use serde::{Deserialize, Serialize};

use super::{Admission, Counts, Members, Quorum, Status};
use crate::admin::facts::Facts;
use crate::version::VERSION;

/// The answer to `GET /api/v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// 32 hex digits.
    pub id: String,
    /// The first eight of them.
    pub short: String,
    /// Name of the mesh.
    pub mesh: String,
    /// Where it receives datagrams.
    pub listen: String,
    /// By which rule members are admitted, and what it may do itself.
    #[serde(default)]
    pub admission: Admission,
    /// The slots that it speaks for.
    pub slots: Slots,
    /// What it knows of its mesh; nothing without membership.
    pub membership: Option<Mesh>,
    /// Which merge kernel runs.
    pub kernel: String,
    /// Which verification kernel was chosen.
    pub verify: String,
    /// Which socket backend runs.
    pub backend: String,
    /// Why that one.
    pub why: String,
    /// The release and, in brackets, the commit that it was built from, or `unknown`.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_secs: u64,
}

/// The slots of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Slots of each table.
    pub table: u32,
    /// The tables that it keeps: `cells8`, `cells4`, `rows`.
    pub tables: Vec<String>,
    /// Runs of its own.
    pub own: Vec<Run>,
}

/// Neighbouring slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A node's place in its mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mesh {
    /// Its incarnation.
    pub incarnation: u32,
    /// Its region.
    pub region: u16,
    /// Where others reach it.
    pub addresses: Vec<String>,
    /// Whether it reaches enough of the mesh.
    pub partition: Status,
    /// How many members are in which state.
    pub counts: Counts,
    /// What a quorum takes.
    pub quorum: Quorum,
    /// Whether it has seeds and none of them answers.
    pub alone: bool,
}

impl Info {
    /// What `node` answers.
    pub(in crate::admin) fn of(node: &Handle, facts: &Facts, mesh: Option<&MeshView>) -> Self {
        let (id, about, layout) = (node.id(), node.about(), node.reader().layout());
        let tables = [("cells8", layout.cells8), ("cells4", layout.cells4), ("rows", layout.rows)];
        let run = |run: &octick::Run| Run { first: run.first.0, count: run.len };
        Self {
            id: id.to_string(),
            short: id.short().to_string(),
            mesh: facts.mesh.clone(),
            listen: node.local_addr().to_string(),
            admission: Admission::of(mesh),
            slots: Slots {
                table: layout.slots,
                tables: tables.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).into()).collect(),
                own: node.runs().iter().map(run).collect(),
            },
            membership: mesh.and_then(|mesh| Mesh::of(node, facts, mesh)),
            kernel: about.kernel.to_string(),
            verify: about.verify.to_string(),
            backend: about.backend.to_string(),
            why: about.why.to_string(),
            version: VERSION.into(),
            pid: std::process::id(),
            uptime_secs: facts.began.elapsed().as_secs(),
        }
    }
}

impl Mesh {
    /// Nothing while the node is not on its own record.
    fn of(node: &Handle, facts: &Facts, mesh: &MeshView) -> Option<Self> {
        let Members { members, counts, partition, quorum, .. } = Members::of(node, mesh);
        let own = members.into_iter().find(|member| member.this_node)?;
        Some(Self {
            incarnation: own.incarnation,
            region: own.region,
            addresses: own.addresses,
            partition,
            counts,
            quorum,
            alone: facts.seeded && mesh.alone,
        })
    }
}
