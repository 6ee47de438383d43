//! `octick config`: explains the configuration file, and checks one.

mod inspect;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick_core::control::message::announcement::{ADDRESSES_MAX, CLAIMS_MAX};
use octick_core::limits::{EVENTS_MAX, FRAME_MAX, RUN_ALIGN, RUNS_MAX, SLOTS_MAX, WINDOW};

use inspect::{Finding, Verdict, inspect};

use crate::config::file::{load_file, read_file};
use crate::config::{Config, TableKeys, example};
use crate::failure::Failure;
use crate::output::say;

/// Explains the configuration file, and checks one.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Prints a file with every key, its default and its meaning
    Example,
    /// Says whether a node of this file would start here, and what was looked at; exit code 1 if it would not
    Check {
        /// The configuration, TOML
        file: PathBuf,
    },
    /// Prints every value in force, defaults included, and the capacities of this release
    Show {
        /// The configuration, TOML
        file: PathBuf,
    },
}

impl ConfigCommand {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// The first mistake in the file, with its line; or the first thing that would keep the node from starting.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            // Lines, not one text: a reader that has seen enough is no failure.
            Self::Example => example().lines().try_for_each(say)?,
            Self::Check { file } => return check(file),
            Self::Show { file } => show(&read_file(file)?.0)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what was looked at, a line each.
fn check(file: &Path) -> Result<ExitCode, Failure> {
    let settings = load_file(file)?;
    let (agents, peers) = (settings.agents.len(), settings.peers.len());
    let at = file.display();
    let whole = format!("{at} holds together: mesh {:?}, {agents} own runs, {peers} peers", settings.mesh);
    let whole = Finding { verdict: Verdict::Fine, about: "file", line: whole };
    let findings: Vec<Finding> = std::iter::once(whole).chain(inspect(&settings)).collect();
    findings.iter().try_for_each(say)?;
    match findings.iter().find(|finding| finding.verdict == Verdict::Error) {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(Failure::new(format!("{at}: a node would not start: {}", error.line))),
    }
}

/// Prints a file that says everything, and what no file can change as comments.
fn show(config: &Config) -> Result<(), Failure> {
    let text = toml::to_string(config).expect("a configuration is a table");
    text.lines().try_for_each(say)?;
    let membership = octick::mesh::MembershipSettings::default();
    // The command leaves it at the library's default, which does not depend on whose node it is.
    let origins = octick::Config::new(octick::Identity::from_seed(&[1; 32]), config.listen).origins_max;
    let mebibytes = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let TableKeys { slots, cells8, cells4, rows } = config.table;
    let slot_bytes = 16 * usize::from(cells8) + 8 * usize::from(cells4) + 16 * usize::from(rows);
    let tables = mebibytes(slot_bytes * slots as usize);
    let buffers = mebibytes(config.socket.buffers << 16);
    say("\n# Capacities, beyond which a node refuses and counts:")?;
    for (what, most) in [
        ("slots of a table", SLOTS_MAX.to_string()),
        ("a run of slots is a multiple of", RUN_ALIGN.to_string()),
        ("runs of slots of one node", RUNS_MAX.to_string()),
        ("runs of slots of one member", CLAIMS_MAX.to_string()),
        ("addresses of one member", ADDRESSES_MAX.to_string()),
        ("members of the own region on record", membership.members_max.to_string()),
        ("members of other regions on record", membership.remote_max.to_string()),
        ("nodes whose frames are taken, listed or members", origins.to_string()),
        ("peers listed", (origins - 1).to_string()),
        ("bytes of a frame", FRAME_MAX.to_string()),
        ("frames behind the newest in which a repeat is known", WINDOW.to_string()),
        ("mesh events that wait to be read", EVENTS_MAX.to_string()),
        ("memory of the tables", tables),
        ("memory of the receive buffers", buffers),
    ] {
        say(format_args!("# {what:<52} {most:>12}"))?;
    }
    Ok(())
}
