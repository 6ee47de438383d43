//! What a demo shows while it runs, in lines of at most 80 characters: who the nodes are, what each figure means, a line a
//! second, and who died.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::mesh::Mesh;
use super::plan::Pace;
use super::reference;
use crate::output::{COLUMNS, wrap};
use crate::report::{Figures, TICKS_BUDGET, count, nanos};

/// One second of the whole mesh, and what its agents had on offer.
#[derive(Debug, Serialize)]
pub(super) struct Second {
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Cells that the agents of living nodes were to change in a second, times the tables that each should reach.
    pub(super) offered_cells_per_s: f64,
}

/// Names the columns of [`Second`].
pub(super) const HEAD: &str =
    "  time  offered   merged  frames     dup   drops ticks/cell  wire p50  wire p99";

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figures, offered_cells_per_s } = self;
        let drops = figures.drops.total();
        let [offered, merged, frames, dup, dropped] = [
            *offered_cells_per_s,
            figures.cells_merged_per_s,
            figures.frames_in_per_s,
            figures.duplicates_per_s,
            drops as f64,
        ]
        .map(|n| count(n).to_string());
        let time = format!("{:.0}s", figures.secs);
        let ticks = figures.ticks_per_cell.map_or_else(|| "-".into(), |price| price.short());
        let wire = figures.wire_to_state_ns.as_ref();
        let [p50, p99] = [wire.map(|wire| wire.p50), wire.map(|wire| wire.p99)]
            .map(|ns| ns.map_or_else(|| "-".into(), |ns| nanos(ns as f64).to_string()));
        write!(f, "{time:>6} {offered:>8} {merged:>8} {frames:>7} {dup:>7} {dropped:>7}")?;
        write!(f, " {ticks:>10} {p50:>9} {p99:>9}")?;
        if drops > 0 {
            write!(f, "\n{}", wrap(&format!("       dropped: {}", figures.drops), 9))?;
        }
        if figures.verify_disabled > 0 {
            let (kernel, threads) = (&figures.verify, figures.verify_disabled);
            let line = format!(
                "       WRONG VERDICT: the signature kernel {kernel} is out of use on {threads} threads, ed25519-dalek serves: \
                 please report this CPU"
            );
            write!(f, "\n{}", wrap(&line, 9))?;
        }
        Ok(())
    }
}

/// Who the nodes are.
pub(super) fn nodes(mesh: &Mesh) -> String {
    let mut text =
        format!("{} nodes on this machine, each a process with a key of its own:\n\n", mesh.members.len());
    text += "name     id            pid  listens on\n";
    for member in &mesh.members {
        let (name, id, pid, listen) = (&member.name, member.short(), member.pid(), &member.about.listen);
        text += &format!("{name:<7}  {id}  {pid:>7}  {listen}\n");
    }
    let about = &mesh.members[0].about;
    let runs_on = format!(
        "They merge with the kernel {}, check signatures with {}, and use {} ({}).",
        about.kernel, about.verify, about.backend, about.why
    );
    let met = format!(
        "All {} found each other through node-0, {:.2} s after the first was started.",
        mesh.members.len(),
        mesh.met.as_secs_f64()
    );
    let admission = "The mesh is issued: an authority that was made for it has signed a credential for each, with its name and its slots, and is gone. Nobody \
                     else can join.";
    text + &wrap(&runs_on, 0) + "\n" + &wrap(&met, 0) + "\n" + &wrap(admission, 0)
}

/// How to see and steer the nodes while the demo runs.
pub(super) fn commands(mesh: &Mesh, socket: &Path, url: &str) -> String {
    let octick = program();
    let admin = socket.display().to_string();
    let command = |words: &[&str]| command_line(&[&[octick.as_str()], words, &["--admin", &admin]].concat());
    let victim = mesh.members.last().expect("a demo has nodes");
    format!(
        "Look at the mesh in a browser; this address carries the token that it asks for:\n  {url}\nSee and steer a node from another terminal; for node-N put N in place of the 0:\n{}\n{}\n{}\n  kill -9 {}    # this node dies, the others go on\n",
        command(&["members"]),
        command(&["info"]),
        command(&["get", "0..8"]),
        victim.pid()
    )
}

/// What each figure means.
pub(super) fn legend(agents: u32, rate: u64, nodes: usize, pace: Pace, alone: f64) -> String {
    let meanings = [
        ("offered", "cells/s that agents change, times the tables they should reach".to_owned()),
        ("merged", "cells/s stored, in all tables; far below offered: saturated".into()),
        ("frames", "frames/s that all nodes received; dup: those seen before".into()),
        ("drops", "frames/s dropped for any other reason; the line below says which".into()),
        ("ticks/cell", format!("CPU ticks to parse and merge a cell, median; goal {TICKS_BUDGET:.0}")),
        ("wire p50", "half of the frames: this long from receive stamp to merged table".into()),
        ("wire p99", "99 of 100 were".into()),
    ];
    let mut text = String::new();
    for (name, meaning) in meanings {
        text += &format!("  {name:<10}  {meaning}\n");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let crowded = if nodes > cores {
        format!(
            "{nodes} nodes take turns on {} here, so batches are small and caches cold",
            cores_named(cores)
        )
    } else {
        "a demo's batches are small, and its caches cold".into()
    };
    let ticks = format!(
        "More than {TICKS_BUDGET:.0} ticks/cell is no failure: {crowded}. The same code with full batches, a core to itself and \
         a table of {}k cells took {alone:.1} just now; octick-perf's gate measures that in earnest.{}",
        reference::SLOTS / 1024,
        if cfg!(debug_assertions) {
            " THIS IS A DEBUG BUILD, 20 times slower: cargo run --release."
        } else {
            ""
        }
    );
    text += &wrap(&ticks, 0);
    let each = Duration::from_secs_f64(f64::from(agents) / rate.max(1) as f64);
    if rate > 0 && each < 3 * pace.flush {
        let joined = format!(
            "An agent changes its cell every {}, a train leaves every {}: changes of one cell that fall between two trains \
             travel as one, so merged stays below offered though nothing is lost.",
            nanos(each.as_nanos() as f64),
            nanos(pace.flush.as_nanos() as f64)
        );
        text += "\n";
        text += &wrap(&joined, 0);
    }
    text
}

/// Who has ended, or stopped answering, since `told` was last looked at.
pub(super) fn deaths(mesh: &Mesh, told: &mut [bool]) -> Vec<String> {
    let mut lines = Vec::new();
    let (alive, nodes) = (mesh.alive(), mesh.members.len());
    for (member, told) in mesh.members.iter().zip(told) {
        let name = format!("{} ({}, pid {})", member.name, member.short(), member.pid());
        match &member.end {
            Some((how, _)) if !*told => {
                let words =
                    member.last_words().map_or_else(String::new, |words| format!(", and said: {words}"));
                lines.push(format!("       {name}: {how}{words}; {alive} of {nodes} nodes go on"));
                *told = true;
            }
            None if !member.takes_part() => {
                lines.push(format!("       {name} does not answer: stopped, or overloaded"))
            }
            _ => {}
        }
    }
    lines
}

fn cores_named(cores: usize) -> String {
    if cores == 1 { "1 core".into() } else { format!("{cores} cores") }
}

/// How this very program is called from the current directory.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "octick".into() };
    let here = std::env::current_dir().unwrap_or_default();
    let installed = std::env::var_os("PATH")
        .is_some_and(|paths| std::env::split_paths(&paths).any(|dir| dir.join("octick") == path));
    if installed {
        return "octick".into();
    }
    path.strip_prefix(here).map_or_else(|_| path.clone(), PathBuf::from).display().to_string()
}

/// A command to copy, indented; broken in the shell's way where it is too long.
fn command_line(words: &[&str]) -> String {
    let mut text = String::from(" ");
    let mut column = text.len();
    for word in words {
        if column + 1 + word.len() + 2 > COLUMNS && column > 4 {
            text += " \\\n   ";
            column = 4;
        }
        text = text + " " + word;
        column += 1 + word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Reading, Sockets};
    use octick::socket::Counters;
    use octick::{Counter, Reject};

    fn second(scale: u64) -> Second {
        let mut reading = Reading::default();
        for counter in [Counter::CellsWon, Counter::FramesIn, Counter::FramesOut, Counter::TimedTicks] {
            reading.tally.set(counter, scale);
        }
        reading.tally.set(Counter::TimedCells, 1);
        Reject::ALL.iter().for_each(|reject| reading.tally.set_rejected(*reject, scale));
        let mut counters = Counters::default();
        (counters.kernel_drops, counters.send_errors) = (scale, scale);
        reading.sockets = Sockets::from(&counters);
        reading.latencies.wire_ns.saturating_record(scale);
        reading.latencies.centiticks.saturating_record(scale);
        let mut figures = Figures::of(&reading, Duration::from_secs(1));
        (figures.secs, figures.verify_disabled) = (86_400.0, 5);
        Second { figures, offered_cells_per_s: scale as f64 }
    }

    #[test]
    fn the_largest_figures_fit_a_terminal() {
        assert!(HEAD.len() <= COLUMNS);
        for scale in [0, 999, 9_999, 999_999_999, 999_999_999_999] {
            let text = second(scale).to_string();
            assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        }
    }

    #[test]
    fn offered_stands_beside_merged_under_their_names() {
        let text = Second { offered_cells_per_s: 2_500_000.0, ..second(999) }.to_string();
        let line = text.lines().next().unwrap();
        for (name, value) in [("offered", "2.50M"), ("merged", "999")] {
            let end = HEAD.find(name).unwrap() + name.len();
            assert!(line[..end].ends_with(value), "{name}: {line}");
        }
        assert!(text.contains("\n       dropped: truncated 999, "), "{text}");
    }

    #[test]
    fn the_legend_fits_and_explains_every_column() {
        let pace = Pace { flush: Duration::from_millis(10), hashing: Duration::ZERO };
        let text = legend(1_000, 100_000, 5, pace, 2.9);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        for name in ["offered", "merged", "frames", "dup", "drops", "ticks/cell", "wire p50", "wire p99"] {
            assert!(HEAD.contains(name) && text.contains(name), "{name}");
        }
        assert!(text.contains("took 2.9 just now") && text.contains("travel as one"), "{text}");
        assert!(!legend(10_000, 100_000, 5, pace, 2.9).contains("travel as one"));
    }

    #[test]
    fn a_command_to_copy_is_broken_in_the_shells_way() {
        assert_eq!(command_line(&["octick", "info", "--admin", "a.sock"]), "  octick info --admin a.sock");
        let (long, longer) = ("x".repeat(40), "y".repeat(60));
        assert_eq!(command_line(&[&long, "info", &longer]), format!("  {long} info \\\n    {longer}"));
    }
}
