//! The keys that sign: as many as the authority asks for, from its folder or from files that are named.

use std::io;
use std::path::{Path, PathBuf};

use octick_core::admission::Authority;
use octick_crypto::key_file::{self, KeyFileError};
use octick_crypto::{Identity, PublicKey};

use super::register::{Register, short};
use crate::failure::Failure;

/// Which keys sign.
#[derive(Debug, clap::Args)]
pub(super) struct SignWith {
    /// A key file of the authority that signs; several times for several keys. Without: those in its folder
    #[arg(long = "sign-with", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl SignWith {
    /// As many keys as have to sign.
    ///
    /// # Errors
    /// Which are missing, or that a file holds no key of the authority.
    pub(super) fn signers(&self, dir: &Path, register: &Register) -> Result<Vec<Identity>, Failure> {
        let authority = register.log().authority();
        let mut signers: Vec<Identity> = Vec::new();
        for (path, identity) in self.keys(dir, register)? {
            if authority.key(identity.id()).is_none() {
                return Err(Failure::new(format!(
                    "{}: the key {} does not speak for the authority now; those that do: {}",
                    path.display(),
                    short(identity.id()),
                    names(authority.keys().iter()),
                )));
            }
            if signers.iter().all(|other| other.id() != identity.id()) {
                signers.push(identity);
            }
        }
        enough(authority, &signers)?;
        signers.truncate(authority.threshold());
        Ok(signers)
    }

    fn keys(&self, dir: &Path, register: &Register) -> Result<Vec<(PathBuf, Identity)>, Failure> {
        if !self.files.is_empty() {
            return self.files.iter().map(|path| Ok((path.clone(), key_file::read(path)?))).collect();
        }
        let in_folder = register.key_files.iter().map(|name| dir.join(name));
        let there = in_folder.filter_map(|path| match key_file::read(&path) {
            // Kept elsewhere: it is missed below, if it is.
            Err(KeyFileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.into())),
            Ok(identity) => Some(Ok((path, identity))),
        });
        there.collect()
    }
}

fn enough(authority: &Authority, signers: &[Identity]) -> Result<(), Failure> {
    let (asked, there) = (authority.threshold(), signers.len());
    if there >= asked {
        return Ok(());
    }
    let absent = authority.keys().iter().filter(|key| signers.iter().all(|signer| signer.id() != key.id()));
    Err(Failure::new(format!(
        "{asked} of {} keys have to sign and {there} are here: {} missing; name key files with --sign-with, of: {}",
        authority.keys().len(),
        asked - there,
        names(absent)
    )))
}

fn names<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> String {
    keys.map(|key| short(key.id())).collect::<Vec<_>>().join(", ")
}
