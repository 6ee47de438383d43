//! `octick config`, and what it says about each mistake.

mod command;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

use command::{directory, failure, run};

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// What `octick config check` says about `text`, without the file's name.
fn refusal(text: &str) -> String {
    octick_node::config::load(text).unwrap_err().to_string()
}

fn peer(keys: &str) -> String {
    format!("[[peers]]\npublic_key = \"{KEY}\"\n{keys}\n")
}

#[test]
fn the_example_holds_together() {
    let dir = directory("config_example");
    let (code, example, _) = run(&dir, &["config", "example"]);
    assert_eq!(code, 0);
    fs::write(dir.join("node.toml"), example.replace("0.0.0.0:7700", "127.0.0.1:0")).unwrap();
    assert_eq!(run(&dir, &["keygen"]).0, 0);
    let (code, says, errors) = run(&dir, &["config", "check", "node.toml"]);
    assert_eq!(code, 0, "{says}{errors}");
    let lines: Vec<&str> = says.lines().collect();
    assert_eq!(lines[0], "ok       file     node.toml holds together: mesh \"octick\", 1 own run, 1 peer");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{says}");
    for about in ["key", "start", "port", "io_uring", "receive", "admin", "cores", "memory"] {
        let line = lines.iter().find(|line| line[9..].starts_with(about));
        assert!(line.is_some_and(|line| !line.starts_with("ERROR")), "{about}: {says}");
    }
}

/// What `config check` says about a file that holds together, and why a node of it would not start.
fn unfit(dir: &std::path::Path, text: &str) -> (String, String) {
    fs::write(dir.join("node.toml"), text).unwrap();
    let (code, says, errors) = run(dir, &["config", "check", "node.toml"]);
    assert_eq!((code, errors.lines().count()), (1, 1), "{says}{errors}");
    (says, errors)
}

#[test]
fn what_would_keep_a_node_from_starting_is_found_before_it_is_started() {
    let dir = directory("config_unfit");
    let listen = "listen = \"127.0.0.1:0\"\n";
    let (says, why) = unfit(&dir, listen);
    assert!(why.contains("node.key: no key there; make one with: octick keygen --out node.key"), "{why}");
    assert!(
        says.contains("ERROR    key") && says.contains("warning  start") && says.contains("ok       port"),
        "{says}"
    );

    assert_eq!(run(&dir, &["keygen"]).0, 0);
    fs::set_permissions(dir.join("node.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(unfit(&dir, listen).1.contains("node.key: mode 0644 lets others read the key"));
    fs::set_permissions(dir.join("node.key"), fs::Permissions::from_mode(0o600)).unwrap();

    fs::create_dir(dir.join("keys")).unwrap();
    let (_, why) = unfit(&dir, &format!("{listen}key_file = \"keys\""));
    assert!(why.contains("keys: a directory, not a key; name the file in it"), "{why}");
    fs::write(dir.join("no.key"), "no key").unwrap();
    fs::set_permissions(dir.join("no.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(unfit(&dir, &format!("{listen}key_file = \"no.key\"")).1.contains("no.key: "));

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let (says, why) = unfit(&dir, &format!("listen = \"{port}\""));
    assert!(
        why.contains(&format!("UDP port {port} is taken")) && says.contains("ok       key"),
        "{why}{says}"
    );

    let peer = peer("runs = []\naddr = \"nowhere.invalid:7700\"");
    assert!(unfit(&dir, &format!("{listen}{peer}")).1.contains("\"nowhere.invalid:7700\" does not resolve"));
}

#[test]
fn every_value_in_force_is_shown_and_may_be_a_file_again() {
    let dir = directory("config_show");
    fs::write(dir.join("node.toml"), "mesh = \"m\"\npush.fanout = 3\n").unwrap();
    let (code, shown, errors) = run(&dir, &["config", "show", "node.toml"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let read = |text: &str| octick_node::config::Config::parse(text).unwrap();
    assert_eq!(read(&shown), read("mesh = \"m\"\npush.fanout = 3\n"));
    for says in ["fanout = 3", "interval_secs = 0", "level = \"info\""] {
        assert!(shown.lines().any(|line| line == says), "{says}: {shown}");
    }
    let capacity =
        |of: &str| shown.lines().find(|line| line.starts_with(&format!("# {of}"))).unwrap().to_owned();
    assert!(capacity("peers listed").ends_with(" 4095"));
    assert!(capacity("memory of the tables").ends_with(" 1.0 MiB"));
    // Every bound of the protocol and of the edge, none left out and none listed by hand.
    for octick::limits::Bound { name, value, unit, .. } in octick::limits::all() {
        assert!(shown.lines().any(|line| line == format!("# {name} = {value} {unit}")), "{name}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[test]
fn the_version_names_the_commit_and_the_kernels() {
    let dir = directory("config_version");
    let (_, short, _) = run(&dir, &["--version"]);
    let (code, long, _) = run(&dir, &["version", "--verbose"]);
    assert_eq!(code, 0);
    assert_eq!(long.lines().next(), short.lines().next());
    let commit = short.trim().rsplit_once('(').unwrap().1.trim_end_matches(')');
    assert!(
        commit == "unknown" || commit.len() == 12 && commit.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{short}"
    );
    assert!(long.contains("merge kernels   portable") && long.contains("verify kernels  dalek"), "{long}");
}

#[test]
fn a_mistake_is_named_with_file_and_line() {
    let dir = directory("config_mistake");
    fs::write(dir.join("node.toml"), "mesh = \"m\"\n\n[push]\nfan_out = 3\n").unwrap();
    let why = failure(&dir, &["config", "check", "node.toml"]);
    assert_eq!(why, "node.toml:4: push.fan_out: no such key; did you mean fanout?");
    let why = failure(&dir, &["config", "check", "nowhere.toml"]);
    assert_eq!(
        why,
        "nowhere.toml: no such file; name another, or make one: octick config example > nowhere.toml"
    );
    assert!(failure(&dir, &["config", "check", "."]).starts_with(".: a directory, not a configuration"));
}

#[test]
fn an_empty_file_is_a_node_of_defaults() {
    octick_node::config::load("").unwrap();
}

#[test]
fn both_sides_of_a_contradiction_are_named() {
    for (text, says) in [
        ("mesh = 3", "line 1: mesh = 3: want text in quotes"),
        ("\nmesh = \n", "line 2: string values must be quoted, expected literal string"),
        ("[table]\nslots = 1000", "line 2: table.slots = 1000 is not a multiple of 16; want 1008"),
        ("table.slots = 268435456", "line 1: table.slots = 268435456 is above the most, 134217728"),
        (
            "[table]\ncells8 = false",
            "line 2: table.cells8, table.cells4 and table.rows are all false: the node could keep nothing; \
             set one to true",
        ),
        (
            "[table]\nslots = 1024\n[[agents]]\nfirst = 992\ncount = 512",
            "line 4: agents[0].first = 992 + agents[0].count = 512 reaches slot 1503, beyond table.slots = 1024",
        ),
        ("[[agents]]\nfirst = 8\ncount = 16", "line 2: agents[0].first = 8 is not a multiple of 16"),
        ("[[agents]]\nfirst = 16\ncount = 0", "line 3: agents[0].count = 0 is no run"),
        ("[[agents]]\nfirst = 16", "line 1: agents: missing field `count`"),
        (
            "[push]\nflush_micros = 2000\n[limits]\nskew_micros = 1000",
            "line 2: push.flush_micros = 2000 lets changes wait longer than limits.skew_micros = 1000 lets versions \
             lie apart",
        ),
        (
            "[limits]\npeer_checks_per_sec = 100\npeer_bad_per_sec = 1000",
            "line 3: limits.peer_bad_per_sec = 1000 would be more than all checks, limits.peer_checks_per_sec = 100",
        ),
        ("push.queue = 0", "line 1: push.queue = 0 is below the least, 1"),
        (
            "threads.ingress = 3",
            "line 1: threads.mode = \"solo\" is one thread for all, but threads.ingress = 3",
        ),
        (
            "[threads]\nmode = \"split\"\ningress = 3\ncores = [0, 1]",
            "line 4: threads.ingress = 3 and the merging thread want 4 cores, but threads.cores lists 2 cores",
        ),
        (
            "threads.cores = [0, 1]",
            "line 1: threads.mode = \"solo\" is one thread, but threads.cores lists 2 cores",
        ),
        ("[threads]\nmode = \"split\"\ncores = [\n1,\n1]", "line 5: threads.cores lists core 1 twice"),
        (
            "socket.backend = \"epoll\"",
            "line 1: socket.backend = \"epoll\": want \"auto\" or \"uring\" or \"mmsg\"",
        ),
    ] {
        assert_eq!(refusal(text), says);
    }
}

/// What used to pass and then panicked, failed or did nothing.
#[test]
fn whatever_could_not_start_or_would_be_ignored_is_refused_with_its_remedy() {
    let mesh = |keys: &str| format!("[membership]\nenabled = true\n{keys}\n");
    let runs: String = (0..17).map(|i| format!("[[agents]]\nfirst = {}\ncount = 16\n", 64 * i)).collect();
    for (text, says) in [
        (
            mesh("") + &runs,
            "line 4: agents lists 17 runs, but with membership.enabled = true a node announces at most 16; join \
             neighbouring runs, or spread them over several nodes",
        ),
        (
            mesh(
                "advertise = [\"10.0.0.1:1\", \"10.0.0.1:2\", \"10.0.0.1:3\", \"10.0.0.1:4\", \"10.0.0.1:5\"]",
            ),
            "line 3: membership.advertise = 5 is above the most, 4",
        ),
        (
            mesh("advertise = [\"0.0.0.0:7700\"]"),
            "line 3: membership.advertise[0] = \"0.0.0.0:7700\" is nowhere that others could send to; name an address \
             and a port",
        ),
        (
            "[membership]\nadvertise = [\"10.0.0.1:7700\"]".into(),
            "line 2: membership.advertise lists 1 address, but membership.enabled = false",
        ),
        (
            mesh("seeds = [\"host:7700\", \"[2001:db8::1]:7700\"]"),
            "line 3: membership.seeds[1] = \"[2001:db8::1]:7700\": listen = 0.0.0.0:7700 sends to IPv4 only; listen \
             on [::]:7700 for both",
        ),
        (
            "listen = \"[2001:db8::2]:7700\"\n".to_owned() + &mesh("seeds = [\"10.0.0.1:7700\"]"),
            "line 4: membership.seeds[0] = \"10.0.0.1:7700\": listen = [2001:db8::2]:7700 sends to IPv6 only; listen \
             on [::]:7700 for both",
        ),
        (
            "listen = \"127.0.0.1:7700\"\n".to_owned() + &mesh("seeds = [\"10.0.0.1:7700\"]"),
            "line 4: membership.seeds[0] = \"10.0.0.1:7700\": listen = 127.0.0.1:7700 stays on this machine; listen on \
             0.0.0.0:7700 to leave it",
        ),
        (mesh("frame_cache_bytes = 0"), "line 3: membership.frame_cache_bytes = 0 is below the least, 65536"),
        (
            "mesh = \"\"".into(),
            "line 1: mesh = \"\" is no name: every node that was never given one would share this mesh",
        ),
        (
            "listen = \"224.0.0.1:7700\"".into(),
            "line 1: listen = \"224.0.0.1:7700\" is a group, not an address of this machine; listen on 0.0.0.0:7700",
        ),
        ("push.fanout = 65537".into(), "line 1: push.fanout = 65537 is above the most, 65536"),
        (
            "push.refresh_millis = 86400001".into(),
            "line 1: push.refresh_millis = 86400001 is above the most, 86400000; 0 never sends again",
        ),
        (
            peer("runs = []\naddr = \"10.0.0.1:1\"") + "[limits]\norigins_max = 1",
            "line 1: 1 peers and this node are more than limits.origins_max = 1; raise that, to at most 65536",
        ),
    ] {
        assert_eq!(refusal(&text), says);
    }
}

#[test]
fn what_is_wrong_with_a_peer_is_told() {
    let heir = format!(
        "[[agents]]\nfirst = 0\ncount = 16\n{}",
        peer("runs = [{ first = 0, count = 16 }]\nrevoked = true")
    );
    octick_node::config::load(&heir).expect("a revoked peer owns nothing");
    let twice = peer("runs = []") + &peer("runs = []");
    let overlapping = format!(
        "[[agents]]\nfirst = 1008\ncount = 1008\n{}",
        peer("runs = [\n{ first = 4096, count = 16 },\n{ first = 0, count = 1024 } ]")
    );
    for (text, says) in [
        (peer("runs = []\naddr = \"nowhere\""), {
            "line 4: peers[0].addr = \"nowhere\" is not an address; want \"host:port\", a port from 1 to 65535"
        }),
        (
            "[[peers]]\npublic_key = \"d75a\"\nruns = []".into(),
            "line 2: peers[0].public_key = \"d75a\": want 64 hex digits",
        ),
        (
            format!("[[peers]]\npublic_key = \"01{}\"\nruns = []", "00".repeat(31)),
            "line 2: peers[0].public_key = \
             \"0100000000000000000000000000000000000000000000000000000000000000\": \
             public key is the neutral point",
        ),
        (
            twice,
            "line 5: peers[0].public_key and peers[1].public_key are the same, \
             d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a; keep one of them",
        ),
        (
            overlapping,
            "line 2: runs overlap: peers[0].runs[1] (6c310412) 0..1024 and agents[0] (this node) 1008..2016; \
             a slot has one owner",
        ),
    ] {
        assert_eq!(refusal(&text), says);
    }
}

#[test]
fn what_the_sockets_would_not_accept_is_refused() {
    for (text, says) in [
        (
            "[socket]\nbuffers = 8\n",
            "line 2: socket.buffers = 8 is not in 16 to 4096: 16 at least for each of 1 socket",
        ),
        (
            "listen = \"0.0.0.0:7700\"\n[socket]\nbuffers = 64\n[threads]\nmode = \"split\"\ningress = 5\n",
            "line 3: socket.buffers = 64 is not in 80 to 4096: 16 at least for each of 5 sockets",
        ),
        (
            &format!("listen = \"127.0.0.1:7700\"\n{}", peer("addr = \"192.0.2.1:7700\"\nruns = []")),
            "line 4: peers[0].addr = \"192.0.2.1:7700\": listen = 127.0.0.1:7700 stays on this machine; \
             listen on 0.0.0.0:7700 to leave it",
        ),
    ] {
        assert_eq!(refusal(text), says);
    }
}
