//! Reading a configuration file: its text comes from disk, and its relative paths start at its directory.

use std::fs;
use std::io;
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
    let text = fs::read_to_string(path).map_err(|error| unread(path, &error))?;
    let (config, mut settings) = read(&text).map_err(|error| match error.line {
        Some(line) => Failure::new(format!("{at}:{line}: {}", error.message)),
        None => Failure::new(format!("{at}: {}", error.message)),
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    settings.key_file = directory.join(&settings.key_file);
    settings.state_file = directory.join(&settings.state_file);
    settings.admission.credential = directory.join(&settings.admission.credential);
    settings.admission.decisions = directory.join(&settings.admission.decisions);
    settings.admin.socket = directory.join(&settings.admin.socket);
    settings.admin.token_file = directory.join(&settings.admin.token_file);
    Ok((config, settings))
}

/// Why a file could not be read, and what to do about it.
fn unread(path: &Path, error: &io::Error) -> Failure {
    let at = path.display();
    Failure::new(match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{at}: no such file; name another, or make one: octick config example > {at}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{at}: this user may not read it; run as its owner, or: chmod +r {at}")
        }
        io::ErrorKind::IsADirectory => format!("{at}: a directory, not a configuration; name the file in it"),
        io::ErrorKind::InvalidData => format!("{at}: not text, so no configuration; name another file"),
        _ => format!("{at}: {error}"),
    })
}
