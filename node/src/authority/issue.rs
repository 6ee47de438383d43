//! `octick authority issue`: admits a node, or renews what it has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use octick_core::admission::grant::ANY_REGION;
use octick_core::admission::{Credential, Grant};
use octick_core::limits::RUN_ALIGN;
use octick_crypto::{Identity, PublicKey};

use super::document;
use super::folder::Folder;
use super::register::{Register, Wish};
use super::signers::SignWith;
use super::store::{self, Store};
use super::words::{DAY, day, slots, total, unhex};
use crate::failure::Failure;
use crate::output::{counted, say, wrap};

/// Issues a credential: admits a node, or renews what a member has
#[derive(Debug, clap::Args)]
pub struct Issue {
    /// What people call the node: letters, digits, dots, hyphens, underscores
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The node's public key, as `octick keygen --show` prints it; may be left out when the name is renewed
    #[arg(long, value_name = "HEX", conflicts_with = "key_file")]
    key: Option<String>,
    /// A file with what `octick keygen` printed
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Slots that the node may write, rounded up to 16; a member keeps what it has unless it asks for more
    #[arg(long, value_name = "N")]
    cells: Option<u32>,
    /// The region that the node has to be in, or "any", which is what a new member gets
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    /// Numbers of the roles that the node may have, 0 to 15, as in 0,3; a new member has none
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..16))]
    roles: Option<Vec<u8>>,
    /// How long it holds
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    days: u64,
    /// How long after that it still holds, with a warning; as long again the node may only read
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    grace_days: u64,
    /// The credential's file; without, NAME.credential in the authority's folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    sign_with: SignWith,
}

/// A region, or any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(u16);

impl Region {
    /// As credentials have it.
    pub(super) fn number(self) -> u16 {
        self.0
    }
}

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "any" => Ok(Self(ANY_REGION)),
            Ok(region) if region != ANY_REGION => Ok(Self(region)),
            _ => Err(format!("want a number up to {}, or \"any\"", ANY_REGION - 1)),
        }
    }
}

impl Issue {
    /// Records the credential, then writes its file.
    ///
    /// # Errors
    /// Why there is none; or that it is recorded and its file could not be written.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let (from, until, grace) = lifetime(now()?, self.days, self.grace_days)?;
        let wish = Wish {
            name: self.name.clone(),
            key: self.member_key()?,
            cells: self.cells,
            region: self.region.map(Region::number),
            roles: self.roles.as_deref().map(bits),
            from,
            until,
            grace,
        };
        let dir = &self.folder.dir;
        let (store, mut register) = Store::open(dir)?;
        let signers = self.sign_with.signers(dir, &register)?;
        let credential = register.issue(&wish, &signers.iter().collect::<Vec<&Identity>>())?;
        store.save(&register)?;
        let out = self.out.clone().unwrap_or_else(|| store.path(&format!("{}.credential", self.name)));
        hand_out(&credential, &register, &out)?;
        say_issued(&credential, self.cells, &out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn member_key(&self) -> Result<Option<PublicKey>, Failure> {
        let (digits, from) = match (&self.key, &self.key_file) {
            (Some(digits), _) => (digits.clone(), "--key".to_owned()),
            (None, Some(path)) => (printed_key(path)?, path.display().to_string()),
            (None, None) => return Ok(None),
        };
        // What was given is not repeated: it may be a secret that was taken for a public key.
        let wrong = |why: &str| Failure::new(format!("{from}: {why}"));
        let bytes = unhex(&digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes =
            bytes.ok_or_else(|| wrong("want a public key, 64 hex digits; octick keygen --show prints it"))?;
        PublicKey::admit(&bytes).map(Some).map_err(|why| wrong(&why.to_string()))
    }
}

/// The public key in what `octick keygen` printed. A bare line of digits is refused: so looks a secret key.
fn printed_key(path: &Path) -> Result<String, Failure> {
    let at = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{at}: no such file; want what octick keygen printed on the node: octick keygen > node.pub")
            }
            _ => format!("{at}: {error}"),
        })
    })?;
    let key =
        text.lines().find_map(|line| line.strip_prefix("public_key ")).map(|digits| digits.trim().to_owned());
    key.ok_or_else(|| {
        Failure::new(format!(
            "{at}: no line \"public_key ...\" in it; want what octick keygen printed, not the key file, which is secret"
        ))
    })
}

/// This moment, seconds since 1970.
pub(super) fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.map_err(|_| Failure::new("the clock of this machine is before 1970"))?.as_secs())
}

/// Roles as credentials have them.
pub(super) fn bits(roles: &[u8]) -> u16 {
    roles.iter().fold(0, |bits, role| bits | 1 << role)
}

/// From when, until when, and how much longer.
pub(super) fn lifetime(now: u64, days: u64, grace_days: u64) -> Result<(u32, u32, u32), Failure> {
    let most = u64::from(u32::MAX).saturating_sub(now) / DAY;
    let refuse = |what: &str, days: u64| {
        Failure::usage(format!(
            "--{what} {days}: a credential knows no time after {}; want at most {most}",
            day(u32::MAX.into())
        ))
    };
    if days > most {
        return Err(refuse("days", days));
    }
    if grace_days > most {
        return Err(refuse("grace-days", grace_days));
    }
    let fits = |secs: u64| u32::try_from(secs).expect("it was compared with the most");
    Ok((fits(now), fits(now + days * DAY), fits(grace_days * DAY)))
}

fn hand_out(credential: &Credential, register: &Register, out: &Path) -> Result<(), Failure> {
    store::hand_out(out, &document::credential(credential, &register.mesh)).map_err(|error| {
        let Grant { serial, name, .. } = credential.grant();
        Failure::new(format!(
            "{}: {error}; {name} has its slots, and serial {serial} is recorded and not handed out: issue again for the next one",
            out.display()
        ))
    })
}

fn say_issued(credential: &Credential, asked: Option<u32>, out: &Path) -> Result<(), Failure> {
    let Grant { serial, member, name, until, grace, runs, .. } = credential.grant();
    let days = counted((u64::from(*grace) / DAY) as usize, "day");
    say(format_args!("{name}  {member}"))?;
    let more = asked.filter(|asked| u64::from(*asked) < total(runs));
    let more = more
        .map(|asked| format!(" ({asked} were asked for; slots are given by {RUN_ALIGN})"))
        .unwrap_or_default();
    let says = format!(
        "  serial {serial}: {}{more}; until {}, and {days} of grace",
        slots(runs),
        day((*until).into())
    );
    say(wrap(&says, 2))?;
    say(format_args!("credential  {}", out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_ends_within_32_bits_or_is_refused_with_the_most() {
        let now = 1_795_276_824;
        assert_eq!(lifetime(now, 30, 7).unwrap(), (1_795_276_824, 1_797_868_824, 604_800));
        let most = (u64::from(u32::MAX) - now) / DAY;
        assert!(lifetime(now, most, most).is_ok());
        let says = "a credential knows no time after 2106-02-07; want at most";
        for (days, grace_days) in [(most + 1, 0), (u64::MAX, 0), (1, most + 1)] {
            assert!(lifetime(now, days, grace_days).unwrap_err().to_string().contains(says));
        }
    }

    #[test]
    fn a_region_is_a_number_or_any() {
        assert_eq!("any".parse(), Ok(Region(ANY_REGION)));
        assert_eq!("7".parse(), Ok(Region(7)));
        assert!(["65535", "-1", "all", ""].iter().all(|text| text.parse::<Region>().is_err()));
    }
}
