//! `octick config`: explains the configuration file, and checks one.

mod inspect;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick::limits::Bound;

use inspect::{Finding, Verdict, inspect};

use crate::config::file::{load_file, read_file};
use crate::config::{Config, TableKeys, example};
use crate::failure::Failure;
use crate::output::{counted, printable, say, wrap};

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
    /// Prints every value in force, defaults included, what they come to, and every bound of this release
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
    let mesh = printable(&settings.mesh);
    let agents = match agents {
        0 if settings.admission.root.is_some() => "own runs as granted".into(),
        agents => counted(agents, "own run"),
    };
    let peers = counted(peers, "peer");
    let whole = format!("{at} holds together: mesh \"{mesh}\", {agents}, {peers}");
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
    say("\n# What these values come to:")?;
    for (what, most) in sums(config) {
        say(format_args!("# {what:<52} {most:>12}"))?;
    }
    say("\n# Bounds of this release; what goes beyond is refused, and counted:")?;
    octick::limits::all().try_for_each(|bound| say(Comment(bound)))
}

/// What follows from a configuration and from the library's defaults that it leaves alone.
fn sums(config: &Config) -> [(&'static str, String); 6] {
    let membership = octick::mesh::MembershipSettings::default();
    let mebibytes = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let TableKeys { slots, cells8, cells4, rows } = config.table;
    let slot_bytes = 16 * usize::from(cells8) + 8 * usize::from(cells4) + 16 * usize::from(rows);
    let origins = config.limits.origins_max;
    [
        ("members of the own region on record", membership.members_max.to_string()),
        ("members of other regions on record", membership.remote_max.to_string()),
        ("nodes whose frames are taken, listed or members", origins.to_string()),
        ("peers listed", (origins - 1).to_string()),
        ("memory of the tables", mebibytes(slot_bytes * slots as usize)),
        ("memory of the receive buffers", mebibytes(config.socket.buffers << 16)),
    ]
}

/// A bound as comments of a file: its value, and below what it is for.
struct Comment<'a>(&'a Bound);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bound { name, value, unit, meaning } = self.0;
        write!(f, "# {name} = {value} {unit}")?;
        // Every line begins with spaces, and the first of them makes room for the sign.
        let text = wrap(&format!("{:6}{meaning}", ""), 6);
        text.lines().try_for_each(|line| write!(f, "\n#{}", &line[1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::COLUMNS;

    #[test]
    fn every_bound_is_a_comment_that_fits_a_terminal() {
        for bound in octick::limits::all() {
            let text = Comment(bound).to_string();
            assert!(text.starts_with(&format!("# {} = {}", bound.name, bound.value)), "{text}");
            assert!(text.lines().count() > 1, "{} is explained", bound.name);
            assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        }
    }
}
