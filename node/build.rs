//! Tells the command which commit it is built from: the one that `OCTICK_COMMIT` names, for whoever builds from an archive, else
//! that of this repository, else `unknown`. Git need not be there.

use std::path::Path;
use std::process::Command;

const GIVEN: &str = "OCTICK_COMMIT";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={GIVEN}");
    let given = std::env::var(GIVEN).ok().filter(|commit| !commit.trim().is_empty());
    let commit = given.or_else(of_this_repository).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=OCTICK_COMMIT={}", commit.trim());
}

fn of_this_repository() -> Option<String> {
    // A package that was unpacked inside somebody else's repository has that one's commits, not ours.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // The log of HEAD grows with every commit and checkout.
    for log in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", log]).filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
