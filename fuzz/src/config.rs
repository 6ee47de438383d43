//! Any text as a configuration: refused with a reason, or settings that a node can be made of.

use octick_core::data::{Directory, Origin, Run};
use octick_core::limits::{RUN_ALIGN, SLOTS_MAX};
use octick_core::stamp::Slot;
use octick_crypto::Identity;
use octick_node::config::{self, Settings};

/// Loads `data` as a configuration file; bytes that are not text are not even read.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::load(text) {
        Ok(settings) => contradict_nothing(&settings),
        Err(error) => {
            let lines = text.split('\n').count();
            assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error}: of {lines} lines");
            assert!(!error.message.is_empty(), "a refusal without a reason");
        }
    }
}

/// What the rest of the node takes for granted.
fn contradict_nothing(settings: &Settings) {
    let table = &settings.table;
    assert!(table.slots.is_multiple_of(RUN_ALIGN) && (1..=SLOTS_MAX).contains(&table.slots));
    assert!(table.cells8 || table.cells4 || table.rows);
    assert!(settings.push.flush_micros <= settings.limits.skew_micros && settings.threads.ingress > 0);

    let runs = |runs: &[config::Run]| -> Vec<Run> {
        assert!(runs.iter().all(|run| run.first < run.end && run.end <= table.slots));
        runs.iter().map(|run| Run { first: Slot(run.first), len: run.end - run.first }).collect()
    };
    let own = Identity::from_seed(&[0x5A; 32]);
    let mut origins =
        vec![Origin { key: own.public().clone(), runs: runs(&settings.agents), revoked: false }];
    // Only the key file, which is read later, could name a peer's own key.
    for peer in settings.peers.iter().filter(|peer| peer.key != *own.public()) {
        origins.push(Origin { key: peer.key.clone(), runs: runs(&peer.runs), revoked: peer.revoked });
    }
    let directory = Directory::new(origins, [1, 2]);
    assert!(directory.is_ok(), "settings that make no directory: {directory:?}");
}
