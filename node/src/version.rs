//! `octick version`: what was built, and what of it this machine can run.

use std::process::ExitCode;

use octick::Kernel;
use octick_crypto::lanes;

use crate::failure::Failure;
use crate::output::say;

/// Release and commit, as `octick --version` says them.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("OCTICK_COMMIT"), ")");
/// The commit that this was built from, or `unknown`.
pub const COMMIT: &str = env!("OCTICK_COMMIT");

/// Says which release this is
#[derive(Debug, clap::Args)]
pub struct Version {
    /// Say also what it was built for and which kernels this CPU can run
    #[arg(long, short)]
    verbose: bool,
}

impl Version {
    /// Prints it.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        say(format_args!("octick {VERSION}"))?;
        if self.verbose {
            let names = |names: Vec<String>| names.join(" ");
            let merge = Kernel::all_available().map(|kernel| kernel.to_string()).collect();
            let verify = lanes::Kernel::ALL.into_iter().filter(|kernel| kernel.available());
            let verify = verify.map(|kernel| kernel.to_string()).collect();
            let profile = if cfg!(debug_assertions) { "debug: slow, for development" } else { "release" };
            say(format_args!("commit          {COMMIT}"))?;
            say(format_args!("target          {} {}", std::env::consts::ARCH, std::env::consts::OS))?;
            say(format_args!("build           {profile}"))?;
            say(format_args!("merge kernels   {} (auto: {})", names(merge), Kernel::detect()))?;
            say(format_args!("verify kernels  {} (auto: {})", names(verify), lanes::Kernel::detect()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
