//! Target `admission`: an authority, whoever plays it, and whoever reads what they signed.
//!
//! Decisions and credentials are signed by keys of the authority's past, present and future, by an issuer, and by nobody in particular; some
//! are bent afterwards. A dull model says whom the mesh trusts. What is promised: the log takes a decision exactly if it is the next one and the keys that
//! speak signed it, a credential holds exactly if the model trusts its signer for it, nothing bent is believed, and any bytes are read
//! or refused.

use std::collections::BTreeMap;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::log::Appended;
use octick_core::admission::{Authority, AuthorityLog, Credential, Decision, Grant, SignedDecision};
use octick_core::control::message::membership::Announced;
use octick_core::crypto::{NodeId, verify_many};
use octick_core::stamp::{Run, Slot};

use crate::cursor::Cursor;
use crate::world::World;

/// Documents that one input may lead to.
const STEPS_MAX: usize = 24;
/// Keys that sign: the first is the authority's to begin with.
const KEYS: usize = 4;

/// Whom the mesh trusts, as the decisions so far have it.
struct Model {
    /// Who spoke, by key, and the last serial that it may have signed.
    generations: Vec<(usize, u64)>,
    /// Key, slots from which on it grants, end of its credentials, last serial.
    issuers: Vec<(usize, Run, u32, u64)>,
    revoked: BTreeMap<NodeId, u64>,
    len: u64,
}

/// Plays an authority and its readers.
///
/// # Panics
/// When the log and the model disagree.
pub fn run(data: &[u8]) {
    let mut input = Cursor::new(data);
    let mesh = authority_key("fuzz");
    let root = Authority::new(vec![World::get().people[0].public().clone()], 1).expect("one key");
    let mut log = AuthorityLog::new(mesh, root);
    let mut model =
        Model { generations: vec![(0, u64::MAX)], issuers: Vec::new(), revoked: BTreeMap::new(), len: 0 };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        match input.u8() % 4 {
            0 | 1 => decide(&mut log, &mut model, &mut input),
            2 => issue(&log, &model, &mut input),
            _ => read_anything(&mut input),
        }
        assert_eq!(log.len(), model.len);
        for who in &World::get().people {
            assert_eq!(log.revoked_to(who.id()), model.revoked.get(&who.id()).copied().unwrap_or(0));
        }
    }
}

fn decide(log: &mut AuthorityLog, model: &mut Model, input: &mut Cursor<'_>) {
    let people = &World::get().people;
    let (about, signer) = (usize::from(input.u8()) % KEYS, usize::from(input.u8()) % KEYS);
    let (serial, number) = (u64::from(input.u8()), model.len + u64::from(input.u8() % 3));
    let (first, until) = (Slot(16 * u32::from(input.u8())), u32::from(input.u8()));
    let slots = Run { first, len: 64 };
    let kind = input.u8() % 4;
    let decision = match kind {
        0 => Decision::Revoke { member: people[about].id(), serial },
        1 => {
            let authority = Authority::new(vec![people[about].public().clone()], 1).expect("one key");
            Decision::Rotate { authority, serial }
        }
        2 => Decision::Appoint { issuer: Box::new(people[about].public().clone()), slots, until },
        _ => Decision::Dismiss { issuer: people[about].id(), serial },
    };
    let made = SignedDecision::sign(number.max(1), &decision, log.mesh(), &[&people[signer]]);
    let (bytes, bent) = bend(made.bytes(), input);
    let Ok(read) = SignedDecision::read(&bytes) else {
        assert!(bent, "what was signed is read");
        return;
    };
    let speaks = model.generations.last().is_some_and(|(key, _)| *key == signer);
    let taken = log.append(&read, verify_many) == Appended::New;
    assert_eq!(taken, !bent && speaks && read.number() == model.len + 1, "{read:?} by {signer}");
    if !taken {
        return;
    }
    model.len += 1;
    match kind {
        0 => {
            let revoked = model.revoked.entry(people[about].id()).or_default();
            *revoked = (*revoked).max(serial);
        }
        1 => {
            model.generations.last_mut().expect("there is a first").1 = serial;
            model.generations.push((about, u64::MAX));
        }
        2 => model.issuers.push((about, slots, until, u64::MAX)),
        _ => {
            let theirs = model.issuers.iter_mut().filter(|issuer| issuer.0 == about);
            theirs.for_each(|issuer| issuer.3 = issuer.3.min(serial));
        }
    }
}

fn issue(log: &AuthorityLog, model: &Model, input: &mut Cursor<'_>) {
    let people = &World::get().people;
    let (member, signer) = (usize::from(input.u8()) % people.len(), usize::from(input.u8()) % KEYS);
    let (serial, until) = (1 + u64::from(input.u8()), u32::from(input.u8()));
    let run = Run { first: Slot(16 * u32::from(input.u8())), len: 32 };
    let grant = Grant {
        serial,
        member: people[member].id(),
        from: 0,
        until,
        grace: 0,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: "somebody".to_owned(),
        runs: vec![run],
    };
    let made = Credential::issue(&grant, log.mesh(), &[&people[signer]]).expect("a sound grant");
    let (bytes, bent) = bend(made.bytes(), input);
    let spoke = model.generations.iter().any(|(key, to)| *key == signer && serial <= *to);
    let may = |(key, slots, end, to): &(usize, Run, u32, u64)| {
        let within = slots.first <= run.first && run.end() <= slots.end();
        *key == signer && within && until <= *end && serial <= *to
    };
    let trusted = spoke || model.issuers.iter().any(may);
    let read = Credential::verify_all(&[&bytes], log, verify_many).remove(0);
    assert_eq!(read.is_ok(), trusted && !bent, "{grant:?} by {signer}: {read:?}");
    if let Ok(read) = read {
        assert_eq!((read.grant(), read.bytes()), (&grant, &bytes[..]));
    }
}

/// The same bytes, or with one of them changed.
fn bend(bytes: &[u8], input: &mut Cursor<'_>) -> (Vec<u8>, bool) {
    let (at, by) = (usize::from(input.u8()), input.u8());
    let mut bytes = bytes.to_vec();
    // Most stay as they are.
    let by = if by < 0xC0 { 0 } else { by };
    let at = at % bytes.len();
    bytes[at] ^= by;
    (bytes, by != 0)
}

/// Whatever comes over the network: read, or refused.
fn read_anything(input: &mut Cursor<'_>) {
    let len = usize::from(input.u8());
    let bytes = input.bytes(len);
    if let Ok(read) = SignedDecision::read(bytes) {
        assert_eq!(read.bytes(), bytes);
    }
    if let Ok((grant, signers)) = Credential::read_unproven(bytes) {
        assert!(!signers.is_empty() && grant.serial > 0);
    }
    if let Ok(announced) = Announced::decode(bytes) {
        assert_eq!(announced.len(), bytes.len());
    }
}
