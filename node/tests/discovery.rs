//! How nodes find addresses to begin with: names, SRV records, the local network, what they remember.

mod command;
mod rig;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::Stdio;
use std::thread;

use command::{directory, failure, octick, signal};
use rig::{Node, counts, node, node_with, until};
use serde_json::json;

fn port(node: &Node) -> u16 {
    node.listen.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn stop(mut node: Node) {
    signal("TERM", node.process.id());
    assert!(node.process.wait().unwrap().success());
}

#[test]
fn a_seed_may_be_a_name() {
    let dir = directory("discovery_name");
    let first = node(&dir, 0, &[]);
    let second = node(&dir, 1, &[&format!("localhost:{}", port(&first))]);
    until(&dir, &second, &counts(2, 0, 0));
}

#[test]
fn a_name_that_does_not_resolve_is_told_and_the_others_are_used() {
    let dir = directory("discovery_no_name");
    let first = node(&dir, 0, &[]);
    let mut second = node(&dir, 1, &["two words:7700", &first.listen]);
    until(&dir, &second, &counts(2, 0, 0));
    let said = second.says("seed in membership.seeds is no address; it is tried again");
    assert_eq!((&said["level"], &said["seed"]), (&json!("WARN"), &json!("two words:7700")));
    assert!(said["why"].as_str().unwrap().starts_with("does not resolve ("), "{said}");
}

/// Answers every question for SRV records with one, and every one for addresses with 127.0.0.1.
fn name_server(port: u16) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut question) {
            let end = 12 + question[12..len].iter().position(|byte| *byte == 0).unwrap() + 5;
            let kind = question[end - 3];
            let data: Vec<u8> = match kind {
                33 => [&[0, 1, 0, 1][..], &port.to_be_bytes(), b"\x04node\x04test\0"].concat(),
                1 => vec![127, 0, 0, 1],
                _ => Vec::new(),
            };
            let answers = u8::from(!data.is_empty());
            // The same number; an answer, authoritative, with recursion; one question, so many answers, nothing else.
            let mut answer =
                [&question[..2], &[0x85, 0x80, 0, 1, 0, answers, 0, 0, 0, 0], &question[12..end]].concat();
            if answers > 0 {
                answer.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
                answer.extend(data);
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

#[test]
fn a_seed_may_be_a_service() {
    let dir = directory("discovery_service");
    let first = node(&dir, 0, &[]);
    let server = name_server(port(&first));
    let more = format!("discovery.name_servers = [{server:?}]");
    let second = node_with(&dir, 1, &["srv:_octick._udp.octick.test"], &more);
    until(&dir, &second, &counts(2, 0, 0));
}

#[test]
fn neighbours_of_one_mesh_find_each_other_and_no_other() {
    let dir = directory("discovery_lan");
    let lan = |mesh: &str| {
        let pid = std::process::id();
        format!("mesh = \"{mesh} {pid}\"\ndiscovery.lan = true\ndiscovery.lan_interface = \"127.0.0.1\"")
    };
    let nodes: Vec<Node> = (0..3).map(|n| node_with(&dir, n, &[], &lan("one"))).collect();
    let other = node_with(&dir, 3, &[], &lan("other"));
    for node in &nodes {
        until(&dir, node, &counts(3, 0, 0));
    }
    until(&dir, &other, &counts(1, 0, 0));
}

#[test]
fn members_are_remembered_and_a_damaged_memory_is_named_and_written_anew() {
    let dir = directory("discovery_remember");
    let first = node(&dir, 0, &[]);
    let second = node(&dir, 1, &[&first.listen]);
    until(&dir, &second, &counts(2, 0, 0));
    stop(second);
    let written = format!("# octick: members met before\n{}\n", first.listen);
    assert_eq!(fs::read_to_string(dir.join("1.peers")).unwrap(), written);

    let second = node(&dir, 1, &[]);
    until(&dir, &second, &counts(2, 0, 0));
    stop(second);

    fs::write(dir.join("1.peers"), "# octick: members met before\n127.0.0.1\n").unwrap();
    let config = fs::read_to_string(dir.join("1.toml"))
        .unwrap()
        .replace("seeds = []", &format!("seeds = [{:?}]", first.listen));
    fs::write(dir.join("1.toml"), config).unwrap();
    let mut run =
        octick(&dir, &["run", "--json", "--config", "1.toml"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    let warning = said.next().unwrap();
    assert!(warning.contains("1.peers:2: \\\"127.0.0.1\\\" is no address; the file is ignored"), "{warning}");
    assert!(said.any(|line| line.contains("member joined")));
    signal("TERM", run.id());
    assert!(run.wait().unwrap().success());
    assert_eq!(fs::read_to_string(dir.join("1.peers")).unwrap(), written);
}

#[test]
fn mistakes_are_named() {
    let dir = directory("discovery_mistakes");
    for (text, says) in [
        (
            "[membership]\nenabled = true\nseeds = [\"srv:octick.example.org\"]\n",
            "node.toml:3: membership.seeds[0] = \"srv:octick.example.org\": want a service as in \
             \"srv:_octick._udp.example.org\"",
        ),
        ("discovery.lan = true\n", "node.toml:1: discovery.lan = true, but membership.enabled = false"),
        (
            "[membership]\nenabled = true\nseeds = [\"[::1]:7700\"]\n",
            "node.toml:3: membership.seeds[0] = \"[::1]:7700\": listen = 0.0.0.0:7700 sends to IPv4 only; \
             listen on [::]:7700 for both",
        ),
    ] {
        fs::write(dir.join("node.toml"), text).unwrap();
        assert_eq!(failure(&dir, &["config", "check", "node.toml"]), says);
    }
}
