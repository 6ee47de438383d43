//! Imports run one way: no files of any crate import each other in a circle, and in this crate no layer imports one above it.
//!
//! Reads the sources themselves: paths that begin with `crate::`, `super::` or the name of a module below, outside of tests and
//! comments. A path is followed to the file that declares what it names, through whatever `pub use` passes it on: so a circle
//! shows that runs through a table of contents.

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
        "list",
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

/// The folders and files of the control plane, lowest first. What stands in one row stands beside each other and imports nothing
/// of each other, but for its own folder.
const CONTROL: [&[&str]; 9] = [
    &["id", "reconcile"],
    &["message"],
    &["output", "send_queue"],
    &["effects"],
    &["membership"],
    &["cross_region", "dissemination"],
    &["config"],
    &["control"],
    &["apply"],
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

/// The source without comments, without what only tests compile, and without the paths that say who may see something.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    while let Some(line) = lines.next() {
        let attribute = line.trim_start();
        if attribute.starts_with("#[cfg(test)]") || attribute.starts_with("#[cfg(all(test") {
            let end = format!("{}}}", &line[..line.len() - attribute.len()]);
            let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
            if !item.ends_with(';') && !item.ends_with('}') {
                lines.find(|line| *line == end);
            }
        } else {
            code.push_str(line);
            code.push('\n');
        }
    }
    code.replace("pub(in crate::", "pub(in ")
}

/// A path in a source, and under which name what it leads to is known there.
struct Named {
    path: String,
    name: String,
}

/// The paths that begin with `start` in a source, without it, braces opened: `crate::a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str, start: &str) -> Vec<Named> {
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

fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

fn join(base: &str, path: &str) -> String {
    if base.is_empty() || path.is_empty() { format!("{base}{path}") } else { format!("{base}::{path}") }
}

/// Reads one path, and returns what follows it. A star is a name.
fn open<'a>(mut rest: &'a str, mut path: String, all: &mut Vec<Named>) -> &'a str {
    loop {
        let next = if rest.starts_with('*') { "*" } else { word(rest) };
        rest = &rest[next.len()..];
        // `a::{self}` is `a`.
        path = if next == "self" { path } else { join(&path, next) };
        if let Some(mut inside) =
            rest.strip_prefix("::{").or(rest.strip_prefix('{').filter(|_| path.is_empty()))
        {
            let gap = |c: char| c.is_whitespace() || c == ',';
            loop {
                inside = inside.trim_start_matches(gap);
                match inside.strip_prefix('}') {
                    Some(after) => return after,
                    None if word(inside).is_empty() && !inside.starts_with('*') => return inside,
                    None => inside = open(inside, path.clone(), all),
                }
            }
        } else if let Some(after) = rest.strip_prefix("::") {
            rest = after;
        } else {
            let alias = rest.strip_prefix(" as ").map(word);
            let last = path.rsplit("::").next().unwrap_or_default();
            all.push(Named { name: alias.unwrap_or(last).to_owned(), path });
            return alias.map_or(rest, |alias| &rest[" as ".len() + alias.len()..]);
        }
    }
}

/// The sources of a crate: by module path, that of `lib.rs` empty.
struct Modules {
    code: BTreeMap<String, String>,
    /// What each passes on: names, and the paths from the root that they stand for.
    passed_on: BTreeMap<String, Vec<Named>>,
}

impl Modules {
    fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        sources(src, &mut files);
        let module = |path: &Path| {
            let path = path.strip_prefix(src).expect("below the folder").with_extension("");
            let mut parts: Vec<String> =
                path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            parts.pop_if(|last| last == "mod" || last == "lib");
            parts.join("::")
        };
        let read = |path: &PathBuf| code(&fs::read_to_string(path).expect("a source"));
        Self::of(files.iter().map(|path| (module(path), read(path))).collect())
    }

    fn of(code: BTreeMap<String, String>) -> Self {
        let mut modules = Self { code, passed_on: BTreeMap::new() };
        for (name, code) in &modules.code {
            let statements = code.split(';').filter_map(|statement| {
                let statement = statement.trim_start_matches(|c| c != 'p').trim_start();
                let at = statement.rfind("pub use ").or_else(|| statement.rfind(") use "))?;
                statement[at..].split_once("use ").map(|(_, paths)| paths)
            });
            let mut all = Vec::new();
            for statement in statements {
                open(statement, String::new(), &mut all);
            }
            let rooted = all.into_iter().filter_map(|Named { path, name: as_ }| {
                Some(Named { path: modules.rooted(name, &path)?, name: as_ })
            });
            modules.passed_on.insert(name.clone(), rooted.collect());
        }
        modules
    }

    /// A path of a module as one from the root, if it leads into this crate.
    fn rooted(&self, module: &str, path: &str) -> Option<String> {
        let mut base = module;
        if let Some(path) = path.strip_prefix("crate::") {
            return Some(path.to_owned());
        }
        let mut path = path;
        while let Some(rest) = path.strip_prefix("super::") {
            (base, path) = (base.rsplit_once("::").map_or("", |(up, _)| up), rest);
            if !rest.starts_with("super::") {
                return Some(join(base, rest));
            }
        }
        let child = join(module, word(path));
        self.code.contains_key(&child).then(|| join(module, path))
    }

    /// The file that declares what a path from the root names.
    fn file_of(&self, path: &str) -> Option<String> {
        let (mut module, mut rest) = (String::new(), path);
        loop {
            let next = word(rest);
            let child = join(&module, next);
            let after = rest[next.len()..].trim_start_matches("::");
            if !next.is_empty() && self.code.contains_key(&child) {
                (module, rest) = (child, after);
                continue;
            }
            for passed in self.passed_on.get(&module).into_iter().flatten() {
                if passed.name == next && passed.path != path {
                    return self.file_of(&join(&passed.path, after));
                }
            }
            return (!module.is_empty()).then_some(module);
        }
    }

    fn imports(&self) -> Imports {
        let mut all = Imports::new();
        for (module, code) in &self.code {
            let mut to: Vec<String> = paths(code, "crate::").into_iter().map(|to| to.path).collect();
            let supers = paths(code, "super::").into_iter();
            to.extend(supers.filter_map(|to| self.rooted(module, &format!("super::{}", to.path))));
            let below = self.code.keys().filter(|child| {
                child.rsplit_once("::").map_or("", |(up, _)| up) == module && !child.is_empty()
            });
            for child in below {
                let name = child.rsplit("::").next().unwrap_or_default();
                to.extend(paths(code, &format!("{name}::")).into_iter().map(|to| join(child, &to.path)));
            }
            let to = to.iter().filter_map(|path| self.file_of(path)).filter(|to| to != module).collect();
            if !module.is_empty() {
                all.insert(module.clone(), to);
            }
        }
        all
    }
}

fn imports(src: &Path) -> Imports {
    Modules::read(src).imports()
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
    ["crypto", "core", "net", "node", "sim", "perf", "fuzz", "bench"]
        .map(|name| root.join(name).join("src"))
        .into()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for src in crates() {
        let imports = imports(&src);
        assert!(imports.values().any(|to| !to.is_empty()), "{} imports nothing", src.display());
        for (name, to) in &imports {
            let back = |to: &&String| reached(&imports, to).contains(name.as_str()) || *to == name;
            circles.extend(to.iter().filter(back).map(|to| format!("{}: {name} -> {to}", src.display())));
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
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

#[test]
fn no_folder_of_the_control_plane_imports_one_above_it() {
    let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let place = |name: &str| {
        let unit = name.strip_prefix("control::").map(word)?.to_owned();
        let at = CONTROL.iter().position(|row| row.contains(&unit.as_str()));
        Some((at.unwrap_or_else(|| panic!("{unit} stands in no row")), unit))
    };
    let mut met = BTreeSet::new();
    for (name, to) in &imports {
        let Some((row, unit)) = place(name) else { continue };
        met.insert(unit.clone());
        for to in to {
            assert_ne!(to, "control", "{name} imports the table of contents that lists it");
            if let Some((below, other)) = place(to) {
                assert!(unit == other || below < row, "{name} imports {to}, which does not stand below it");
            }
        }
    }
    assert_eq!(met.len(), CONTROL.concat().len(), "a row names what is not there");
}

#[test]
fn a_path_is_followed_through_whatever_passes_it_on() {
    let modules = |sources: &[(&str, &str)]| {
        let code = sources.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned()));
        Modules::of(code.collect()).imports()
    };
    let imports = modules(&[
        ("", "pub use a::Shown;"),
        ("a", "mod one;\nmod two;\npub(crate) use one::{One, Other as Renamed};\npub use two::Shown;"),
        ("a::one", "use crate::a::{Shown, Unknown};"),
        ("a::two", "use super::Renamed;"),
        ("b", "use crate::{Shown, a::One as _};"),
    ]);
    let of = |name: &str| imports[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((of("a::one"), of("a::two")), (vec!["a", "a::two"], vec!["a::one"]));
    assert_eq!((of("a"), of("b")), (vec!["a::one", "a::two"], vec!["a::one", "a::two"]));
    assert!(
        reached(&imports, "a::one").contains("a::one"),
        "the circle that runs through the table of contents"
    );
}
