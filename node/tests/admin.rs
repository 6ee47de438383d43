//! The admin API and the commands that use it: real nodes on loopback, seen and steered from outside.

mod command;
mod rig;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;

use command::{directory, failure, octick, run, signal};
use rig::{Node, PATIENCE, counts, members, node, start, until};
use serde_json::{Value, json};

/// One HTTP exchange, as a program without manners would do it: status line and body.
fn raw(admin: &str, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

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
    let why = failure(&dir, &["force-leave", "0123456789abcdef", "--admin", &nodes[0].admin]);
    assert!(why.starts_with("no member goes by 0123456789abcdef; see who there is: octick members"), "{why}");
    assert!(why.contains(&format!("{} (alive)", nodes[2].id)), "{why}");
    let why = failure(&dir, &["force-leave", &nodes[0].id[..8], "--admin", &nodes[0].admin]);
    assert!(why.ends_with("make it leave: octick leave, or POST /api/v1/leave"), "{why}");

    signal("STOP", nodes[2].process.id());
    let (code, says, error) = run(&dir, &["force-leave", &nodes[2].id[..8], "--admin", &nodes[0].admin]);
    assert_eq!((code, says), (0, format!("{} is declared gone\n", nodes[2].id)), "{error}");
    until(&dir, &nodes[0], &counts(2, 1, 0));
}

#[test]
fn watch_shows_a_change_when_it_happens() {
    let dir = directory("admin_watch");
    let first = node(&dir, 0, &[]);
    let args = ["members", "--watch", "--every", "50", "--json", "--admin", &first.admin];
    let mut watch = octick(&dir, &args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap()["counts"], counts(1, 0, 0));
    let _second = node(&dir, 1, &[&first.listen]);
    assert_eq!(lines.next().unwrap()["counts"], counts(2, 0, 0));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_node_whose_seeds_are_down_says_so_and_finds_them_later() {
    let dir = directory("admin_alone");
    let seed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut alone = node(&dir, 0, &[&seed.to_string()]);
    alone.says("no seed answers: this node works alone");
    let get = |path: &str| raw(&alone.tcp, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", alone.tcp), "");
    let (status, body) = get("/readyz");
    assert!(status.contains("503") && body.contains("no seed answers"), "{status} {body}");
    assert!(get("/healthz").0.contains("200"));
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
    assert!(get("/readyz").0.contains("200"));
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
        (format!("POST /api/v1/members/xyz/leave HTTP/1.1\r\n{host}{json}"), "{}", "400", "bad_name"),
    ] {
        let (line, answer) = raw(&node.tcp, &head, body);
        assert!(line.contains(status), "{head}: {line} {answer}");
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
        "node.toml:2: admin.listen = \"0.0.0.0:7780\" lets other machines steer this node without a password, but \
         admin.allow_remote = false"
    );
}
