//! `octick load`: signed frames at a steady rate, whatever the receiver does, and what became of them.
//!
//! ```text
//! ask > sign ahead > send each train when it is due > ask until the receiver is quiet > compare
//! ```

mod asker;
mod outcome;
mod pace;
mod trains;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use octick::Report;
use octick_core::counters::Counter;
use octick_core::limits::{RUN_ALIGN, SLOTS_MAX};
use octick_core::stamp::Incarnation;
use octick_crypto::train::TRAIN_MAX;
use octick_crypto::{Identity, MeshKeys, key_file};
use serde_json::json;

use crate::config::Run;
use crate::failure::Failure;
use crate::keygen::hex;
use crate::output::say;
use crate::run::read_key;
use asker::Asker;
use outcome::Outcome;
use trains::{Schedule, Signer};

/// How long the receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take until it has nothing left to take, once the last frame was sent.
const SETTLE: Duration = Duration::from_secs(5);
/// The made-up key of whoever does not name one.
const KEY_FILE: &str = "load.key";

/// Sends signed frames to a node at a steady rate, and reports what became of them.
///
/// The node must list the generator's key as a peer, with the slots that it writes.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The receiver
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Frames a second
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64_000_000))]
    rate: u64,
    /// Seconds to send
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    secs: u64,
    /// Frames to a train, which is signed and sent as one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=TRAIN_MAX as u64))]
    train: u64,
    /// The generator's key; without it load.key, which is made if it is missing
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Name of the mesh
    #[arg(long, default_value = "octick")]
    mesh: String,
    /// First slot that the generator writes
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// Agents whose cells it writes
    #[arg(long, default_value_t = 1_008)]
    agents: u32,
    /// How many of a hundred frames may be missing at the receiver without this being a failure
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    loss_max: f64,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "want a number from 0 to 100".into())
}

impl Load {
    /// Sends, and prints what became of it. Exit code 0 says that the receiver took all frames but for `--loss-max`.
    ///
    /// # Errors
    /// One line: why nothing was sent, or why the outcome is not known.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let (run, schedule) = (self.slots()?, self.schedule()?);
        let to = self.receiver()?;
        let identity = Arc::new(self.identity()?);
        let keys = MeshKeys::derive(&self.mesh);
        let incarnation = Incarnation(octick::clock::incarnation());
        let mut asker = Asker::new(to, identity.clone(), keys.clone(), incarnation)?;
        let before = asker.ask(PATIENCE)?.ok_or_else(|| self.silent(&identity, run))?;
        if !self.json {
            say(format_args!("signing ahead, then {} frames in {} s to {to}", schedule.frames(), self.secs))?;
        }
        let stock = Signer { identity, keys, incarnation, run, schedule }.start()?;
        if self.json {
            // Signing ahead takes its time; who reads this may rely on frames being sent from now on.
            pace::wait_until(stock.start_micros * 1_000);
            say(json!({ "started": { "to": to.to_string(), "frames": schedule.frames() } }))?;
        }
        let sent = pace::send(&stock, &schedule, &mut asker.sender(), to);
        let after = settled(&mut asker)?;
        let outcome = Outcome::new(&schedule, &sent, self.loss_max, &before, &after);
        if self.json {
            say(json!({ "load": outcome }))?;
        } else {
            say(&outcome)?;
        }
        Ok(if outcome.delivered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn slots(&self) -> Result<Run, Failure> {
        let Self { first, agents, .. } = *self;
        let end = u64::from(first) + u64::from(agents).next_multiple_of(RUN_ALIGN.into());
        if !first.is_multiple_of(RUN_ALIGN) || agents == 0 || end > SLOTS_MAX.into() {
            return Err(Failure::usage(format!(
                "--first {first} --agents {agents}: want a multiple of {RUN_ALIGN}, at least one agent, and an end up \
                 to {SLOTS_MAX}"
            )));
        }
        Ok(Run { first, end: end as u32 })
    }

    fn schedule(&self) -> Result<Schedule, Failure> {
        let Self { rate, train, secs, .. } = *self;
        // A train has one version, and versions are told apart by microseconds.
        if rate > train * 1_000_000 {
            return Err(Failure::usage(format!(
                "--rate {rate} with --train {train} is more than a million trains a second"
            )));
        }
        let trains = (rate * secs).div_ceil(train);
        Ok(Schedule { rate, train: train as usize, trains })
    }

    fn receiver(&self) -> Result<SocketAddr, Failure> {
        let to = &self.to;
        let resolved = to.to_socket_addrs().ok().and_then(|mut found| found.next());
        resolved.ok_or_else(|| Failure::new(format!("--to {to} does not resolve; want \"host:port\"")))
    }

    fn identity(&self) -> Result<Identity, Failure> {
        match &self.key {
            Some(path) => read_key(path),
            None => Ok(key_file::read_or_create(KEY_FILE.as_ref())?),
        }
    }

    fn silent(&self, identity: &Identity, run: Run) -> Failure {
        let (first, count) = (run.first, run.end - run.first);
        Failure::new(format!(
            "{} does not answer; is a node of mesh \"{}\" there, and does its configuration hold this? [[peers]] \
             public_key = \"{}\" runs = [{{ first = {first}, count = {count} }}]",
            self.to,
            self.mesh,
            hex(identity.public().as_bytes())
        ))
    }
}

/// The receiver's figures when it has nothing left to take, or when it had time enough for that.
fn settled(asker: &mut Asker) -> Result<Report, Failure> {
    let news = |report: &Report| report.tally.get(Counter::FramesIn) - report.tally.get(Counter::Answers);
    let until = Instant::now() + SETTLE;
    let mut before: Option<Report> = None;
    loop {
        // The receiver's latencies and drops are up to 100 ms old, and its answers wait behind its backlog.
        std::thread::sleep(Duration::from_millis(150));
        let patience = until.saturating_duration_since(Instant::now()).min(PATIENCE);
        let Some(report) = asker.ask(patience)? else { break };
        if before.as_ref().is_some_and(|before| news(before) == news(&report)) || Instant::now() >= until {
            return Ok(report);
        }
        before = Some(report);
    }
    before.ok_or_else(|| {
        Failure::new(
            "the receiver no longer answers: what it took is not known; see its log, and start it again",
        )
    })
}
