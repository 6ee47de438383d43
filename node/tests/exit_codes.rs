//! Exit codes, the same for every command: 0 done and holds, 1 not, 2 the command line is wrong.

mod command;

use std::process::Stdio;

use command::{directory, failure, octick, run};

#[test]
fn a_wrong_command_line_is_2_for_every_command() {
    let dir = directory("exit_usage");
    for command in [
        "init",
        "keygen",
        "config",
        "run",
        "info",
        "get",
        "counters",
        "members",
        "join",
        "leave",
        "force-leave",
        "decide",
        "demo",
        "load",
        "dump",
    ] {
        let (code, _, error) = run(&dir, &[command, "--no-such-flag"]);
        assert!(code == 2 && error.contains("--no-such-flag"), "{command}: {code} {error}");
        let (code, help, _) = run(&dir, &[command, "--help"]);
        assert!(code == 0 && help.contains("Usage: octick "), "{command}: {help}");
    }
    for args in [
        &["members", "--admin", "a.sock", "--config", "node.toml"][..],
        &["members", "--every", "50"],
        &["get", "x"],
        &["demo", "--nodes", "1"],
        &["demo", "--nodes", "100", "--agents", "4000000"],
        &["load", "--to", "127.0.0.1:9", "--rate", "1", "--secs", "1", "--first", "8"],
    ] {
        assert_eq!(run(&dir, args).0, 2, "{args:?}");
    }
}

#[test]
fn what_cannot_be_done_is_1_and_one_line_for_every_command() {
    let dir = directory("exit_failure");
    for args in [
        &["keygen", "--show", "no.key"][..],
        &["config", "check", "no.toml"],
        &["run", "--config", "no.toml"],
        &["info"],
        &["get", "0"],
        &["counters"],
        &["members"],
        &["join", "127.0.0.1:1"],
        &["leave"],
        &["force-leave", "00"],
        &["decide", "no.txt"],
        &["dump", "no.pcap"],
    ] {
        let why = failure(&dir, args);
        assert!(!why.contains("Os {") && !why.contains("Error("), "no form of Rust: {why}");
    }
}

/// Whoever reads the output has seen enough: no message, and no panic.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let dir = directory("exit_pipe");
    let mut process =
        octick(&dir, &["keygen"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", output.status);
}
