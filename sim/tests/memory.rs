//! Large runs: what a node takes, and what is refused.

use std::process::{Command, Output};

use octick_sim::memory;
use octick_sim::scenario::{Scenario, What};

/// A run in a process of its own, whose greatest memory is its own.
fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_octick-sim")).args(args).output().unwrap()
}

#[test]
fn more_engines_than_memory_holds_are_refused_before_any_is_made() {
    let output = sim(&["--what", "engines", "--nodes", "1000000"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("MiB are available: enough for ") && output.stdout.is_empty(), "{error}");
}

#[test]
fn a_node_takes_no_more_than_the_check_reckons_with() {
    for (name, what, nodes) in [("engines", What::Engines, 128), ("members", What::Members, 256)] {
        let output = sim(&["--what", name, "--nodes", &nodes.to_string(), "--millis", "100", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let took = report["bytes_of_memory_per_node"].as_u64().unwrap() * u64::from(nodes);
        let reckoned = memory::needed(&Scenario { what, nodes, ..Scenario::default() });
        println!("{nodes} {name} take {} KiB a node", (took >> 10) / u64::from(nodes));
        // A reckoning far beyond what is taken would refuse what fits.
        assert!((reckoned / 4..=reckoned).contains(&took), "{name}: {took} of {reckoned}");
    }
}
