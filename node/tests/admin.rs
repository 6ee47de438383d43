//! The admin API and the commands that use it: real nodes on loopback, seen and steered from outside.

mod command;
mod rig;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use command::{directory, failure, octick, run, signal};
use rig::{Node, PATIENCE, counts, members, node, raw, start, until};
use serde_json::{Value, json};

#[test]
fn members_are_shown_and_a_node_that_leaves_has_left() {
    let dir = directory("admin_members");
    let first = node(&dir, 0, &[]);
    let mut second = node(&dir, 1, &[&first.listen]);
    let shown = until(&dir, &first, &counts(2, 0, 0));
    assert_eq!(shown["members"][0]["id"], first.id.as_str(), "the node itself comes first");
    assert_eq!(shown["members"][1]["addresses"], json!([second.listen]));
    assert_eq!(
        (&shown["members"][1]["slots"], &shown["partition"]["status"]),
        (&json!(16), &json!("healthy"))
    );

    let (code, table, _) = run(&dir, &["members", "--admin", &first.admin]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("member ") && lines[3] == "2 alive; healthy", "{table}");
    let column = lines[0].find("address").unwrap();
    assert!(lines[1..3].iter().all(|line| line[column..].starts_with("127.0.0.1:")), "{table}");

    let (code, says, error) = run(&dir, &["leave", "--admin", &second.admin]);
    assert_eq!((code, says), (0, format!("{} has left and stopped\n", second.id)), "{error}");
    assert!(second.process.wait().unwrap().success());
    until(&dir, &first, &counts(1, 0, 1));
}

#[test]
fn a_node_joins_through_an_address_and_a_member_that_is_gone_is_made_to_leave() {
    let dir = directory("admin_join");
    let nodes: Vec<Node> = (0..3).map(|n| node(&dir, n, &[])).collect();
    for other in &nodes[1..] {
        let (code, says, error) = run(&dir, &["join", &other.listen, "--admin", &nodes[0].admin]);
        assert_eq!(code, 0, "{error}");
        assert!(
            says.starts_with(&format!("joined through {} at {}", &other.id[..8], other.listen)),
            "{says}"
        );
    }
    until(&dir, &nodes[2], &counts(3, 0, 0));

    let why = failure(&dir, &["force-leave", "", "--admin", &nodes[0].admin]);
    assert!(why.contains("docs") || why.contains("octick members"), "{why}");
    let why = failure(&dir, &["force-leave", &nodes[2].id[..3], "--admin", &nodes[0].admin]);
    assert!(
        why.ends_with("could be the beginning of many ids; give 4 digits or more; see: octick members"),
        "{why}"
    );
    let why = failure(&dir, &["force-leave", "0123456789abcdef", "--admin", &nodes[0].admin]);
    assert!(why.starts_with("no member goes by 0123456789abcdef; see who there is: octick members"), "{why}");
    assert!(why.contains(&format!("{} (alive)", nodes[2].id)), "{why}");
    let why = failure(&dir, &["force-leave", &nodes[0].id[..8], "--admin", &nodes[0].admin]);
    assert!(why.ends_with("make it leave: octick leave, or POST /api/v1/leave"), "{why}");

    signal("STOP", nodes[2].process.id());
    let (code, says, error) = run(&dir, &["force-leave", &nodes[2].id[..8], "--admin", &nodes[0].admin]);
    let expected = format!(
        "{} was believed live: it leaves in some seconds, unless it says that it is there\n",
        nodes[2].id
    );
    assert_eq!((code, says), (0, expected), "{error}");
    nodes[..2].iter().for_each(|node| _ = until(&dir, node, &counts(2, 0, 1)));
    let (code, says, error) = run(&dir, &["force-leave", "--state", "failed", "--admin", &nodes[1].admin]);
    assert_eq!((code, &says[..]), (0, "no member is failed\n"), "{error}");
    let prune = ["force-leave", &nodes[2].id[..8], "--prune", "--admin", &nodes[1].admin];
    let (code, says, error) = run(&dir, &prune);
    assert_eq!((code, says), (0, format!("{} has left and is forgotten\n", nodes[2].id)), "{error}");
    nodes[..2].iter().for_each(|node| _ = until(&dir, node, &counts(2, 0, 0)));
}

#[test]
fn watch_shows_a_change_when_it_happens_and_nothing_else() {
    let dir = directory("admin_watch");
    let first = node(&dir, 0, &[]);
    let args = ["members", "--watch", "--every", "50", "--json", "--admin", &first.admin];
    let mut watch = octick(&dir, &args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap()["counts"], counts(1, 0, 0));
    let second = node(&dir, 1, &[&first.listen]);
    assert_eq!(lines.next().unwrap()["counts"], counts(2, 0, 0));
    // Probes go on, and each has another round trip; sixty looks later the next line is still about a change.
    let travelled =
        |members: &Value| (members["members"][1]["round_trip_micros"].clone(), members["travel"].clone());
    let (before, began) = (travelled(&members(&dir, &first)), Instant::now());
    while travelled(&members(&dir, &first)) == before {
        assert!(began.elapsed() < PATIENCE, "no round trip is ever measured anew");
    }
    assert_eq!(run(&dir, &["leave", "--admin", &second.admin]).0, 0);
    let mut next = lines.next().unwrap();
    // A member may be marked gone and forgotten by its addresses in two steps, but both are of its leaving.
    while next["counts"] != counts(1, 0, 1) {
        assert_ne!(next["counts"], counts(2, 0, 0), "nothing had changed: {next:#}");
        next = lines.next().unwrap();
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_node_whose_seeds_are_down_says_so_and_finds_them_later() {
    let dir = directory("admin_alone");
    let seed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut alone = node(&dir, 0, &[&seed.to_string()]);
    alone.says("no seed answers: this node works alone");
    let (ready, why) = alone.ready();
    assert!(!ready && why["message"].as_str().unwrap().contains("no seed answers"), "{why}");
    let health = alone.raw(&format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n", alone.tcp), "");
    assert!(health.0.contains("200"));
    // Somebody comes to live where the seed should have been.
    let config = fs::read_to_string(dir.join("0.toml")).unwrap();
    let config = config
        .replace("0.key", "1.key")
        .replacen("127.0.0.1:0", &seed.to_string(), 1)
        .replace("first = 0", "first = 16");
    fs::write(dir.join("1.toml"), config).unwrap();
    assert_eq!(run(&dir, &["keygen", "--out", "1.key"]).0, 0);
    let mut late = start(&dir, "1.toml");
    until(&dir, &alone, &counts(2, 0, 0));
    alone.until_ready();
    signal("TERM", late.process.id());
    assert!(late.process.wait().unwrap().success());
    until(&dir, &alone, &counts(1, 0, 1));
}

#[test]
fn every_refusal_says_what_was_wrong_and_what_to_do() {
    let dir = directory("admin_refusals");
    let node = node(&dir, 0, &[]);
    let host = format!("Host: {}\r\n", node.tcp);
    let json = "Content-Type: application/json\r\n";
    let own = format!("{{\"address\": \"{}\"}}", node.listen);
    let long = format!("{{\"address\":\"{}\"}}", "x".repeat(5_000));
    for (head, body, status, code) in [
        (format!("GET /api/v1/nothing HTTP/1.1\r\n{host}"), "", "404", "no_such_path"),
        (format!("DELETE /api/v1/members HTTP/1.1\r\n{host}{json}"), "", "405", "method"),
        ("GET /api/v1/members HTTP/1.1\r\nHost: evil.example\r\n".into(), "", "403", "foreign_host"),
        (format!("POST /api/v1/leave HTTP/1.1\r\n{host}"), "{}", "415", "not_json"),
        (
            format!("POST /api/v1/leave HTTP/1.1\r\n{host}{json}Origin: http://evil.example\r\n"),
            "{}",
            "403",
            "foreign_origin",
        ),
        (format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"), "{", "400", "bad_body"),
        (format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"), "{\"adress\":\"\"}", "422", "bad_body"),
        (format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"), &long, "413", "bad_body"),
        (
            format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"),
            "{\"address\":\"here\"}",
            "400",
            "bad_address",
        ),
        (format!("POST /api/v1/members/xyz/leave HTTP/1.1\r\n{host}{json}"), "{}", "404", "unknown_member"),
        (format!("POST /api/v1/members/x%20z/leave HTTP/1.1\r\n{host}{json}"), "{}", "400", "bad_name"),
        (
            format!("POST /api/v1/decisions HTTP/1.1\r\n{host}{json}"),
            "{\"decisions\": [\"0x\"]}",
            "400",
            "bad_decision",
        ),
        (
            format!("POST /api/v1/decisions HTTP/1.1\r\n{host}{json}"),
            "{\"decisions\": []}",
            "409",
            "no_authority",
        ),
        (format!("POST /api/v1/members/%ff/leave HTTP/1.1\r\n{host}{json}"), "{}", "400", "bad_name"),
        // An empty list is no empty object: nobody meant to stop this node.
        (format!("POST /api/v1/leave HTTP/1.1\r\n{host}{json}"), "[]", "422", "bad_body"),
        (format!("POST /api/v1/leave HTTP/1.1\r\n{host}{json}"), "null", "422", "bad_body"),
        (format!("POST /api/v1/leave HTTP/1.1\r\n{host}{json}"), "", "400", "bad_body"),
        (format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"), "[\"127.0.0.1:1\"]", "422", "bad_body"),
        (format!("POST /api/v1/join HTTP/1.1\r\n{host}{json}"), &own, "409", "own_address"),
        (format!("GET /api/v1/cells/1024 HTTP/1.1\r\n{host}"), "", "400", "bad_range"),
        (format!("GET /api/v1/cells/9..3 HTTP/1.1\r\n{host}"), "", "400", "bad_range"),
        (format!("GET /api/v1/cells/0-1024 HTTP/1.1\r\n{host}"), "", "400", "bad_range"),
    ] {
        let (line, answer) = node.raw(&head, body);
        assert!(line.lines().next().unwrap().contains(status), "{head}: {line} {answer}");
        let error = &serde_json::from_str::<Value>(&answer).unwrap()["error"];
        assert_eq!(error["code"], code, "{head}: {answer}");
        assert!(["message", "help"].iter().all(|key| !error[*key].as_str().unwrap().is_empty()), "{answer}");
    }
}

#[test]
fn a_connection_that_says_nothing_keeps_nobody_waiting() {
    let dir = directory("admin_slow");
    let node = node(&dir, 0, &[]);
    let silent: Vec<TcpStream> = (0..31).map(|_| TcpStream::connect(&node.tcp).unwrap()).collect();
    members(&dir, &node);
    drop(silent);
}

#[test]
fn whoever_fills_the_port_keeps_nobody_from_the_socket() {
    let dir = directory("admin_full");
    let node = node(&dir, 0, &[]);
    // More than the port has room for, all of which last longer than the question.
    let filling: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&node.tcp).unwrap()).collect();
    members(&dir, &node);
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    assert!(filling.iter().all(is_open), "the question waited for one of them to end");
}

#[test]
fn without_a_node_the_commands_say_what_to_do() {
    let dir = directory("admin_nobody");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for args in [vec!["members"], vec!["join", "127.0.0.1:1"], vec!["leave"], vec!["force-leave", "00"]] {
        let why = failure(&dir, &[&args[..], &["--admin", &free]].concat());
        assert!(why.starts_with(&format!("no node answers at {free} (")), "{why}");
        assert!(why.contains("start one with admin.enabled = true"), "{why}");
    }
    fs::write(dir.join("node.toml"), "admin.enabled = false").unwrap();
    let why = failure(&dir, &["members", "--config", "node.toml"]);
    assert_eq!(why, "node.toml: admin.enabled = false: set it to true and start the node again");
}

#[test]
fn an_address_that_others_reach_must_be_meant() {
    let dir: PathBuf = directory("admin_remote");
    fs::write(dir.join("node.toml"), "[admin]\nlisten = \"0.0.0.0:7780\"\n").unwrap();
    let why = failure(&dir, &["config", "check", "node.toml"]);
    assert_eq!(
        why,
        "node.toml:2: admin.listen = \"0.0.0.0:7780\" is reached by other machines, to which the token travels in the clear, but \
         admin.allow_remote = false"
    );
}

#[test]
fn every_other_method_is_told_which_are_allowed() {
    let dir = directory("admin_methods");
    let node = node(&dir, 0, &[]);
    for (path, allow) in [
        ("/api/v1/members", "allow: get,head"),
        ("/api/v1/info", "allow: get,head"),
        ("/api/v1/cells/0", "allow: get,head"),
        ("/api/v1/leave", "allow: post"),
        ("/healthz", "allow: get,head"),
    ] {
        for method in
            ["DELETE", "PUT", "PATCH", "OPTIONS", if allow.ends_with("post") { "GET" } else { "POST" }]
        {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", node.tcp);
            let (line, answer) = node.raw(&head, "");
            assert!(line.contains(" 405 ") && line.contains(allow), "{method} {path}: {line}");
            assert_eq!(
                serde_json::from_str::<Value>(&answer).unwrap()["error"]["code"],
                "method",
                "{answer}"
            );
        }
    }
    assert!(members(&dir, &node)["counts"]["alive"] == 1, "it runs on");
}

#[test]
fn only_the_user_who_runs_a_node_reaches_it_and_a_stale_socket_is_replaced() {
    let dir = directory("admin_socket");
    let mut first = node(&dir, 0, &[]);
    assert_eq!(first.admin, "./0.sock", "beside the key");
    let mode = fs::metadata(dir.join("0.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another process with this key, and so with its state and this socket, while the first one lives.
    let why = run(&dir, &["run", "--config", "0.toml"]);
    assert!(why.0 == 1 && why.2.starts_with("octick: 0.state: another process uses it"), "{why:?}");
    let config = fs::read_to_string(dir.join("0.toml")).unwrap();
    fs::write(dir.join("other.toml"), format!("state_file = \"other.state\"\n{config}")).unwrap();
    let why = run(&dir, &["run", "--config", "other.toml"]);
    assert!(
        why.0 == 1 && why.2.starts_with("octick: a node answers at ./0.sock already: stop it"),
        "{why:?}"
    );
    signal("KILL", first.process.id());
    first.process.wait().unwrap();
    assert!(dir.join("0.sock").exists(), "a killed process leaves it");
    let mut again = start(&dir, "0.toml");
    members(&dir, &again);
    // Without --admin it is node.sock in this directory.
    fs::rename(dir.join("0.sock"), dir.join("node.sock")).unwrap();
    assert_eq!(run(&dir, &["members"]).0, 0);
    fs::rename(dir.join("node.sock"), dir.join("0.sock")).unwrap();
    assert_eq!(run(&dir, &["members", "--config", "0.toml"]).0, 0);
    signal("TERM", again.process.id());
    assert!(again.process.wait().unwrap().success());
    assert!(!dir.join("0.sock").exists(), "it goes with the node");
}

#[test]
fn a_host_may_be_called_by_its_name() {
    let dir = directory("admin_localhost");
    let node = node(&dir, 0, &[]);
    let by_name = node.tcp.replace("127.0.0.1", "localhost");
    let why = failure(&dir, &["members", "--admin", &by_name]);
    assert!(why.contains("this address asks for a token") && why.contains("--token-file FILE"), "{why}");
    let (code, says, error) = run(&dir, &["members", "--admin", &by_name, "--token-file", "0.token"]);
    assert!(code == 0 && says.contains("1 alive; healthy"), "{says}{error}");
    // In the directory of a node, the token that is beside its key is found.
    fs::copy(dir.join("0.token"), dir.join("node.token")).unwrap();
    assert_eq!(run(&dir, &["members", "--admin", &by_name]).0, 0);
    let why = failure(&dir, &["members", "--admin", "nowhere.invalid"]);
    assert!(why.starts_with("--admin nowhere.invalid does not resolve ("), "{why}");
}

#[test]
fn a_node_says_who_it_is_and_what_a_quorum_counts() {
    let dir = directory("admin_info");
    let nodes: Vec<Node> = (0..2).map(|n| node(&dir, n, &[])).collect();
    assert_eq!(run(&dir, &["join", &nodes[1].listen, "--admin", &nodes[0].admin]).0, 0);
    until(&dir, &nodes[0], &counts(2, 0, 0));
    let info = |node: &Node| -> Value {
        let (code, says, error) = run(&dir, &["info", "--json", "--admin", &node.admin]);
        assert_eq!(code, 0, "{error}");
        serde_json::from_str(&says).unwrap()
    };
    let first = info(&nodes[0]);
    assert_eq!((&first["id"], &first["mesh"]), (&json!(nodes[0].id), &json!("octick")));
    assert_eq!(
        first["slots"],
        json!({ "table": 1024, "tables": ["cells8"], "own": [{ "first": 0, "count": 16 }] })
    );
    assert_eq!(first["pid"], nodes[0].process.id());
    assert_eq!(
        first["membership"]["quorum"],
        json!({ "counted": 2, "may_fail": 0, "required": 2, "reachable": 2, "missing": [] })
    );
    let (_, text, _) = run(&dir, &["info", "--admin", &nodes[0].admin]);
    for part in [
        &nodes[0].id[..],
        "healthy: it reaches a quorum",
        "2 of 2: none may fail (of 4 members, 1 may; of 7, 2); 2",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_node_that_is_cut_off_is_not_ready() {
    let dir = directory("admin_cut");
    let first = node(&dir, 0, &[]);
    let other = node(&dir, 1, &[&first.listen]);
    until(&dir, &first, &counts(2, 0, 0));
    first.until_ready();
    drop(other);
    until(&dir, &first, &counts(1, 1, 0));
    let (ready, error) = first.ready();
    assert!(!ready && error["code"] == "partitioned", "{error}");
    assert_eq!(error["message"], "1 members are reachable, 2 are required for a quorum");
}

#[test]
fn a_node_is_ready_once_it_has_met_its_mesh_and_not_while_a_seed_that_is_a_name_is_looked_up() {
    let dir = directory("admin_ready");
    let first = node(&dir, 0, &[]);
    first.until_ready();
    // The library knows of no seed before a name has resolved, and this one never does.
    let lost = node(&dir, 1, &["octick.invalid:7700"]);
    let (ready, why) = lost.ready();
    assert!(!ready && ["not_joined", "alone"].contains(&why["code"].as_str().unwrap()), "{why}");
    assert_eq!(run(&dir, &["join", &first.listen, "--admin", &lost.admin]).0, 0);
    lost.until_ready();
    let (_, text, _) = run(&dir, &["info", "--admin", &lost.admin]);
    assert!(text.contains(&format!("octick {}", octick_node::version::VERSION)), "{text}");
}

#[test]
fn a_mesh_of_three_says_that_none_may_fail_before_one_does() {
    let dir = directory("admin_quorum");
    let mut first = node(&dir, 0, &[]);
    let others = [1, 2].map(|n| node(&dir, n, &[&first.listen]));
    let said = first.quorum_of(3);
    assert_eq!((&said["required"], &said["may_fail"]), (&json!(3), &json!(0)));
    assert!(said["message"].as_str().unwrap().contains("it takes every member"), "{said}");
    let (_, table, _) = run(&dir, &["members", "--admin", &first.admin]);
    assert!(table.contains("quorum: 3 of 3 that count (none may fail; of 4, 1 may); 3 reachable"), "{table}");
    // A fourth makes the difference.
    let fourth = node(&dir, 3, &[&first.listen]);
    assert_eq!(first.quorum_of(4)["may_fail"], 1);
    drop((others, fourth));
}

#[test]
fn cells_are_shown_with_their_owners_and_whether_they_live() {
    let dir = directory("admin_get");
    let first = node(&dir, 0, &[]);
    let other = node(&dir, 1, &[&first.listen]);
    until(&dir, &first, &counts(2, 0, 0));
    let get = |range: &str| -> Vec<Value> {
        let (code, says, error) = run(&dir, &["get", range, "--json", "--admin", &first.admin]);
        assert_eq!(code, 0, "{error}");
        says.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (own, others, nobodys) = (&get("7")[0], &get("16..17")[0], &get("1008-1008")[0]);
    assert_eq!(
        own["owner"],
        json!({ "id": first.id, "short": first.id[..8], "name": null, "state": "alive", "this_node": true })
    );
    assert_eq!((&others["owner"]["id"], &others["owner"]["state"]), (&json!(other.id), &json!("alive")));
    assert_eq!(
        (&nobodys["owner"], &nobodys["value"], &nobodys["table"]),
        (&json!(null), &json!(null), &json!("cells8"))
    );
    drop(other);
    until(&dir, &first, &counts(1, 1, 0));
    assert_eq!(get("16")[0]["owner"]["state"], "failed");
    let (_, text, _) = run(&dir, &["get", "0..17", "--admin", &first.admin]);
    assert!(text.lines().count() == 18 && text.lines().last().unwrap().ends_with(" failed"), "{text}");
    let why = failure(&dir, &["get", "1000..1025", "--admin", &first.admin]);
    assert!(why.starts_with("slot 1024 is not in this node's tables: their last is 1023"), "{why}");
    let (code, _, why) = run(&dir, &["get", "16..16", "--admin", &first.admin]);
    assert!(code == 2 && why.contains("is no slot and no range of slots; want 7, 0..16 or 0-15"), "{why}");
}

#[test]
fn every_counter_has_a_name_and_a_meaning() {
    let dir = directory("admin_counters");
    let node = node(&dir, 0, &[]);
    // Too short for a frame, so that there is something to show.
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[0x4f; 40], &node.listen).unwrap();
    let ask = |args: &[&str]| run(&dir, &[&["counters", "--admin", &node.admin], args].concat());
    let began = Instant::now();
    let counters = loop {
        let (code, says, error) = ask(&["--json"]);
        assert_eq!(code, 0, "{error}");
        let counters: Value = serde_json::from_str(&says).unwrap();
        let dropped = |part: &str| -> u64 {
            counters[part].as_array().unwrap().iter().map(|c| c["count"].as_u64().unwrap()).sum()
        };
        if dropped("drops") + dropped("sockets") > 0 {
            break counters;
        }
        assert!(began.elapsed() < PATIENCE, "nothing was counted: {counters:#}");
    };
    for part in ["counters", "drops", "refusals", "sockets", "log"] {
        assert!(!counters[part].as_array().unwrap().is_empty(), "{part}");
        for count in counters[part].as_array().unwrap() {
            assert!(!count["meaning"].as_str().unwrap().is_empty(), "{count}");
        }
    }
    let (_, text, _) = ask(&[]);
    let (_, all, _) = ask(&["--all"]);
    assert!(
        text.contains("frames dropped, by reason")
            && all.lines().count() > 40
            && text.lines().count() < all.lines().count()
    );
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
}

#[test]
fn a_tcp_address_asks_for_the_token_whatever_is_asked() {
    let dir = directory("admin_token");
    let node = node(&dir, 0, &[]);
    let mode = fs::metadata(&node.token_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fs::read_to_string(&node.token_file).unwrap().trim_end().to_owned();
    let host = format!("Host: {}\r\n", node.tcp);
    let json = "Content-Type: application/json\r\n";
    let wrong = "Authorization: Bearer 00000000000000000000000000000000\r\n";
    for head in [
        format!("GET /api/v1/info HTTP/1.1\r\n{host}"),
        format!("GET /api/v1/info HTTP/1.1\r\n{host}{wrong}"),
        format!("GET /api/v1/info?token= HTTP/1.1\r\n{host}"),
        format!("GET /healthz HTTP/1.1\r\n{host}"),
        format!("GET /nothing HTTP/1.1\r\n{host}"),
        format!("POST /api/v1/leave HTTP/1.1\r\n{host}{json}"),
    ] {
        let (line, answer) = raw(&node.tcp, &head, "{}");
        assert!(line.contains(" 401 ") && line.contains("www-authenticate: bearer"), "{head}: {line}");
        assert!(answer.contains("no_token") && !answer.contains(&token), "{answer}");
    }
    let (line, _) = raw(&node.tcp, &format!("GET /api/v1/info?token={token} HTTP/1.1\r\n{host}"), "");
    assert!(line.contains(" 200 "), "{line}");
    let url = format!("http://{}/api/v1/members?token={token}", node.tcp);
    assert_eq!(run(&dir, &["members", "--admin", &url]).0, 0);
    assert!(members(&dir, &node)["counts"]["alive"] == 1, "and the socket asks for none");
    // A file that others read is no secret.
    let (mut first, file) = (node, dir.join("0.token"));
    signal("TERM", first.process.id());
    assert!(first.process.wait().unwrap().success());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    for args in [["run", "--config", "0.toml"].as_slice(), &["config", "check", "0.toml"]] {
        let why = failure(&dir, args);
        assert!(
            why.contains("0.token: mode 0644 lets others read the token; run: chmod 600 0.token"),
            "{why}"
        );
    }
}
