//! Who belongs to a mesh of real processes: credentials, revocations, and how they change while the mesh runs.

mod command;
mod rig;

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use command::{directory, failure, run, signal};
use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::{Credential, Grant};
use octick_core::stamp::{Run, Slot};
use octick_crypto::key_file;
use rig::{Node, PATIENCE, counts, members, start, until};
use serde_json::Value;

fn done(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(dir, args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?} prints {stdout}");
    stdout
}

/// An authority of the mesh "farm", and the part of a configuration that names it.
fn authority(dir: &Path) -> String {
    let says = done(dir, &["authority", "init", "--mesh", "farm", "--slots", "1024"]);
    says[says.find("\nauthority = ").unwrap()..].to_owned()
}

/// A key for node `n`, and the credential of `node-n`.
fn admit(dir: &Path, n: u32) {
    let (key, public) = (format!("{n}.key"), format!("{n}.pub"));
    fs::write(dir.join(&public), done(dir, &["keygen", "--out", &key])).unwrap();
    issue(dir, n);
}

fn issue(dir: &Path, n: u32) {
    let (name, public, out) = (format!("node-{n}"), format!("{n}.pub"), format!("{n}.credential"));
    done(
        dir,
        &["authority", "issue", "--name", &name, "--key-file", &public, "--cells", "16", "--out", &out],
    );
}

/// Node `n` with `admission` in its configuration.
fn node(dir: &Path, n: u32, seeds: &[&str], admission: &str) -> Node {
    node_at(dir, n, "127.0.0.1:0", seeds, admission)
}

fn node_at(dir: &Path, n: u32, listen: &str, seeds: &[&str], admission: &str) -> Node {
    let config = format!(
        "mesh = \"farm\"\nkey_file = \"{n}.key\"\nlisten = {listen:?}\n[membership]\nenabled = true\nseeds = {seeds:?}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[table]\nslots = 1024\n{admission}"
    );
    let file = format!("{n}.toml");
    fs::write(dir.join(&file), config).unwrap();
    start(dir, &file)
}

fn issued(authority: &str) -> String {
    format!("[admission]\nrule = \"issued\"{authority}")
}

/// Waits until what `look` returns is true.
fn wait(what: &str, look: impl Fn() -> bool) {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < PATIENCE, "{what}");
    }
}

fn names(dir: &Path, node: &Node) -> Vec<String> {
    let members = members(dir, node);
    let names = members["members"].as_array().unwrap().iter();
    let mut names: Vec<String> =
        names.map(|member| member["name"].as_str().unwrap_or("-").to_owned()).collect();
    names.sort();
    names
}

fn info(dir: &Path, node: &Node) -> Value {
    serde_json::from_str(&done(dir, &["info", "--json", "--admin", &node.admin])).unwrap()
}

fn refusals(dir: &Path, node: &Node, reason: &str) -> u64 {
    let counted = done(dir, &["counters", "--json", "--all", "--admin", &node.admin]);
    let counted: Value = serde_json::from_str(&counted).unwrap();
    let refusals = counted["refusals"].as_array().unwrap();
    refusals.iter().find(|count| count["name"] == format!("control_{reason}")).unwrap()["count"]
        .as_u64()
        .unwrap()
}

/// What a node answers to who asks whether it is ready.
fn readiness(dir: &Path, node: &Node) -> String {
    let mut stream = UnixStream::connect(dir.join(&node.admin)).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn who_is_revoked_is_out_everywhere_and_stays_out_when_the_others_are_started_again() {
    let dir = directory("admission_revoked");
    let admission = issued(&authority(&dir));
    (0..4).for_each(|n| admit(&dir, n));
    let seed = node(&dir, 0, &[], &admission);
    let seeds = [&seed.listen.clone()[..]];
    let mut others: Vec<Node> = (1..4).map(|n| node(&dir, n, &seeds, &admission)).collect();
    for node in others.iter().chain([&seed]) {
        until(&dir, node, &counts(4, 0, 0));
    }
    assert_eq!(names(&dir, &seed), ["node-0", "node-1", "node-2", "node-3"]);
    let about = info(&dir, &others[2]);
    assert_eq!(about["admission"]["credential"]["name"], "node-3");
    assert_eq!(about["slots"]["own"], serde_json::json!([{"first": 48, "count": 16}]), "as granted");

    done(&dir, &["authority", "revoke", "node-3", "--reason", "sold"]);
    let says = done(&dir, &["decide", "authority/decisions.txt", "--admin", &seed.admin]);
    assert!(says.contains("decision 1: revoke ") && says.contains("1 of them by this file"), "{says}");
    let says = done(&dir, &["decide", "authority/decisions.txt", "--admin", &seed.admin]);
    assert!(says.contains("knows 1 decision, 0 of them"), "{says}");
    let revoked = others.pop().unwrap();
    wait("it hears of it, and is not ready", || readiness(&dir, &revoked).contains("\"code\":\"no_member\""));
    wait("the others are", || readiness(&dir, &seed).starts_with("HTTP/1.1 200"));
    let kept = |n: u32| {
        fs::read_to_string(dir.join(format!("{n}.decisions"))).is_ok_and(|text| text.contains("revoke "))
    };
    for (n, node) in (1..).zip(&others).chain([(0, &seed)]) {
        until(&dir, node, &counts(3, 0, 0));
        assert!(!names(&dir, node).contains(&"node-3".to_owned()));
        wait("it keeps the decision", || kept(n));
    }

    // All others are killed and started again; whoever was revoked is still there, and asks every one of them.
    let addresses: Vec<String> =
        std::iter::once(&seed).chain(&others).map(|node| node.listen.clone()).collect();
    drop((seed, others));
    let again = |n: usize| {
        let seeds: Vec<&str> =
            addresses.iter().map(String::as_str).filter(|at| *at != addresses[n]).collect();
        node_at(&dir, n as u32, &addresses[n], &seeds, &admission)
    };
    let nodes: Vec<Node> = (0..3).map(again).collect();
    for node in &nodes {
        until(&dir, node, &counts(3, 0, 0));
        assert_eq!(info(&dir, node)["admission"]["decisions"], 1);
    }
    // By its own reckoning it is there already, which is nobody else's.
    run(&dir, &["join", &nodes[0].listen, "--admin", &revoked.admin]);
    wait("it was refused", || nodes.iter().any(|node| refusals(&dir, node, "revoked") > 0));
    for node in &nodes {
        assert_eq!(names(&dir, node), ["node-0", "node-1", "node-2"]);
    }

    // And if it is told, it does not start any more.
    drop(revoked);
    fs::copy(dir.join("0.decisions"), dir.join("3.decisions")).unwrap();
    let why = failure(&dir, &["run", "--config", "3.toml"]);
    assert!(why.contains("the authority revoked it: serial 4 of node-3 is void"), "{why}");
    assert!(failure(&dir, &["config", "check", "3.toml"]).contains("the authority revoked it"));
}

#[test]
fn a_mesh_moves_from_open_to_issued_without_stopping() {
    let dir = directory("admission_moves");
    let authority = authority(&dir);
    (0..4).for_each(|n| admit(&dir, n));
    (0..4).for_each(|n| {
        fs::rename(dir.join(format!("{n}.credential")), dir.join(format!("{n}.later"))).unwrap()
    });
    let by_hand = |n: u32| format!("[[agents]]\nfirst = {}\ncount = 16\n", 16 * n);
    let first = node(&dir, 0, &[], &by_hand(0));
    let mut addresses = vec![first.listen.clone()];
    let mut nodes = vec![first];
    for n in 1..4 {
        let next = node(&dir, n, &[&addresses[0]], &by_hand(n));
        addresses.push(next.listen.clone());
        nodes.push(next);
    }
    nodes.iter().for_each(|node| drop(until(&dir, node, &counts(4, 0, 0))));
    nodes.iter().for_each(Node::until_ready);
    assert!(members(&dir, &nodes[0])["admission"]["rule"] == "open");
    assert!(done(&dir, &["members", "--admin", &nodes[0].admin]).contains("OPEN: whoever knows"));

    // One after the other; three of four are always there, and keep their quorum.
    for rule in ["open", "issued"] {
        for n in 0..4 {
            let others: Vec<&str> =
                (0..4).filter(|other| *other != n).map(|other| &addresses[other][..]).collect();
            let before = nodes.remove(n);
            drop(before);
            let later = dir.join(format!("{n}.later"));
            if later.exists() {
                fs::rename(later, dir.join(format!("{n}.credential"))).unwrap();
            }
            // Those that stay go on, a quorum by their own reckoning.
            assert!(nodes.iter().all(|node| node.ready().0), "while node {n} is away");
            let admission = format!("[admission]\nrule = \"{rule}\"{authority}");
            nodes.insert(n, node_at(&dir, n as u32, &addresses[n], &others, &admission));
            nodes.iter().for_each(|node| drop(until(&dir, node, &counts(4, 0, 0))));
            nodes.iter().for_each(Node::until_ready);
        }
        for (n, node) in nodes.iter().enumerate() {
            let about = info(&dir, node)["admission"].clone();
            assert_eq!(
                (&about["rule"], &about["credential"]["name"]),
                (&rule.into(), &format!("node-{n}").into())
            );
        }
    }
    for node in &nodes {
        let all = || names(&dir, node) == ["node-0", "node-1", "node-2", "node-3"];
        wait("everybody knows everybody's credential", all);
    }
    assert_eq!(members(&dir, &nodes[0])["admission"]["rule"], "issued");

    // Who has no credential stays outside.
    done(&dir, &["keygen", "--out", "9.key"]);
    let stranger = node(&dir, 9, &[&addresses[0]], "");
    wait("the stranger was refused", || refusals(&dir, &nodes[0], "no_credential") > 0);
    assert_eq!(names(&dir, &nodes[0]).len(), 4);
    assert_eq!(members(&dir, &stranger)["counts"]["alive"], 1);
}

/// Another credential of node `n`, with seconds in place of days: `octick authority issue` knows days.
fn issue_for(dir: &Path, n: u32, serial: u64, secs: u32, grace: u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let grant = Grant {
        serial,
        member: key_file::read(&dir.join(format!("{n}.key"))).unwrap().id(),
        from: now - 60,
        until: now + secs,
        grace,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: format!("node-{n}"),
        runs: vec![Run { first: Slot(16 * n), len: 16 }],
    };
    let signer = key_file::read(&dir.join("authority/authority.key")).unwrap();
    let issued = Credential::issue(&grant, &authority_key("farm"), &[&signer]).unwrap();
    let hex: Vec<String> = issued
        .bytes()
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    fs::write(dir.join(format!("{n}.credential")), format!("# octick: credential\n{}\n", hex.join("\n")))
        .unwrap();
}

#[test]
fn a_credential_that_ends_warns_then_only_reads_and_a_renewal_mends_it() {
    let dir = directory("admission_ends");
    let admission = issued(&authority(&dir));
    (0..2).for_each(|n| admit(&dir, n));
    issue_for(&dir, 1, 10, 3, 3);
    let seed = node(&dir, 0, &[], &admission);
    let mut ending = node(&dir, 1, &[&seed.listen.clone()], &admission);
    until(&dir, &seed, &counts(2, 0, 0));
    let rights = |node: &Node| info(&dir, node)["admission"]["rights"].as_str().unwrap().to_owned();

    // Nobody renews it: the authority is away.
    let warned = ending.says("this node's credential: it holds until");
    assert!(warned["message"].as_str().unwrap().contains("minutes from now: renew it"), "{warned}");
    wait("it is in its grace", || rights(&ending) == "grace");
    assert!(
        ending.says("this node's credential: it ended on")["message"]
            .as_str()
            .unwrap()
            .contains("in its grace")
    );
    wait("it may only read", || rights(&ending) == "read_only");
    assert!(
        ending.says("this node's credential: it ended on")["message"]
            .as_str()
            .unwrap()
            .contains("may only read")
    );
    until(&dir, &seed, &counts(2, 0, 0));
    wait("others take its slots from it", || {
        let seen = members(&dir, &seed);
        let seen = seen["quorum"].clone();
        seen["counted"] == 1
    });
    assert!(done(&dir, &["config", "check", "1.toml"]).contains("warning  granted"));

    // It is back, and with it the file that SIGHUP reads.
    issue_for(&dir, 1, 9, 3_600, 60);
    signal("HUP", ending.process.id());
    let refused = ending.says("credential not reloaded");
    assert!(refused["why"].as_str().unwrap().contains("serial 9 is older than 10"), "{refused}");
    issue_for(&dir, 1, 11, 3_600, 60);
    signal("HUP", ending.process.id());
    assert_eq!(ending.says("credential renewed")["serial"], 11);
    wait("it may write again", || rights(&ending) == "full");
    wait("others count it again", || members(&dir, &seed)["quorum"]["counted"] == 2);
}

#[test]
fn decisions_in_the_file_are_passed_on_by_sighup() {
    let dir = directory("admission_sighup");
    let admission = issued(&authority(&dir));
    (0..2).for_each(|n| admit(&dir, n));
    let mut seed = node(&dir, 0, &[], &admission);
    let other = node(&dir, 1, &[&seed.listen.clone()], &admission);
    until(&dir, &other, &counts(2, 0, 0));
    done(&dir, &["authority", "rotate"]);
    fs::copy(dir.join("authority/decisions.txt"), dir.join("0.decisions")).unwrap();
    signal("HUP", seed.process.id());
    assert_eq!(seed.says("the mesh's authority decided")["number"], 1);
    wait("the other one heard", || info(&dir, &other)["admission"]["decisions"] == 1);
    // The new keys speak now: what they sign is lived by.
    issue(&dir, 0);
    signal("HUP", seed.process.id());
    assert_eq!(seed.says("credential renewed")["serial"], 3);
    until(&dir, &other, &counts(2, 0, 0));
    assert_eq!(names(&dir, &other), ["node-0", "node-1"]);
}

/// Two ports, one behind the other, that nobody has just now.
fn two_ports() -> u16 {
    let bind = |port: u16| UdpSocket::bind(("127.0.0.1", port));
    let free = std::iter::repeat_with(|| bind(0).unwrap().local_addr().unwrap().port());
    free.take(1_000).find(|port| *port < u16::MAX && bind(*port).is_ok() && bind(port + 1).is_ok()).unwrap()
}

#[test]
fn one_command_makes_a_mesh_that_is_ready_to_run_and_takes_in_who_is_invited() {
    let dir = directory("admission_init");
    let port = two_ports();
    let listen = format!("127.0.0.1:{port}");
    let says = done(
        &dir,
        &["init", "farm", "--nodes", "2", "--listen", &listen, "--cells", "20", "--slots", "1024"],
    );
    assert!(says.contains("node-2") && says.contains("32 slots, 32 to 63"), "{says}");
    assert!(says.lines().all(|line| line.chars().count() <= 110), "{says}");
    for n in 1..=2 {
        let file = format!("farm/node-{n}/node.toml");
        let checked = done(&dir, &["config", "check", &file]);
        assert!(checked.contains(&format!("granted  node-{n}, serial {n}: 32 slots")), "{checked}");
        // The test asks over TCP, too.
        let config = fs::read_to_string(dir.join(&file)).unwrap();
        fs::write(dir.join(&file), config + "\n[admin]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    }
    let again = failure(&dir, &["init", "farm"]);
    assert!(again.starts_with("farm: there is something in it"), "{again}");
    let nodes = [start(&dir, "farm/node-1/node.toml"), start(&dir, "farm/node-2/node.toml")];
    nodes.iter().for_each(|node| drop(until(&dir, node, &counts(2, 0, 0))));
    assert_eq!(names(&dir, &nodes[0]), ["node-1", "node-2"]);

    // A third one by credential, whose configuration is what was printed.
    fs::write(dir.join("node.pub"), done(&dir, &["keygen"])).unwrap();
    done(
        &dir,
        &[
            "authority",
            "issue",
            "--dir",
            "farm/authority",
            "--name",
            "late",
            "--key-file",
            "node.pub",
            "--out",
            "node.credential",
        ],
    );
    let config = fs::read_to_string(dir.join("farm/node-2/node.toml")).unwrap();
    fs::write(dir.join("node.toml"), config.replace(&format!(":{}\"\n", port + 1), ":0\"\n")).unwrap();
    let late = start(&dir, "node.toml");
    until(&dir, &late, &counts(3, 0, 0));
    assert_eq!(names(&dir, &nodes[1]), ["late", "node-1", "node-2"]);

    // A member goes by its name.
    let (code, _, why) = run(&dir, &["force-leave", "nobody", "--admin", &late.admin]);
    assert!(code == 1 && why.contains("no member goes by nobody"), "{why}");
    let [gone, _other] = nodes;
    drop(gone);
    until(&dir, &late, &counts(2, 1, 0));
    let missing = done(&dir, &["members", "--admin", &late.admin]);
    assert!(missing.contains("missing: node-1;"), "{missing}");
    assert!(done(&dir, &["force-leave", "node-1", "--admin", &late.admin]).contains("node-1"));
    until(&dir, &late, &counts(2, 0, 1));
    assert!(done(&dir, &["get", "32", "--admin", &late.admin]).contains("node-2 ("));
}

#[test]
fn a_mesh_whose_numbers_do_not_fit_is_refused_before_anything_is_made() {
    let dir = directory("admission_init_refused");
    for (args, code, says) in [
        (&["init", "farm", "--slots", "100"][..], 2, "--slots 100: want a multiple of 16"),
        (&["init", "a/b"], 2, "is no name for a folder"),
        (&["init", "farm", "--nodes", "2", "--listen", "127.0.0.1:0"], 2, "want as many ports"),
        (
            &["init", "farm", "--nodes", "3", "--cells", "512", "--slots", "1024"],
            1,
            "node-3: no room for 512 slots",
        ),
    ] {
        let (exit, _, why) = run(&dir, args);
        assert!(exit == code && why.contains(says), "{args:?}: {exit} {why}");
    }
    assert!(!dir.join("farm").exists());
}

#[test]
fn a_decision_that_cannot_be_kept_is_told_and_kept_when_it_can() {
    let dir = directory("admission_unkept");
    let admission = issued(&authority(&dir)) + "\ndecisions = \"later/decisions\"\n";
    admit(&dir, 0);
    let mut seed = node(&dir, 0, &[], &admission);
    done(&dir, &["authority", "rotate"]);
    done(&dir, &["decide", "authority/decisions.txt", "--admin", &seed.admin]);
    let said = seed.says("decisions not saved");
    assert!(said["file"].as_str().unwrap().ends_with("later/decisions"), "{said}");
    fs::create_dir(dir.join("later")).unwrap();
    assert_eq!(seed.says("decisions saved again")["decisions"], 1);
    assert!(fs::read_to_string(dir.join("later/decisions")).unwrap().contains("rotate"));
}

#[test]
fn a_listed_mesh_knows_its_list_and_nobody_else() {
    let dir = directory("admission_listed");
    for n in 0..3 {
        let public = done(&dir, &["keygen", "--out", &format!("{n}.key")]);
        fs::write(dir.join(format!("{n}.pub")), public).unwrap();
    }
    let peer = |n: u32| {
        let text = fs::read_to_string(dir.join(format!("{n}.pub"))).unwrap();
        let key = text.lines().find_map(|line| line.strip_prefix("public_key ")).unwrap().to_owned();
        format!("[admission]\nrule = \"listed\"\n[[peers]]\npublic_key = {key:?}\nruns = []\n")
    };
    let seed = node(&dir, 0, &[], &peer(1));
    let listed = node(&dir, 1, &[&seed.listen.clone()], &peer(0));
    let stranger = node(&dir, 2, &[&seed.listen.clone()], &peer(0));
    until(&dir, &listed, &counts(2, 0, 0));
    wait("the stranger was refused", || refusals(&dir, &seed, "banned") > 0);
    until(&dir, &seed, &counts(2, 0, 0));
    assert_eq!(members(&dir, &seed)["admission"]["rule"], "listed");
    drop(stranger);
}
