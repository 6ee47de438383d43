//! The code asserts what it relies on: at least one invariant every forty lines.
//!
//! Counts `assert!` and its kin, `debug_assert!` and `const` assertions included, over lines of code: neither comments nor blank
//! lines, nor what only tests compile. `docs/HACKING.md` says what deserves one.

use std::fs;
use std::path::Path;

/// Lines of code to one assertion, at most.
const LINES_MAX: usize = 40;

/// Lines of code, and assertions among them, of the sources below `dir`.
fn count(dir: &Path) -> (usize, usize) {
    let (mut lines, mut assertions) = (0, 0);
    for entry in fs::read_dir(dir).expect("a source folder") {
        let path = entry.expect("an entry of it").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            let (inside, asserted) = if name == "tests" { (0, 0) } else { count(&path) };
            (lines, assertions) = (lines + inside, assertions + asserted);
        } else if name.ends_with(".rs") && !["tests.rs", "models.rs", "samples.rs"].contains(&name.as_str()) {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text
                .lines()
                .map(str::trim_start)
                .take_while(|line| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"))
                .filter(|line| !line.is_empty() && !line.starts_with("//"));
            for line in code {
                lines += 1;
                assertions += asserted(line);
            }
        }
    }
    (lines, assertions)
}

/// Assertions that begin in a line.
fn asserted(line: &str) -> usize {
    let begins = |at: usize| {
        let before = line[..at].strip_suffix("debug_").unwrap_or(&line[..at]);
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    ["assert!", "assert_eq!", "assert_ne!"]
        .iter()
        .flat_map(|name| line.match_indices(name))
        .filter(|(at, _)| begins(*at))
        .count()
}

#[test]
fn the_code_asserts_what_it_relies_on_every_forty_lines() {
    let (lines, assertions) = count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(lines > 10_000, "{lines} lines: is this the whole crate?");
    assert!(
        assertions * LINES_MAX >= lines,
        "{assertions} assertions in {lines} lines of code, where {} are due",
        lines.div_ceil(LINES_MAX)
    );
}

#[test]
fn assertions_are_counted_and_what_sounds_like_them_is_not() {
    for (line, count) in [
        ("assert!(a);", 1),
        ("const _: () = assert!(A);", 1),
        ("debug_assert_eq!(a, b); assert_ne!(a, b)", 2),
        ("self.assert_sound();", 0),
        ("prop_assert!(a);", 0),
        ("static_assertions::thing!()", 0),
    ] {
        assert_eq!(asserted(line), count, "{line}");
    }
}
