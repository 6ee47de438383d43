//! Runs a scenario, or a swarm of random ones, and says what came of it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use octick_sim::memory;
use octick_sim::report::Report;
use octick_sim::run::{Outcome, run};
use octick_sim::scenario::{Scenario, What};

/// Simulates a mesh: the code of a real node, many of them, one clock, one seed.
///
/// What stands on the command line goes before what the scenario file says. A run that breaks a rule prints its seed
/// and what happened in it, and ends with status 1.
#[derive(Parser)]
#[command(name = "octick-sim", version)]
struct Args {
    /// What runs on the nodes.
    #[arg(long, value_enum)]
    what: Option<Kind>,
    /// How many nodes.
    #[arg(long)]
    nodes: Option<u32>,
    /// Regions that they are spread over.
    #[arg(long)]
    regions: Option<u32>,
    /// Share of packets that are lost, 0 to 1.
    #[arg(long)]
    loss: Option<f64>,
    /// Share of nodes that crash a second, and start again.
    #[arg(long)]
    churn: Option<f64>,
    /// Share of nodes that are silent, send garbage or equivocate.
    #[arg(long)]
    byzantine: Option<f64>,
    /// Decides everything that chance decides.
    #[arg(long)]
    seed: Option<u64>,
    /// How long things happen, milliseconds of virtual time.
    #[arg(long)]
    millis: Option<u64>,
    /// A file with everything else; sim/scenarios has some.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Prints what happened even if all is well.
    #[arg(long)]
    trace: bool,
    /// Runs so many small random scenarios instead, with the seeds from --seed on.
    #[arg(long, conflicts_with = "scenario")]
    swarm: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Engines,
    Members,
    Updates,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(count) = args.swarm {
        return swarm(args.seed.unwrap_or(1), count);
    }
    let scenario = match scenario(&args) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("octick-sim: {error}");
            return ExitCode::from(2);
        }
    };
    let Outcome { report, trace } = run(&scenario, &mut shown(Instant::now()));
    if args.trace || !report.passed() {
        eprint!("{trace}");
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else {
        print!("{report}");
    }
    verdict(&report)
}

fn scenario(args: &Args) -> Result<Scenario, String> {
    let mut scenario = match &args.scenario {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Scenario::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => Scenario::default(),
    };
    let Args { what, nodes, regions, loss, churn, byzantine, seed, millis, .. } = args;
    if let Some(what) = what {
        scenario.what = match what {
            Kind::Engines => What::Engines,
            Kind::Members => What::Members,
            Kind::Updates => What::Updates,
        };
    }
    scenario.nodes = nodes.unwrap_or(scenario.nodes);
    scenario.regions = regions.unwrap_or(scenario.regions);
    scenario.conditions.loss = loss.unwrap_or(scenario.conditions.loss);
    scenario.churn = churn.unwrap_or(scenario.churn);
    scenario.byzantine = byzantine.unwrap_or(scenario.byzantine);
    scenario.seed = seed.unwrap_or(scenario.seed);
    scenario.millis = millis.unwrap_or(scenario.millis);
    if let Some(fault) = scenario.fault() {
        return Err(fault.into());
    }
    memory::check(&scenario, memory::available()).map_err(|error| error.to_string())?;
    Ok(scenario)
}

/// Shows how far a long run is, twice a second, where somebody looks.
fn shown(started: Instant) -> impl FnMut(u64, u64, u64) {
    let (mut next, terminal) = (Duration::from_secs(2), std::io::stderr().is_terminal());
    move |now, until, events| {
        let elapsed = started.elapsed();
        if elapsed < next {
            return;
        }
        next = elapsed + if terminal { Duration::from_millis(500) } else { Duration::from_secs(10) };
        let end = if terminal { "\r" } else { "\n" };
        let (now, until, events) = (now / 1_000_000, until / 1_000_000, events / 1_000);
        eprint!("{now} of at most {until} s simulated, {events}k events in {} s{end}", elapsed.as_secs());
        _ = std::io::stderr().flush();
    }
}

fn swarm(first: u64, count: u64) -> ExitCode {
    let started = Instant::now();
    let mut broken = Vec::new();
    for seed in first..first + count {
        let Outcome { report, trace } = run(&Scenario::random(seed), &mut |_, _, _| ());
        if !report.passed() {
            eprint!("{trace}");
            print!("{report}");
            broken.push(seed);
        }
        if seed % 1_000 == 0 {
            eprintln!("{} of {count} runs in {} s", seed - first, started.elapsed().as_secs());
        }
    }
    println!("{count} runs from seed {first}, {} broken {broken:?}", broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(report: &Report) -> ExitCode {
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
