//! `octick counters`: everything that a running node has counted since its start.

use std::process::ExitCode;

use crate::admin::view::{Count, Counters as View};
use crate::admin::{Locate, client};
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Widths of a name and a count, and where the meaning begins: two spaces before the first and two after the second.
const NAME: usize = 27;
const COUNT: usize = 14;
const MEANING: usize = 2 + NAME + COUNT + 2;

/// Shows what a running node has counted since its start: what it did, what it dropped or refused and why, what
/// its sockets lost
#[derive(Debug, clap::Args)]
pub struct Counters {
    #[command(flatten)]
    locate: Locate,
    /// Show those that stand at zero, too
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Counters {
    /// Prints them.
    ///
    /// # Errors
    /// One line: why the node did not answer.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let counters: View = client::get(&self.locate.address()?, "/api/v1/counters")?;
        if self.json {
            say(serde_json::to_string(&counters)?)?
        } else {
            say(self.text(&counters))?
        }
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self, counters: &View) -> String {
        let parts = [
            ("counters", &counters.counters),
            ("frames dropped, by reason", &counters.drops),
            ("messages refused by the control plane, by reason", &counters.refusals),
            ("sockets", &counters.sockets),
            ("log", &counters.log),
        ];
        let mut text = format!("in {} s", counters.uptime_secs);
        for (title, counts) in parts {
            text += &format!("\n\n{title}");
            let shown: Vec<&Count> = counts.iter().filter(|count| self.all || count.count > 0).collect();
            if shown.is_empty() {
                text += "\n  none";
            }
            for Count { name, count, meaning } in shown {
                let line = wrap(&format!("{:MEANING$}{meaning}", ""), MEANING);
                text += &format!("\n  {name:<NAME$}{count:>COUNT$}  {}", &line[MEANING..]);
            }
        }
        text
    }
}
