//! What remains of a demo: a row a node, who ended, what was dropped, and whether all tables are equal.

use std::fmt;

use octick_core::Reject;
use octick_core::counters::Counter;
use serde::Serialize;

use super::mesh::{Member, Mesh};
use super::settle::Settled;
use super::verdict::{Verdict, Word, most_common, named};
use crate::output::wrap;
use crate::report::{Named, Percentiles, Price, count, nanos};

/// Everything that the last lines say.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
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
        let Settled { digests, origins, took } = settled;
        let words: Vec<Word<'_>> = ends
            .iter()
            .zip(&digests)
            .map(|ended_and_digest| match ended_and_digest {
                (Some(_), _) => Word::Ended,
                (None, None) => Word::Silent,
                (None, Some(digest)) => Word::Digest(digest),
            })
            .collect();
        let of_most = |id: &str| {
            most_common(origins.iter().flatten().filter_map(|origins| origins.get(id)).map(String::as_str))
        };
        let row = |(i, member): (usize, &Member)| Row {
            ended: ends[i].as_ref().map(|(how, secs)| format!("{how} after {secs:.1} s")),
            digest: digests[i].clone(),
            differs_about: members
                .iter()
                .enumerate()
                .filter(|(_, origin)| {
                    let held = origins[i].as_ref().and_then(|origins| origins.get(&origin.id));
                    held.is_some() && held.map(String::as_str) != of_most(&origin.id)
                })
                .map(|(origin, _)| origin)
                .collect(),
            ..Row::of(member)
        };
        Self { verdict: Verdict::new(&words, took), nodes: members.iter().enumerate().map(row).collect() }
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

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nnode  id        merged     in    out    dup  ticks  wire p50  wire p99 table")?;
        for (i, row) in self.nodes.iter().enumerate() {
            writeln!(f, "{i:>4}  {row}")?;
        }
        for (i, row) in self.nodes.iter().enumerate() {
            if let Some(how) = &row.ended {
                writeln!(f, "{}", wrap(&format!("node {i} ({}): {how}", &row.id[..8]), 2))?;
            }
            if row.drops.total() > 0 {
                writeln!(f, "{}", wrap(&format!("node {i} dropped: {}", row.drops), 2))?;
            }
        }
        write!(f, "{}", self.verdict)?;
        for (i, row) in self.nodes.iter().enumerate().filter(|(_, row)| !row.differs_about.is_empty()) {
            let about = format!("  node {i} differs about the cells of {}", named(&row.differs_about));
            write!(f, "\n{}", wrap(&about, 4))?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [merged, frames_in, frames_out, duplicates] =
            [self.cells_merged, self.frames_in, self.frames_out, self.duplicates]
                .map(|n| count(n as f64).to_string());
        write!(f, "{}  {merged:>6} {frames_in:>6} {frames_out:>6} {duplicates:>6} ", &self.id[..8])?;
        let ticks = self.ticks_per_cell.map_or_else(|| "-".into(), |price| price.short());
        let wire = |of: fn(&Percentiles) -> u64| {
            self.wire_to_state_ns
                .as_ref()
                .map_or_else(|| "-".into(), |wire| nanos(of(wire) as f64).to_string())
        };
        let [p50, p99] = [wire(|wire| wire.p50), wire(|wire| wire.p99)];
        let table = match (&self.ended, &self.digest) {
            (Some(_), _) => "ended",
            (None, None) => "no answer",
            (None, Some(digest)) => &digest[..8],
        };
        write!(f, "{ticks:>6} {p50:>9} {p99:>9} {table}")
    }
}
