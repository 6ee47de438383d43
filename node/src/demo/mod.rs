//! `octick demo`: a mesh of real processes on loopback, watched for a while, then held to its word.
//!
//! ```text
//! plan (keys, ports, files) > start > a line a second > agents rest > quiet > every table equal?
//! ```

mod child;
mod mesh;
mod plan;
pub mod protocol;
mod settle;
mod summary;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::config::Backend;
use crate::failure::Failure;
use crate::report::{About, Figures};
use mesh::Mesh;
use plan::Plan;

/// Starts a mesh of real nodes on this machine and watches it.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Nodes, each a process of its own
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=100))]
    nodes: u64,
    /// Agents that each node hosts
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
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
    /// Runs the mesh, prints a line a second and a summary. The exit code says whether all surviving nodes ended
    /// with equal tables.
    ///
    /// # Errors
    /// One line: why the mesh did not start.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let plan = Plan::lay(self.nodes as usize, self.agents, self.backend)?;
        let mut mesh = Mesh::start(&plan, self.agents, self.rate)?;
        // Every node has read its files; whatever ends this demo, no keys stay behind.
        let flush = plan.flush;
        drop(plan);
        self.introduce(&mesh)?;
        self.watch(&mut mesh)?;
        let settled = settle::settle(&mut mesh, flush);
        mesh.ask(protocol::Ask::Sample);
        let ends = mesh.members.iter().map(|member| member.end.clone()).collect();
        mesh.stop();
        let summary = summary::Summary::new(&mesh, ends, settled);
        if self.json {
            print(&json!({ "summary": &summary }))?;
        } else {
            print(&summary)?;
        }
        Ok(if summary.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn introduce(&self, mesh: &Mesh) -> Result<(), Failure> {
        let nodes: Vec<_> = mesh.members.iter().zip(mesh.pids()).collect();
        if self.json {
            let nodes: Vec<_> =
                nodes.iter().map(|(member, pid)| json!({ "pid": pid, "about": member.about })).collect();
            return print(&json!({ "started": nodes, "met_ms": mesh.met.as_millis() as u64 }));
        }
        for (i, (member, pid)) in nodes.into_iter().enumerate() {
            let about = &member.about;
            let (id, why) = (&about.id[..8], &about.why);
            print(&format_args!(
                "node {i}  {id}  pid {pid}  {}  merges by {}  verifies by {}  {} ({why})",
                about.listen, about.kernel, about.verify, about.backend
            ))?;
        }
        let (count, met) = (mesh.members.len(), mesh.met.as_secs_f64());
        print(&format_args!(
            "all {count} found each other through node 0, {met:.2} s after the first was started"
        ))?;
        let until = if self.secs.is_some() { "" } else { "; Ctrl-C ends it" };
        print(&format_args!("{} agents a node change {} cells/s{until}", self.agents, self.rate))
    }

    /// A line a second, until the time is over, the user has seen enough, or no node lives.
    fn watch(&self, mesh: &mut Mesh) -> Result<(), Failure> {
        let began = Instant::now();
        let end = self.secs.map(|secs| began + Duration::from_secs(secs));
        let mut last = began;
        for second in 1.. {
            let due = began + Duration::from_secs(second);
            let over = end.is_some_and(|end| end < due);
            let living = mesh.alive();
            if !over {
                mesh.listen(due);
            }
            if over || mesh.interrupted || mesh.alive() == 0 {
                return Ok(());
            }
            mesh.ask(protocol::Ask::Sample);
            let now = Instant::now();
            let figures = figures(mesh, now - last);
            if self.json {
                print(&json!({ "second": figures }))?
            } else {
                print(&figures)?
            }
            last = now;
            if mesh.alive() < living && !self.json {
                let nodes = mesh.members.len();
                print(&format_args!("       {} of {nodes} nodes live; the others go on", mesh.alive()))?;
            }
        }
        Ok(())
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

/// A line on standard output, at once.
fn print(line: &impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
