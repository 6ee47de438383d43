//! The start of a cluster: until all nodes know all.

use std::time::{Duration, Instant};

use super::children::{Cluster, Failure, Site};
use super::node;
use super::protocol::Tell;

/// How long a cluster may take to find itself.
pub(super) const MEET: Duration = Duration::from_secs(60);
/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(20);

/// Says what is being done, beside the figures.
pub(super) fn progress(what: &str) {
    eprintln!("{what}");
}

/// When all nodes knew all, seconds: after the first and after the last was started.
pub(super) struct Met {
    pub(super) since_first: f64,
    pub(super) since_last: f64,
}

/// Starts a cluster and waits until all know all. Returns the nodes' names, too.
pub(super) fn start(sites: &[Site], plain_swim: bool) -> Result<(Cluster, Met, Vec<String>), Failure> {
    progress(&format!("starting {} nodes", sites.len()));
    let (first, began) = (node::wall_ns(), Instant::now());
    let mut cluster = Cluster::start(sites, plain_swim)?;
    let last = node::wall_ns();
    let (mut met, mut ended, mut shown) = (vec![0; sites.len()], 0, Instant::now());
    let mut names = vec![String::new(); sites.len()];
    while met.iter().any(|live| *live < sites.len()) {
        let Some((number, tell)) = cluster.next(began + MEET)? else {
            let least = met.iter().min().copied().unwrap_or(0);
            return Err(format!("after {MEET:?} a node knows only {least} of {}", sites.len()).into());
        };
        match tell {
            Tell::Up(name, _) => names[number] = name,
            Tell::Live(live, at) => {
                met[number] = live;
                ended = ended.max(at);
            }
            _ => {}
        }
        if shown.elapsed() > Duration::from_secs(1) {
            shown = Instant::now();
            let know = met.iter().filter(|live| **live == sites.len()).count();
            progress(&format!("{know} of {} nodes know all", sites.len()));
        }
    }
    let secs = |from: u64| ended.saturating_sub(from) as f64 / 1e9;
    Ok((cluster, Met { since_first: secs(first), since_last: secs(last) }, names))
}
