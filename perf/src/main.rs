//! The tick gate, and Octick against its peers over real sockets. `docs/measuring.md` says how each row comes about.

mod allocs;
mod cluster;
mod gate;
mod machine;
mod mesh;
mod naive;
mod pipeline;
mod record;
mod report;
mod sample;
mod signers;
mod step;
mod ticks;
mod udp;
mod versus;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use octick_core::table::Kernel;

use machine::Machine;
use report::Report;

#[global_allocator]
static ALLOCATOR: allocs::Counting = allocs::Counting::new();

/// Measures Octick.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Holds the hot path to its budget: ticks and instructions a cell, duplicates, allocations.
    Gate(gate::Options),
    /// Sets Octick beside the obvious way to do the same, in one run.
    Versus(versus::Options),
    /// Starts a mesh of real processes: how soon all know all, how soon a death is seen, what rest costs.
    Cluster(cluster::Options),
    /// One node of a cluster.
    #[command(hide = true)]
    ClusterNode(cluster::NodeOptions),
}

fn main() -> ExitCode {
    let args = Args::parse();
    if cfg!(debug_assertions) {
        eprintln!(
            "octick-perf measures optimised code only; run it with: cargo run --release -p octick-perf"
        );
        return ExitCode::from(2);
    }
    match &args.command {
        Command::ClusterNode(options) => return cluster::run_node(options),
        Command::Cluster(options) => {
            return match cluster::run(options) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::from(2)
                }
            };
        }
        Command::Gate(_) | Command::Versus(_) => {}
    }
    let kernels = Kernel::all_available().rev().map(gate::kernel_name).collect();
    let mut report = Report::new(Machine::detect(kernels));
    let json = match &args.command {
        Command::Gate(options) => {
            if let Err(error) = gate::run(options, &mut report) {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
            options.json
        }
        Command::Versus(options) => {
            versus::run(options, &mut report);
            options.json
        }
        Command::Cluster(_) | Command::ClusterNode(_) => unreachable!("they have returned"),
    };
    if json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
