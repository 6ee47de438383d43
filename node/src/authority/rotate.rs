//! `octick authority rotate`: new keys speak for the authority.

use std::path::PathBuf;
use std::process::ExitCode;

use octick_core::admission::Decision;
use octick_crypto::Identity;

use super::folder::Folder;
use super::init::{authority_of, generate, key_files, write_keys};
use super::revoke::hand_out;
use super::signers::SignWith;
use super::store::Store;
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Makes new keys for the authority: those before sign that, and nothing any more
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// How many keys it has from here on; without, as many as before
    #[arg(long, value_name = "N")]
    keys: Option<usize>,
    /// How many of them have to sign; without, as many as before
    #[arg(long, value_name = "M")]
    threshold: Option<usize>,
    /// Why, for the register and for whoever reads the decision's file
    #[arg(long, value_name = "TEXT", default_value = "rotation")]
    reason: String,
    /// The file of decisions; without, decisions.txt in the authority's folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    sign_with: SignWith,
}

impl Rotate {
    /// Writes the new keys, records the decision, then writes the file of all decisions.
    ///
    /// # Errors
    /// Why the keys before remain; or the decision is recorded and its file could not be written.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        super::revoke::check_reason(&self.reason)?;
        let dir = &self.folder.dir;
        let (store, mut register) = Store::open(dir)?;
        let before = register.log().authority().clone();
        let identities = generate(self.keys.unwrap_or(before.keys().len()))?;
        let authority = authority_of(&identities, self.threshold.unwrap_or(before.threshold()))?;
        let signers = self.sign_with.signers(dir, &register)?;
        let rotations = register.decisions.iter().map(|decided| decided.signed.decision());
        let generation = 2 + rotations.filter(|decision| matches!(decision, Decision::Rotate { .. })).count();
        let files = unused(&store, generation, identities.len());
        let serial = register.serial;
        register.decide(
            &Decision::Rotate { authority: authority.clone(), serial },
            &self.reason,
            &signers.iter().collect::<Vec<&Identity>>(),
        )?;
        write_keys(&store, &files, &identities)?;
        let old = std::mem::replace(&mut register.key_files, files);
        store.save(&register)?;
        let (number, threshold, keys) = (register.log().len(), authority.threshold(), identities.len());
        say(format_args!("authority  {threshold} of {keys} keys sign from here on, by decision {number}"))?;
        for name in &register.key_files {
            say(format_args!("key        {}", store.path(name).display()))?;
        }
        let advice = format!(
            "Credentials up to serial {serial} go on as they are. The configurations of nodes stay as they are, too: nodes know the new keys by \
             the decision. The keys before sign nothing any more; once every node has the decision, destroy them: {}.",
            old.join(", ")
        );
        say(wrap(&advice, 0))?;
        hand_out(&store, &register, self.out.as_deref())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Names of files that are not there: an interrupted rotation may have left some, which nothing counts on.
fn unused(store: &Store, generation: usize, keys: usize) -> Vec<String> {
    let mut names = (generation..).map(|generation| key_files(generation, keys));
    names.find(|names| names.iter().all(|name| !store.path(name).exists())).expect("numbers do not end")
}
