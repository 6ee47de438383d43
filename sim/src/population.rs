//! Who the nodes of a run of members are, what each is granted, and what is true of them.

use std::cell::RefCell;
use std::sync::Arc;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::{Admission, Authority, AuthorityLog, Credential, Grant};
use octick_core::control::MembershipSettings;
use octick_core::stamp::{Run, Slot};
use octick_crypto::{Identity, NodeId};

use crate::role::Role;
use crate::scenario::QuorumOf;
use crate::seal::{Identities, MESH, identity};
use crate::{S, WALL};

/// What is true of the nodes, and how what they believe compares with it. Times are the world's.
#[derive(Debug, Default)]
pub struct Truth {
    /// Since when each node runs; nothing if it does not.
    pub up_since: Vec<Option<u64>>,
    /// The life that each node is in, or was in last.
    pub life: Vec<u32>,
    /// When each node last crashed.
    pub crashed_at: Vec<u64>,
    /// From the start of the later of two nodes to the moment one first believes the other live, microseconds.
    pub met_after: Vec<u32>,
    /// From a crash to the moment somebody declares the node dead, microseconds.
    pub missed_after: Vec<u32>,
    /// Running nodes that somebody suspected.
    pub false_suspicions: u64,
    /// Running nodes that somebody declared dead.
    pub false_deaths: u64,
    /// Members that came back without a new word of their own.
    pub resurrected: u64,
    /// Control frames that were heeded and that nobody had issued.
    pub unsigned: u64,
    /// Control frames that were refused for their signature.
    pub forged: u64,
    /// Most members on one node's record.
    pub records_max: usize,
    /// Members that were believed in without a credential, where one is needed.
    pub strangers: u64,
    /// Times that somebody held a running node without slots which its credential grants.
    pub robbed: u64,
    /// Announcements from the far future that were believed.
    pub postdated: u64,
}

/// What all members of a run share.
pub struct Common {
    /// Everybody's keys.
    pub cast: Identities,
    /// Whom all admit.
    pub admission: Admission,
    /// The authority's key, where hostile nodes have it.
    pub stolen: Option<Identity>,
    /// Whether members heed control frames of any age, and those for others.
    pub is_blind: bool,
    /// Each node's, where credentials are needed.
    pub credentials: Vec<Arc<Credential>>,
    /// How each node behaves.
    pub roles: Vec<Role>,
    /// When hostile nodes end their doings.
    pub hostile_until: u64,
    /// Where each node is at home.
    pub regions: Vec<u16>,
    /// What is true.
    pub truth: RefCell<Truth>,
    /// What is taken for a quorum.
    pub quorum_of: QuorumOf,
    /// Every so many-th node is ephemeral.
    pub ephemeral_every: u32,
    /// The settings of all, but for their seeds.
    pub settings: MembershipSettings,
    /// Decides all randomness.
    pub seed: u64,
}

/// The slots of a node where credentials are needed.
pub fn run_of(node: u32) -> Run {
    Run { first: Slot(16 * node), len: 16 }
}

/// The first serial that the authority gave in earnest; a thief takes earlier ones, which come first.
const SERIAL: u64 = 1_000;

/// The authority's key in the run of `seed`.
pub fn authority(seed: u64) -> Identity {
    identity(seed, u32::MAX)
}

/// A credential for a day.
pub fn issue(authority: &Identity, member: NodeId, serial: u64, runs: Vec<Run>) -> Credential {
    let now = (WALL / S) as u32;
    let grant = Grant {
        serial,
        member,
        from: now - 3_600,
        until: now + 86_400,
        grace: 3_600,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: format!("node-{serial}"),
        runs,
    };
    Credential::issue(&grant, &authority_key(MESH), &[authority]).expect("a sound grant")
}

/// Whom to admit where credentials are there, or even needed, and everybody's credential.
pub fn credentials(cast: &Identities, seed: u64, are_needed: bool) -> (Admission, Vec<Arc<Credential>>) {
    let authority = authority(seed);
    let root = Authority::new(vec![authority.public().clone()], 1).expect("one key, one signature");
    let issue = |node: u32| {
        Arc::new(issue(&authority, cast.ids()[node as usize], SERIAL + u64::from(node), vec![run_of(node)]))
    };
    let log = AuthorityLog::new(authority_key(MESH), root);
    let admission = if are_needed { Admission::issued(log) } else { Admission::open(Some(log)) };
    (admission, (0..cast.ids().len() as u32).map(issue).collect())
}
