//! `octick decide`: gives a running node what its mesh's authority decided.

use std::path::PathBuf;
use std::process::ExitCode;

use octick::admission::decision::peek_number;

use crate::admin::view::{DECISIONS_AT_ONCE, Decide as Request, Decided, Info, Outcome};
use crate::admin::{Locate, client};
use crate::authority::read_decisions;
use crate::failure::Failure;
use crate::keygen::hex;
use crate::output::{counted, say, wrap};

/// Gives a running node what its mesh's authority decided: it tells every other member, and keeps it
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// The authority's file of decisions, decisions.txt in its folder
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    locate: Locate,
}

impl Decide {
    /// Gives those that the node does not know.
    ///
    /// # Errors
    /// One line: which decision the node did not take and why, or why it did not answer.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let each = read_decisions(&self.file)?;
        let admin = self.locate.address()?;
        let info: Info = client::get(&admin, "/api/v1/info")?;
        let mut known = info.admission.decisions;
        let is_new = |bytes: &&Vec<u8>| peek_number(bytes).is_none_or(|number| number > known);
        let new: Vec<String> = each.iter().filter(is_new).map(|bytes| hex(bytes)).collect();
        let mut taken = 0;
        for decisions in new.chunks(DECISIONS_AT_ONCE) {
            let request = Request { decisions: decisions.to_vec() };
            let answer: Decided = client::post(&admin, "/api/v1/decisions", &request)?;
            known = answer.known;
            for outcome in &answer.decided {
                taken += self.tell(outcome)?;
            }
        }
        let (known, node) = (counted(known as usize, "decision"), &info.short);
        say(format_args!("{node} knows {known}, {taken} of them by this file"))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Says what became of a decision. Returns how many are new by that.
    fn tell(&self, Outcome { number, says, became }: &Outcome) -> Result<usize, Failure> {
        let why = match &became[..] {
            "new" => {
                say(wrap(&format!("decision {number}: {says}"), 4))?;
                return Ok(1);
            }
            "known" => return Ok(0),
            "gap" => "others come before it: take the whole file, octick authority list --decisions FILE",
            "contradiction" => {
                "the node knows another one under its number: the authority's keys are used twice, or this is another authority's file"
            }
            "unsigned" => {
                "too few keys of the authority that the node trusts signed it: is it the file of this mesh's authority?"
            }
            "full" => {
                "the node keeps no more: the authority has decided as often as a mesh bears, and another root has to be made"
            }
            other => other,
        };
        Err(Failure::new(format!("{}: decision {number} was not taken: {why}", self.file.display())))
    }
}
