//! `octick authority invite`, `octick authority serve` and `octick enrol`, the real binary.

mod command;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use command::{directory, failure, octick, run, signal};
use octick_core::admission::endorsement::authority_key;
use octick_core::admission::{Authority, AuthorityLog, Credential, Grant};
use octick_crypto::{key_file, verify_many};
use octick_node::authority::{read_credential, read_decisions};

/// `octick authority serve`, until it is dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(dir: &Path) -> Self {
        let mut command = octick(dir, &["authority", "serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("where").to_owned();
        // What it says later is for nobody; it must not mind.
        drop(lines);
        Self { child, address }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn done(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(dir, args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?} prints {stdout}");
    stdout
}

fn init(dir: &Path, slots: &str) {
    done(dir, &["authority", "init", "--mesh", "farm", "--slots", slots]);
}

/// A token for a node of that name.
fn invite(dir: &Path, name: &str, rest: &[&str]) -> String {
    let args = [&["authority", "invite", "--name", name, "--cells", "16"], rest].concat();
    done(dir, &args).lines().next().unwrap().to_owned()
}

fn members(dir: &Path) -> Vec<serde_json::Value> {
    let list = done(dir, &["authority", "list", "--json"]);
    serde_json::from_str::<serde_json::Value>(&list).unwrap()["members"].as_array().unwrap().clone()
}

/// What the credential in `node.credential` grants, to whoever trusts the authority's key.
fn grant(dir: &Path) -> Grant {
    let root = key_file::read(&dir.join("authority/authority.key")).unwrap().public().clone();
    let trust = AuthorityLog::new(authority_key("farm"), Authority::new(vec![root], 1).unwrap());
    let bytes = read_credential(&dir.join("node.credential")).unwrap();
    let read = Credential::verify_all(&[&bytes], &trust, verify_many).remove(0);
    read.unwrap().grant().clone()
}

#[test]
fn one_command_makes_a_node_a_member() {
    let dir = directory("enrol_member");
    init(&dir, "64");
    let token = invite(&dir, "press-4", &["--region", "3", "--roles", "1", "--days", "10"]);
    let serving = Serving::start(&dir);
    let mut enrol = octick(&dir, &["enrol", &serving.address, "-"]);
    let mut child = enrol.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{token}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let says = String::from_utf8(output.stdout).unwrap();
    assert!(!says.contains(&token[8..72]), "{says}");
    let configuration: toml::Table = says[says.find("\nmesh = ").unwrap()..].parse().unwrap();
    assert_eq!(configuration["admission"]["rule"].as_str(), Some("issued"));

    let grant = grant(&dir);
    assert_eq!(grant.member, key_file::read(&dir.join("node.key")).unwrap().id());
    assert_eq!((grant.name.as_str(), grant.serial, grant.region, grant.roles), ("press-4", 1, 3, 2));
    assert_eq!((grant.until - grant.from, grant.runs[0].len), (10 * 86_400, 16));
    assert_eq!(read_decisions(&dir.join("node.decisions")).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(members(&dir)[0]["id"].as_str(), Some(grant.member.to_string().as_str()));
    let register = fs::read_to_string(dir.join("authority/authority.toml")).unwrap();
    assert!(!register.contains(&token[8..72]), "the secret was never there");
}

#[test]
fn a_token_that_is_used_or_over_or_wrong_gets_one_answer() {
    let dir = directory("enrol_once");
    init(&dir, "64");
    let token = invite(&dir, "a", &[]);
    let replaced = invite(&dir, "c", &[]);
    invite(&dir, "c", &[]);
    // The last one: the next would have it forgotten.
    let over = invite(&dir, "b", &["--hours", "0"]);
    let serving = Serving::start(&dir);
    done(&dir, &["enrol", &serving.address, &token]);
    let digit = if token.as_bytes()[8] == b'0' { "1" } else { "0" };
    let wrong = format!("{}{digit}{}", &token[..8], &token[9..]);
    let refused = |token: &str| failure(&dir, &["enrol", &serving.address, token, "--key-file", "other.key"]);
    let says = "the token lets nobody in: it is wrong, was used, or is over; ask for another: octick authority invite";
    for token in [&token, &over, &replaced, &wrong] {
        assert_eq!(refused(token), format!("{}: {says}", serving.address));
    }
    assert_eq!(members(&dir).len(), 1);
    assert!(!dir.join("other.credential").exists());
}

#[test]
fn of_many_that_use_one_token_at_once_one_is_let_in() {
    let dir = directory("enrol_together");
    init(&dir, "256");
    let token = invite(&dir, "a", &[]);
    let serving = Serving::start(&dir);
    let start = |n: usize| {
        let key = format!("{n}.key");
        let mut command = octick(&dir, &["enrol", &serving.address, &token, "--key-file", &key]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let started: Vec<Child> = (0..6).map(start).collect();
    let let_in = started.into_iter().map(|mut child| child.wait().unwrap()).filter(|status| status.success());
    assert_eq!(let_in.count(), 1);
    assert_eq!(members(&dir).len(), 1);
    let files = (0..6).filter(|n| dir.join(format!("{n}.credential")).exists());
    assert_eq!(files.count(), 1);
}

#[test]
fn a_token_is_not_used_up_by_an_authority_that_has_no_room() {
    let dir = directory("enrol_room");
    init(&dir, "16");
    let token = invite(&dir, "a", &[]);
    let other = done(&dir, &["keygen", "--out", "other.key"]);
    let key = other.split_whitespace().last().unwrap();
    done(&dir, &["authority", "issue", "--name", "b", "--cells", "16", "--key", key]);
    let serving = Serving::start(&dir);
    let why = failure(&dir, &["enrol", &serving.address, &token]);
    assert!(why.contains("a: no room for 16 slots in one piece: 0 are free"), "{why}");
    done(&dir, &["authority", "revoke", "b"]);
    done(&dir, &["enrol", &serving.address, &token]);
    assert_eq!(read_decisions(&dir.join("node.decisions")).unwrap().len(), 1, "it hears what was decided");
    assert_eq!(grant(&dir).name, "a");
}

#[test]
fn a_token_is_good_at_its_own_authority_only() {
    let (ours, theirs) = (directory("enrol_ours"), directory("enrol_theirs"));
    init(&ours, "64");
    init(&theirs, "64");
    let token = invite(&ours, "a", &[]);
    let serving = Serving::start(&theirs);
    let why = failure(&ours, &["enrol", &serving.address, &token]);
    assert!(why.contains("the token lets nobody in"), "{why}");
    // Even one that knows the token cannot make it believe another authority.
    invite(&theirs, "a", &[]);
    let register = |dir: &Path| fs::read_to_string(dir.join("authority/authority.toml")).unwrap();
    let token_of = |text: &str| text.lines().find(|line| line.starts_with("token = ")).unwrap().to_owned();
    let (of_ours, of_theirs) = (token_of(&register(&ours)), token_of(&register(&theirs)));
    fs::write(theirs.join("authority/authority.toml"), register(&theirs).replace(&of_theirs, &of_ours))
        .unwrap();
    let why = failure(&ours, &["enrol", &serving.address, &token]);
    assert!(
        why.ends_with("who answers is not the authority that the token is of; nothing was written"),
        "{why}"
    );
    assert!(!ours.join("node.credential").exists());
}

#[test]
fn whoever_sends_much_or_nonsense_is_refused_and_others_are_served() {
    let dir = directory("enrol_bounds");
    init(&dir, "64");
    let token = invite(&dir, "a", &[]);
    let serving = Serving::start(&dir);
    let send = |body: &str| {
        let mut stream = TcpStream::connect(&serving.address).unwrap();
        let len = body.len();
        let head = format!(
            "POST /api/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A connection that is closed while bytes are on their way may be reset behind the answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    assert!(send(&" ".repeat(1_025)).contains(" 413 "));
    assert!(send("{\"token\": ").contains(" 400 "));
    assert!(send("{\"token\": 1}").contains(" 422 "));
    let odd = "{\"token\": \"é\", \"public_key\": \"00\", \"proof\": \"\"}";
    assert!(send(odd).contains(" 403 "));
    // Those who say nothing hold places, of which there are more.
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&serving.address).unwrap()).collect();
    done(&dir, &["enrol", &serving.address, &token]);
    drop(silent);
}

#[test]
fn what_cannot_be_is_refused_before_anybody_is_asked() {
    let dir = directory("enrol_refusals");
    init(&dir, "64");
    invite(&dir, "a", &[]);
    let (code, _, why) = run(&dir, &["enrol", "127.0.0.1:1", "secret"]);
    assert_eq!(code, 2);
    assert_eq!(
        why,
        "octick: no token: want octick1-..., 105 characters, as octick authority invite prints it\n"
    );
    assert!(!dir.join("node.key").exists());
    let key = done(&dir, &["keygen"]);
    let key = key.split_whitespace().last().unwrap();
    done(&dir, &["authority", "issue", "--name", "b", "--key", key]);
    let why = failure(&dir, &["authority", "invite", "--name", "b"]);
    assert!(why.starts_with("the name b is that of another key"), "{why}");
    let why = failure(&dir, &["authority", "invite", "--name", "c", "--cells", "80"]);
    assert!(why.starts_with("c: no room for 80 slots"), "{why}");
    fs::rename(dir.join("authority/authority.key"), dir.join("away.key")).unwrap();
    let why = failure(&dir, &["authority", "serve", "--listen", "127.0.0.1:0"]);
    assert!(why.starts_with("1 of 1 keys have to sign and 0 are here: 1 missing"), "{why}");
}

#[test]
fn serving_ends_cleanly_when_it_is_told_to() {
    let dir = directory("enrol_ends");
    init(&dir, "64");
    for name in ["INT", "TERM"] {
        let mut serving = octick(&dir, &["authority", "serve", "--listen", "127.0.0.1:0"]);
        let mut child = serving.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.next().unwrap().starts_with("listening on "));
        signal(name, child.id());
        assert_eq!(lines.next().as_deref(), Some("stopped"), "SIG{name}");
        assert!(child.wait().unwrap().success());
    }
}
