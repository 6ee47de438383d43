//! `docs/threat-model.md` names the test behind each promise; this holds that those tests are there.

use std::fs;
use std::path::Path;

/// Every `file.rs`: `test_name` pair of the page: paths and names in backticks, a colon between.
fn named(page: &str) -> Vec<(String, String)> {
    let mut file = None;
    let mut pairs = Vec::new();
    for word in page.split('`').skip(1).step_by(2) {
        if word.ends_with(".rs") || word.ends_with(".toml") {
            file = Some(word.to_owned());
        } else if let Some(file) = &file
            && word.contains('_')
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            pairs.push((file.clone(), word.to_owned()));
        }
    }
    pairs
}

#[test]
fn every_promise_of_the_threat_model_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let page = fs::read_to_string(root.join("docs/threat-model.md")).expect("the page");
    // A row ends what its file was about.
    let pairs: Vec<_> = page.lines().flat_map(named).collect();
    assert!(pairs.len() > 40, "{} tests are named", pairs.len());
    for (file, test) in pairs {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let there = text.contains(&format!("fn {test}("));
        assert!(there, "{file} has no test {test}");
        let before = text.split(&format!("fn {test}(")).next().unwrap_or_default();
        let attributes = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
        assert!(
            attributes.contains("#[test]") || attributes.contains("proptest!") || file.starts_with("fuzz"),
            "{file}: {test} is no test"
        );
    }
}
