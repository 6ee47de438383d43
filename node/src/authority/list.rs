//! `octick authority list`: whom the authority admitted, and how far that reaches.

use std::path::PathBuf;
use std::process::ExitCode;

use octick_core::admission::grant::{ANY_REGION, Validity};
use octick_core::admission::rule::SKEW;
use octick_crypto::PublicKey;
use serde_json::{Value, json};

use super::folder::Folder;
use super::issue::now;
use super::register::{Decided, Member, Register, short};
use super::store;
use super::words::{day, signing, total};
use crate::failure::Failure;
use crate::keygen::hex;
use crate::output::{COLUMNS, Column, columns, counted, say};

/// Shows whom the authority admitted: serial, slots, until when, and whether that holds
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    folder: Folder,
    /// Print JSON, one object
    #[arg(long)]
    json: bool,
    /// Write the file of all decisions besides
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
}

const HEAD: [Column; 6] = [
    Column::left("name"),
    Column::left("id"),
    Column::right("serial"),
    Column::left("slots"),
    Column::left("until"),
    Column::left("state"),
];

impl List {
    /// Prints the members, in the order in which they came, then sums.
    ///
    /// # Errors
    /// There is no authority.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let register = store::read(&self.folder.dir)?;
        let now = now()?;
        if self.json {
            say(json(&register, now))?;
        } else {
            say(table(&register, now))?;
            say(sums(&register))?;
        }
        if let Some(out) = &self.decisions {
            let each = register.decisions.iter().map(|Decided { signed, note }| (signed, note.as_str()));
            store::hand_out(out, &super::document::decisions(each, &register.mesh))
                .map_err(|error| Failure::new(format!("{}: {error}", out.display())))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How far a member's credential reaches.
fn state(register: &Register, member: &Member, now: u64) -> &'static str {
    match member.grant.validity(now, SKEW) {
        _ if register.is_revoked(member) => "revoked",
        Validity::Early => "early",
        Validity::Valid => "valid",
        Validity::Grace => "grace",
        Validity::ReadOnly => "read-only",
        Validity::Over => "over",
    }
}

/// A line for each run of a member; names are cut where the lines would be longer than a terminal.
fn table(register: &Register, now: u64) -> String {
    let rows: Vec<[String; 6]> =
        register.members.iter().flat_map(|member| rows(register, member, now)).collect();
    let whole = columns(&HEAD, &rows);
    let longest = whole.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let name = rows.iter().map(|row| row[0].len()).max().unwrap_or(0);
    let room = name.saturating_sub(longest.saturating_sub(COLUMNS));
    let cut = |[name, rest @ ..]: [String; 6]| {
        let name = if name.len() > room { format!("{}~", &name[..room - 1]) } else { name };
        let [id, serial, slots, until, state] = rest;
        [name, id, serial, slots, until, state]
    };
    columns(&HEAD, &rows.into_iter().map(cut).collect::<Vec<_>>())
}

fn rows(register: &Register, member: &Member, now: u64) -> Vec<[String; 6]> {
    let grant = &member.grant;
    // What was revoked has no slots any more; they may be somebody else's.
    let held: Vec<String> = match register.is_revoked(member) {
        true => Vec::new(),
        false => grant.runs.iter().map(ToString::to_string).collect(),
    };
    let first = [
        grant.name.clone(),
        short(grant.member),
        grant.serial.to_string(),
        held.first().map_or("-", |run| run).to_owned(),
        day(grant.until.into()),
        state(register, member, now).to_owned(),
    ];
    let more = held.iter().skip(1).map(|run| {
        let mut row: [String; 6] = Default::default();
        row[3].clone_from(run);
        row
    });
    std::iter::once(first).chain(more).collect()
}

fn sums(register: &Register) -> String {
    let authority = register.log().authority();
    let revoked = register.members.len() - register.holders().count();
    let given = u64::from(register.slots) - total(&register.free());
    format!(
        "{}, {revoked} of them revoked; {given} of {} slots are given\n{}; {}",
        counted(register.members.len(), "member"),
        register.slots,
        counted(register.decisions.len(), "decision"),
        signing(authority)
    )
}

fn json(register: &Register, now: u64) -> Value {
    let keys = |keys: &[PublicKey]| keys.iter().map(|key| hex(key.as_bytes())).collect::<Vec<_>>();
    let (root, authority) = (&register.root, register.log().authority());
    let member = |member: &Member| {
        let grant = &member.grant;
        let runs = grant.runs.iter().map(|run| json!({"first": run.first.0, "count": run.len}));
        json!({
            "name": grant.name,
            "id": grant.member.to_string(),
            "public_key": hex(member.key.as_bytes()),
            "serial": grant.serial,
            "runs": runs.collect::<Vec<_>>(),
            "from": grant.from,
            "until": grant.until,
            "grace_secs": grant.grace,
            "region": (grant.region != ANY_REGION).then_some(grant.region),
            "roles": (0..16).filter(|role| grant.roles >> role & 1 == 1).collect::<Vec<u8>>(),
            "state": state(register, member, now),
        })
    };
    let decision = |decided: &Decided| {
        json!({
            "number": decided.signed.number(),
            "says": decided.signed.decision().to_string(),
            "note": decided.note,
        })
    };
    json!({
        "mesh": register.mesh,
        "slots": register.slots,
        "slots_free": total(&register.free()),
        "serial": register.serial,
        "root": {"threshold": root.threshold(), "keys": keys(root.keys())},
        "authority": {"threshold": authority.threshold(), "keys": keys(authority.keys())},
        "decisions": register.decisions.iter().map(decision).collect::<Vec<_>>(),
        "members": register.members.iter().map(member).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use octick_core::admission::{Authority, Decision};
    use octick_crypto::Identity;

    use super::super::register::Wish;
    use super::*;

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn register(names: &[&str]) -> Register {
        let root = Authority::new(vec![identity(99).public().clone()], 1).unwrap();
        let mut register = Register::new("t", 1 << 27, root, vec![]);
        for (n, name) in names.iter().enumerate() {
            let key = Some(identity(n as u8 + 1).public().clone());
            let (name, cells) = ((*name).to_owned(), Some(32));
            let wish =
                Wish { name, key, cells, region: None, roles: None, from: 1_000, until: 2_000, grace: 500 };
            register.issue(&wish, &[&identity(99)]).unwrap();
        }
        register
    }

    #[test]
    fn how_far_a_credential_reaches_is_said() {
        let mut register = register(&["a", "b"]);
        let decision = Decision::Revoke { member: identity(2).id(), serial: 2 };
        register.decide(&decision, "", &[&identity(99)]).unwrap();
        let at =
            |now| register.members.iter().map(|member| state(&register, member, now)).collect::<Vec<_>>();
        assert_eq!(at(2_000), ["valid", "revoked"]);
        assert_eq!(at(2_001), ["grace", "revoked"]);
        assert_eq!(at(2_501), ["read-only", "revoked"]);
        assert_eq!(at(3_001 + SKEW), ["over", "revoked"]);
        assert_eq!(at(0), ["early", "revoked"]);
        let table = table(&register, 2_000);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[1].starts_with("a ") && lines[1].contains("0+32 ") && lines[1].ends_with("valid"),
            "{table}"
        );
        assert!(
            lines[2].starts_with("b ") && lines[2].contains(" - ") && lines[2].ends_with("revoked"),
            "{table}"
        );
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_whatever_names_and_slots_are() {
        let name = "a-name-of-thirty-two-characters-";
        let mut register = register(&[name, "b"]);
        let key = Some(identity(1).public().clone());
        for cells in [1 << 20, 1 << 26] {
            let (name, key) = (name.to_owned(), key.clone());
            let wish = Wish {
                name,
                key,
                cells: Some(cells),
                region: None,
                roles: None,
                from: 0,
                until: 9,
                grace: 9,
            };
            register.issue(&wish, &[&identity(99)]).unwrap();
        }
        register.serial = 10_000_000_000;
        register.members[0].grant.serial = register.serial;
        let table = table(&register, 100_000);
        assert!(table.lines().all(|line| line.chars().count() <= COLUMNS), "{table}");
        assert!(table.contains("a-name-of-thir") && table.contains('~'), "{table}");
        assert_eq!(table.lines().count(), 4, "a line for each run: {table}");
    }
}
