//! Hundreds of small random runs: each seed decides its nodes, conditions, faults and evil ones.

use octick_sim::run::{Outcome, run};
use octick_sim::scenario::Scenario;

/// Runs as far as they fit a few seconds; `octick-sim --swarm 100000` looks longer.
const RUNS: u64 = if cfg!(debug_assertions) { 120 } else { 600 };

#[test]
fn no_small_run_breaks_a_rule() {
    let first = std::env::var("OCTICK_SEED").map_or(1, |seed| seed.parse().unwrap());
    for seed in first..first + RUNS {
        let Outcome { report, trace } = run(&Scenario::random(seed), &mut |_, _, _| ());
        assert!(report.passed(), "seed {seed}: {:#?}\n{trace}{report}", Scenario::random(seed));
    }
}
