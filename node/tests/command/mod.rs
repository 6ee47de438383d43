//! Runs the real binary in a directory of its own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, str};

/// A fresh, empty directory for the test called `name`.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// `octick` with these arguments, run in `directory`, not yet started.
pub(crate) fn octick(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octick"));
    command.current_dir(directory).args(args);
    command
}

/// Runs to the end: exit code, standard output, standard error.
pub(crate) fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = octick(directory, args).output().unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs what must fail, and returns the one line that says why.
pub(crate) fn failure(directory: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(directory, args);
    assert_eq!(code, 1, "{args:?} prints {stdout}{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line says it all: {stderr}");
    stderr.trim_end().strip_prefix("octick: ").expect("who speaks").to_owned()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Sends the signal called `name` to a process that this test started.
pub(crate) fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}
