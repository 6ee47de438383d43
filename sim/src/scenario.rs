//! What a run should be: from a file, a command line, or a seed.

use octick_core::control::Random;
use serde::Deserialize;

use crate::link::{LinkConditions, Who};
use crate::role::Role;
use crate::seal::Signatures;

/// What runs on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Whole engines that write, push and refresh cells; everybody knows everybody.
    #[default]
    Engines,
    /// Control planes that find each other and notice who is gone.
    Members,
    /// Dissemination alone: updates on their way to everybody.
    Updates,
}

/// What a member takes for a quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuorumOf {
    /// As the code has it: more than two thirds of all that count, those that failed among them.
    #[default]
    All,
    /// More than two thirds of whom it believes live: the rule is off, and a run with a cut must fail.
    Live,
}

/// Whom members admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admit {
    /// Everybody; nobody claims slots.
    #[default]
    Anyone,
    /// Whoever has a credential of the run's authority: every node has, with sixteen slots.
    Credentialed,
    /// Everybody has one, and nobody needs it: for the canary of made-up keys.
    Lenient,
}

/// A run, in full. Every key of a scenario file is one of these; what is left out is as in the default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What runs on the nodes.
    pub what: What,
    /// How many.
    pub nodes: u32,
    /// Regions that they are spread over, evenly and in order.
    pub regions: u32,
    /// Decides everything that chance decides.
    pub seed: u64,
    /// How long things happen, milliseconds.
    pub millis: u64,
    /// How long the nodes then have to agree, at most.
    pub quiet_millis: u64,
    /// How control frames are signed: unless it says so, in earnest up to 64 nodes. Engines always sign in earnest.
    pub signatures: Option<Signatures>,
    /// Share of nodes that crash a second; each starts again after `down_millis`.
    pub churn: f64,
    /// How long a crashed node is down.
    pub down_millis: u64,
    /// Whether it finds its disk again.
    pub disk: bool,
    /// Every so many-th node is ephemeral: no quorum counts it. Zero for none.
    pub ephemeral_every: u32,
    /// What members take for a quorum.
    pub quorum_of: QuorumOf,
    /// Share of nodes that are evil, of `roles` in turn.
    pub byzantine: f64,
    /// What evil nodes do; without any they are silent, send garbage or equivocate.
    pub roles: Vec<Role>,
    /// Whom members admit.
    pub admission: Admit,
    /// Hostile nodes have the authority's key: for the canary of claims.
    pub stolen_key: bool,
    /// Members heed control frames of any age, and those for others: for the canary of replays.
    pub blind: bool,
    /// Clocks are up to so far apart, milliseconds.
    pub skew_millis: u32,
    /// Every so many-th node is slow; zero for none.
    pub slow_every: u32,
    /// How long a slow node takes for each packet, microseconds.
    pub slow_micros: u32,
    /// How the links are.
    pub conditions: LinkConditions,
    /// Whether members use Lifeguard.
    pub lifeguard: bool,
    /// Between two writes of an agent, milliseconds.
    pub write_millis: u64,
    /// Between two refreshes of a node's own cells, milliseconds.
    pub refresh_millis: u64,
    /// Peers that an engine's edge pushes to.
    pub fanout: usize,
    /// Updates that the first node issues, evenly over `millis`, where updates are what runs.
    pub updates: u32,
    /// Whether updates travel in push-pull rounds of 100 ms alone, as the theory has it.
    pub rounds_only: bool,
    /// Whether the rounds that find what was lost are run beside the rest, as in a real node.
    pub rounds: bool,
    /// What happens, and when.
    pub acts: Vec<SpreadAction>,
    /// What the run must show, beyond the checkers.
    pub bars: Bars,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct SpreadAction {
    /// When, milliseconds.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Fault {
    /// Links are cut, in one direction.
    Cut {
        /// From whom,
        from: Who,
        /// to whom nothing arrives.
        to: Who,
    },
    /// All links are mended.
    Heal,
    /// Processes stop, as by SIGSTOP.
    Stop {
        /// Whose.
        who: Who,
        /// For how long.
        millis: u64,
    },
    /// Members say goodbye, and end.
    Leave {
        /// Who.
        who: Who,
    },
    /// An operator has members leave that are gone for good.
    ForceLeave {
        /// Which.
        who: Who,
        /// The node whose operator it is.
        by: u32,
    },
    /// Processes die.
    Crash {
        /// Whose.
        who: Who,
    },
    /// Dead processes start again.
    Restart {
        /// Whose.
        who: Who,
        /// Whether they find their disks again.
        disk: bool,
    },
}

/// The most, or least, that figures of the report may be.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bars {
    /// 99.9 % of what spreads has arrived, milliseconds.
    pub p999_ms: Option<f64>,
    /// All of it has.
    pub p100_ms: Option<f64>,
    /// A crash is seen by all, milliseconds.
    pub crash_seen_ms: Option<f64>,
    /// Nodes agree so long after the last act, milliseconds.
    pub agreed_ms: Option<f64>,
    /// Running nodes that were declared dead.
    pub false_deaths: Option<u64>,
    /// Bytes sent by a node on average.
    pub bytes_per_node: Option<f64>,
    /// Bytes sent by an honest node on average.
    pub bytes_per_honest_node: Option<f64>,
    /// Copies of an update that come to a node on average.
    pub copies_per_node: Option<f64>,
    /// Rounds until all was there.
    pub rounds: Option<u64>,
    /// What the run may cost, nanoseconds an event. Held only in optimised builds.
    pub ns_per_event: Option<f64>,
    /// Memory, bytes a node.
    pub bytes_of_memory_per_node: Option<u64>,
    /// At least this share of the running members is known, on average over the run.
    pub coverage: Option<f64>,
}

impl Fault {
    fn is_of_members(self) -> bool {
        matches!(self, Self::Leave { .. } | Self::ForceLeave { .. })
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            what: What::Engines,
            nodes: 16,
            regions: 1,
            seed: 1,
            millis: 5_000,
            quiet_millis: 20_000,
            signatures: None,
            churn: 0.0,
            down_millis: 3_000,
            disk: false,
            ephemeral_every: 0,
            quorum_of: QuorumOf::All,
            byzantine: 0.0,
            roles: Vec::new(),
            admission: Admit::Anyone,
            stolen_key: false,
            blind: false,
            skew_millis: 0,
            slow_every: 0,
            slow_micros: 200,
            conditions: LinkConditions::default(),
            lifeguard: true,
            write_millis: 200,
            refresh_millis: 1_000,
            fanout: 3,
            updates: 1,
            rounds_only: false,
            rounds: false,
            acts: Vec::new(),
            bars: Bars::default(),
        }
    }
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The first contradiction, if there is one.
    pub fn fault(&self) -> Option<&'static str> {
        let share = |share: f64| (0.0..1.0).contains(&share);
        let rules = [
            (self.nodes >= 2, "nodes are fewer than two"),
            (self.nodes <= 1 << 20, "nodes are more than 1,048,576"),
            ((1..=self.nodes.min(65_536)).contains(&self.regions), "regions are none, or more than nodes"),
            (share(self.churn) && share(self.byzantine), "churn or byzantine is not a share"),
            (
                share(self.conditions.loss) && share(self.conditions.duplicate),
                "loss or duplicate is not a share",
            ),
            (share(self.conditions.reorder), "reorder is not a share"),
            (self.conditions.far[0] <= self.conditions.far[1], "far ends before it begins"),
            (self.write_millis > 0 && self.refresh_millis > 0, "write_millis or refresh_millis is zero"),
            (
                self.what == What::Members || !self.acts.iter().any(|act| act.fault.is_of_members()),
                "leave or force_leave is for members",
            ),
            (
                self.roles.iter().all(|role| fits(*role, self.what) && *role != Role::Honest),
                "roles has one that is not for what runs",
            ),
            (
                self.signatures() == Signatures::Real
                    || !self.roles.iter().any(|role| role.signs_for_others()),
                "roles has one that makes keys up, which stand-in signatures do not know",
            ),
        ];
        rules.iter().find(|(holds, _)| !holds).map(|(_, rule)| *rule)
    }

    /// How control frames are signed in the end.
    pub fn signatures(&self) -> Signatures {
        let usual = if self.nodes <= 64 { Signatures::Real } else { Signatures::StandIn };
        self.signatures.unwrap_or(usual)
    }

    /// The region of a node.
    pub fn region(&self, node: u32) -> u16 {
        (u64::from(node) * u64::from(self.regions) / u64::from(self.nodes)) as u16
    }

    /// A small run that the seed alone decides: some of everything.
    pub fn random(seed: u64) -> Self {
        let mut rng = Random::new(seed ^ 0x5CE4);
        let what = if rng.permille(500) { What::Engines } else { What::Members };
        let nodes = 3 + rng.below(if what == What::Engines { 6 } else { 14 }) as u32;
        let share = |rng: &mut Random, odds: u32, most: f64| -> f64 {
            if rng.permille(odds) { rng.below(1_000) as f64 / 1_000.0 * most } else { 0.0 }
        };
        let conditions = LinkConditions {
            loss: share(&mut rng, 600, 0.1),
            burst: 1.0 + rng.below(4) as f64,
            duplicate: share(&mut rng, 400, 0.1),
            reorder: share(&mut rng, 400, 0.2),
            ..LinkConditions::default()
        };
        let millis = 2_000 + rng.below(2_000);
        let mut acts = Vec::new();
        if rng.permille(300) {
            let who = Who::Every(2 + rng.below(2) as u32, 0);
            let at = 500 + rng.below(1_000);
            acts.push(SpreadAction { at, fault: Fault::Cut { from: who, to: Who::All } });
            acts.push(SpreadAction { at: at + rng.below(millis - 1_500), fault: Fault::Heal });
        }
        if rng.permille(300) {
            let who = Who::Every(2, rng.below(2) as u32);
            acts.push(SpreadAction {
                at: rng.below(millis),
                fault: Fault::Stop { who, millis: rng.below(1_500) },
            });
        }
        if rng.permille(300) {
            let who = Who::Node(2 + rng.below(u64::from(nodes) - 2) as u32);
            let at = rng.below(millis / 2);
            acts.push(SpreadAction { at, fault: Fault::Crash { who } });
            let restart = Fault::Restart { who, disk: rng.permille(500) };
            acts.push(SpreadAction { at: at + rng.below(millis / 2), fault: restart });
        }
        Self {
            what,
            nodes,
            seed,
            millis,
            quiet_millis: 60_000,
            signatures: rng.permille(800).then_some(Signatures::StandIn),
            write_millis: 400,
            fanout: 2,
            byzantine: share(&mut rng, 300, 0.34),
            skew_millis: rng.below(500) as u32,
            slow_every: rng.below(5) as u32,
            conditions,
            acts,
            ..Self::default()
        }
    }
}

/// Whether nodes that run this may play the role.
fn fits(role: Role, what: What) -> bool {
    match role {
        Role::Honest | Role::Silent | Role::Garbage => true,
        Role::Equivocator => what != What::Updates,
        _ => what == What::Members,
    }
}
