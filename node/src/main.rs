//! The `octick` command: reads its arguments, hands over to the command they name.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use octick_node::authority::AuthorityCommand;
use octick_node::authority::mesh::InitMesh;
use octick_node::counters::Counters;
use octick_node::decide::Decide;
use octick_node::demo::Demo;
use octick_node::dump::command::Dump;
use octick_node::enrol::Enrol;
use octick_node::explain::ConfigCommand;
use octick_node::failure::Failure;
use octick_node::get::Get;
use octick_node::info::Info;
use octick_node::keygen::Keygen;
use octick_node::load::Load;
use octick_node::members::Members;
use octick_node::run::Run;
use octick_node::steer::{ForceLeave, Join, Leave};
use octick_node::version::{VERSION, Version};

/// How long standard error may take to accept the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A gossip mesh for swarms of agents: signed frames in, merged cells out.
#[derive(Debug, Parser)]
#[command(name = "octick", version = VERSION, propagate_version = true)]
struct Octick {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(InitMesh),
    Keygen(Keygen),
    #[command(subcommand)]
    Authority(AuthorityCommand),
    Enrol(Enrol),
    #[command(subcommand)]
    Config(ConfigCommand),
    Run(Run),
    Info(Info),
    Members(Members),
    Get(Get),
    Counters(Counters),
    Join(Join),
    Leave(Leave),
    ForceLeave(ForceLeave),
    Decide(Decide),
    Demo(Demo),
    Load(Load),
    Dump(Dump),
    Version(Version),
}

fn main() -> ExitCode {
    // Where it cannot be had, a core dump is the lesser evil than a command that does not run.
    let _ = octick::memory::forbid_core_dumps();
    let done = match Octick::parse().command {
        Command::Init(init) => init.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Authority(authority) => authority.run(),
        Command::Enrol(enrol) => enrol.run(),
        Command::Config(config) => config.run(),
        Command::Run(run) => run.run(),
        Command::Info(info) => info.run(),
        Command::Get(get) => get.run(),
        Command::Counters(counters) => counters.run(),
        Command::Members(members) => members.run(),
        Command::Join(join) => join.run(),
        Command::Leave(leave) => leave.run(),
        Command::ForceLeave(force_leave) => force_leave.run(),
        Command::Decide(decide) => decide.run(),
        Command::Demo(demo) => demo.run(),
        Command::Load(load) => load.run(),
        Command::Dump(dump) => dump.run(),
        Command::Version(version) => version.run(),
    };
    done.unwrap_or_else(|failure| {
        if !failure.is_silent() {
            say(&failure);
        }
        failure.exit_code()
    })
}

/// Says on standard error why the command failed. Nobody reading it any more is no reason to hang, or to fail otherwise.
fn say(failure: &Failure) {
    let line = format!("octick: {failure}\n");
    let (done, said) = mpsc::channel::<()>();
    let thread = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(line.as_bytes());
        drop(done);
    });
    if thread.is_ok() {
        let _ = said.recv_timeout(LAST_WORDS);
    }
}
