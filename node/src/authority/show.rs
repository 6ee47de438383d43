//! `octick authority show`: what a credential's or a decision's file says, by whom, until when, and whether to believe it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, Validity, WRITE_CELLS};
use octick_core::admission::log::Appended;
use octick_core::admission::rule::SKEW;
use octick_core::admission::{Authority, AuthorityLog, Credential, Grant, SignedDecision};
use octick_crypto::{NodeId, PublicKey, verify_many};

use super::document::{self, Document, read_decisions};
use super::issue::now;
use super::register::short;
use super::store;
use super::words::{moment, signing, slots, unhex};
use crate::failure::Failure;
use crate::output::{counted, say, wrap};

/// Says what a credential's or a decisions' file grants, by whom, until when, and whether an authority stands behind it
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The file
    file: PathBuf,
    /// The folder of the authority to ask; without, and without --authority, "authority" if there is one
    #[arg(long, value_name = "DIR", conflicts_with = "authority")]
    dir: Option<PathBuf>,
    /// A public key of the authority to ask, as nodes have it in their configuration; several times for several keys
    #[arg(long, value_name = "HEX", requires = "mesh")]
    authority: Vec<String>,
    /// How many of those keys have to sign
    #[arg(long, value_name = "M", default_value_t = 1, requires = "authority")]
    threshold: usize,
    /// The name of the mesh, with --authority
    #[arg(long, value_name = "NAME", requires = "authority")]
    mesh: Option<String>,
    /// What the authority decided so far, with --authority
    #[arg(long, value_name = "FILE", requires = "authority")]
    decisions: Option<PathBuf>,
}

impl Show {
    /// Prints what the file says, and whether it is to be believed: exit code 1 if an authority was asked and it is not.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such authority.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let read = document::read(&self.file)?;
        let mut trust = self.trust()?;
        let believed = match read {
            Document::Credential(bytes) => credential(&bytes, trust.as_ref(), now()?)?,
            Document::Decisions(each) => decisions(&each, trust.as_mut())?,
        };
        match believed {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(why) => Err(Failure::new(format!("{}: {why}", self.file.display()))),
        }
    }

    /// Whose word counts, if anybody was named.
    fn trust(&self) -> Result<Option<AuthorityLog>, Failure> {
        let standard = Path::new("authority");
        match (&self.dir, &self.mesh) {
            (Some(dir), _) => Ok(Some(store::read(dir)?.log().clone())),
            (None, Some(mesh)) => self.named(mesh).map(Some),
            (None, None) if store::is_there(standard) => Ok(Some(store::read(standard)?.log().clone())),
            (None, None) => Ok(None),
        }
    }

    fn named(&self, mesh: &str) -> Result<AuthorityLog, Failure> {
        let keys = self.authority.iter().map(|digits| {
            let bytes = unhex(digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| Failure::new("--authority: want a public key, 64 hex digits"))?;
            PublicKey::admit(&bytes).map_err(|why| Failure::new(format!("--authority: {why}")))
        });
        let root = Authority::new(keys.collect::<Result<_, _>>()?, self.threshold);
        let mut log =
            AuthorityLog::new(authority_key(mesh), root.map_err(|why| Failure::usage(why.to_string()))?);
        let Some(path) = &self.decisions else { return Ok(log) };
        for bytes in read_decisions(path)? {
            let signed = SignedDecision::read(&bytes)?;
            append(&mut log, &signed).map_err(|why| {
                Failure::new(format!("{}: decision {}: {why}", path.display(), signed.number()))
            })?;
        }
        Ok(log)
    }
}

/// Whether what was shown is to be believed.
type Believed = Result<(), String>;

fn credential(bytes: &[u8], trust: Option<&AuthorityLog>, now: u64) -> Result<Believed, Failure> {
    let (grant, signers) = Credential::read_unproven(bytes)?;
    let Grant { serial, member, from, until, grace, name, .. } = &grant;
    say(format_args!("credential  serial {serial} of {name}"))?;
    say(format_args!("node        {member}"))?;
    field("grants", &grants(&grant))?;
    say(format_args!("from        {}", moment((*from).into())))?;
    let is_revoked = trust.is_some_and(|trust| trust.revoked_to(*member) >= *serial);
    let holds = if is_revoked { "void: it was revoked" } else { reach(&grant, now) };
    say(format_args!("until       {}, {holds}", moment((*until).into())))?;
    say(format_args!(
        "grace       {}, then reading only for as long",
        counted((grace / super::words::DAY as u32) as usize, "day")
    ))?;
    field("signed by", &ids(&signers))?;
    let Some(trust) = trust else {
        say("trusted     nobody was asked: name --dir, or --authority and --mesh")?;
        return Ok(Ok(()));
    };
    let believed = match Credential::verify_all(&[bytes], trust, verify_many).remove(0) {
        Err(why) => Err(format!("not to be believed: {why}")),
        Ok(_) if is_revoked => Err(format!(
            "revoked: credentials of this node up to serial {} are void",
            trust.revoked_to(*member)
        )),
        Ok(_) => match grant.validity(now, SKEW) {
            Validity::Early => Err("it does not hold yet".into()),
            Validity::Over => Err("it is over".into()),
            Validity::Valid | Validity::Grace | Validity::ReadOnly => Ok(()),
        },
    };
    let (authority, decided) = (trust.authority(), trust.len());
    let after = format!("{}, after {}", signing(authority), counted(decided as usize, "decision"));
    field("trusted", &format!("{}: {after}", if believed.is_ok() { "yes" } else { "no" }))?;
    Ok(believed)
}

/// A line that begins with what it is about.
fn field(about: &str, text: &str) -> Result<(), Failure> {
    let indented = wrap(&format!("{:12}{text}", ""), 12);
    say(format_args!("{about:12}{}", &indented[12..]))
}

fn grants(grant: &Grant) -> String {
    let writes =
        if grant.rights & WRITE_CELLS == 0 { "it may not write cells" } else { "it may write their cells" };
    let region = match grant.region {
        ANY_REGION => "any region".to_owned(),
        region => format!("region {region}"),
    };
    let roles: Vec<String> =
        (0..16).filter(|role| grant.roles >> role & 1 == 1).map(|role: u8| role.to_string()).collect();
    let roles = if roles.is_empty() { "no roles".into() } else { format!("roles {}", roles.join(", ")) };
    format!("{}; {writes}; {region}; {roles}", slots(&grant.runs))
}

fn reach(grant: &Grant, now: u64) -> &'static str {
    match grant.validity(now, SKEW) {
        Validity::Early => "not yet",
        Validity::Valid => "it holds",
        Validity::Grace => "in its grace: renew it",
        Validity::ReadOnly => "its node may only read",
        Validity::Over => "over",
    }
}

fn decisions(each: &[Vec<u8>], mut trust: Option<&mut AuthorityLog>) -> Result<Believed, Failure> {
    let mut believed = Ok(());
    for bytes in each {
        let signed = SignedDecision::read(bytes)?;
        let number = signed.number();
        say(wrap(&format!("decision {number}: {}", signed.decision()), 4))?;
        say(wrap(&format!("    signed by {}", ids(&signed.signers())), 4))?;
        let Some(trust) = trust.as_deref_mut() else { continue };
        match append(trust, &signed) {
            Ok(()) => say("    trusted")?,
            Err(why) => {
                say(format_args!("    not trusted: {why}"))?;
                believed = believed.and(Err(format!("decision {number} is not to be believed: {why}")));
            }
        }
    }
    match trust {
        None => say("nobody was asked whether to believe it: name --dir, or --authority and --mesh")?,
        Some(_) => say(counted(each.len(), "decision"))?,
    }
    Ok(believed)
}

/// Takes a decision that is the next one, or that was known.
fn append(trust: &mut AuthorityLog, signed: &SignedDecision) -> Result<(), &'static str> {
    match trust.append(signed, verify_many) {
        Appended::New | Appended::Known => Ok(()),
        Appended::Gap => Err("decisions before it are missing"),
        Appended::Contradiction => Err("the authority decided something else under its number"),
        Appended::Unsigned => Err("too few keys of the authority signed it"),
        Appended::Full => Err("it is more than a node keeps"),
    }
}

fn ids(signers: &[NodeId]) -> String {
    signers.iter().map(|id| short(*id)).collect::<Vec<_>>().join(", ")
}
