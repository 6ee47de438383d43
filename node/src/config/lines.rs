//! Finds the line of a key in the text of a configuration, so that an error can point at it.

use toml::de::{DeTable, DeValue};

/// The line, from 1, on which the value of `path` stands: `threads.cores`, `peers[2].runs[0].first`. A key that is
/// left out has the line of the closest thing around it, or none.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut found = None;
    'path: for step in path.split('.') {
        let (name, indices) = step.split_once('[').unwrap_or((step, ""));
        let Some(mut value) = table.and_then(|table| table.get(name)) else { break };
        found = Some(value.span().start);
        for index in indices.split_terminator([']', '[']).filter(|index| !index.is_empty()) {
            let DeValue::Array(items) = value.get_ref() else { break 'path };
            let Some(item) = index.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                break 'path;
            };
            value = item;
            found = Some(value.span().start);
        }
        table = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
    }
    found.map(|at| line_at(text, at))
}

/// The line, from 1, that holds byte `at`.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_on_its_line() {
        let text = "mesh = 'm'\n[threads]\ningress = 3\n\n[[agents]]\nfirst = 0\n[[agents]]\nfirst = 16\n\
                    [[peers]]\nruns = [\n  { first = 1 },\n  { first = 2 },\n]\n";
        for (path, line) in [
            ("mesh", Some(1)),
            ("threads.ingress", Some(3)),
            ("threads.cores", Some(2)),
            ("agents[1].first", Some(8)),
            ("agents[0].count", Some(5)),
            ("peers[0].runs[1].first", Some(12)),
            ("peers[0].runs[7].first", Some(10)),
            ("nothing", None),
        ] {
            assert_eq!(line_of(text, path), line, "{path}");
        }
    }
}
