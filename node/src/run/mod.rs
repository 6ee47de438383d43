//! `octick run`: one node, a line a second, until it is told to stop.

mod agents;
mod driven;
mod meter;
mod news;
mod start;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use octick::{Handle, MeshEvent, PeerState};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub use start::{read_key, start};

use crate::admin::Admin;
use crate::config::{Settings, command::load_file};
use crate::discovery::{Discovery, Search};
use crate::failure::Failure;
use crate::report::{About, Figures, Reading};
use meter::Meter;

/// How often a node looks whether it should end, while its mesh is quiet.
const LOOK: Duration = Duration::from_millis(100);
/// How long a node goes on after it has said goodbye, so that the word gets out.
const GOODBYE: Duration = Duration::from_millis(300);

/// Runs one node until SIGINT or SIGTERM.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration, TOML; see: octick config example
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Have this many of its agents change all the time, and be driven by a parent over standard input and output
    #[arg(long, value_name = "AGENTS", hide = true, requires = "rate")]
    driven: Option<usize>,
    /// Members that a driven node waits for before its agents begin
    #[arg(long, value_name = "NODES", hide = true, default_value_t = 1)]
    members: usize,
    /// Cells that the agents of a driven node change in a second
    #[arg(long, value_name = "CELLS", hide = true)]
    rate: Option<u64>,
}

impl Run {
    /// Starts the node, reports, and stops it cleanly.
    ///
    /// # Errors
    /// One line: why it did not start, or what ended it.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let settings = load_file(&self.config)?;
        if let (Some(agents), Some(rate)) = (self.driven, self.rate) {
            return driven::run(start_loudly(&settings)?, &settings, agents, rate, self.members);
        }
        // Before the start, so that a signal during it is not lost.
        let signals = Signals::new([SIGINT, SIGTERM])?;
        watch(start_loudly(&settings)?, &settings, signals, self.json)
    }
}

/// Starts a node, and tells on standard error what did not go as configured.
fn start_loudly(settings: &Settings) -> Result<Handle, Failure> {
    let node = start(settings)?;
    for warning in node.warnings() {
        eprintln!("octick: warning: {warning}");
    }
    Ok(node)
}

/// Prints a line every interval, and what happens in the mesh, until a signal comes or somebody has the node leave.
fn watch(node: Handle, settings: &Settings, mut signals: Signals, json: bool) -> Result<ExitCode, Failure> {
    let node = Arc::new(node);
    let seeded = !settings.membership.seeds.is_empty();
    let admin = settings.admin.enabled.then(|| Admin::start(settings.admin.listen, node.clone(), seeded));
    let admin = admin.transpose()?;
    let discovery = Search::of(settings).map(|search| Discovery::start(&node, search)).transpose();
    let discovery = discovery.map_err(|error| {
        Failure::new(format!(
            "discovery.lan: {error}; name an interface: discovery.lan_interface = \"ADDRESS\""
        ))
    })?;
    let mut reporter = Reporter::new(&node, admin.as_ref(), json)?;
    let interval = Duration::from_secs(settings.report.interval_secs.into());
    let (stop, stopped) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            // Nobody listens only if the node is stopping anyway.
            let _ = stop.send(());
        }
    })?;
    let mut due = Instant::now() + interval;
    let next = |due: Instant| {
        if interval.is_zero() { LOOK } else { due.saturating_duration_since(Instant::now()).min(LOOK) }
    };
    while stopped.recv_timeout(next(due)).is_err()
        && !admin.as_ref().is_some_and(Admin::asked_to_leave)
        && node.is_running()
    {
        for event in node.mesh_events() {
            // The first node of a mesh is not alone, it is early.
            if seeded || event != MeshEvent::Alone {
                reporter.event(&node, &event)?;
            }
        }
        if !interval.is_zero() && Instant::now() >= due {
            reporter.interval(&node)?;
            due += interval;
        }
    }
    drop(discovery);
    say_goodbye(&node);
    drop(admin);
    reporter.whole(&node)?;
    // A request that still waits for the node holds it a moment longer; then it stops with the last of them.
    Arc::into_inner(node).map_or(Ok(()), |node| node.stop().map(drop))?;
    Ok(ExitCode::SUCCESS)
}

/// Has the others know that this node did not fail.
fn say_goodbye(node: &Handle) {
    if node.mesh().is_ok_and(|mesh| mesh.live().count() > 1) && node.leave().is_ok() {
        std::thread::sleep(GOODBYE);
    }
}

/// Prints what one node does.
struct Reporter {
    about: About,
    json: bool,
    meter: Meter,
    began: Instant,
    last: Instant,
}

impl Reporter {
    /// Says that the node runs, and on what.
    fn new(node: &Handle, admin: Option<&Admin>, json: bool) -> Result<Self, Failure> {
        let about = meter::about(node);
        let now = Instant::now();
        let reporter = Self { json, meter: Meter::default(), began: now, last: now, about };
        let About { id, listen, kernel, verify, backend, why, .. } = &reporter.about;
        let admin = admin.map(|admin| admin.local_addr().to_string());
        if json {
            reporter.print(&json!({ "started": &reporter.about, "admin": admin }))?;
        } else {
            reporter.print(&format_args!(
                "{id} listens on {listen}: merges by {kernel}, verifies by {verify}, {backend} ({why})"
            ))?;
            if let Some(admin) = admin {
                reporter
                    .print(&format_args!("commands reach it at {admin}: octick members --admin {admin}"))?;
            }
        }
        Ok(reporter)
    }

    /// What happened in the mesh; that this node itself is there goes without saying.
    fn event(&self, node: &Handle, event: &MeshEvent) -> Result<(), Failure> {
        match event {
            MeshEvent::Member { id, state: PeerState::Alive, .. } if *id == node.id() => Ok(()),
            event if self.json => self.print(&json!({ "mesh": news::object(event) })),
            event => self.print(&format_args!(
                "{:>4.0}s  {}",
                self.began.elapsed().as_secs_f64(),
                news::line(event)
            )),
        }
    }

    /// What came since the last line.
    fn interval(&mut self, node: &Handle) -> Result<(), Failure> {
        let now = Instant::now();
        let reading = self.meter.read(node);
        let figures = self.figures(&reading, now - self.last);
        self.last = now;
        if self.json { self.print(&json!({ "second": figures })) } else { self.print(&figures) }
    }

    /// What came since the start.
    fn whole(&mut self, node: &Handle) -> Result<(), Failure> {
        self.meter.read(node);
        let figures = self.figures(self.meter.whole(), self.began.elapsed());
        if self.json {
            self.print(&json!({ "whole": figures }))
        } else {
            let shortages = &figures.shortages;
            self.print(&format_args!(
                "stopped; over the whole run:\n{figures}\nshortages, made good: {shortages}"
            ))
        }
    }

    fn figures(&self, reading: &Reading, over: Duration) -> Figures {
        Figures {
            secs: self.began.elapsed().as_secs_f64(),
            timer_floor_ns: self.about.timer_floor_ns,
            kernel: self.about.kernel.clone(),
            verify: self.about.verify.clone(),
            backend: self.about.backend.clone(),
            ..Figures::of(reading, over)
        }
    }

    /// A line on standard output, at once. Nobody reading it any more is no reason to stop a node.
    fn print(&self, line: &impl std::fmt::Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}
