//! Every committed input goes through its body again.

use std::fs;
use std::path::{Path, PathBuf};

use octick_core::Reject;
use octick_core::control::Refusal;
use octick_core::counters::{Counter, Tally};

/// What only a mesh with an authority refuses, but for bans.
const OF_ADMISSION: [Refusal; 6] = [
    Refusal::NoCredential,
    Refusal::CredentialUnsound,
    Refusal::CredentialExpired,
    Refusal::Revoked,
    Refusal::Ungranted,
    Refusal::DecisionUnsound,
];

/// The files of one corpus, in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn replay(target: &str) {
    let (_, run) = octick_fuzz::TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let files = corpus(target);
    assert!(files.len() >= 20, "{target} has {} inputs: is the corpus there?", files.len());
    for (path, bytes) in &files {
        // Shown when the body panics: which input it was.
        println!("{}", path.display());
        run(bytes);
    }
}

#[test]
fn build_parse() {
    replay("build_parse");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn control() {
    replay("control");
}

#[test]
fn dump() {
    replay("dump");
}

#[test]
fn frame_parse() {
    replay("frame_parse");
}

#[test]
fn proof() {
    replay("proof");
}

#[test]
fn reconcile() {
    replay("reconcile");
}

/// The sum over the corpus: it is of use only as long as it comes past most of the checks.
#[test]
fn the_reconcile_corpus_meets_most_refusals() {
    let mut met = [0; octick_core::control::reconcile::session::SessionRefusal::ALL.len()];
    for (_, bytes) in corpus("reconcile") {
        met.iter_mut().zip(octick_fuzz::reconcile::play(&bytes)).for_each(|(sum, count)| *sum += count);
    }
    assert!(met.iter().filter(|count| **count > 0).count() >= 5, "{met:?}");
}

#[test]
fn ingress() {
    replay("ingress");
}

#[test]
fn issued() {
    replay("issued");
}

#[test]
fn merge_twin() {
    replay("merge_twin");
}

#[test]
fn verify_vs_reference() {
    replay("verify_vs_reference");
}

/// A corpus that reaches nothing proves nothing.
#[test]
fn the_ingress_corpus_meets_every_verdict() {
    let tallies = corpus("ingress").into_iter().map(|(_, bytes)| octick_fuzz::ingress::play(&bytes));
    let met = tallies.fold(Tally::default(), |all, tally| all.plus(&tally));
    let unmet: Vec<&str> = Reject::ALL
        .iter()
        .filter(|reject| met.rejected(**reject) == 0)
        .map(|reject| reject.metric())
        .collect();
    assert!(unmet.is_empty(), "never raised: {unmet:?}; {met:?}");
    for counter in [Counter::FramesFresh, Counter::CellsWon, Counter::CellsStale, Counter::CellsFaulty] {
        assert!(met.get(counter) > 0, "never counted: {}; {met:?}", counter.metric());
    }
}

#[test]
fn the_control_corpus_meets_every_refusal() {
    let met: Vec<_> =
        corpus("control").into_iter().map(|(_, bytes)| octick_fuzz::control::play(&bytes)).collect();
    // What a control frame as such is refused for; the machines' own corpora and tests raise the others. An open mesh is played
    // here: what needs an authority is met by `issued`, bans are raised by the tests of admission in core, and, for who
    // plays here is as new as the node, the unvouched by those of quorums.
    let elsewhere = [&OF_ADMISSION[..], &[Refusal::Banned, Refusal::Unvouched]].concat();
    let unmet: Vec<&str> = Refusal::ALL
        .iter()
        .filter(|refusal| refusal.metric().starts_with("control_") && !elsewhere.contains(refusal))
        .filter(|refusal| met.iter().all(|refusals| refusals.get(**refusal) == 0))
        .map(|refusal| refusal.metric())
        .collect();
    assert!(unmet.is_empty(), "never refused: {unmet:?}");
}

#[test]
fn the_generated_seeds_are_the_committed_ones() {
    for (target, _) in octick_fuzz::TARGETS {
        let committed = corpus(target);
        for (name, bytes) in octick_fuzz::seeds::of(target) {
            let same = committed.iter().any(|(path, held)| path.ends_with(&name) && *held == bytes);
            assert!(same, "{target}/{name} differs; run: cargo run -p octick-fuzz --example seed");
        }
    }
}

/// The sum over the corpus: what the open mesh of `control` never meets, this one does.
#[test]
fn the_issued_corpus_meets_every_refusal_of_admission() {
    let mut met = Vec::new();
    for (_, bytes) in corpus("issued") {
        let refusals = octick_fuzz::issued::play(&bytes);
        met.extend(Refusal::ALL.into_iter().filter(|refusal| refusals.get(*refusal) > 0));
    }
    let missed: Vec<Refusal> = OF_ADMISSION.into_iter().filter(|refusal| !met.contains(refusal)).collect();
    assert!(missed.is_empty(), "never met: {missed:?}; met {met:?}");
}
