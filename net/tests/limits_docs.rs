//! `docs/limits.md` names every bound as the code has it.

use std::collections::HashSet;

use octick::limits::{Bound, all};

/// The table of a list of bounds, as the page should show it.
fn table(bounds: &[Bound]) -> String {
    let rows = bounds
        .iter()
        .map(|bound| format!("| `{}` | {} {} | {} |\n", bound.name, bound.value, bound.unit, bound.meaning));
    format!(
        "| bound | value | what it bounds, and why so much |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

#[test]
fn the_page_of_bounds_is_what_the_code_says() {
    let page = include_str!("../../docs/limits.md");
    for bounds in [octick_core::limits::BOUNDS, octick::limits::BOUNDS] {
        let table = table(bounds);
        assert!(page.contains(&table), "docs/limits.md should have:\n\n{table}");
    }
}

#[test]
fn every_bound_has_a_name_of_its_own_and_a_reason() {
    let mut names = HashSet::new();
    for Bound { name, value, unit, meaning } in all() {
        assert!(names.insert(name), "{name} stands twice");
        assert!(*value > 0 && !unit.is_empty() && meaning.len() > 20, "{name}: {meaning}");
    }
    assert!(names.len() > 60, "{} bounds", names.len());
}
