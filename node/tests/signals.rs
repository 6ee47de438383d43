//! What a running node does when the system signals it, and that it leaves its mesh on every ordinary way out.

mod command;
mod rig;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use command::{directory, octick, run, signal};
use rig::{counts, node, until};

/// Changes the configuration of node 0.
fn edit(dir: &Path, from: &str, to: &str) {
    let config = fs::read_to_string(dir.join("0.toml")).unwrap();
    assert!(config.contains(from), "{config}");
    fs::write(dir.join("0.toml"), config.replacen(from, to, 1)).unwrap();
}

#[test]
fn hangup_changes_what_a_running_node_can_change_and_names_the_rest() {
    let dir = directory("signals_reload");
    let mut first = node(&dir, 0, &[]);
    let second = node(&dir, 1, &[]);
    let third = node(&dir, 2, &[]);
    let pid = first.process.id();
    edit(&dir, "seeds = []", &format!("seeds = [{:?}]", second.listen));
    edit(&dir, "key_file", "log.level = \"warn\"\nlimits.writes_queue = 77\nkey_file");
    signal("HUP", pid);
    assert_eq!(first.says("configuration reloaded")["changed"], "log.level membership.seeds");
    assert_eq!(first.says("these keys take effect at the next start")["keys"], "limits.writes_queue");
    until(&dir, &first, &counts(2, 0, 0));

    // A file that does not hold together changes nothing.
    edit(&dir, "writes_queue = 77", "writes_queue = 0");
    signal("HUP", pid);
    let why = first.says("configuration not reloaded: nothing has changed")["why"].to_string();
    assert!(why.contains("limits.writes_queue = 0 is below the least, 1"), "{why}");

    // Peers that are listed from now on are known; the level holds, so that a member that joins is no event.
    edit(&dir, "writes_queue = 0", "writes_queue = 65536");
    let (_, shown, _) = run(&dir, &["keygen", "--show", "2.key"]);
    let key = shown.split_whitespace().last().unwrap();
    let config = fs::read_to_string(dir.join("0.toml")).unwrap();
    let peer = format!("[[peers]]\npublic_key = \"{key}\"\naddr = {:?}\nruns = []\n", third.listen);
    fs::write(dir.join("0.toml"), config + &peer).unwrap();
    signal("HUP", pid);
    let next = first.lines.next().unwrap();
    assert_eq!((&next["message"], &next["changed"]), (&"configuration reloaded".into(), &"peers".into()));
    signal("TERM", pid);
    assert!(first.process.wait().unwrap().success());
}

#[test]
fn usr1_asks_how_a_node_is() {
    let dir = directory("signals_status");
    let mut first = node(&dir, 0, &[]);
    let _second = node(&dir, 1, &[&first.listen]);
    until(&dir, &first, &counts(2, 0, 0));
    signal("USR1", first.process.id());
    let status = first.says("status");
    for (key, n) in [("alive", 2), ("suspected", 0), ("failed", 0), ("left", 0), ("log_lines_dropped", 0)] {
        assert_eq!(status[key], n, "{key}: {status}");
    }
    assert_eq!((&status["partition"], &status["id"]), (&"healthy".into(), &first.id.as_str().into()));
    until(&dir, &first, &counts(2, 0, 0));
}

#[test]
fn a_second_interrupt_ends_a_node_at_once() {
    let dir = directory("signals_twice");
    let first = node(&dir, 0, &[]);
    let mut second = node(&dir, 1, &[&first.listen]);
    until(&dir, &second, &counts(2, 0, 0));
    signal("INT", second.process.id());
    assert_eq!(second.says("node stopping")["why"], "SIGINT");
    signal("INT", second.process.id());
    assert_eq!(second.process.wait().unwrap().code(), Some(130));
    assert!(second.lines.all(|line| line["message"] != "node stopped"), "it did not go the long way");
}

#[test]
fn a_node_leaves_on_every_ordinary_way_out() {
    let dir = directory("signals_leave");
    let first = node(&dir, 0, &[]);
    for name in ["INT", "TERM"] {
        let mut second = node(&dir, 1, &[&first.listen]);
        until(&dir, &first, &counts(2, 0, 0));
        signal(name, second.process.id());
        assert!(second.process.wait().unwrap().success());
        until(&dir, &first, &counts(1, 0, 1));
    }
    // Its time is over.
    let args = ["run", "--json", "--config", "1.toml", "--secs", "3"];
    let mut timed = octick(&dir, &args).stdout(Stdio::null()).spawn().unwrap();
    until(&dir, &first, &counts(2, 0, 0));
    assert!(timed.wait().unwrap().success());
    until(&dir, &first, &counts(1, 0, 1));
    // The parent that drives it is gone.
    let args = ["run", "--driven", "0", "--rate", "1", "--members", "2", "--config", "1.toml"];
    let mut driven = octick(&dir, &args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    until(&dir, &first, &counts(2, 0, 0));
    let mut answers = BufReader::new(driven.stdout.take().unwrap()).lines();
    drop(driven.stdin.take());
    assert!(answers.next().is_none());
    assert!(driven.wait().unwrap().success());
    until(&dir, &first, &counts(1, 0, 1));
}
