//! `octick authority revoke`: ends what a member has.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick_core::admission::Decision;
use octick_crypto::Identity;

use super::document;
use super::folder::Folder;
use super::register::{Decided, Register};
use super::signers::SignWith;
use super::store::{self, Store};
use super::words::slots;
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Bytes of a reason: a line that people read.
const REASON_MAX: usize = 100;

/// Revokes a member's credentials: its name and its slots are free again
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// The member's name, or the first eight or more digits of its id
    #[arg(value_name = "NAME|ID")]
    member: String,
    /// Why, for the register and for whoever reads the decision's file
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The file of decisions; without, decisions.txt in the authority's folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    sign_with: SignWith,
}

impl Revoke {
    /// Records the decision, then writes the file of all decisions. What was revoked before is not revoked again, and the file is written anew.
    ///
    /// # Errors
    /// There is no such member; or the decision is recorded and its file could not be written.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        check_reason(&self.reason)?;
        let dir = &self.folder.dir;
        let (store, mut register) = Store::open(dir)?;
        let member = register.find(&self.member)?.clone();
        let name = &member.grant.name;
        if register.is_revoked(&member) {
            say(format_args!("{name}  {}\n  was revoked before", member.grant.member))?;
        } else {
            let signers = self.sign_with.signers(dir, &register)?;
            let note = if self.reason.is_empty() { name.clone() } else { format!("{name}: {}", self.reason) };
            let decision = Decision::Revoke { member: member.grant.member, serial: register.serial };
            register.decide(&decision, &note, &signers.iter().collect::<Vec<&Identity>>())?;
            store.save(&register)?;
            let (number, serial) = (register.log().len(), register.serial);
            let freed = match &member.grant.runs[..] {
                [] => String::new(),
                runs => format!(", and so are {}", slots(runs)),
            };
            say(format_args!("{name}  {}", member.grant.member))?;
            let says = format!(
                "  decision {number}: its credentials up to serial {serial} are void; its name is free again{freed}"
            );
            say(wrap(&says, 2))?;
        }
        hand_out(&store, &register, self.out.as_deref())?;
        let next = "Nodes go by the credential until they hear of it: give the file to any one of them, with octick decide FILE --admin PATH, and it tells the others.";
        say(wrap(next, 0))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a reason that is no line.
pub(super) fn check_reason(reason: &str) -> Result<(), Failure> {
    match reason.len() {
        0..=REASON_MAX => Ok(()),
        len => Err(Failure::usage(format!("--reason has {len} bytes; want at most {REASON_MAX}"))),
    }
}

/// Writes the file of all decisions, and says where.
pub(super) fn hand_out(store: &Store, register: &Register, out: Option<&Path>) -> Result<(), Failure> {
    let out = out.map_or_else(|| store.decisions_path(), Path::to_path_buf);
    let each = register.decisions.iter().map(|Decided { signed, note }| (signed, note.as_str()));
    store::hand_out(&out, &document::decisions(each, &register.mesh)).map_err(|error| {
        Failure::new(format!(
            "{}: {error}; the decision is recorded and not handed out: octick authority list --decisions FILE writes it",
            out.display()
        ))
    })?;
    say(format_args!("decisions   {}", out.display()))
}
