//! `octick demo`: a mesh of real processes on loopback, watched for a while, then held to its word.
//!
//! ```text
//! plan (keys, ports, files) > start > a line a second > agents rest > quiet > every table compared, and equal?
//! ```

mod child;
mod lines;
mod mesh;
mod plan;
pub mod protocol;
mod reference;
mod settle;
mod summary;
mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::config::Backend;
use crate::failure::Failure;
use crate::output::{say, wrap};
use crate::report::{About, Figures, count};
use lines::Second;
use mesh::Mesh;
use plan::Plan;

/// Seconds after which the columns are named again.
const HEAD_EVERY: u64 = 20;

/// Starts a mesh of real nodes on this machine and watches it.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Nodes, each a process of its own
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=100))]
    nodes: u64,
    /// Agents that each node hosts
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    agents: u32,
    /// Seconds to run; without it, until Ctrl-C
    #[arg(long)]
    secs: Option<u64>,
    /// Cells that the agents of each node change in a second
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Force a socket backend: auto, uring or mmsg
    #[arg(long, default_value = "auto", value_parser = parse_backend)]
    backend: Backend,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

fn parse_backend(name: &str) -> Result<Backend, String> {
    match name {
        "auto" => Ok(Backend::Auto),
        "uring" => Ok(Backend::Uring),
        "mmsg" => Ok(Backend::Mmsg),
        _ => Err("want auto, uring or mmsg".into()),
    }
}

impl Demo {
    /// Runs the mesh, prints a line a second and a summary. Exit code 0 says that the tables of all surviving nodes were
    /// compared, and are equal.
    ///
    /// # Errors
    /// One line: why the mesh did not start.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let plan = Plan::lay(self.nodes as usize, self.agents, self.backend)?;
        // Before the nodes start: they would take turns with it.
        let alone = reference::ticks_per_cell()?;
        let mut mesh = Mesh::start(&plan, self.agents, self.rate)?;
        plan.remove_keys()?;
        self.introduce(&mesh, &plan, alone)?;
        self.watch(&mut mesh)?;
        let settled = settle::settle(&mut mesh, plan.pace);
        mesh.ask(protocol::Ask::Sample);
        let ends = mesh.members.iter().map(|member| member.end.clone()).collect();
        mesh.stop();
        let summary = summary::Summary::new(&mesh, ends, settled);
        if self.json {
            say(json!({ "summary": &summary }))?;
        } else {
            say(&summary)?;
        }
        Ok(if summary.verdict.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn introduce(&self, mesh: &Mesh, plan: &Plan, alone: f64) -> Result<(), Failure> {
        if self.json {
            let nodes: Vec<_> = mesh.members.iter().enumerate().map(|(i, member)| {
                json!({ "name": member.name, "pid": member.pid(), "admin": plan.admin(i), "about": member.about })
            }).collect();
            let met_ms = mesh.met.as_millis() as u64;
            return say(json!({ "started": nodes, "met_ms": met_ms, "ticks_per_cell_alone": alone }));
        }
        say(lines::nodes(mesh))?;
        say("")?;
        say(lines::commands(mesh, &plan.admin(0), &plan.url()))?;
        let until = if self.secs.is_some() { "" } else { " Ctrl-C ends it." };
        let load = format!(
            "On each node {} agents change {} cells/s.{until} What the columns mean:",
            self.agents,
            count(self.rate as f64)
        );
        say(wrap(&load, 0))?;
        say("")?;
        say(lines::legend(self.agents, self.rate, mesh.members.len(), plan.pace, alone))?;
        say("")
    }

    /// A line a second, until the time is over, the user has seen enough, or no node lives.
    fn watch(&self, mesh: &mut Mesh) -> Result<(), Failure> {
        let began = Instant::now();
        let end = self.secs.map(|secs| began + Duration::from_secs(secs));
        let mut last = began;
        let mut told = vec![false; mesh.members.len()];
        for second in 1.. {
            let due = began + Duration::from_secs(second);
            let over = end.is_some_and(|end| end < due);
            if !over {
                mesh.listen(due);
            }
            if over || mesh.interrupted || mesh.alive() == 0 {
                return self.tell_deaths(mesh, &mut told);
            }
            mesh.ask(protocol::Ask::Sample);
            let now = Instant::now();
            let shown = self.second(mesh, now - last);
            last = now;
            if self.json {
                say(json!({ "second": shown }))?;
                continue;
            }
            if second % HEAD_EVERY == 1 {
                say(lines::HEAD)?;
            }
            say(shown)?;
            self.tell_deaths(mesh, &mut told)?;
        }
        Ok(())
    }

    fn tell_deaths(&self, mesh: &Mesh, told: &mut [bool]) -> Result<(), Failure> {
        let lines = if self.json { Vec::new() } else { lines::deaths(mesh, told) };
        lines.into_iter().try_for_each(|line| say(wrap(&line, 9)))
    }

    fn second(&self, mesh: &mut Mesh, over: Duration) -> Second {
        // What one agent changes should reach the table of every living node, its own among them.
        let nodes = mesh.alive() as f64;
        Second { offered_cells_per_s: self.rate as f64 * nodes * nodes, figures: figures(mesh, over) }
    }
}

/// What all nodes did in `over`, which ends now.
fn figures(mesh: &mut Mesh, over: Duration) -> Figures {
    let second = mesh.take_second();
    let each = |name: fn(&About) -> &str| {
        let mut names: Vec<&str> = mesh.members.iter().map(|member| name(&member.about)).collect();
        names.sort_unstable();
        names.dedup();
        names.join("+")
    };
    Figures {
        secs: mesh.secs(),
        nodes: mesh.alive(),
        timer_floor_ns: mesh.members.iter().map(|member| member.about.timer_floor_ns).max().unwrap_or(0),
        kernel: each(|about| &about.kernel),
        verify: each(|about| &about.verify),
        backend: each(|about| &about.backend),
        ..Figures::of(&second, over)
    }
}
