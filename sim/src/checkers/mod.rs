//! What must hold in every run, whatever the scenario.
//!
//! | checker | holds when |
//! |---|---|
//! | convergence | in the end everybody has everything that honest nodes wrote, or knows everybody who runs |
//! | no_unsigned_merge | nobody took in what its origin had not issued |
//! | no_resurrection | no cell went back to an older version; no member came back without a word of its own |
//! | agreement | after the last act nodes came to agree within the quiet time |
//! | one_quorum | at no moment do two sides of a cut believe that they have a quorum |
//! | no_strangers | nobody without a credential is on record, or changes a quorum, where credentials are needed |
//! | ownership | no running node lost slots that its credential grants |
//! | no_postdating | nobody believes what is dated far ahead |
//! | no_reflection | victims of made-up senders got no more bytes than were sent in their names |
//! | bounds | records, queues, packets and bytes stayed within their bounds |
//! | bars | the figures that the scenario asks for |

pub mod members;
pub mod quorum;
pub mod tables;

use octick_core::limits::FRAME_MAX;

use crate::report::Report;
use crate::scenario::Bars;
use crate::world::Totals;

/// What a run leaves for judgement.
#[derive(Debug, Default)]
pub struct Evidence {
    /// (node, item) pairs that did not come together.
    pub missed: u64,
    /// What was taken in without its origin having issued it.
    pub unsigned: u64,
    /// What came back from the dead, or went back in time.
    pub resurrected: u64,
    /// Members on record that have no credential, where they need one.
    pub strangers: u64,
    /// Times that a node held another without slots which that one's credential grants.
    pub robbed: u64,
    /// Announcements from the far future that were believed.
    pub postdated: u64,
    /// Why two sides of a cut had a quorum at once, as far as they had.
    pub split: Vec<String>,
    /// After how long all agreed, microseconds.
    pub agreed_after: Option<u64>,
    /// Most members on one record.
    pub records_max: usize,
    /// How long the run was, microseconds of virtual time.
    pub micros: u64,
    /// Sums over all nodes.
    pub totals: Totals,
}

/// Events that may wait, for each node: a seed answers many newcomers at once, and stopped nodes' packets wait.
const QUEUE_PER_NODE: usize = 512;
/// Bytes that a node may send a second, on average of all: several times what churn and hostile conditions were seen to
/// take.
const BYTES_PER_SECOND: u64 = 100_000;
/// Bytes that a node may send to make itself known, for each other node.
const BYTES_PER_MEETING: u64 = 4_000;

/// Judges a run: fills the report's checkers and faults.
pub fn judge(report: &mut Report, evidence: &Evidence, bars: &Bars) {
    let mut verdict = |name, faults: Vec<String>| {
        report.checkers.insert(name, faults.is_empty());
        report.faults.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    };
    let none = |count: u64, what: &str| -> Vec<String> {
        if count == 0 { Vec::new() } else { vec![format!("{count} {what}")] }
    };
    verdict("convergence", none(evidence.missed, "pairs of node and item did not come together"));
    verdict(
        "no_unsigned_merge",
        none(evidence.unsigned, "items were taken in that their origin did not issue"),
    );
    verdict("no_resurrection", none(evidence.resurrected, "items came back from the dead"));
    verdict("no_strangers", none(evidence.strangers, "records of members without a credential"));
    verdict(
        "ownership",
        none(evidence.robbed, "times a running node was held to have lost slots that are its own"),
    );
    verdict("no_postdating", none(evidence.postdated, "announcements from the far future were believed"));
    let Totals { spent_on_reflection: spent, reflected, .. } = evidence.totals;
    verdict(
        "no_reflection",
        none(reflected.saturating_sub(spent), "bytes more reached victims than were sent in their names"),
    );
    verdict("agreement", none(evidence.agreed_after.is_none().into(), "quiet time was not enough to agree"));
    verdict("one_quorum", evidence.split.clone());
    verdict("bounds", bounds(evidence, report.nodes));
    let faults = beyond(report, bars);
    report.checkers.insert("bars", faults.is_empty());
    report.faults.extend(faults.into_iter().map(|fault| format!("bars: {fault}")));
}

fn bounds(evidence: &Evidence, nodes: u32) -> Vec<String> {
    let (nodes, totals) = (nodes as usize, &evidence.totals);
    let bytes = totals.bytes / nodes as u64;
    let bytes_max = BYTES_PER_MEETING * nodes as u64 + BYTES_PER_SECOND * (evidence.micros / crate::S + 1);
    let figures = [
        ("records", evidence.records_max as u64, nodes as u64),
        ("events in the queue", totals.queue_max as u64, (QUEUE_PER_NODE * nodes) as u64),
        ("bytes of a packet", totals.longest as u64, FRAME_MAX as u64),
        ("bytes of a node", bytes, bytes_max),
    ];
    let over = figures.iter().filter(|(_, figure, most)| figure > most);
    over.map(|(what, figure, most)| format!("{figure} {what}, where {most} are the most")).collect()
}

fn beyond(report: &Report, bars: &Bars) -> Vec<String> {
    let figures = [
        ("p999_ms", Some(report.p999_ms), bars.p999_ms),
        ("p100_ms", Some(report.p100_ms), bars.p100_ms),
        ("crash_seen_ms", Some(report.crash_seen_ms), bars.crash_seen_ms),
        ("agreed_ms", report.agreed_ms, bars.agreed_ms),
        ("false_deaths", Some(report.false_deaths as f64), bars.false_deaths.map(|most| most as f64)),
        ("bytes_per_node", Some(report.bytes_per_node), bars.bytes_per_node),
        ("bytes_per_honest_node", Some(report.bytes_per_honest_node), bars.bytes_per_honest_node),
        ("copies_per_node", Some(report.copies_per_node), bars.copies_per_node),
        ("rounds", Some(report.rounds as f64), bars.rounds.map(|most| most as f64)),
        ("ns_per_event", Some(report.ns_per_event), bars.ns_per_event.filter(|_| !cfg!(debug_assertions))),
        (
            "bytes_of_memory_per_node",
            Some(report.bytes_of_memory_per_node as f64),
            bars.bytes_of_memory_per_node.map(|most| most as f64),
        ),
        ("coverage", Some(-report.coverage), bars.coverage.map(|least| -least)),
    ];
    let over = figures.into_iter().filter_map(|(name, figure, bar)| Some((name, figure, bar?)));
    over.filter(|(_, figure, bar)| figure.is_none_or(|figure| figure > *bar))
        .map(|(name, figure, bar)| match figure {
            Some(figure) => format!("{name} is {:.4}, the bar is {:.4}", figure.abs(), bar.abs()),
            None => format!("{name} has no figure, the bar is {bar:.4}"),
        })
        .collect()
}
