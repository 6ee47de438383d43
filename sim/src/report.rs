//! What a run showed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The figures of a run and its verdict.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Nodes.
    pub nodes: u32,
    /// The seed.
    pub seed: u64,
    /// How control frames, or frames, were signed.
    pub signatures: &'static str,
    /// Rounds of gossip that the last arrival took.
    pub rounds: u64,
    /// Half of what spread had arrived, milliseconds.
    pub p50_ms: f64,
    /// 99.9 % had.
    pub p999_ms: f64,
    /// All had.
    pub p100_ms: f64,
    /// What had to arrive, in the end, and had not: (node, item) pairs.
    pub missed: u64,
    /// Bytes that a node sent, on average of all, silent ones included.
    pub bytes_per_node: f64,
    /// Bytes that an honest node sent, on average.
    pub bytes_per_honest_node: f64,
    /// Copies of each frame that came to a node, on average; zero where no frames spread.
    pub copies_per_node: f64,
    /// The run's time divided by its events, nanoseconds.
    pub ns_per_event: f64,
    /// Calls of nodes.
    pub events: u64,
    /// The process's greatest memory, divided by nodes.
    pub bytes_of_memory_per_node: u64,
    /// Virtual time from the last act to agreement, milliseconds; nothing if there was none.
    pub agreed_ms: Option<f64>,
    /// From a crash to the last node that saw it, milliseconds.
    pub crash_seen_ms: f64,
    /// From a cut to the last moment at which two of its sides believed that they have a quorum, milliseconds.
    pub cut_noticed_ms: f64,
    /// Suspicions of running nodes.
    pub false_suspicions: u64,
    /// Running nodes declared dead, once for each that said so first.
    pub false_deaths: u64,
    /// Share of running members that twenty others, drawn each second, know on average.
    pub coverage: f64,
    /// The same at the worst second.
    pub coverage_worst: f64,
    /// Packets refused for their signature.
    pub forged: u64,
    /// Packets that links lost.
    pub lost: u64,
    /// A hash of all that happened: equal runs, equal hashes.
    pub run: String,
    /// What was checked, and whether it held.
    pub checkers: BTreeMap<&'static str, bool>,
    /// Nodes that lack updates, the first of them, and who was next to them.
    pub without: Vec<String>,
    /// Why what did not hold did not.
    pub faults: Vec<String>,
}

impl Report {
    /// Whether everything held.
    pub fn passed(&self) -> bool {
        self.checkers.values().all(|pass| *pass)
    }

    /// Takes in the times that things took, and what a round takes, microseconds. A round's control frames arrive soon after it,
    /// so that what is begun of the next does not count.
    pub fn set_times(&mut self, times: &mut [u32], round: u64) {
        times.sort_unstable();
        let at = |share: f64| -> f64 {
            let last = times.len().saturating_sub(1);
            times
                .get(((times.len() as f64 * share) as usize).min(last))
                .map_or(0.0, |time| f64::from(*time) / 1e3)
        };
        (self.p50_ms, self.p999_ms, self.p100_ms) = (at(0.5), at(0.999), at(1.0));
        self.rounds = ((self.p100_ms * 1e3 / round.max(1) as f64) as u64).max(1);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} nodes, seed {}, {} signatures, run {}",
            self.nodes, self.seed, self.signatures, self.run
        )?;
        writeln!(
            f,
            "spread    p50 {:.1} ms, p99.9 {:.1} ms, all {:.1} ms, {} rounds, {} missed",
            self.p50_ms, self.p999_ms, self.p100_ms, self.rounds, self.missed
        )?;
        let agreed = self.agreed_ms.map_or("never".into(), |ms| format!("{ms:.0} ms"));
        writeln!(
            f,
            "members   agreed after {agreed}, crashes seen by all after {:.0} ms, cuts noticed after {:.0} ms, \
             {} false suspicions, {} false deaths, coverage {:.4}",
            self.crash_seen_ms, self.cut_noticed_ms, self.false_suspicions, self.false_deaths, self.coverage
        )?;
        writeln!(
            f,
            "traffic   {:.0} bytes ({:.0} of an honest one) and {:.2} copies a node, {} lost, {} forged refused",
            self.bytes_per_node, self.bytes_per_honest_node, self.copies_per_node, self.lost, self.forged
        )?;
        writeln!(
            f,
            "cost      {} events of {:.0} ns, {} bytes of memory a node",
            self.events, self.ns_per_event, self.bytes_of_memory_per_node
        )?;
        for (name, pass) in &self.checkers {
            writeln!(f, "{} {name}", if *pass { "holds    " } else { "BROKEN   " })?;
        }
        self.without.iter().try_for_each(|node| writeln!(f, "without   {node}"))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "          {fault}"))
    }
}
