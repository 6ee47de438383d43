//! `octick load` against a real node: what it took, lost and rejected, and what a stall does to the latency.

mod command;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use command::{directory, failure, octick, run, signal};
use serde_json::Value;

struct Receiver {
    dir: PathBuf,
    process: Child,
    addr: String,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A node that knows the generator's key and grants it slots 0 to 1007.
fn receiver(name: &str) -> Receiver {
    receiver_with(name, "")
}

/// The same, with more `keys` in its configuration.
fn receiver_with(name: &str, keys: &str) -> Receiver {
    let dir = directory(name);
    assert_eq!(run(&dir, &["keygen"]).0, 0);
    let (_, shown, _) = run(&dir, &["keygen", "--out", "load.key"]);
    let key = shown.split_whitespace().last().unwrap();
    let peer = format!("[[peers]]\npublic_key = \"{key}\"\nruns = [{{ first = 0, count = 1008 }}]\n");
    fs::write(dir.join("node.toml"), format!("listen = \"127.0.0.1:0\"\n{keys}\n{peer}")).unwrap();
    let mut process =
        octick(&dir, &["run", "--config", "node.toml", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let started: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    // The node goes on when nobody reads its lines.
    let addr = started["listen"].as_str().unwrap().to_owned();
    Receiver { dir, process, addr }
}

fn load(dir: &Path, args: &[&str]) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut child =
        octick(dir, &[&["load", "--json"], args].concat()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

#[test]
fn every_frame_is_taken_alone_and_in_trains() {
    for (name, train, rate) in [("load_single", "1", "200"), ("load_trains", "16", "1600")] {
        let receiver = receiver(name);
        let (mut child, mut lines) =
            load(&receiver.dir, &["--to", &receiver.addr, "--rate", rate, "--secs", "1", "--train", train]);
        assert_eq!(lines.next().unwrap()["started"]["to"], receiver.addr);
        let outcome = &lines.next().unwrap()["load"];
        assert!(child.wait().unwrap().success());
        assert_eq!(outcome["sent"].to_string(), rate, "{outcome:#}");
        assert_eq!((&outcome["taken"], &outcome["lost"]), (&outcome["sent"], &Value::from(0)), "{outcome:#}");
        assert_eq!(outcome["dropped"], serde_json::json!({}));
        assert!(outcome["latency_ns"]["p50"].as_u64().unwrap() > 0, "{outcome:#}");
        assert_eq!(outcome["generator"]["refused_frames"], 0);
    }
}

#[test]
fn what_is_rejected_is_told_with_its_reason() {
    let receiver = receiver("load_rejected");
    // The receiver grants 1,008 slots; whole frames lie past them.
    let args = ["--to", &receiver.addr, "--rate", "200", "--secs", "1", "--first", "1008", "--agents", "104"];
    let (mut child, mut lines) = load(&receiver.dir, &args);
    let outcome = &lines.nth(1).unwrap()["load"];
    assert_eq!(child.wait().unwrap().code(), Some(1), "nothing was delivered: {outcome:#}");
    assert_eq!(
        (&outcome["delivered"], &outcome["taken"]),
        (&Value::from(false), &Value::from(0)),
        "{outcome:#}"
    );
    assert_eq!(outcome["dropped"], serde_json::json!({ "not_owner": 200 }), "{outcome:#}");
}

#[test]
fn a_load_for_people_ends_with_what_it_came_to() {
    let receiver = receiver("load_people");
    let base = ["load", "--to", &receiver.addr, "--rate", "200", "--secs", "1"];
    let (code, says, error) = run(&receiver.dir, &base);
    assert_eq!((code, says.lines().last()), (0, Some("result   every frame was taken")), "{says}{error}");
    let args = [&base[..], &["--first", "1008", "--agents", "104"]].concat();
    let (code, says, error) = run(&receiver.dir, &args);
    let result =
        says.split_once("result   NOT DELIVERED: 200 of 200 frames; --first and --agents do not lie");
    assert!(code == 1 && result.is_some(), "{says}{error}");
}

#[test]
fn a_load_ends_soon_after_its_time_when_the_receiver_is_gone() {
    let receiver = receiver("load_gone");
    let began = Instant::now();
    let (mut child, mut lines) =
        load(&receiver.dir, &["--to", &receiver.addr, "--rate", "100", "--secs", "1"]);
    assert!(lines.next().unwrap().get("started").is_some());
    signal("STOP", receiver.process.id());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(lines.next().is_none(), "nothing is known of the outcome");
    // A second to send, half a second of overtime, five to settle, and the start.
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[test]
fn a_generator_that_cannot_keep_up_ends_in_time_and_says_so() {
    let receiver = receiver("load_behind");
    let began = Instant::now();
    // No machine signs a million trains a second on one thread.
    let (mut child, mut lines) =
        load(&receiver.dir, &["--to", &receiver.addr, "--rate", "1000000", "--secs", "2"]);
    let outcome = &lines.nth(1).unwrap()["load"];
    assert_eq!(child.wait().unwrap().code(), Some(1), "{outcome:#}");
    assert!(outcome["generator"]["unsent_frames"].as_u64().unwrap() > 0, "{outcome:#}");
    // Ten seconds to sign ahead come first.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_receiver_that_stalls_shows_in_the_latency() {
    const STALL: Duration = Duration::from_millis(700);
    let receiver = receiver("load_stalled");
    let (_, mut lines) = load(&receiver.dir, &["--to", &receiver.addr, "--rate", "200", "--secs", "2"]);
    assert!(lines.next().unwrap().get("started").is_some());
    // The stall is what is tested; whenever it falls, frames are due within it.
    std::thread::sleep(Duration::from_millis(500));
    signal("STOP", receiver.process.id());
    std::thread::sleep(STALL);
    signal("CONT", receiver.process.id());
    let outcome = &lines.next().unwrap()["load"];
    assert_eq!(outcome["taken"], outcome["sent"], "the socket's buffer holds so few: {outcome:#}");
    let max = Duration::from_nanos(outcome["latency_ns"]["max"].as_u64().unwrap());
    assert!(max > STALL * 3 / 4, "{max:?} of a stall of {STALL:?}: {outcome:#}");
}

#[test]
fn a_stopped_receiver_loses_only_what_its_buffer_cannot_hold_and_counts_it() {
    let receiver = receiver_with("load_stopped", "[socket]\nrcvbuf_bytes = 32768");
    let (_, mut lines) = load(&receiver.dir, &["--to", &receiver.addr, "--rate", "2000", "--secs", "2"]);
    assert!(lines.next().unwrap().get("started").is_some());
    // Whenever the stop falls within the load, a thousand frames are due that 32 KiB cannot hold.
    std::thread::sleep(Duration::from_millis(500));
    signal("STOP", receiver.process.id());
    std::thread::sleep(Duration::from_millis(500));
    signal("CONT", receiver.process.id());
    let outcome = &lines.next().unwrap()["load"];
    let number = |name: &str| outcome[name].as_u64().unwrap();
    assert!(number("lost") > 0, "{outcome:#}");
    // A generator that was late sends what is due as one message, which the kernel drops, and counts, as one.
    let drops = number("kernel_drops");
    assert!(drops > 0 && drops <= number("lost"), "the loss shows in the kernel's count: {outcome:#}");
    assert_eq!(number("taken") + number("lost"), number("sent"), "nothing else is missing: {outcome:#}");
    assert!(number("taken") > number("sent") / 2, "it went on: {outcome:#}");
}

#[test]
fn a_silent_address_says_what_to_check() {
    let dir = directory("load_silent");
    let why = failure(&dir, &["load", "--to", "127.0.0.1:9", "--rate", "1", "--secs", "1"]);
    let starts = "127.0.0.1:9 does not answer; is a node of mesh \"octick\" there, and does its configuration hold \
                  this? [[peers]] public_key = \"";
    assert!(why.starts_with(starts), "{why}");
    assert!(dir.join("load.key").exists(), "the key is kept, so that it can be listed");
}

#[test]
fn contradictory_numbers_are_refused() {
    let dir = directory("load_numbers");
    let base = ["load", "--to", "127.0.0.1:9", "--secs", "1", "--rate"];
    let usage = |args: &[&str]| {
        let (code, _, why) = run(&dir, &[&base[..], args].concat());
        assert_eq!(code, 2, "the command line is wrong: {why}");
        why
    };
    let why = usage(&["2000001", "--train", "2"]);
    assert_eq!(why, "octick: --rate 2000001 with --train 2 is more than a million trains a second\n");
    let why = usage(&["1", "--first", "8"]);
    assert!(why.starts_with("octick: --first 8 --agents 1008: want a multiple of 16"), "{why}");
    usage(&["1", "--loss-max", "101"]);
}
