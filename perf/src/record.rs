//! What was measured before, kept in the tree: figures of one machine model, or of one compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

/// Named figures under one heading a machine or compiler.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Record {
    headings: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Record {
    /// Where records live in the source tree.
    fn path(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/record").join(file)
    }

    /// Reads a record; an absent file is an empty one.
    ///
    /// # Errors
    /// When the file is there and is not a record.
    pub(crate) fn read(file: &str) -> Result<Self, RecordError> {
        let path = Self::path(file);
        match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map_err(|error| RecordError { path, error: error.into() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(RecordError { path, error }),
        }
    }

    /// Writes the record, where `git diff` shows what changed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, file: &str) -> Result<(), RecordError> {
        let path = Self::path(file);
        let text = serde_json::to_string_pretty(self).expect("names and numbers are JSON") + "\n";
        let folder = path.parent().expect("a record lies in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| RecordError { path, error })
    }

    /// A figure recorded before.
    pub(crate) fn get(&self, heading: &str, name: &str) -> Option<f64> {
        self.headings.get(heading)?.get(name).copied()
    }

    /// Notes a figure, rounded to what is worth comparing.
    pub(crate) fn set(&mut self, heading: &str, name: &str, value: f64) {
        let rounded = (value * 1e4).round() / 1e4;
        self.headings.entry(heading.into()).or_default().insert(name.into(), rounded);
    }
}

/// A record that cannot be used.
#[derive(Debug)]
pub(crate) struct RecordError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for RecordError {}
