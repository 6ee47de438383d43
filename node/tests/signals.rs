//! What a running node does when the system signals it, and that it leaves its mesh on every ordinary way out.

mod command;
mod rig;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{directory, octick, run, signal};
use rig::{PATIENCE, counts, node, node_with, until};

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
    edit(&dir, "writes_queue = 0", "writes_queue = 16384");
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

/// A name server that never answers: looking something up there takes as long as one may take.
fn silent_name_server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, format!("discovery.name_servers = [\"{address}\"]"))
}

#[test]
fn a_second_interrupt_ends_a_node_at_once() {
    let dir = directory("signals_twice");
    let first = node(&dir, 0, &[]);
    // Its end waits a second for whoever asks that server, and the second interrupt comes meanwhile.
    let (server, more) = silent_name_server();
    let mut second = node_with(&dir, 1, &[&first.listen, "srv:_octick._udp.octick.test"], &more);
    until(&dir, &second, &counts(2, 0, 0));
    server.recv_from(&mut [0; 512]).unwrap();
    signal("INT", second.process.id());
    assert_eq!(second.says("node stopping")["why"], "SIGINT");
    signal("INT", second.process.id());
    assert_eq!(second.process.wait().unwrap().code(), Some(130));
    assert!(second.lines.all(|line| line["message"] != "node stopped"), "it did not go the long way");
}

/// It ends within some seconds, in good order.
fn ends(process: &mut Child) {
    let asked = Instant::now();
    signal("TERM", process.id());
    let status = process.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[test]
fn a_name_server_that_is_silent_keeps_no_node_from_leaving() {
    let dir = directory("signals_silent_server");
    let first = node(&dir, 0, &[]);
    let (server, more) = silent_name_server();
    let mut second = node_with(&dir, 1, &[&first.listen, "srv:_octick._udp.octick.test"], &more);
    until(&dir, &first, &counts(2, 0, 0));
    server.recv_from(&mut [0; 512]).unwrap();
    ends(&mut second.process);
    until(&dir, &first, &counts(1, 0, 1));
}

#[test]
fn a_configuration_that_takes_for_ever_to_read_again_holds_nothing_up() {
    let dir = directory("signals_slow_reload");
    let first = node(&dir, 0, &[]);
    let mut second = node(&dir, 1, &[&first.listen]);
    until(&dir, &first, &counts(2, 0, 0));
    // Nobody ever writes to it, so reading never ends, as with names that no server resolves.
    let fifo = dir.join("1.toml");
    fs::remove_file(&fifo).unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for name in ["HUP", "HUP", "USR1"] {
        signal(name, second.process.id());
    }
    assert_eq!(second.says("status")["alive"], 2);
    ends(&mut second.process);
    until(&dir, &first, &counts(1, 0, 1));
}

#[test]
fn a_start_that_hangs_ends_when_it_is_told_to() {
    let dir = directory("signals_slow_start");
    assert_eq!(run(&dir, &["keygen"]).0, 0);
    // Nobody ever writes to it, so reading never ends, as with names that no server resolves.
    assert!(Command::new("mkfifo").arg(dir.join("node.peers")).status().unwrap().success());
    fs::write(dir.join("node.toml"), "listen = \"127.0.0.1:0\"\nmembership.enabled = true").unwrap();
    let mut started = octick(&dir, &["run", "--config", "node.toml"]).stdout(Stdio::piped()).spawn().unwrap();
    // Signals are heard once there is the thread that waits.
    let waits = |process: &Child| {
        let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
        tasks.flatten().any(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "octick-start")
        })
    };
    let began = Instant::now();
    while !waits(&started) {
        assert!(began.elapsed() < PATIENCE, "it never begins");
    }
    ends(&mut started);
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
