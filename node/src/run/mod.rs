//! `octick run`: one node, until it is told to stop, and a log of what happens.
//!
//! ```text
//! settings > start (key, names, library) > watch (mesh events, signals, commands, figures) > shut down
//! ```

mod agents;
mod driven;
mod journal;
mod meter;
mod quorum;
mod reload;
mod renewal;
mod reporter;
mod reread;
mod signals;
mod start;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use octick::Handle;

pub use start::{library_settings, read_key, start};

use crate::config::Settings;
use crate::config::file::read_file;
use crate::failure::Failure;
use crate::log::{self, Format, Level, Output};
use signals::Signal;
use watch::Terms;

/// How often a start that waits for names looks whether it should end.
const LOOK: Duration = Duration::from_millis(20);

/// Runs one node until SIGTERM, SIGINT or octick leave
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration, TOML; see: octick config example
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How grave an event must be to be logged [default: the file's log.level]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Level>,
    /// How a line of the log is written [default: the file's log.format]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// The same as --log-format json
    #[arg(long, conflicts_with = "log_format")]
    json: bool,
    /// Log figures every so many seconds; 0 never does [default: the file's report.interval_secs]
    #[arg(long, value_name = "SECS")]
    report: Option<u32>,
    /// Leave the mesh and stop after so many seconds
    #[arg(long, value_name = "SECS")]
    secs: Option<u64>,
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
    /// Starts the node, watches it, and stops it cleanly.
    ///
    /// # Errors
    /// One line: why it did not start, or what ended it.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let (config, settings) = read_file(&self.config)?;
        if let (Some(agents), Some(rate)) = (self.driven, self.rate) {
            // Standard output belongs to the parent.
            let _flush = log::start(self.log.unwrap_or(Level::Warn), Format::Text, Output::Stderr)?;
            return driven::run(start::start_once(&settings)?, &settings, agents, rate, self.members);
        }
        let format = if self.json { Some(Format::Json) } else { self.log_format };
        let format = format.unwrap_or(settings.log.format);
        let _flush = log::start(self.log.unwrap_or(settings.log.level), format, Output::Stdout)?;
        let terms = Terms {
            config: self.config.clone(),
            level: self.log,
            format,
            report: self.report.map(|secs| Duration::from_secs(secs.into())),
            // A time beyond the clock's is no time.
            end: self.secs.and_then(|secs| Instant::now().checked_add(Duration::from_secs(secs))),
        };
        let signals = signals::listen()?;
        let Some(node) = start_unless_ended(&settings, &signals)? else { return Ok(ExitCode::SUCCESS) };
        watch::watch(node, (config, &settings), &terms, &signals)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Starts the node. Names of peers are looked up on a thread of its own, so that a signal ends a start that waits for a name
/// server; then there is no node. Other signals during a start are passed over: the file was read just now.
fn start_unless_ended(settings: &Settings, signals: &Receiver<Signal>) -> Result<Option<Handle>, Failure> {
    let (to_start, looked_up) = mpsc::channel();
    let of_thread = settings.clone();
    thread::Builder::new()
        .name("octick-start".into())
        .spawn(move || drop(to_start.send(library_settings(&of_thread))))?;
    loop {
        match looked_up.recv_timeout(LOOK) {
            Ok(settings) => return Ok(Some(octick::start(settings?)?)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new("the start has panicked: report it, with the node's log"));
            }
        }
        while let Ok(signal) = signals.try_recv() {
            if let Signal::End(why) = signal {
                tracing::info!(why, "node stopping before it has started");
                return Ok(None);
            }
        }
    }
}
