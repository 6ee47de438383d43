//! What a run takes, and whether it is there.
//!
//! Every engine has a table with cells of every other and every member a record of every other in its region, so memory
//! grows with the square of the nodes. It is estimated from what runs were measured to take (docs/simulating.md), and
//! compared with what the system says is available, before anything is taken.

use std::fmt;

use crate::scenario::{Scenario, What};

/// Of an engine, whatever the mesh: its sealer, outbox, rings, counters, and what trains have proven.
const ENGINE: u64 = 1_200 << 10;
/// Of an engine for each in the mesh: sixteen slots of sixteen bytes, the shortest run, and the window.
const ENGINE_PER_NODE: u64 = 320;
/// Of a control plane, whatever the mesh.
const MEMBER: u64 = 96 << 10;
/// Of a control plane for each member of its region: a record of 128 bytes, indexes, rumours, and packets on their way.
const MEMBER_PER_NODE: u64 = 800;
/// Of a node that disseminates, the events in which it takes part among it.
const SPREAD: u64 = 2 << 10;
/// Of the program.
const PROGRAM: u64 = 16 << 20;

/// More is asked for than there is. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes that the run would take.
    pub needed: u64,
    /// Bytes that are available.
    pub available: u64,
    /// Nodes of this kind, in as many regions, for which there is room.
    pub nodes: u32,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        write!(
            f,
            "nodes take {} MiB, and {} MiB are available: enough for {} nodes",
            mib(self.needed),
            mib(self.available),
            self.nodes
        )
    }
}

/// Bytes that a scenario takes at most, its events included.
pub fn needed(scenario: &Scenario) -> u64 {
    let nodes = u64::from(scenario.nodes);
    let local = nodes.div_ceil(u64::from(scenario.regions.max(1)));
    let node = match scenario.what {
        What::Engines => ENGINE + ENGINE_PER_NODE * nodes,
        What::Members => MEMBER + MEMBER_PER_NODE * local,
        What::Updates => SPREAD,
    };
    PROGRAM + nodes * node
}

/// Whether a scenario fits what is available; it does where that is not known.
///
/// # Errors
/// How much it lacks, and how many nodes there is room for.
pub fn check(scenario: &Scenario, available: Option<u64>) -> Result<(), TooLarge> {
    let (needed_now, available) = (needed(scenario), available.unwrap_or(u64::MAX));
    if needed_now <= available {
        return Ok(());
    }
    let fits = |nodes: u32| needed(&Scenario { nodes, ..scenario.clone() }) <= available;
    let (mut fitting, mut too_many) = (0, scenario.nodes);
    while too_many - fitting > 1 {
        let between = fitting.midpoint(too_many);
        if fits(between) {
            fitting = between;
        } else {
            too_many = between;
        }
    }
    Err(TooLarge { needed: needed_now, available, nodes: fitting })
}

/// Bytes that the system could give without swapping; nothing where it does not say.
pub fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_how_many_would() {
        for what in [What::Engines, What::Members, What::Updates] {
            let scenario = Scenario { what, nodes: 1 << 20, ..Scenario::default() };
            assert_eq!(check(&scenario, None), Ok(()), "where nothing is known nothing is refused");
            let error = check(&scenario, Some(1 << 30)).unwrap_err();
            assert_eq!((error.needed, error.available), (needed(&scenario), 1 << 30));
            let with = |nodes| Scenario { nodes, ..scenario.clone() };
            assert_eq!(check(&with(error.nodes), Some(1 << 30)), Ok(()));
            assert!(check(&with(error.nodes + 1), Some(1 << 30)).is_err(), "{error}");
        }
    }
}
