//! `octick run`: starts, says what it runs on, stops cleanly; or says in one line why not.

mod command;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use command::{directory, failure, octick, run, signal};
use serde_json::Value;

/// A directory with a key and a configuration.
fn node(name: &str, config: &str) -> PathBuf {
    let dir = directory(name);
    assert_eq!(run(&dir, &["keygen"]).0, 0);
    fs::write(dir.join("node.toml"), config).unwrap();
    dir
}

fn start(dir: &Path, args: &[&str]) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut child = octick(dir, &[&["run", "--config", "node.toml", "--json"], args].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

#[test]
fn a_node_says_what_it_runs_on_and_stops_cleanly() {
    for name in ["INT", "TERM"] {
        let dir =
            node(&format!("run_{name}"), "listen = \"127.0.0.1:0\"\n[[agents]]\nfirst = 0\ncount = 16\n");
        let (mut child, mut lines) = start(&dir, &[]);
        let started = lines.next().unwrap();
        assert_eq!(started["message"], "node started");
        assert_eq!(started["id"].as_str().unwrap().len(), 32);
        assert!(started["listen"].as_str().unwrap().starts_with("127.0.0.1:"));
        for key in ["kernel", "verify", "backend", "why", "version"] {
            assert!(!started[key].as_str().unwrap().is_empty(), "{key}");
        }
        signal(name, child.id());
        assert!(child.wait().unwrap().success(), "SIG{name}");
        let said: Vec<Value> = lines.collect();
        let messages: Vec<&str> = said.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["node stopping", "node stopped"], "and nothing else: nothing happened");
        assert_eq!(said[0]["why"], format!("SIG{name}"));
    }
}

#[test]
fn a_core_that_is_not_there_is_a_warning() {
    let dir = node("run_core", "listen = \"127.0.0.1:0\"\nthreads.cores = [4095]\n");
    let (mut child, mut lines) = start(&dir, &[]);
    assert_eq!(lines.next().unwrap()["message"], "node started");
    let warning = lines.next().unwrap();
    assert_eq!(warning["level"], "WARN");
    assert!(warning["message"].as_str().unwrap().contains("4095"), "{warning}");
    signal("TERM", child.id());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_taken_port_is_told() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let dir = node("run_port", &format!("listen = \"{addr}\""));
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert!(why.starts_with(&format!("UDP port {addr} is taken: choose another")), "{why}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = node("run_open_key", "listen = \"127.0.0.1:0\"");
    fs::set_permissions(dir.join("node.key"), Permissions::from_mode(0o644)).unwrap();
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert_eq!(why, "node.key: mode 0644 lets others read the key; run: chmod 600 node.key");
}

#[test]
fn a_missing_key_says_how_to_make_one() {
    let dir = node("run_no_key", "key_file = \"other.key\"");
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert_eq!(why, "other.key: no key there; make one with: octick keygen --out other.key");
}

#[test]
fn a_peer_that_does_not_resolve_is_named() {
    let peer =
        "[[peers]]\npublic_key = \"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"\n";
    let dir = node("run_peer", &format!("{peer}addr = \"nowhere.invalid:7700\"\nruns = []\n"));
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert!(why.starts_with("peers[0].addr = \"nowhere.invalid:7700\" does not resolve ("), "{why}");
    let dir =
        node("run_family", &format!("listen = \"127.0.0.1:0\"\n{peer}addr = \"[::1]:7700\"\nruns = []\n"));
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert_eq!(
        why,
        "node.toml:4: peers[0].addr = \"[::1]:7700\": listen = 127.0.0.1:0 sends to IPv4 only; listen on [::]:0 for both"
    );
}

#[test]
fn a_node_is_not_its_own_peer() {
    let dir = node("run_own", "");
    let (_, shown, _) = run(&dir, &["keygen", "--show", "node.key"]);
    let key = shown.split_whitespace().last().unwrap();
    fs::write(dir.join("node.toml"), format!("[[peers]]\npublic_key = \"{key}\"\nruns = []\n")).unwrap();
    let why = failure(&dir, &["run", "--config", "node.toml"]);
    assert_eq!(why, "peers[0].public_key is this node's own key, that of node.key");
}
