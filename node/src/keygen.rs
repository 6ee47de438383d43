//! `octick keygen`: makes a key file, or tells whose an existing one is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick_crypto::{Identity, key_file};

use crate::failure::Failure;
use crate::output::say;

/// Makes a node's secret key, or shows whose an existing key file is.
#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// Where to write the new key (mode 0600); an existing file is never overwritten
    #[arg(long, value_name = "FILE", default_value = "node.key")]
    out: PathBuf,
    /// Make nothing; print the node id and public key of this key file
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    show: Option<PathBuf>,
}

impl Keygen {
    /// Prints the node's id and public key on standard output, one a line.
    ///
    /// # Errors
    /// When the key file cannot be made or read.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let identity = match &self.show {
            Some(path) => key_file::read(path)?,
            None => generate(&self.out)?,
        };
        say(format_args!("id         {}", identity.id()))?;
        say(format_args!("public_key {}", hex(identity.public().as_bytes())))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn generate(path: &Path) -> Result<Identity, Failure> {
    let identity = Identity::generate()?;
    key_file::create(path, &identity)?;
    Ok(identity)
}

/// Bytes as hex digits, as the configuration wants a public key.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
