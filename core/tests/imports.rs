//! Imports run one way: no files of any crate import each other in a circle, and in this crate no layer imports one above it.
//!
//! Reads the sources themselves: `crate::` and `super::` paths outside of tests and comments. A path is taken for the file that it leads
//! to, so what a folder's `mod.rs` passes on is that file's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of this crate, lowest first: a file imports from its own and from those before. `data` and `control` stand beside each
/// other, and import nothing of each other.
const LAYERS: [&[&str]; 7] = [
    &[
        "contradiction",
        "counters",
        "hash_index",
        "limits",
        "listed",
        "prefetch",
        "random",
        "refusal",
        "reject",
        "stamp",
        "sync",
        "time",
        "token_bucket",
    ],
    &["wire", "admission"],
    &["table"],
    &["state"],
    &["data"],
    &["control"],
    &["engine"],
];

/// The files of a crate by their module paths, and what each imports of the others.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs")
            && path.file_stem().is_some_and(|name| name != "tests" && name != "lib" && name != "main")
        {
            found.push(path);
        }
    }
}

/// The source without comments and without what only tests compile.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The names that follow each `start` in a source, braces opened: `crate::a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str, start: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        open(&code[at + start.len()..], String::new(), &mut all);
    }
    all
}

/// Reads one path, and returns what follows it.
fn open<'a>(mut rest: &'a str, mut path: String, all: &mut Vec<String>) -> &'a str {
    loop {
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if len > 0 {
            path = if path.is_empty() { rest[..len].to_owned() } else { format!("{path}::{}", &rest[..len]) };
            rest = &rest[len..];
        }
        if let Some(after) = rest.strip_prefix("::{") {
            rest = after;
            loop {
                rest =
                    open(rest.trim_start_matches(|c: char| c.is_whitespace() || c == ','), path.clone(), all);
                rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                match rest.strip_prefix('}') {
                    Some(after) => return after,
                    None if rest.is_empty()
                        || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') =>
                    {
                        return rest;
                    }
                    None => {}
                }
            }
        } else if let Some(after) = rest.strip_prefix("::") {
            rest = after;
        } else {
            all.push(path);
            return rest.trim_start_matches(" as _");
        }
    }
}

fn imports(src: &Path) -> Imports {
    let mut files = Vec::new();
    sources(src, &mut files);
    let module = |path: &Path| {
        let path = path.strip_prefix(src).expect("below the folder").with_extension("");
        let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.pop_if(|last| last == "mod");
        parts.join("::")
    };
    let modules: BTreeMap<String, &PathBuf> = files.iter().map(|path| (module(path), path)).collect();
    let file_of = |path: &str| {
        let mut path = path;
        loop {
            if modules.contains_key(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let mut all = Imports::new();
    for (name, path) in &modules {
        let code = code(&fs::read_to_string(path).expect("a source"));
        let mut to: Vec<String> = paths(&code, "crate::");
        for ups in 1..=3 {
            let mut base: Vec<&str> = name.split("::").collect();
            base.truncate(base.len().saturating_sub(ups));
            let base = base.join("::");
            to.extend(
                paths(&code, &"super::".repeat(ups))
                    .into_iter()
                    .filter(|path| path != "super" && !path.starts_with("super::"))
                    .map(|path| if base.is_empty() { path } else { format!("{base}::{path}") }),
            );
        }
        let to = to.iter().filter_map(|path| file_of(path)).filter(|to| to != name).collect();
        all.insert(name.clone(), to);
    }
    all
}

/// What can be reached from a file, itself only if there is a way back.
fn reached<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let (mut seen, mut next): (BTreeSet<&str>, Vec<&str>) =
        (BTreeSet::new(), imports[from].iter().map(String::as_str).collect());
    while let Some(name) = next.pop() {
        if seen.insert(name) {
            next.extend(imports[name].iter().map(String::as_str));
        }
    }
    seen
}

fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    ["crypto", "core", "net", "node", "sim", "perf", "fuzz"].map(|name| root.join(name).join("src")).into()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for src in crates() {
        let imports = imports(&src);
        assert!(imports.values().any(|to| !to.is_empty()), "{} imports nothing", src.display());
        let circle: Vec<&String> =
            imports.keys().filter(|name| reached(&imports, name).contains(name.as_str())).collect();
        assert!(circle.is_empty(), "in {}: {circle:?}", src.display());
    }
}

#[test]
fn no_layer_of_core_imports_one_above_it() {
    let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let layer = |name: &str| {
        let first = name.split("::").next().unwrap_or_default();
        let at = LAYERS.iter().position(|layer| layer.contains(&first));
        at.unwrap_or_else(|| panic!("{first} stands in no layer"))
    };
    for (name, to) in &imports {
        for to in to {
            assert!(layer(to) <= layer(name), "{name} imports {to}, which is above it");
            let beside = name.starts_with("control") && to.starts_with("data");
            assert!(!beside, "{name} imports {to}: the planes do not know each other");
        }
    }
}
