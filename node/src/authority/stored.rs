//! The register as a file reads: TOML, for whoever wants to look. It is the authority's own and not to be edited: what it says is checked when
//! it is read, and what does not hold together is refused.

use octick_core::admission::{Authority, Grant, SignedDecision};
use octick_core::limits::{RUN_ALIGN, SLOTS_MAX};
use octick_core::stamp::{Run, Slot};
use octick_crypto::PublicKey;
use serde::{Deserialize, Serialize};

use super::invited::Invite;
use super::register::{Decided, Member, Register};
use super::words::unhex;
use crate::keygen::hex;

const TITLE: &str = "\
# What an Octick authority knows: whom it admitted, and what it decided. It is written by octick authority; do
# not edit it, and keep it beside the keys: without it serials, numbers and slots would be given out twice.

";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    mesh: String,
    slots: u32,
    serial: u64,
    key_files: Vec<String>,
    root: Root,
    #[serde(default)]
    decisions: Vec<DecisionRow>,
    #[serde(default)]
    members: Vec<MemberRow>,
    #[serde(default)]
    invites: Vec<InviteRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    threshold: usize,
    keys: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRow {
    /// For whoever looks; the bytes count.
    says: String,
    note: String,
    bytes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberRow {
    name: String,
    key: String,
    serial: u64,
    from: u32,
    until: u32,
    grace: u32,
    region: u16,
    roles: u16,
    rights: u32,
    runs: Vec<RunRow>,
}

/// The public half of a token: who reads it cannot enrol with it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteRow {
    token: String,
    name: String,
    cells: Option<u32>,
    region: Option<u16>,
    roles: Option<u16>,
    days: u64,
    grace_days: u64,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRow {
    first: u32,
    count: u32,
}

/// The text of a register.
pub(super) fn write(register: &Register) -> String {
    let keys = register.root.keys().iter().map(|key| hex(key.as_bytes())).collect();
    let decision = |decided: &Decided| DecisionRow {
        says: format!("{}: {}", decided.signed.number(), decided.signed.decision()),
        note: decided.note.clone(),
        bytes: hex(decided.signed.bytes()),
    };
    let whole = Whole {
        mesh: register.mesh.clone(),
        slots: register.slots,
        serial: register.serial,
        key_files: register.key_files.clone(),
        root: Root { threshold: register.root.threshold(), keys },
        decisions: register.decisions.iter().map(decision).collect(),
        members: register.members.iter().map(member_row).collect(),
        invites: register.invites.iter().map(invite_row).collect(),
    };
    TITLE.to_owned() + &toml::to_string(&whole).expect("a register is a table")
}

fn member_row(member: &Member) -> MemberRow {
    let Grant { serial, member: _, from, until, grace, region, roles, rights, name, runs } = &member.grant;
    let run = |run: &Run| RunRow { first: run.first.0, count: run.len };
    MemberRow {
        name: name.clone(),
        key: hex(member.key.as_bytes()),
        serial: *serial,
        from: *from,
        until: *until,
        grace: *grace,
        region: *region,
        roles: *roles,
        rights: *rights,
        runs: runs.iter().map(run).collect(),
    }
}

fn invite_row(invite: &Invite) -> InviteRow {
    let Invite { token, name, cells, region, roles, days, grace_days, until } = invite.clone();
    InviteRow { token: hex(token.as_bytes()), name, cells, region, roles, days, grace_days, until }
}

/// The register that a text describes.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Register, String> {
    let whole: Whole =
        toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
    if !(1..=SLOTS_MAX).contains(&whole.slots) || !whole.slots.is_multiple_of(RUN_ALIGN) {
        return Err(format!("slots = {}: want a multiple of {RUN_ALIGN}, at most {SLOTS_MAX}", whole.slots));
    }
    let keys = whole.root.keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?;
    let root = Authority::new(keys, whole.root.threshold).map_err(|why| format!("root: {why}"))?;
    let mut register = Register::new(&whole.mesh, whole.slots, root, whole.key_files);
    register.serial = whole.serial;
    for (i, row) in whole.decisions.into_iter().enumerate() {
        let bytes = unhex(&row.bytes).ok_or_else(|| format!("decisions[{i}].bytes: want hex digits"))?;
        let signed = SignedDecision::read(&bytes).map_err(|why| format!("decisions[{i}]: {why}"))?;
        register.append(signed, row.note).map_err(|why| format!("decisions[{i}]: {why:?}"))?;
    }
    for (i, row) in whole.members.into_iter().enumerate() {
        let member = member(row).map_err(|why| format!("members[{i}]: {why}"))?;
        check(&register, &member).map_err(|why| format!("members[{i}]: {why}"))?;
        register.members.push(member);
    }
    for (i, row) in whole.invites.into_iter().enumerate() {
        let InviteRow { token, name, cells, region, roles, days, grace_days, until } = row;
        let token = public_key(&token).map_err(|why| format!("invites[{i}].token: {why}"))?;
        register.invites.push(Invite { token, name, cells, region, roles, days, grace_days, until });
    }
    Ok(register)
}

fn public_key(digits: &str) -> Result<PublicKey, String> {
    let bytes = unhex(digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    PublicKey::admit(&bytes.ok_or("want a public key, 64 hex digits")?).map_err(|why| why.to_string())
}

fn member(row: MemberRow) -> Result<Member, String> {
    let key = public_key(&row.key)?;
    let run = |run: RunRow| Run { first: Slot(run.first), len: run.count };
    let grant = Grant {
        serial: row.serial,
        member: key.id(),
        from: row.from,
        until: row.until,
        grace: row.grace,
        region: row.region,
        roles: row.roles,
        rights: row.rights,
        name: row.name,
        runs: row.runs.into_iter().map(run).collect(),
    };
    Ok(Member { key, grant })
}

/// What a register promises, of one more member: the serial was handed out, slots are in the table, and neither they nor the name nor the key
/// are anybody else's.
fn check(register: &Register, member: &Member) -> Result<(), String> {
    let Grant { serial, name, runs, .. } = &member.grant;
    let sound = |run: &Run| {
        let aligned = run.first.0.is_multiple_of(RUN_ALIGN) && run.len.is_multiple_of(RUN_ALIGN);
        run.len > 0 && aligned && run.end() <= register.slots.into()
    };
    let overlap =
        |run: &Run, other: &Run| u64::from(run.first.0) < other.end() && u64::from(other.first.0) < run.end();
    let apart = runs.iter().enumerate().all(|(i, run)| !runs[..i].iter().any(|other| overlap(run, other)));
    if *serial == 0 || *serial > register.serial {
        return Err(format!("serial {serial} was not handed out: the last one is {}", register.serial));
    }
    if !runs.iter().all(sound) || !apart {
        return Err("runs of slots that nobody can own".into());
    }
    if register.members.iter().any(|other| other.key == member.key) {
        return Err("its key is there twice".into());
    }
    if register.is_revoked(member) {
        return Ok(());
    }
    for other in register.holders() {
        if other.grant.name == *name {
            return Err(format!("the name {name} is there twice"));
        }
        if let Some(run) = runs.iter().find(|run| other.grant.runs.iter().any(|theirs| overlap(run, theirs)))
        {
            return Err(format!("slots {run} are also those of {}", other.grant.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use octick_core::admission::Decision;
    use octick_crypto::Identity;

    use super::super::register::Wish;
    use super::*;

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn sample() -> Register {
        let root = Authority::new(vec![identity(9).public().clone()], 1).unwrap();
        let mut register = Register::new("a mesh", 96, root, vec!["authority.key".into()]);
        for n in 1..=3 {
            let key = Some(identity(n).public().clone());
            let (name, cells) = (format!("m{n}"), Some(32));
            let wish = Wish { name, key, cells, region: None, roles: None, from: 1, until: 2, grace: 3 };
            register.issue(&wish, &[&identity(9)]).unwrap();
        }
        let (token, name, cells) = (identity(7).public().clone(), "m7".to_owned(), Some(32));
        let (region, roles, days, grace_days, until) = (None, Some(3), 4, 5, 6);
        register.invites.push(Invite { token, name, cells, region, roles, days, grace_days, until });
        let decision = Decision::Revoke { member: identity(2).id(), serial: 3 };
        register.decide(&decision, "lost\nat sea", &[&identity(9)]).unwrap();
        register
    }

    #[test]
    fn what_was_written_is_read() {
        let register = sample();
        let read = read(&write(&register)).unwrap();
        assert_eq!(write(&read), write(&register));
        assert_eq!(read.log().len(), 1);
        assert_eq!((read.members, read.decisions), (register.members, register.decisions));
        assert_eq!(read.invites, register.invites);
    }

    #[test]
    fn a_register_that_does_not_hold_together_is_refused() {
        let whole = write(&sample());
        for (from, to, says) in [
            ("slots = 96", "slots = 90", "slots = 90: want a multiple of 16"),
            ("slots = 96", "slots = 64", "members[2]: runs of slots that nobody can own"),
            (
                "serial = 3\nkey",
                "serial = 2\nkey",
                "members[2]: serial 3 was not handed out: the last one is 2",
            ),
            ("\"m3\"", "\"m1\"", "members[2]: the name m1 is there twice"),
            ("first = 64", "first = 0", "members[2]: slots 0+32 are also those of m1"),
            ("bytes = \"01", "bytes = \"02", "decisions[0]: Gap"),
            (
                "bytes = \"0100000000000000",
                "bytes = \"01000000000000000",
                "decisions[0].bytes: want hex digits",
            ),
            ("mesh = \"a", "mesh = \"b", "decisions[0]: Unsigned"),
            ("threshold = 1", "threshold = 2", "root: an authority that asks for 2 signatures"),
            ("mesh = ", "mush = ", "unknown field `mush`"),
        ] {
            assert!(whole.contains(from), "{from} in {whole}");
            let why = read(&whole.replacen(from, to, 1)).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }
}
