//! What a healthy join leaves behind: nothing.

mod command;
mod rig;

use std::collections::BTreeMap;

use command::{directory, run};
use rig::{Node, counts, node, until};
use serde_json::Value;

/// What a join makes a member say twice, and that is counted for what it is: it has not shown its address yet, or who it is.
const STEPS: [&str; 2] = ["control_unproven", "control_stranger"];

/// What a node counts as dropped or refused, but for the steps of a join.
fn refused(dir: &std::path::Path, node: &Node) -> BTreeMap<String, u64> {
    let (code, out, error) = run(dir, &["counters", "--json", "--admin", &node.admin]);
    assert_eq!(code, 0, "{error}");
    let counters: Value = serde_json::from_str(&out).unwrap();
    let counts = ["drops", "refusals"].into_iter().flat_map(|part| counters[part].as_array().unwrap());
    let named =
        counts.map(|count| (count["name"].as_str().unwrap().to_owned(), count["count"].as_u64().unwrap()));
    named.filter(|(name, count)| *count > 0 && !STEPS.contains(&name.as_str())).collect()
}

const ROUNDS: usize = 8;
/// A machine with other things to do makes the answer to a probe come after it was given up, and that is counted alike.
const ROUNDS_DISTURBED_MAX: usize = 2;

#[test]
fn a_healthy_join_is_silent_and_nothing_of_it_is_refused() {
    let mut disturbed = Vec::new();
    for round in 0..ROUNDS {
        let dir = directory(&format!("join_{round}"));
        let mut nodes = vec![node(&dir, 0, &[])];
        let seed = nodes[0].listen.clone();
        nodes.extend((1..4).map(|n| node(&dir, n, &[&seed])));
        for node in &nodes {
            until(&dir, node, &counts(4, 0, 0));
        }
        nodes.iter().for_each(Node::until_ready);
        disturbed.extend(nodes.iter().map(|node| refused(&dir, node)).find(|refused| !refused.is_empty()));
        for node in &mut nodes {
            let said: Vec<Value> = node.lines.by_ref().take_while(|line| line["counted"] != 4).collect();
            let open = |line: &Value| {
                line["message"].as_str().is_some_and(|says| says.starts_with("this mesh is open"))
            };
            let (told, said): (Vec<Value>, Vec<Value>) = said.into_iter().partition(open);
            assert_eq!(told.len(), 1, "an open mesh says so: {told:#?}");
            assert!(said.iter().all(|line| line["level"] == "INFO"), "round {round}: {said:#?}");
        }
    }
    assert!(disturbed.len() <= ROUNDS_DISTURBED_MAX, "{disturbed:#?}");
}
