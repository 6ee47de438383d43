//! `octick authority invite`: lets one node in that is not known yet, by a token.

use std::process::ExitCode;

use octick_crypto::PublicKey;

use super::enrolment::Token;
use super::folder::Folder;
use super::invited::Invite;
use super::issue::{Region, bits, lifetime, now};
use super::register::{Register, Wish};
use super::store::Store;
use super::words::{DAY, moment};
use crate::failure::Failure;
use crate::output::{say, wrap};

/// Invitations that wait at a time: as many nodes as an operator sets up in a day.
const INVITES_MAX: usize = 1_024;

/// Makes a token by which one node gets a credential from `octick authority serve`
#[derive(Debug, clap::Args)]
pub struct Invitation {
    /// What people will call the node
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Slots that the node will write, rounded up to 16
    #[arg(long, value_name = "N")]
    cells: Option<u32>,
    /// The region that the node has to be in, or "any"
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    /// Numbers of the roles that the node may have, 0 to 15
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..16))]
    roles: Option<Vec<u8>>,
    /// How long its credential will hold
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    days: u64,
    /// How long after that it still holds, with a warning
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    grace_days: u64,
    /// How long the token may be used
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(0..=8_760))]
    hours: u64,
    #[command(flatten)]
    folder: Folder,
}

impl Invite {
    /// What the node with `key` is to get at `now`.
    ///
    /// # Errors
    /// Its days go beyond what a credential knows.
    pub(super) fn wish(&self, key: PublicKey, now: u64) -> Result<Wish, Failure> {
        let (from, until, grace) = lifetime(now, self.days, self.grace_days)?;
        let Self { name, cells, region, roles, .. } = self.clone();
        Ok(Wish { name, key: Some(key), cells, region, roles, from, until, grace })
    }
}

impl Register {
    /// Takes an invitation, and forgets those that are over.
    ///
    /// # Errors
    /// The name is somebody's, or there are too many invitations; nothing changed.
    pub(super) fn invite(&mut self, invite: Invite, now: u64) -> Result<(), Failure> {
        // Whether it could be issued now says more than another list of rules.
        let wish = invite.wish(invite.token.clone(), now)?;
        self.grant(&wish)?;
        self.invites.retain(|other| other.until > now && other.name != invite.name);
        if self.invites.len() >= INVITES_MAX {
            return Err(Failure::new(format!(
                "{INVITES_MAX} invitations wait already, which is all there may be"
            )));
        }
        self.invites.push(invite);
        Ok(())
    }
}

impl Invitation {
    /// Records the invitation, then prints the token.
    ///
    /// # Errors
    /// The name is somebody's, or there are not so many slots.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let now = now()?;
        let (store, mut register) = Store::open(&self.folder.dir)?;
        let token = Token::new(&register)?;
        let until = now + self.hours * (DAY / 24);
        let invite = Invite {
            token: token.key().clone(),
            name: self.name.clone(),
            cells: self.cells,
            region: self.region.map(Region::number),
            roles: self.roles.as_deref().map(bits),
            days: self.days,
            grace_days: self.grace_days,
            until,
        };
        register.invite(invite, now)?;
        store.save(&register)?;
        say(&token)?;
        let advice = format!(
            "lets one node in as {}, until {}, while octick authority serve runs. It is a secret: on the node, octick enrol ADDRESS -, and paste it.",
            self.name,
            moment(until)
        );
        say(wrap(&format!("  {advice}"), 2))?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use octick_core::admission::Authority;
    use octick_crypto::Identity;

    use super::*;

    fn invite(n: u8, name: &str, until: u64) -> Invite {
        let token = Identity::from_seed(&[n; 32]).public().clone();
        let (name, cells) = (name.to_owned(), Some(16));
        Invite { token, name, cells, region: None, roles: None, days: 1, grace_days: 1, until }
    }

    #[test]
    fn an_invitation_replaces_that_of_its_name_and_those_that_are_over() {
        let root = Authority::new(vec![Identity::from_seed(&[99; 32]).public().clone()], 1).unwrap();
        let mut register = Register::new("t", 64, root, vec![]);
        for (n, name, until) in [(1, "a", 100), (2, "b", 200), (3, "c", 300), (4, "c", 400)] {
            register.invite(invite(n, name, until), 50).unwrap();
        }
        register.invite(invite(5, "d", 500), 100).unwrap();
        let names: Vec<_> =
            register.invites.iter().map(|invite| (invite.name.as_str(), invite.until)).collect();
        assert_eq!(names, [("b", 200), ("c", 400), ("d", 500)]);
        assert!(register.invite(invite(6, "two words", 500), 100).is_err());
    }
}
