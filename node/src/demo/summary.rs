//! What remains of a demo: a row a node, and whether all tables are equal.

use std::collections::BTreeMap;
use std::fmt;

use octick_core::Reject;
use octick_core::counters::Counter;
use serde::Serialize;

use super::mesh::{Member, Mesh};
use super::settle::Settled;
use crate::report::{Named, Percentiles, Price, TICKS_BUDGET, count};

/// Everything that the last lines say.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Whether all surviving nodes ended with equal tables.
    pub(super) equal: bool,
    /// Surviving nodes whose tables differ from those of most, by number.
    differing: Vec<usize>,
    /// Nodes that ended before the demo did, by number.
    ended: Vec<usize>,
    /// How long it took from when the agents rested until the tables were equal.
    settled_secs: f64,
    nodes: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    /// How it ended and when, if before the demo did.
    ended: Option<String>,
    cells_merged: u64,
    frames_in: u64,
    frames_out: u64,
    duplicates: u64,
    drops: Named,
    shortages: Named,
    ticks_per_cell: Option<Price>,
    wire_to_state_ns: Option<Percentiles>,
    /// Of all tables.
    digest: Option<String>,
    /// Origins of whose cells it holds something else than most nodes do, by number.
    differs_about: Vec<usize>,
}

impl Summary {
    /// `ends` as they were before the demo stopped its nodes.
    pub(super) fn new(mesh: &Mesh, ends: Vec<Option<(String, f64)>>, settled: Settled) -> Self {
        let members = &mesh.members;
        let survived = |i: usize| ends[i].is_none();
        let digests = &settled.digests;
        let common = most_common(digests.iter().flatten().map(|digests| &digests.tables));
        let of_most =
            |id: &str| most_common(digests.iter().flatten().filter_map(|digests| digests.origins.get(id)));
        let row = |(i, member): (usize, &Member)| Row {
            ended: ends[i].as_ref().map(|(how, secs)| format!("{how} after {secs:.1} s")),
            digest: digests[i].as_ref().map(|digests| digests.tables.clone()),
            differs_about: members
                .iter()
                .enumerate()
                .filter(|(_, origin)| {
                    let held = digests[i].as_ref().and_then(|digests| digests.origins.get(&origin.id));
                    held.is_some() && held != of_most(&origin.id)
                })
                .map(|(origin, _)| origin)
                .collect(),
            ..Row::of(member)
        };
        let differs =
            |i: &usize| survived(*i) && digests[*i].as_ref().map(|digests| &digests.tables) != common;
        let differing: Vec<usize> = (0..members.len()).filter(differs).collect();
        Self {
            equal: differing.is_empty() && (0..members.len()).any(survived),
            differing,
            ended: (0..members.len()).filter(|i| !survived(*i)).collect(),
            settled_secs: settled.took.as_secs_f64(),
            nodes: members.iter().enumerate().map(row).collect(),
        }
    }
}

impl Row {
    fn of(member: &Member) -> Self {
        let (whole, tally) = (&member.whole, &member.whole.tally);
        Self {
            id: member.id.clone(),
            ended: None,
            cells_merged: tally.get(Counter::CellsWon),
            frames_in: tally.get(Counter::FramesIn),
            frames_out: tally.get(Counter::FramesOut),
            duplicates: tally.rejected(Reject::Duplicate),
            drops: Named::drops(whole),
            shortages: Named::shortages(whole),
            ticks_per_cell: Price::of(whole),
            wire_to_state_ns: Percentiles::of(&whole.latencies.wire_ns),
            digest: None,
            differs_about: Vec::new(),
        }
    }
}

/// The value that most have; the least of these, if several are as common.
fn most_common<'a>(values: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut counts = BTreeMap::<&String, usize>::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        writeln!(
            f,
            "node  id        merged  frames in    out    dup  ticks/cell  wire>state, tables, drops"
        )?;
        for (i, row) in self.nodes.iter().enumerate() {
            writeln!(f, "{i:>4}  {row}")?;
        }
        let numbers = |nodes: &[usize]| nodes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        for &i in &self.ended {
            writeln!(f, "node {i}: {}", self.nodes[i].ended.as_deref().unwrap_or_default())?;
        }
        let secs = self.settled_secs;
        if self.equal {
            let survivors = self.nodes.len() - self.ended.len();
            return write!(f, "all {survivors} tables are equal, {secs:.1} s after the agents rested");
        }
        write!(f, "TABLES DIFFER {secs:.1} s after the agents rested: nodes {}", numbers(&self.differing))?;
        for (i, row) in self.nodes.iter().enumerate().filter(|(_, row)| !row.differs_about.is_empty()) {
            write!(f, "\n  node {i} differs about the cells of {}", numbers(&row.differs_about))?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [merged, frames_in, frames_out, duplicates] =
            [self.cells_merged, self.frames_in, self.frames_out, self.duplicates]
                .map(|n| count(n as f64).to_string());
        write!(f, "{}  {merged:>6}  {frames_in:>9}  {frames_out:>5}  {duplicates:>5}  ", &self.id[..8])?;
        match self.ticks_per_cell {
            Some(price) => write!(f, "{:>5.1} of {TICKS_BUDGET:.0}  ", price.p50)?,
            None => write!(f, "    - of {TICKS_BUDGET:.0}  ")?,
        }
        if let Some(wire) = &self.wire_to_state_ns {
            write!(f, "{wire}  ")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "{}", &digest[..8])?,
            None => f.write_str("no answer")?,
        }
        if self.drops.total() > 0 { write!(f, "  {}", self.drops) } else { Ok(()) }
    }
}
