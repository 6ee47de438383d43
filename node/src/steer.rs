//! `octick join`, `octick leave`, `octick force-leave`: change a running node's part in the mesh.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::admin::client::{self, CallError};
use crate::admin::{Locate, view};
use crate::failure::Failure;
use crate::output::{counted, named, say};

/// How long somebody who is greeted may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at whether it has happened.
const LOOK: Duration = Duration::from_millis(50);

/// Has a running node join the mesh of another one.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// Where any node of that mesh listens, host:port
    address: String,
    #[command(flatten)]
    locate: Locate,
}

impl Join {
    /// Greets, and waits until whoever is there is a member.
    ///
    /// # Errors
    /// One line: why nobody was greeted, or that nobody answers.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let admin = self.locate.address()?;
        let join = view::Join { address: self.address.clone() };
        let greeted = client::post::<view::Done>(&admin, "/api/v1/join", &join)?.done;
        let began = Instant::now();
        loop {
            let mesh: view::Members = client::get(&admin, "/api/v1/members")?;
            let met = mesh.members.iter().find(|member| {
                !member.this_node && member.state.is_live() && member.addresses.contains(&greeted)
            });
            if let Some(met) = met {
                let live = mesh.counts.alive + mesh.counts.suspected;
                say(format_args!(
                    "joined through {} at {greeted}; the mesh has {}",
                    named(met.name.as_deref(), &met.short),
                    counted(live, "live member")
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(format!(
                    "nobody at {greeted} became a member within {} s: is a node of this mesh there, and does it \
                     announce that address?",
                    PATIENCE.as_secs()
                )));
            }
            sleep(LOOK);
        }
    }
}

/// Has a running node say goodbye to its mesh, and stop.
#[derive(Debug, clap::Args)]
pub struct Leave {
    #[command(flatten)]
    locate: Locate,
}

impl Leave {
    /// Asks it to, and waits until it is gone.
    ///
    /// # Errors
    /// One line: why it does not leave.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let admin = self.locate.address()?;
        let node = client::post::<view::Done>(&admin, "/api/v1/leave", &view::Nothing {})?.done;
        let began = Instant::now();
        while !matches!(client::get::<String>(&admin, "/healthz"), Err(CallError::Silent { .. })) {
            if began.elapsed() > PATIENCE {
                let patience = PATIENCE.as_secs();
                let line = format!("{node} did not stop within {patience} s: look at its log");
                return Err(Failure::new(line));
            }
            sleep(LOOK);
        }
        say(format_args!("{node} has left and stopped"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Has a member leave that is gone for good, through a running node: no quorum counts it any more. If it lives after all, it
/// says so. Any member of a mesh may do this.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub struct ForceLeave {
    /// The member's name, its id, or as many first digits of that as tell it from others
    #[arg(group = "whom", value_name = "NAME|ID")]
    member: Option<String>,
    /// All members that are in this state: failed
    #[arg(long, group = "whom", value_parser = ["failed"])]
    state: Option<String>,
    /// Forget it as well: it is shown to nobody any more, and its slots are free
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    locate: Locate,
}

impl ForceLeave {
    /// Has it, or all of them, leave.
    ///
    /// # Errors
    /// One line: which member may have been meant, or why the node did not answer.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let admin = self.locate.address()?;
        let state = self.state.as_ref().map(|_| view::State::Failed);
        let path = match &self.member {
            // Anything but digits and letters could lead to another path.
            Some(member) => {
                format!("/api/v1/members/{}/leave", member.bytes().map(escape).collect::<String>())
            }
            None => "/api/v1/members/leave".into(),
        };
        // Who is forgotten has no name any more.
        let before: view::Members = client::get(&admin, "/api/v1/members")?;
        let name = |id: &String| {
            let member = before.members.iter().find(|member| member.id == *id);
            named(member.and_then(|member| member.name.as_deref()), id)
        };
        let order = view::ForceLeave { prune: self.prune, state };
        let removed = client::post::<view::Removed>(&admin, &path, &order)?;
        let how = if self.prune { "has left and is forgotten" } else { "has left" };
        for id in &removed.left {
            say(format_args!("{} {how}", name(id)))?;
        }
        for id in &removed.suspected {
            say(format_args!(
                "{} was believed live: it leaves in some seconds, unless it says that it is there",
                name(id)
            ))?;
        }
        if removed.left.is_empty() && removed.suspected.is_empty() {
            say("no member is failed")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn escape(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}
