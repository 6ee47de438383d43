//! The log of a running node: events go in from any thread, lines come out on standard output, one an event.
//!
//! ```text
//! tracing::info! > level (reloadable) > text or JSON > queue (bounded) > one thread > standard output
//! ```
//!
//! Whoever logs never waits and never fails: a line that the queue has no room for, or that the output refuses, is
//! dropped and counted, and the count is logged as soon as the output takes lines again. A full disk, a closed pipe and
//! a pipe that nobody reads therefore cost lines, and nothing else. `tracing-appender` bounds its queue as well, but passes
//! over what the output refuses without a word; hence `queue`.

mod queue;
mod time;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{Registry, fmt, reload};

pub use time::rfc3339;

use queue::Queue;

/// The target of events that somebody asked for, by a signal: no level hides them.
pub const ASKED: &str = "octick_asked";
/// How long a process that ends waits for its last lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// How grave an event must be to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What keeps the node from its work.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens in the mesh.
    Info,
    /// What helps to find a fault: figures of every second, every change of a member.
    Debug,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
        }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, what happened, and `key=value`.
    Text,
    /// For programs: an object.
    Json,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error, of a process whose standard output belongs to a program.
    Stderr,
}

struct Running {
    queue: Arc<Queue>,
    level: reload::Handle<Targets, Registry>,
}

static RUNNING: OnceLock<Running> = OnceLock::new();

/// Lets the last lines be written when it is dropped, for a second at most.
#[must_use = "the last lines are lost unless somebody waits for them"]
#[derive(Debug)]
pub struct Flush(());

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(running) = RUNNING.get() {
            running.queue.finish(FLUSH);
        }
    }
}

/// Begins the log of this process, panics of its threads included. May be called once.
///
/// # Errors
/// The output is not open, or there is no thread for it.
///
/// # Panics
/// When the process has a log already.
pub fn start(level: Level, format: Format, output: Output) -> io::Result<Flush> {
    let file = match output {
        Output::Stdout => duplicate(io::stdout().as_fd())?,
        Output::Stderr => duplicate(io::stderr().as_fd())?,
    };
    let queue = Queue::start(file, move |lost, why| lines_lost(format, lost, why))?;
    let (level, handle) = reload::Layer::new(targets(level));
    let writer = queue.clone();
    let lines = fmt::layer().with_ansi(false).with_timer(time::Millis).with_writer(move || writer.line());
    let lines = match format {
        Format::Text => lines.with_target(false).boxed(),
        Format::Json => lines.json().flatten_event(true).with_target(false).boxed(),
    };
    // The level comes first: what it hides is never formatted.
    let subscriber = Registry::default().with(lines.with_filter(level));
    tracing::subscriber::set_global_default(subscriber).expect("a process has one log");
    if RUNNING.set(Running { queue, level: handle }).is_err() {
        unreachable!("the subscriber was set once, so this is the first");
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(Flush(()))
}

fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let (thread, payload) = (std::thread::current(), panic.payload());
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("?");
    let at = panic.location().map(tracing::field::display);
    tracing::error!(thread = thread.name(), panic = message, at, "a thread panicked");
}

/// Changes the level from now on.
pub fn set_level(level: Level) {
    if let Some(running) = RUNNING.get() {
        // It fails once the subscriber is gone, and then nothing is logged anyway.
        let _ = running.level.reload(targets(level));
    }
}

/// Lines that were dropped since the start because the output was slow, closed or full.
pub fn dropped() -> u64 {
    RUNNING.get().map_or(0, |running| running.queue.dropped())
}

/// Our own events by level; of libraries only what is wrong.
fn targets(level: Level) -> Targets {
    let level = LevelFilter::from(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("octick", level)
        .with_target(ASKED, LevelFilter::INFO)
}

fn duplicate(fd: BorrowedFd<'_>) -> io::Result<File> {
    Ok(File::from(fd.try_clone_to_owned()?))
}

/// The line that says how many are missing, in the words of all others.
fn lines_lost(format: Format, lines: u64, why: &str) -> String {
    let (time, message) = (time::now(), "log lines dropped");
    match format {
        Format::Text => format!("{time}  WARN {message} lines={lines} why={why:?}\n"),
        Format::Json => {
            let line =
                json!({ "timestamp": time, "level": "WARN", "message": message, "lines": lines, "why": why });
            format!("{line}\n")
        }
    }
}
