//! `octick enrol`: gets a node its credential, by a token.

use std::convert::Infallible;
use std::fmt;
use std::io::BufRead;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use octick_core::admission::Grant;
use octick_crypto::key_file;

use crate::admin::{Address, client};
use crate::authority::document;
use crate::authority::enrolment::{Answer, Enrolled, PATH, Token};
use crate::authority::init::configuration;
use crate::authority::store::hand_out;
use crate::authority::words::{day, slots};
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Gets this node a credential from its mesh's authority, by a token of `octick authority invite`
#[derive(Debug, clap::Args)]
pub struct Enrol {
    /// Where the authority serves, as in host:7790
    #[arg(value_name = "HOST:PORT")]
    authority: String,
    /// The token; "-" reads it from standard input, where no other user of this machine sees it
    token: Given,
    /// The node's key, which is made if it is not there. The credential and decisions are written beside it
    #[arg(long, value_name = "FILE", default_value = "node.key")]
    key_file: PathBuf,
}

/// A secret on the command line: it is shown to nobody.
#[derive(Clone)]
struct Given(String);

impl FromStr for Given {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

impl Enrol {
    /// Asks the authority, verifies what it answers against the token, and writes it.
    ///
    /// # Errors
    /// Why the node was not let in; its key remains, for the next time.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let token = self.token()?;
        let address = self.address()?;
        let identity = key_file::read_or_create(&self.key_file)?;
        let request = token.request(identity.public());
        let answer: Answer = client::post(&address, PATH, &request).map_err(|error| self.failed(error))?;
        let enrolled = token
            .verify(&answer, identity.id())
            .map_err(|why| Failure::new(format!("{}: {why}; nothing was written", self.authority)))?;
        self.write(&enrolled, answer.slots)?;
        Ok(ExitCode::SUCCESS)
    }

    fn token(&self) -> Result<Token, Failure> {
        let Given(mut text) = self.token.clone();
        if text == "-" {
            text.clear();
            std::io::stdin().lock().read_line(&mut text)?;
        }
        text.parse().map_err(Failure::usage)
    }

    fn address(&self) -> Result<Address, Failure> {
        let name = &self.authority;
        let found = name
            .to_socket_addrs()
            .map_err(|error| Failure::new(format!("{name}: {error}; want host:port")))?;
        Ok(Address::Tcp { found: found.collect(), name: name.clone(), token: None })
    }

    fn failed(&self, error: client::CallError) -> Failure {
        let at = &self.authority;
        match error {
            client::CallError::Refused(why) => Failure::new(format!("{at}: {why}")),
            client::CallError::Silent { why, .. } => Failure::new(format!(
                "no authority answers at {at} ({why}): octick authority serve has to run there"
            )),
            client::CallError::Broken { why, .. } => {
                Failure::new(format!("{at}: {why}: is it octick authority serve of this release?"))
            }
        }
    }

    fn write(&self, enrolled: &Enrolled, table: u32) -> Result<(), Failure> {
        let Enrolled { mesh, root, decisions, credential } = enrolled;
        let Grant { serial, member, name, until, runs, .. } = credential.grant();
        let beside = |extension: &str| self.key_file.with_extension(extension);
        let put = |path: &Path, text: &str| {
            let says =
                "the token is used, and the credential could not be written: ask the operator for its file";
            hand_out(path, text).map_err(|error| Failure::new(format!("{}: {error}; {says}", path.display())))
        };
        put(&beside("credential"), &document::credential(credential, mesh))?;
        let each = decisions.iter().map(|signed| (signed, ""));
        put(&beside("decisions"), &document::decisions(each, mesh))?;
        say(format_args!("{name}  {member}"))?;
        say(wrap(&format!("  serial {serial}: {}; until {}", slots(runs), day((*until).into())), 2))?;
        say(format_args!("credential  {}", beside("credential").display()))?;
        say(format_args!("decisions   {}", beside("decisions").display()))?;
        say(format_args!("\n{}", configuration(mesh, table, root)))
    }
}
