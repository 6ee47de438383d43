//! `octick members`: who is in the mesh, as a running node sees it.

mod table;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use crate::admin::{Locate, client, view};
use crate::failure::Failure;
use table::Table;

/// Shows who is in the mesh, as a running node sees it.
#[derive(Debug, clap::Args)]
pub struct Members {
    #[command(flatten)]
    locate: Locate,
    /// Show it again whenever a member, its state or the partition changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Milliseconds between two looks of --watch
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..), requires = "watch")]
    every: u64,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Members {
    /// Prints the members, once or again and again.
    ///
    /// # Errors
    /// One line: why the node did not answer.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let admin = self.locate.address()?;
        let ask = || client::get::<view::Members>(&admin, "/api/v1/members");
        let mut shown = ask()?;
        self.show(&shown)?;
        if !self.watch {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            sleep(Duration::from_millis(self.every));
            let now = ask()?;
            // A round trip of another microsecond is no news.
            if now.steady() != shown.steady() {
                self.show(&now)?;
                shown = now;
            }
        }
    }

    fn show(&self, members: &view::Members) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string(members)? + "\n"
        } else if self.watch && io::stdout().is_terminal() {
            // Home, and clear what is below: the rows stay where they were.
            format!("\x1b[H\x1b[J{}", Table(members))
        } else {
            Table(members).to_string()
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => Ok(other?),
        }
    }
}
