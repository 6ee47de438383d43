//! `octick config`: explains the configuration file, and checks one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Config, Settings, example, read};
use crate::failure::Failure;

/// Explains the configuration file, and checks one.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Prints a file with every key, its default and its meaning
    Example,
    /// Says whether a file holds together
    Check {
        /// The configuration, TOML
        file: PathBuf,
    },
}

impl ConfigCommand {
    /// Prints the example, or one line about the checked file.
    ///
    /// # Errors
    /// The first mistake in the file, with its line.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            Self::Example => print!("{}", example()),
            Self::Check { file } => {
                let settings = load_file(file)?;
                let (agents, peers) = (settings.agents.len(), settings.peers.len());
                println!(
                    "{}: holds together: mesh {:?}, {agents} own runs, {peers} peers",
                    file.display(),
                    settings.mesh
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Loads a configuration file; its relative paths become relative to its directory.
///
/// # Errors
/// The file's name, and what is wrong with it.
pub fn load_file(path: &Path) -> Result<Settings, Failure> {
    Ok(read_file(path)?.1)
}

/// As [`load_file`], with the file's own words.
///
/// # Errors
/// The file's name, and what is wrong with it.
pub fn read_file(path: &Path) -> Result<(Config, Settings), Failure> {
    let at = path.display();
    let text = fs::read_to_string(path).map_err(|error| Failure::new(format!("{at}: {error}")))?;
    let (config, mut settings) = read(&text).map_err(|error| match error.line {
        Some(line) => Failure::new(format!("{at}:{line}: {}", error.message)),
        None => Failure::new(format!("{at}: {}", error.message)),
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    settings.key_file = directory.join(&settings.key_file);
    settings.admin.socket = directory.join(&settings.admin.socket);
    Ok((config, settings))
}
