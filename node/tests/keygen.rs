//! `octick keygen`, the real binary.

mod command;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use command::{directory, failure, run};

#[test]
fn a_new_key_is_readable_by_its_owner_only_and_shows_whose_it_is() {
    let dir = directory("keygen_new");
    let (code, made, _) = run(&dir, &["keygen"]);
    assert_eq!(code, 0);
    assert_eq!(fs::metadata(dir.join("node.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, shown, _) = run(&dir, &["keygen", "--show", "node.key"]);
    assert_eq!((code, &shown), (0, &made));
    let digits: Vec<usize> =
        shown.lines().map(|line| line.split_whitespace().nth(1).unwrap().len()).collect();
    assert_eq!(digits, [32, 64]);
}

#[test]
fn an_existing_file_is_left_alone() {
    let dir = directory("keygen_existing");
    fs::write(dir.join("a.key"), "precious").unwrap();
    let why = failure(&dir, &["keygen", "--out", "a.key"]);
    assert_eq!(why, "a.key: a file is there already; remove it or name another");
    assert_eq!(fs::read_to_string(dir.join("a.key")).unwrap(), "precious");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = directory("keygen_open");
    run(&dir, &["keygen"]);
    fs::set_permissions(dir.join("node.key"), Permissions::from_mode(0o644)).unwrap();
    let why = failure(&dir, &["keygen", "--show", "node.key"]);
    assert_eq!(why, "node.key: mode 0644 lets others read the key; run: chmod 600 node.key");
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let dir = directory("keygen_malformed");
    fs::write(dir.join("node.key"), "hello\n").unwrap();
    fs::set_permissions(dir.join("node.key"), Permissions::from_mode(0o600)).unwrap();
    let why = failure(&dir, &["keygen", "--show", "node.key"]);
    assert!(why.starts_with("node.key: not a key file"), "{why}");
    let why = failure(&dir, &["keygen", "--show", "missing.key"]);
    assert_eq!(
        why,
        "missing.key: no such file or directory; make a key with: octick keygen --out missing.key"
    );
}
