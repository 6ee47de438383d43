//! Everything that a node counts, by name: the answer to `GET /api/v1/counters`.

use octick::{Counter, Handle, Refusal, Reject};
use serde::{Deserialize, Serialize};

use crate::admin::facts::Facts;
use crate::log;
use crate::report::Sockets;

const LOG_LINES_DROPPED: &str = "Lines of the log that its output was too slow for, or refused.";

/// The answer to `GET /api/v1/counters`: counts since the node's start, zeroes included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Seconds since the node's start.
    pub uptime_secs: u64,
    /// What its threads did.
    pub counters: Vec<Count>,
    /// Frames that were dropped, by reason.
    pub drops: Vec<Count>,
    /// What the control plane refused to act on, by reason.
    pub refusals: Vec<Count>,
    /// What its sockets lost and ran short of; at most 100 ms old.
    pub sockets: Vec<Count>,
    /// What became of the log.
    pub log: Vec<Count>,
}

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Its name everywhere: in the log, the docs, the metric.
    pub name: String,
    /// How often.
    pub count: u64,
    /// What it counts.
    pub meaning: String,
}

impl Counters {
    /// What `node` answers.
    pub(in crate::admin) fn of(node: &Handle, facts: &Facts) -> Self {
        let stats = node.stats();
        let (tally, sockets) = (&stats.tally, Sockets::from(&stats.socket));
        let count = |name: &str, count: u64, meaning: &str| Count {
            name: name.into(),
            count,
            meaning: meaning.trim().into(),
        };
        Self {
            uptime_secs: facts.began.elapsed().as_secs(),
            counters: Counter::ALL.iter().map(|c| count(c.metric(), tally.get(*c), c.meaning())).collect(),
            drops: Reject::ALL
                .iter()
                .map(|reject| count(reject.metric(), tally.rejected(*reject), reject.meaning()))
                .collect(),
            refusals: Refusal::ALL
                .iter()
                .map(|refusal| count(refusal.metric(), tally.refused(*refusal), refusal.meaning()))
                .collect(),
            sockets: sockets
                .lost()
                .chain(sockets.short())
                .map(|(name, n)| count(name, n, Sockets::meaning(name)))
                .collect(),
            log: vec![count("log_lines_dropped", log::dropped(), LOG_LINES_DROPPED)],
        }
    }
}
