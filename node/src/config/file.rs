//! Reading a configuration file: its text comes from disk, and its relative paths start at its directory.

use std::fs;
use std::path::Path;

use super::{Config, Settings, read};
use crate::failure::Failure;

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
