//! `octick authority`, the real binary.

mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use command::{directory, failure, octick, run};
use octick_core::admission::endorsement::authority_key;
use octick_core::admission::log::Appended;
use octick_core::admission::{Authority, AuthorityLog, Credential, Grant, Invalid, SignedDecision};
use octick_crypto::{PublicKey, verify_many};
use octick_node::authority::{read_credential, read_decisions};
use serde_json::Value;

/// Runs what must succeed: its standard output.
fn done(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(dir, args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?} prints {stdout}");
    stdout
}

/// `octick authority` with these words, and those in `rest`.
fn authority(dir: &Path, words: &str, rest: &[&str]) -> String {
    done(dir, &args(words, rest))
}

fn refusal(dir: &Path, words: &str, rest: &[&str]) -> String {
    failure(dir, &args(words, rest))
}

fn args<'a>(words: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    ["authority"].into_iter().chain(words.split_whitespace()).chain(rest.iter().copied()).collect()
}

/// Makes an authority, and reads whom its nodes will trust from what it printed for their configuration.
fn init(dir: &Path, words: &str) -> AuthorityLog {
    let says = authority(dir, words, &["--mesh", "a \"farm\""]);
    let configuration = &says[says.find("\nmesh = ").expect("a part of a configuration")..];
    let table: toml::Table = configuration.parse().unwrap();
    assert_eq!(table["admission"]["rule"].as_str(), Some("issued"));
    octick_node::config::load(configuration).expect("a node takes it as it is");
    let root = &table["admission"]["authority"];
    let keys = root["keys"].as_array().unwrap().iter().map(|key| public_key(key.as_str().unwrap())).collect();
    let root = Authority::new(keys, root["threshold"].as_integer().unwrap() as usize).unwrap();
    AuthorityLog::new(authority_key(table["mesh"].as_str().unwrap()), root)
}

fn public_key(digits: &str) -> PublicKey {
    let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
    PublicKey::admit(&std::array::from_fn(byte)).unwrap()
}

/// Makes a node's key: its public half.
fn node(dir: &Path, name: &str) -> String {
    let says = done(dir, &["keygen", "--out", &format!("{name}.key")]);
    fs::write(dir.join(format!("{name}.pub")), &says).unwrap();
    says.split_whitespace().last().unwrap().to_owned()
}

/// What a credential's file grants to whoever has `trust`.
fn grant(path: &Path, trust: &AuthorityLog) -> Result<Grant, Invalid> {
    let bytes = read_credential(path).unwrap();
    let read = Credential::verify_all(&[&bytes], trust, verify_many).remove(0);
    read.map(|credential| credential.grant().clone())
}

/// Hears all decisions of a file: how many were new.
fn hear(path: &Path, trust: &mut AuthorityLog) -> usize {
    let mut take = |bytes: &Vec<u8>| trust.append(&SignedDecision::read(bytes).unwrap(), verify_many);
    let became: Vec<Appended> = read_decisions(path).unwrap().iter().map(&mut take).collect();
    assert!(became.iter().all(|became| matches!(became, Appended::New | Appended::Known)), "{became:?}");
    became.iter().filter(|became| **became == Appended::New).count()
}

fn list(dir: &Path) -> Value {
    serde_json::from_str(&authority(dir, "list --json", &[])).unwrap()
}

fn runs(grant: &Grant) -> Vec<(u32, u32)> {
    grant.runs.iter().map(|run| (run.first.0, run.len)).collect()
}

#[test]
fn an_issued_credential_holds_for_whoever_has_the_configuration_that_was_printed() {
    let dir = directory("authority_issue");
    let trust = init(&dir, "init --slots 1024");
    let key = node(&dir, "a");
    let words =
        "issue --name worker-1 --cells 40 --region 3 --roles 0,2 --days 10 --grace-days 2 --out a.credential";
    authority(&dir, words, &["--key-file", "a.pub"]);
    let grant = grant(&dir.join("a.credential"), &trust).unwrap();
    assert_eq!((grant.member, grant.name.as_str(), grant.serial), (public_key(&key).id(), "worker-1", 1));
    assert_eq!((runs(&grant), grant.region, grant.roles), (vec![(0, 48)], 3, 0b101));
    assert_eq!((grant.until - grant.from, grant.grace), (10 * 86_400, 2 * 86_400));
    let member = &list(&dir)["members"][0];
    assert_eq!((member["name"].as_str(), member["state"].as_str()), (Some("worker-1"), Some("valid")));
    assert_eq!(member["public_key"].as_str(), Some(key.as_str()));
}

#[test]
fn secrets_are_their_owners_and_never_shown() {
    let dir = directory("authority_secrets");
    init(&dir, "init --slots 64");
    node(&dir, "a");
    let folder = dir.join("authority");
    for name in ["authority.key", "authority.toml"] {
        assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let says = [
        authority(&dir, "issue --name a --key-file a.pub --cells 16", &[]),
        authority(&dir, "rotate", &[]),
        authority(&dir, "revoke a", &[]),
        authority(&dir, "list", &[]),
        authority(&dir, "list --json", &[]),
        fs::read_to_string(folder.join("authority.toml")).unwrap(),
        fs::read_to_string(folder.join("decisions.txt")).unwrap(),
    ];
    assert_eq!(fs::metadata(folder.join("authority.toml")).unwrap().permissions().mode() & 0o777, 0o600);
    for key in [folder.join("authority.key"), folder.join("authority-2.key"), dir.join("a.key")] {
        let secret = fs::read_to_string(key).unwrap();
        assert_eq!(secret.trim().len(), 64);
        assert!(says.iter().all(|said| !said.contains(secret.trim())));
    }
}

#[test]
fn renewing_is_issuing_again_and_keeps_name_and_slots() {
    let dir = directory("authority_renew");
    let trust = init(&dir, "init --slots 1024");
    let (a, b) = (node(&dir, "a"), node(&dir, "b"));
    authority(&dir, "issue --name a --cells 32 --region 3 --key", &[&a]);
    authority(&dir, "issue --name b --cells 16 --key", &[&b]);
    let path = dir.join("authority/a.credential");
    let first = grant(&path, &trust).unwrap();
    authority(&dir, "issue --name a", &[]);
    let second = grant(&path, &trust).unwrap();
    assert_eq!((runs(&second), second.region, second.serial), (vec![(0, 32)], 3, 3));
    assert_eq!((first.member, &first.name), (second.member, &second.name));
    authority(&dir, "issue --name a --cells 64 --key", &[&a]);
    assert_eq!(runs(&grant(&path, &trust).unwrap()), [(0, 32), (48, 32)], "and takes nobody's");
}

#[test]
fn revoked_slots_are_given_again_and_others_never() {
    let dir = directory("authority_slots");
    let mut trust = init(&dir, "init --slots 64");
    for name in ["a", "b", "c", "d"] {
        let key = node(&dir, name);
        authority(&dir, "issue --cells 16 --name", &[name, "--key", &key]);
    }
    let key = node(&dir, "e");
    let why = refusal(&dir, "issue --name e --cells 16 --key", &[&key]);
    assert_eq!(why, "e: no room for 16 slots in one piece: 0 are free, at most 0 of them together");
    let b = grant(&dir.join("authority/b.credential"), &trust).unwrap();
    authority(&dir, "revoke b --reason", &["sold\nto somebody"]);
    assert_eq!(hear(&dir.join("authority/decisions.txt"), &mut trust), 1);
    assert!(trust.revoked_to(b.member) >= b.serial);
    authority(&dir, "issue --name e --cells 16 --key", &[&key]);
    assert_eq!(runs(&grant(&dir.join("authority/e.credential"), &trust).unwrap()), runs(&b));
    let id = b.member.to_string();
    authority(&dir, "revoke", &[&id[..8]]);
    assert_eq!(list(&dir)["decisions"].as_array().unwrap().len(), 1, "once is enough");
    authority(&dir, "issue --name b --key-file b.pub", &[]);
    let back = grant(&dir.join("authority/b.credential"), &trust).unwrap();
    assert!(back.serial > trust.revoked_to(b.member) && back.runs.is_empty(), "readmitted, with nothing");
}

#[test]
fn what_could_not_be_handed_out_is_recorded_and_its_number_never_used_again() {
    let dir = directory("authority_crash");
    let mut trust = init(&dir, "init --slots 64");
    let (a, b) = (node(&dir, "a"), node(&dir, "b"));
    let why = refusal(&dir, "issue --name a --cells 16 --out nowhere/a.credential --key", &[&a]);
    let says = "a has its slots, and serial 1 is recorded and not handed out: issue again for the next one";
    assert_eq!(why, format!("nowhere/a.credential: No such file or directory (os error 2); {says}"));
    authority(&dir, "issue --name b --cells 16 --key", &[&b]);
    authority(&dir, "issue --name a", &[]);
    let a = grant(&dir.join("authority/a.credential"), &trust).unwrap();
    let b = grant(&dir.join("authority/b.credential"), &trust).unwrap();
    assert_eq!((a.serial, runs(&a)), (3, vec![(0, 16)]));
    assert_eq!((b.serial, runs(&b)), (2, vec![(16, 16)]));

    let why = refusal(&dir, "revoke a --out nowhere/decisions.txt", &[]);
    assert!(
        why.contains("the decision is recorded and not handed out: octick authority list --decisions"),
        "{why}"
    );
    authority(&dir, "revoke b", &[]);
    assert_eq!(hear(&dir.join("authority/decisions.txt"), &mut trust), 2, "both are in the file");
    assert!(trust.revoked_to(a.member) >= 3 && trust.revoked_to(b.member) >= 3);
    authority(&dir, "list --decisions all.txt", &[]);
    assert_eq!(hear(&dir.join("all.txt"), &mut trust), 0, "the same two");
}

#[test]
fn what_an_interrupted_command_left_behind_counts_for_nothing() {
    let dir = directory("authority_left");
    init(&dir, "init --slots 64");
    let key = node(&dir, "a");
    fs::write(dir.join("authority/authority.toml.new"), "mesh = \"half").unwrap();
    fs::write(dir.join("authority/authority-2.key"), "half").unwrap();
    authority(&dir, "issue --name a --cells 16 --key", &[&key]);
    authority(&dir, "rotate", &[]);
    authority(&dir, "issue --name a", &[]);
    assert_eq!(fs::read_to_string(dir.join("authority/authority-2.key")).unwrap(), "half");
    assert_eq!(list(&dir)["serial"], 2);
}

#[test]
fn commands_at_the_same_time_share_no_serial_and_no_slot() {
    let dir = directory("authority_together");
    let trust = init(&dir, "init --slots 1024");
    let names: Vec<String> = (0..8).map(|n| format!("node-{n}")).collect();
    let keys: Vec<String> = names.iter().map(|name| node(&dir, name)).collect();
    let start = |(name, key): (&String, &String)| {
        let args = args("issue --cells 16 --name", &[name, "--key", key]);
        octick(&dir, &args).stdout(Stdio::null()).spawn().unwrap()
    };
    let started: Vec<_> = names.iter().zip(&keys).map(start).collect();
    assert!(started.into_iter().all(|mut child| child.wait().unwrap().success()));
    let issued =
        names.iter().map(|name| grant(&dir.join(format!("authority/{name}.credential")), &trust).unwrap());
    let (mut serials, mut firsts): (Vec<u64>, Vec<u32>) =
        issued.map(|grant| (grant.serial, grant.runs[0].first.0)).unzip();
    serials.sort_unstable();
    firsts.sort_unstable();
    assert_eq!(serials, (1..=8).collect::<Vec<_>>());
    assert_eq!(firsts, (0..8).map(|n| 16 * n).collect::<Vec<_>>());
}

#[test]
fn after_a_rotation_the_new_key_signs_and_what_was_issued_before_holds() {
    let dir = directory("authority_rotate");
    let mut trust = init(&dir, "init --slots 64");
    let before = trust.clone();
    let (a, b) = (node(&dir, "a"), node(&dir, "b"));
    authority(&dir, "issue --name a --cells 16 --key", &[&a]);
    authority(&dir, "rotate", &[]);
    authority(&dir, "issue --name b --cells 16 --key", &[&b]);
    assert_eq!(grant(&dir.join("authority/b.credential"), &before), Err(Invalid::Untrusted));
    assert_eq!(hear(&dir.join("authority/decisions.txt"), &mut trust), 1);
    let shown = done(&dir, &["keygen", "--show", "authority/authority-2.key"]);
    assert_eq!(trust.authority().keys(), [public_key(shown.split_whitespace().last().unwrap())]);
    for name in ["a", "b"] {
        grant(&dir.join(format!("authority/{name}.credential")), &trust).unwrap();
    }
    let why = refusal(&dir, "issue --name a --sign-with authority/authority.key", &[]);
    assert!(why.contains("does not speak for the authority now; those that do: "), "{why}");
    authority(&dir, "revoke a", &[]);
    authority(&dir, "rotate --keys 3 --threshold 2", &[]);
    authority(&dir, "issue --name b", &[]);
    assert_eq!(hear(&dir.join("authority/decisions.txt"), &mut trust), 2);
    assert_eq!(trust.authority().threshold(), 2);
    assert_eq!(grant(&dir.join("authority/b.credential"), &trust).unwrap().serial, 3);
}

#[test]
fn as_many_keys_sign_as_the_authority_asks_for() {
    let dir = directory("authority_several");
    let trust = init(&dir, "init --slots 64 --keys 3 --threshold 2");
    let key = node(&dir, "a");
    let path = dir.join("authority/a.credential");
    authority(&dir, "issue --name a --cells 16 --key", &[&key]);
    grant(&path, &trust).unwrap();
    for n in 1..=3 {
        fs::rename(dir.join(format!("authority/authority.{n}.key")), dir.join(format!("{n}.key"))).unwrap();
    }
    let why = refusal(&dir, "issue --name a", &[]);
    assert!(
        why.starts_with(
            "2 of 3 keys have to sign and 0 are here: 2 missing; name key files with --sign-with"
        ),
        "{why}"
    );
    let why = refusal(&dir, "revoke a --sign-with 3.key --sign-with 3.key", &[]);
    assert!(why.starts_with("2 of 3 keys have to sign and 1 are here: 1 missing"), "{why}");
    assert_eq!(list(&dir)["serial"], 1, "a refusal takes nothing");
    authority(&dir, "issue --name a --sign-with 3.key --sign-with 1.key", &[]);
    assert_eq!(grant(&path, &trust).unwrap().serial, 2);
    let mut after = trust.clone();
    authority(&dir, "revoke a --sign-with 1.key --sign-with 2.key --sign-with 3.key", &[]);
    assert_eq!(hear(&dir.join("authority/decisions.txt"), &mut after), 1);
    let why = refusal(&dir, "rotate --sign-with a.key", &[]);
    assert!(
        why.starts_with("a.key: the key ") && why.contains("does not speak for the authority now"),
        "{why}"
    );
}

#[test]
fn what_is_refused_says_why_and_changes_nothing() {
    let dir = directory("authority_refusals");
    let why = refusal(&dir, "list", &[]);
    let says = "no authority there; name its folder with --dir, or make one: octick authority init";
    assert_eq!(why, format!("authority/authority.toml: {says}"));
    init(&dir, "init --slots 64");
    let (a, b) = (node(&dir, "a"), node(&dir, "b"));
    authority(&dir, "issue --name a --cells 32 --key", &[&a]);
    let register = || fs::read_to_string(dir.join("authority/authority.toml")).unwrap();
    let before = register();

    let why = refusal(&dir, "init --mesh x --slots 64", &[]);
    assert_eq!(why, "authority/authority.toml: an authority is there already; name another --dir");
    let why = refusal(&dir, "issue --name a --key", &[&b]);
    assert!(why.starts_with("the name a is that of another key, node "), "{why}");
    let why = refusal(&dir, "issue --name b --key", &[&a]);
    assert!(why.contains("has the name a already: issue with --name a, or revoke it first"), "{why}");
    let why = refusal(&dir, "issue --name b --cells 33 --key", &[&b]);
    assert_eq!(why, "b: no room for 48 slots in one piece: 32 are free, at most 32 of them together");
    let why = refusal(&dir, "issue --name a --cells 1", &[]);
    assert!(why.starts_with("a holds 32 slots, and --cells 16 would take some away"), "{why}");
    let why = refusal(&dir, "issue --name b", &[]);
    assert_eq!(why, "nobody holds the name b: give the node's public key, --key or --key-file");
    let why = refusal(&dir, "issue --name a/b --key", &[&b]);
    assert_eq!(why, "\"a/b\" is no name: want 1 to 32 letters, digits, dots, hyphens or underscores");
    let why = refusal(&dir, "issue --name bdfafa93 --key", &[&b]);
    assert_eq!(why, "\"bdfafa93\" is no name: want one that could not be the beginning of a node's id");
    let why = refusal(&dir, "issue --name b --key 12", &[]);
    assert_eq!(why, "--key: want a public key, 64 hex digits; octick keygen --show prints it");
    let why = refusal(&dir, "issue --name b --key", &[&"0".repeat(64)]);
    assert_eq!(why, "--key: public key has a component of small order");
    let why = refusal(&dir, "issue --name b --key-file b.key", &[]);
    let secret = fs::read_to_string(dir.join("b.key")).unwrap();
    assert!(why.contains("not the key file, which is secret") && !why.contains(secret.trim()), "{why}");
    let own = done(&dir, &["keygen", "--show", "authority/authority.key"]);
    let why = refusal(&dir, "issue --name b --key", &[own.split_whitespace().last().unwrap()]);
    assert!(why.contains("is a key of the authority itself, which is to stay off the nodes"), "{why}");
    let why = refusal(&dir, "revoke nobody", &[]);
    assert!(
        why.starts_with("\"nobody\" is no member's name, nor the first 8 or more digits of an id"),
        "{why}"
    );
    for (words, says) in [
        (
            "issue --name b --days 1000000",
            "--days 1000000: a credential knows no time after 2106-02-07; want at most",
        ),
        ("issue --name b --grace-days 99999999", "--grace-days 99999999: a credential knows no time after"),
        ("init --dir other --mesh x --slots 65", "--slots 65: want a multiple of 16, at most 134217728"),
        (
            "init --dir other --mesh x --slots 64 --keys 2 --threshold 3",
            "an authority that asks for 3 signatures",
        ),
        ("init --dir other --mesh x --slots 64 --keys 8", "--keys 8: an authority has at most 7"),
        ("revoke a --reason", "--reason has 101 bytes; want at most 100"),
    ] {
        let long = "x".repeat(101);
        let rest: &[&str] = if words.ends_with("reason") { &[&long] } else { &[] };
        let (code, _, why) = run(&dir, &args(words, rest));
        assert_eq!(code, 2, "{why}");
        assert!(why.starts_with(&format!("octick: {says}")), "{why}");
    }
    assert!(!dir.join("other").exists());
    assert_eq!(register(), before);

    fs::write(dir.join("authority/authority.toml"), before.replacen("serial = 1\n", "serial = 0\n", 1))
        .unwrap();
    let why = refusal(&dir, "issue --name a", &[]);
    assert!(why.starts_with("authority/authority.toml: members[0]: serial 1 was not handed out"), "{why}");
}

#[test]
fn a_file_says_what_it_grants_and_whether_to_believe_it() {
    let dir = directory("authority_show");
    let trust = init(&dir, "init --slots 64");
    let key = node(&dir, "a");
    authority(&dir, "issue --name worker-1 --cells 16 --key", &[&key]);
    let file = "authority/worker-1.credential";
    let says = authority(&dir, "show", &[file]);
    for part in [
        "credential  serial 1 of worker-1\n",
        "16 slots, 0 to 15; it may write their cells; any region",
        "trusted     yes: its one key signs, after ",
    ] {
        assert!(says.contains(part), "{says}");
    }
    assert!(says.lines().all(|line| line.len() <= 80), "{says}");
    let root: String =
        trust.authority().keys()[0].as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let says = authority(&dir, "show --mesh", &["a \"farm\"", "--authority", &root, file]);
    assert!(says.contains("trusted     yes"), "{says}");
    let why = refusal(&dir, "show --mesh elsewhere --authority", &[&root, file]);
    assert_eq!(why, format!("{file}: not to be believed: a signature does not hold in this mesh"));
    let why = refusal(&dir, "show --mesh elsewhere --authority", &[&key, file]);
    assert!(why.contains("too few of its signatures are of keys that this mesh trusts"), "{why}");

    authority(&dir, "rotate", &[]);
    authority(&dir, "revoke worker-1 --reason", &["sold"]);
    let why = refusal(&dir, "show", &[file]);
    assert!(why.starts_with(&format!("{file}: revoked: ")), "{why}");
    let decisions = "authority/decisions.txt";
    let says = authority(&dir, "show --mesh", &["a \"farm\"", "--authority", &root, decisions]);
    assert!(
        says.contains("decision 1: rotate to 1 of 1 keys") && says.contains("decision 2: revoke "),
        "{says}"
    );
    assert_eq!(says.matches("    trusted").count(), 2, "{says}");
    let why =
        refusal(&dir, "show --mesh", &["a \"farm\"", "--authority", &root, "--decisions", decisions, file]);
    assert!(why.contains("revoked: "), "{why}");
    let text = fs::read_to_string(dir.join(decisions)).unwrap();
    assert!(text.contains("(\"worker-1: sold\")"), "{text}");
    let second = text.replace(&text[text.find("\n# 1: ").unwrap()..text.find("\n# 2: ").unwrap()], "");
    fs::write(dir.join("second.txt"), second).unwrap();
    let why = refusal(&dir, "show --mesh", &["a \"farm\"", "--authority", &root, "second.txt"]);
    assert_eq!(why, "second.txt: decision 2 is not to be believed: decisions before it are missing");

    fs::create_dir(dir.join("elsewhere")).unwrap();
    let says = done(&dir.join("elsewhere"), &["authority", "show", &format!("../{file}")]);
    assert!(says.contains("trusted     nobody was asked"), "{says}");
    fs::write(dir.join("broken"), "# octick: credential\nxyz\n").unwrap();
    assert_eq!(refusal(&dir, "show broken", &[]), "broken:2: want up to 64 hex digits, two a byte");
}

#[test]
fn the_list_fits_a_terminal() {
    let dir = directory("authority_list");
    init(&dir, "init --slots 64");
    for name in ["a-name-as-long-as-a-name-may-be--", "b"] {
        let key = node(&dir, name);
        authority(&dir, "issue --cells 16 --name", &[&name[..name.len().min(32)], "--key", &key]);
    }
    authority(&dir, "revoke b", &[]);
    let says = authority(&dir, "list", &[]);
    assert!(says.lines().all(|line| line.len() <= 80), "{says}");
    let lines: Vec<&str> = says.lines().collect();
    assert!(lines[1].contains("0+16") && lines[1].ends_with("valid"), "{says}");
    assert!(lines[2].starts_with("b ") && lines[2].ends_with("revoked"), "{says}");
    assert_eq!(lines[3], "2 members, 1 of them revoked; 16 of 64 slots are given");
    assert_eq!(lines[4], "1 decision; its one key signs");
}

#[test]
fn more_slots_than_were_asked_for_are_explained_and_what_was_revoked_does_not_hold() {
    let dir = directory("authority_words");
    init(&dir, "init --slots 128");
    node(&dir, "a");
    let says = authority(&dir, "issue --name a --key-file a.pub", &["--cells", "50"]);
    assert!(says.contains("64 slots, 0 to 63 (50 were asked for; slots are given by 16)"), "{says}");
    let says = authority(&dir, "issue --name a", &["--cells", "64", "--grace-days", "1"]);
    assert!(!says.contains("asked for") && says.contains("and 1 day of grace"), "{says}");
    authority(&dir, "revoke a", &[]);
    let (code, shown, _) = run(&dir, &["authority", "show", "authority/a.credential"]);
    assert!(code == 1 && shown.contains("void: it was revoked") && !shown.contains("it holds"), "{shown}");
    assert!(shown.contains("no: its one key signs, after 1 decision"), "{shown}");
    let why = refusal(&dir, "show nope", &[]);
    assert_eq!(
        why,
        "nope: no such file; name a credential or a file of decisions, as octick authority writes them"
    );
}
