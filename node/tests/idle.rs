//! What a node of the default configuration holds of a machine while nothing happens.

mod command;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use command::{directory, octick, run};

/// Resident memory of an idle node, kB: 20 MB, of which a build for use has 7 in code and libraries.
const RESIDENT_KB_MAX: u64 = 20_000;
/// The same without what is mapped from files, for a build with debug assertions has code five times as large.
const ANONYMOUS_KB_MAX: u64 = 12_000;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A value of `/proc/PID/status`, kB.
fn status_kb(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn an_idle_node_of_a_mesh_stays_under_20_mb_resident() {
    let dir = directory("idle");
    let mut seeds = "[]".to_owned();
    let mut nodes = Vec::new();
    for n in 0..3 {
        let key = format!("{n}.key");
        assert_eq!(run(&dir, &["keygen", "--out", &key]).0, 0);
        // Whatever is not said here is the default.
        let config = format!(
            "key_file = {key:?}\nlisten = \"127.0.0.1:0\"\nmembership.enabled = true\nmembership.seeds = {seeds}\n\
             [[agents]]\nfirst = {}\ncount = 1008\n",
            n * 1_008
        );
        fs::write(dir.join(format!("{n}.toml")), config).unwrap();
        let args = ["run", "--json", "--config", &format!("{n}.toml")];
        let mut node = Running(octick(&dir, &args).stdout(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(node.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap());
        let started = lines.find(|line| line["message"] == "node started").expect("it starts");
        if n == 0 {
            seeds = format!("[{}]", started["listen"]);
        }
        nodes.push((node, lines));
    }
    for (_, lines) in &mut nodes {
        assert!(lines.any(|line| line["counted"] == 3), "all three know each other");
    }
    // What the start needed is given back or not; from here on nothing grows.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        for (node, _) in &nodes {
            let [resident, anonymous] = ["VmRSS", "RssAnon"].map(|name| status_kb(node.0.id(), name));
            assert!(anonymous <= ANONYMOUS_KB_MAX, "{anonymous} kB are anonymous, of {resident}");
            if !cfg!(debug_assertions) {
                assert!(
                    resident <= RESIDENT_KB_MAX,
                    "{resident} kB are resident, {anonymous} of them anonymous"
                );
            }
        }
    }
    let (node, _) = &nodes[0];
    let [resident, anonymous] = ["VmRSS", "RssAnon"].map(|name| status_kb(node.0.id(), name));
    println!("an idle node: {resident} kB resident, {anonymous} of them anonymous");
}
