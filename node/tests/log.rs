//! The log of a running node: what it says, and that nothing that befalls its output holds the node up or ends it.

mod command;
mod rig;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use command::{directory, octick, run, signal};
use rig::{Node, PATIENCE, counts, members, node, until};
use serde_json::Value;

/// Node 1 of the mesh of `first`, at addresses that can be told without its output, which is `stdout`.
struct Unheard {
    process: Child,
    admin: String,
}

impl Drop for Unheard {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Unheard {
    fn start(dir: &Path, first: &Node, stdout: impl Into<Stdio>) -> Self {
        assert_eq!(run(dir, &["keygen", "--out", "1.key"]).0, 0);
        let listen = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = format!(
            "key_file = \"1.key\"\nlisten = \"{listen}\"\ntable.slots = 1024\nmembership.enabled = true\n\
             membership.seeds = [{:?}]\nadmin.enabled = true\nadmin.listen = {admin:?}\n",
            first.listen
        );
        fs::write(dir.join("1.toml"), config).unwrap();
        let args = ["run", "--config", "1.toml", "--log", "debug", "--report", "1"];
        let process = octick(dir, &args).stdout(stdout).spawn().unwrap();
        Self { process, admin }
    }

    /// It answers commands, and its peers: `first` goes on to believe that it lives.
    fn takes_part(&mut self, dir: &Path, first: &Node) {
        until(dir, first, &counts(2, 0, 0));
        let before = Instant::now();
        while before.elapsed() < Duration::from_secs(4) {
            // A node that did not answer its probes would be suspected within one second and failed within three.
            assert_eq!(members(dir, first)["counts"]["failed"], 0);
            let (code, out, error) =
                run(dir, &["members", "--json", "--admin", &self.admin, "--token-file", "1.token"]);
            assert_eq!(code, 0, "{error}");
            assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["counts"]["failed"], 0, "{out}");
        }
    }

    /// It leaves, and ends within seconds.
    fn ends(&mut self, dir: &Path, first: &Node) {
        let asked = Instant::now();
        signal("TERM", self.process.id());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        until(dir, first, &counts(1, 0, 1));
    }
}

#[test]
fn a_pipe_that_nobody_reads_does_not_hold_the_node_up() {
    let dir = directory("log_stalled");
    let first = node(&dir, 0, &[]);
    let (_reader, mut writer) = io::pipe().unwrap();
    // What a pipe holds unless told otherwise; not a byte fits any more.
    writer.write_all(&[b'x'; 65_536]).unwrap();
    let mut unheard = Unheard::start(&dir, &first, writer);
    unheard.takes_part(&dir, &first);
    unheard.ends(&dir, &first);
}

#[test]
fn a_reader_that_is_gone_does_not_end_the_node() {
    let dir = directory("log_closed");
    let first = node(&dir, 0, &[]);
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut unheard = Unheard::start(&dir, &first, writer);
    unheard.takes_part(&dir, &first);
    unheard.ends(&dir, &first);
}

#[test]
fn a_full_disk_does_not_end_the_node() {
    let dir = directory("log_full");
    let first = node(&dir, 0, &[]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut unheard = Unheard::start(&dir, &first, full);
    unheard.takes_part(&dir, &first);
    unheard.ends(&dir, &first);
}

#[test]
fn lines_that_were_lost_are_counted_once_the_output_takes_lines_again() {
    let dir = directory("log_lost");
    let first = node(&dir, 0, &[]);
    let fifo = dir.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let writer = thread::spawn({
        let fifo = fifo.clone();
        move || OpenOptions::new().write(true).open(fifo).unwrap()
    });
    let mut reader = BufReader::new(File::open(&fifo).unwrap());
    let unheard = Unheard::start(&dir, &first, writer.join().unwrap());
    until(&dir, &first, &counts(2, 0, 0));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("INFO node started id="), "{line}");
    // Nobody reads, and the node has something to say every second.
    drop(reader);
    let dropped = || -> u64 {
        let (code, out, error) =
            run(&dir, &["counters", "--json", "--admin", &unheard.admin, "--token-file", "1.token"]);
        assert_eq!(code, 0, "{error}");
        let log = &serde_json::from_str::<Value>(&out).unwrap()["log"][0];
        assert_eq!(log["name"], "log_lines_dropped");
        log["count"].as_u64().unwrap()
    };
    let began = Instant::now();
    while dropped() == 0 {
        assert!(began.elapsed() < PATIENCE, "counters never show that lines are dropped");
    }
    let mut text = String::new();
    let mut reader = BufReader::new(File::open(&fifo).unwrap());
    let began = Instant::now();
    while !text.contains("log lines dropped") {
        assert!(began.elapsed() < PATIENCE, "{text}");
        reader.read_line(&mut text).unwrap();
    }
    let told = text.lines().find(|line| line.contains("log lines dropped")).unwrap();
    let count = told.split("lines=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(count.parse::<u64>().unwrap() >= 1, "{told}");
    assert!(told.contains("WARN") && told.contains("why=\"Broken pipe (os error 32)\""), "{told}");
    signal("TERM", unheard.process.id());
    reader.read_to_string(&mut text).unwrap();
    assert!(text.contains("INFO node stopped"), "{text}");
}

#[test]
fn a_mesh_is_told_event_by_event() {
    let dir = directory("log_events");
    let mut first = node(&dir, 0, &[]);
    let second = node(&dir, 1, &[&first.listen]);
    let third = node(&dir, 2, &[&first.listen]);
    let said = first.says("member joined");
    assert_eq!((&said["id"], &said["address"]), (&second.id.as_str().into(), &second.listen.as_str().into()));
    assert_eq!(first.says("member joined")["id"], third.id.as_str());
    let time = said["timestamp"].as_str().unwrap();
    assert!(time.len() == 24 && &time[10..11] == "T" && time.ends_with('Z'), "{time}");
    signal("TERM", third.process.id());
    assert_eq!(first.says("member left")["id"], third.id.as_str());
    let id = second.id.clone();
    drop(second);
    assert_eq!(first.says("member suspected")["id"], id.as_str());
    let failed = first.says("member failed");
    assert_eq!((&failed["id"], &failed["level"]), (&id.as_str().into(), &"WARN".into()));
}

#[test]
fn nothing_is_said_while_nothing_happens() {
    let dir = directory("log_quiet");
    let mut first = node(&dir, 0, &[]);
    let mut second = node(&dir, 1, &[&first.listen]);
    for node in [&mut first, &mut second] {
        node.says("member joined");
        node.quorum_of(2);
    }
    thread::sleep(Duration::from_secs(12));
    signal("TERM", second.process.id());
    // A machine that has other things to do may make a member look slow.
    let slow = ["member suspected", "member answers again"];
    let next = |node: &mut Node| {
        node.lines.find(|line| !slow.contains(&line["message"].as_str().unwrap())).unwrap()["message"].clone()
    };
    assert_eq!(next(&mut second), "node stopping");
    assert_eq!(next(&mut first), "member left");
}

#[test]
fn the_level_decides_what_is_said() {
    let dir = directory("log_level");
    assert_eq!(run(&dir, &["keygen"]).0, 0);
    fs::write(
        dir.join("node.toml"),
        "listen = \"127.0.0.1:0\"\nlog.format = \"json\"\nlog.level = \"error\"\n",
    )
    .unwrap();
    let (code, said, error) = run(&dir, &["run", "--config", "node.toml", "--secs", "0"]);
    assert_eq!((code, said.as_str(), error.as_str()), (0, "", ""));
    let args = ["run", "--config", "node.toml", "--secs", "0", "--log", "info", "--log-format", "text"];
    let (code, said, error) = run(&dir, &args);
    assert_eq!((code, error.as_str()), (0, ""));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 3 && lines[0][24..].starts_with("  INFO node started id="), "{said}");
    assert!(lines[1].ends_with("INFO node stopping why=\"its time is over\""), "{said}");
}
