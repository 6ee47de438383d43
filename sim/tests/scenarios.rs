//! The scenario files: those that are quick are run here, all of them are read.

use std::path::PathBuf;

use octick_sim::run::{Outcome, run};
use octick_sim::scenario::{Admit, Bars, Scenario};

fn read(name: &str) -> Scenario {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn ends(name: &str) -> Outcome {
    run(&read(name), &mut |_, _, _| ())
}

fn passes(name: &str) {
    let Outcome { report, trace } = ends(name);
    assert!(report.passed(), "{name}, seed {}\n{trace}{report}", report.seed);
}

#[test]
fn every_scenario_file_is_sound() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert_eq!(read(&name).fault(), None, "{name}");
    }
}

#[test]
fn clean_links_lead_to_equal_tables() {
    passes("clean.toml");
}

#[test]
fn a_storm_passes_and_leaves_equal_tables() {
    passes("storm.toml");
}

#[test]
fn members_join_all_at_once() {
    passes("joins.toml");
}

#[test]
fn two_halves_find_each_other_again() {
    passes("partition.toml");
}

#[test]
fn nobody_who_was_only_stopped_stays_dead() {
    passes("stops.toml");
}

#[test]
fn who_comes_back_is_known_again_at_once() {
    passes("churn_small.toml");
}

#[test]
fn a_crash_is_seen_by_all() {
    passes("crash.toml");
}

#[test]
fn push_pull_rounds_reach_all_as_the_theory_says() {
    passes("rounds_10.toml");
    passes("rounds_1k.toml");
}

/// In small; in full it is `octick-sim --scenario sim/scenarios/s3.toml`.
#[test]
fn updates_reach_everybody_under_all_conditions() {
    for name in ["s0.toml", "s3.toml"] {
        let small = Scenario { nodes: 3_000, regions: 6, bars: Bars::default(), ..read(name) };
        let Outcome { report, .. } = run(&small, &mut |_, _, _| ());
        assert!(report.passed() && report.p999_ms < 250.0, "{name}\n{report}");
    }
}

#[test]
fn at_no_moment_do_two_sides_of_a_cut_have_a_quorum() {
    passes("quorum.toml");
    passes("quorum_majority.toml");
}

/// With the rule off, and where operators on both sides have the other side leave.
#[test]
fn two_sides_that_both_have_a_quorum_are_found() {
    for name in ["canary_quorum.toml", "canary_operators.toml"] {
        let Outcome { report, .. } = ends(name);
        assert!(!report.checkers["one_quorum"], "{name}\n{report}");
        let told = |fault: &String| fault.starts_with("one_quorum: node 0");
        assert!(report.faults.iter().any(told), "{name}\n{report}");
    }
}

#[test]
fn members_that_lie_harm_nobody_and_all_agree_once_they_stop() {
    for role in ["sybil", "accuser", "replayer", "reflector", "claimant", "postdater", "all"] {
        passes(&format!("hostile_{role}.toml"));
    }
}

/// Each with what keeps the lie harmless taken away: no credential is needed, the authority's key is the liars', control frames of any age
/// and for anybody are heeded.
#[test]
fn members_that_lie_do_harm_where_nothing_keeps_them_from_it() {
    let fails = |role: &str, checker: &str, weaken: &dyn Fn(&mut Scenario)| {
        let mut scenario = read(&format!("hostile_{role}.toml"));
        weaken(&mut scenario);
        let Outcome { report, .. } = run(&scenario, &mut |_, _, _| ());
        assert!(!report.checkers[checker], "{role}\n{report}");
    };
    fails("sybil", "no_strangers", &|scenario| scenario.admission = Admit::Lenient);
    fails("claimant", "ownership", &|scenario| scenario.stolen_key = true);
    fails("replayer", "bars", &|scenario| scenario.blind = true);
}

/// In full it is `octick-sim --scenario sim/scenarios/s3_rounds.toml --nodes 1000000 --regions 500 --seed 7`.
#[test]
fn whoever_the_wave_missed_is_found_by_rounds() {
    let scenario = read("eclipsed.toml");
    let without = run(&Scenario { rounds: false, ..scenario }, &mut |_, _, _| ());
    assert!(without.report.missed > 0 && !without.report.checkers["convergence"], "{}", without.report);
    assert!(without.report.without.iter().any(|node| node.contains(" 0 are honest")), "{}", without.report);
    passes("eclipsed.toml");
}

/// In small; in full it is `octick-sim --scenario sim/scenarios/engines_5k.toml`.
#[test]
fn engines_beyond_a_thousand_hold_the_same() {
    let small =
        Scenario { nodes: if cfg!(debug_assertions) { 64 } else { 1_100 }, ..read("engines_5k.toml") };
    let Outcome { report, .. } = run(&small, &mut |_, _, _| ());
    assert!(report.passed() && report.events > 0, "{report}");
}

#[test]
fn the_canary_fails_and_says_why() {
    let Outcome { report, trace } = ends("canary.toml");
    assert!(!report.passed());
    assert!(!report.checkers["convergence"] && !report.checkers["agreement"]);
    assert!(report.checkers["no_unsigned_merge"] && report.checkers["bounds"], "{report}");
    assert!(trace.contains("# | Links are cut.") && trace.contains("0.500000 |"), "{trace}");
}

#[test]
fn the_same_seed_is_the_same_run_bit_for_bit() {
    for name in ["storm.toml", "crash.toml"] {
        let (one, other) = (ends(name), ends(name));
        assert_eq!(one.report.run, other.report.run, "{name}");
        assert_eq!((one.report.events, &one.trace), (other.report.events, &other.trace), "{name}");
        let third = run(&Scenario { seed: 2, ..read(name) }, &mut |_, _, _| ());
        assert_ne!(one.report.run, third.report.run, "{name}");
    }
}
