//! `octick demo`: real processes, real sockets, and equal tables at the end.

mod command;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{directory, octick, signal};
use serde_json::{Value, json};

/// Few and slow agents: a test's build signs slowly, and other tests run beside it.
const SMALL: [&str; 5] = ["--agents", "100", "--rate", "1000", "--json"];

struct Demo {
    process: Child,
    lines: Box<dyn Iterator<Item = Value>>,
    pids: Vec<u32>,
    admins: Vec<String>,
    dir: PathBuf,
}

fn demo(name: &str, args: &[&str]) -> Demo {
    let dir = directory(name);
    let mut command: Command = octick(&dir, &[&["demo"], args, &SMALL].concat());
    let mut process = command.env("TMPDIR", &dir).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let started = lines.next().unwrap();
    let pid = |node: &Value| node["pid"].as_u64().unwrap() as u32;
    let pids = started["started"].as_array().unwrap().iter().map(pid).collect();
    let admin = |node: &Value| node["admin"].as_str().unwrap().to_owned();
    let admins = started["started"].as_array().unwrap().iter().map(admin).collect();
    Demo { process, lines: Box::new(lines), pids, admins, dir }
}

fn digests(summary: &Value) -> Vec<&Value> {
    summary["nodes"].as_array().unwrap().iter().map(|node| &node["digest"]).collect()
}

#[test]
fn three_nodes_end_with_equal_tables() {
    let mut demo = demo("demo_three", &["--nodes", "3", "--secs", "3"]);
    let lines: Vec<Value> = demo.lines.collect();
    assert!(demo.process.wait().unwrap().success(), "{lines:#?}");
    let (summary, seconds) = lines.split_last().unwrap();
    assert_eq!(seconds.len(), 3, "a line a second");
    assert!(
        seconds.iter().all(|line| line["second"]["cells_merged_per_s"].as_f64().unwrap() > 0.0),
        "{lines:#?}"
    );
    let summary = &summary["summary"];
    assert_eq!(summary["equal"], true);
    let digests = digests(summary);
    assert!(digests.len() == 3 && digests.iter().all(|digest| *digest == digests[0] && digest.is_string()));
    let merged = |node: &Value| node["cells_merged"].as_u64().unwrap();
    assert!(
        summary["nodes"].as_array().unwrap().iter().all(|node| merged(node) >= 300),
        "own and others' cells"
    );
}

#[test]
fn a_killed_node_is_named_and_the_others_go_on() {
    let mut demo = demo("demo_killed", &["--nodes", "4"]);
    let second = demo.lines.next().unwrap();
    assert_eq!(second["second"]["nodes"], 4);
    signal("KILL", demo.pids[2]);
    while demo.lines.next().unwrap()["second"]["nodes"] != 3 {}
    let after = demo.lines.next().unwrap();
    assert!(after["second"]["cells_merged_per_s"].as_f64().unwrap() > 0.0, "the others go on: {after}");
    signal("INT", demo.process.id());
    let summary = demo.lines.last().unwrap();
    let summary = &summary["summary"];
    assert!(demo.process.wait().unwrap().success(), "{summary:#}");
    assert_eq!(summary["ended"], serde_json::json!([2]));
    assert!(summary["nodes"][2]["ended"].as_str().unwrap().starts_with("killed by signal 9 after "));
    let digests = digests(summary);
    assert!(digests[2].is_null() && digests[0].is_string());
    assert!([1, 3].iter().all(|&i| digests[i] == digests[0]));
}

#[test]
fn a_node_that_was_stopped_catches_up() {
    let mut demo = demo("demo_continued", &["--nodes", "3"]);
    signal("STOP", demo.pids[1]);
    // The stop is what is tested, not waited for: a second, with frames sent to it all the time.
    std::thread::sleep(Duration::from_secs(1));
    signal("CONT", demo.pids[1]);
    assert!(demo.lines.next().unwrap().get("second").is_some());
    signal("INT", demo.process.id());
    let summary = demo.lines.last().unwrap();
    assert!(demo.process.wait().unwrap().success(), "{summary:#}");
    assert_eq!(summary["summary"]["ended"], serde_json::json!([]));
}

/// The check can fail: a demo that could not would prove nothing.
#[test]
fn a_node_whose_table_is_not_known_to_be_equal_fails_the_demo() {
    let mut demo = demo("demo_differing", &["--nodes", "3", "--secs", "1", "--backend", "mmsg"]);
    signal("STOP", demo.pids[2]);
    let summary = demo.lines.last().unwrap();
    assert_eq!(demo.process.wait().unwrap().code(), Some(1), "{summary:#}");
    let summary_of = &summary["summary"];
    assert_eq!(summary_of["equal"], false);
    assert_eq!(
        [&summary_of["silent"], &summary_of["compared"], &summary_of["differing"]],
        [&json!([2]), &json!([0, 1]), &json!([])]
    );
    assert_eq!(summary["summary"]["nodes"][0]["digest"], summary["summary"]["nodes"][1]["digest"]);
    assert!(!lives(demo.pids[2]), "a stopped node does not outlive the demo");
}

#[test]
fn a_mesh_that_does_not_answer_is_never_called_equal() {
    let mut demo = demo("demo_silent", &["--nodes", "2", "--secs", "1"]);
    demo.pids.iter().for_each(|pid| signal("STOP", *pid));
    let summary = demo.lines.last().unwrap();
    assert_eq!(demo.process.wait().unwrap().code(), Some(1), "{summary:#}");
    let summary = &summary["summary"];
    assert_eq!(
        (&summary["equal"], &summary["silent"], &summary["compared"]),
        (&json!(false), &json!([0, 1]), &json!([]))
    );
}

/// What a newcomer sees: every line fits, the columns are explained, whoever dies is named, and the commands that are
/// offered work.
#[test]
fn the_demo_for_people_fits_a_terminal_and_says_who_died() {
    // A short path: a newcomer's is /tmp.
    let dir = std::env::temp_dir();
    let args = ["demo", "--nodes", "3", "--agents", "100", "--rate", "1000"];
    let mut process = octick(&dir, &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = Vec::new();
    let mut until = |wanted: &str| loop {
        let line = lines.next().unwrap_or_else(|| panic!("no {wanted} in {text:#?}"));
        text.push(line.clone());
        if line.contains(wanted) {
            return line;
        }
    };
    let row = until("127.0.0.1:");
    let pid: u32 = row.split_whitespace().nth(2).unwrap().parse().unwrap();
    let url = until("http://").trim().to_owned();
    let (code, table, error) = command::run(&dir, &["members", "--admin", &url]);
    assert!(code == 0 && table.contains("3 alive; healthy"), "{table}{error}");
    // The path of a test's binary is long, so that the command is broken before the path of the socket.
    let socket = until("0.sock").split_whitespace().last().unwrap().to_owned();
    let (code, table, error) = command::run(&dir, &["members", "--admin", &socket]);
    assert!(code == 0 && table.contains("3 alive; healthy"), "{table}{error}");
    assert!(table.contains("node-2 (") && table.contains("admission: issued"), "{table}");
    until("offered   merged");
    until("   1s ");
    signal("KILL", pid);
    let died = until("killed by signal 9");
    assert!(died.contains(&format!("node-0 ({}, pid {pid}): killed", &row[9..17])), "{died}");
    signal("INT", process.id());
    until("all 2 tables are equal");
    assert!(process.wait().unwrap().success());
    text.extend(lines);
    let wide: Vec<&String> = text.iter().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(!Path::new(&socket).parent().unwrap().exists(), "nothing of the demo stays behind");
}

#[test]
fn a_node_of_a_demo_can_be_made_to_leave() {
    let mut demo = demo("demo_leave", &["--nodes", "3"]);
    let (code, says, error) = command::run(&demo.dir, &["leave", "--admin", &demo.admins[1]]);
    assert!(code == 0 && says.ends_with("has left and stopped\n"), "{says}{error}");
    while demo.lines.next().unwrap()["second"]["nodes"] != 2 {}
    signal("INT", demo.process.id());
    let summary = demo.lines.last().unwrap();
    assert!(demo.process.wait().unwrap().success(), "{summary:#}");
    assert!(
        summary["summary"]["nodes"][1]["ended"].as_str().unwrap().starts_with("stopped after "),
        "{summary:#}"
    );
}

#[test]
fn nodes_end_with_their_parent_and_no_key_stays_behind() {
    let mut demo = demo("demo_orphans", &["--nodes", "2"]);
    let files = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let [mesh] = &files(&demo.dir)[..] else { panic!("one directory for all of them") };
    let left = files(mesh);
    assert!(left.iter().all(|file| file.extension().is_some_and(|kind| kind == "sock")), "{left:?}");
    demo.process.kill().unwrap();
    demo.process.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    for &pid in &demo.pids {
        while lives(pid) {
            assert!(Instant::now() < until, "node {pid} outlives its parent");
            std::thread::yield_now();
        }
    }
    assert_eq!(files(&demo.dir), Vec::<PathBuf>::new(), "the last node takes the directory with it");
}

/// Whether the process runs; one that has ended and waits for whoever inherited it does not.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z")))
}

#[test]
fn too_many_agents_are_refused() {
    let args = ["demo", "--nodes", "100", "--agents", "4000000"];
    let (code, _, why) = command::run(&directory("demo_many"), &args);
    let says =
        "octick: --nodes 100 of --agents 4000000 want 400000000 slots, a table has at most 134217728\n";
    assert_eq!((code, why.as_str()), (2, says));
}
