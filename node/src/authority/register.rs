//! Whom the authority knows, what it said so far, and what it may say next.
//!
//! A machine without files or clocks: in come wishes and keys that sign, out come credentials and decisions. Each changes the register, which
//! is to be saved before anybody sees what came out. What can never happen: one serial or number for two documents, one slot or name for two
//! members whose credentials are not revoked.

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS, is_name};
use octick_core::admission::log::Appended;
use octick_core::admission::{Authority, AuthorityLog, Credential, Decision, Grant, SignedDecision};
use octick_core::limits::{NAME_MAX, RUN_ALIGN};
use octick_core::stamp::Run;
use octick_crypto::{Identity, NodeId, PublicKey, verify_many};

use super::invited::Invite;
use super::slots;
use super::words;
use crate::failure::Failure;

/// Digits of an id that name a member: as many as tables show.
const ID_DIGITS_MIN: usize = 8;

/// Somebody to whom a credential was issued.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) key: PublicKey,
    /// What its last credential grants.
    pub(super) grant: Grant,
}

/// A decision, and what the operator noted beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) signed: SignedDecision,
    pub(super) note: String,
}

/// What a member is to get. What is left out stays as it is, or is nothing.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) name: String,
    /// Left out, it is the key of the member of that name.
    pub(super) key: Option<PublicKey>,
    pub(super) cells: Option<u32>,
    pub(super) region: Option<u16>,
    pub(super) roles: Option<u16>,
    /// Seconds since 1970, as all times here.
    pub(super) from: u32,
    pub(super) until: u32,
    pub(super) grace: u32,
}

/// All that an authority knows, but for its secret keys.
#[derive(Clone, Debug)]
pub(super) struct Register {
    pub(super) mesh: String,
    /// Slots of the mesh's tables.
    pub(super) slots: u32,
    /// The last serial that was handed out.
    pub(super) serial: u64,
    /// Who spoke first: what nodes have in their configuration.
    pub(super) root: Authority,
    /// Files in the folder with the keys that speak now.
    pub(super) key_files: Vec<String>,
    pub(super) decisions: Vec<Decided>,
    /// In the order in which they came.
    pub(super) members: Vec<Member>,
    /// Whom a token will let in.
    pub(super) invites: Vec<Invite>,
    log: AuthorityLog,
}

impl Register {
    /// Of an authority that said nothing yet.
    pub(super) fn new(mesh: &str, slots: u32, root: Authority, key_files: Vec<String>) -> Self {
        let log = AuthorityLog::new(authority_key(mesh), root.clone());
        let (mesh, decisions, members, invites) = (mesh.to_owned(), Vec::new(), Vec::new(), Vec::new());
        Self { mesh, slots, serial: 0, root, key_files, decisions, members, invites, log }
    }

    /// Who is trusted, after all decisions.
    pub(super) fn log(&self) -> &AuthorityLog {
        &self.log
    }

    /// Whether the member's last credential was revoked.
    pub(super) fn is_revoked(&self, member: &Member) -> bool {
        self.log.revoked_to(member.grant.member) >= member.grant.serial
    }

    /// Members whose last credential was not revoked: their names and slots are theirs, over or not.
    pub(super) fn holders(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !self.is_revoked(member))
    }

    /// The slots that nobody holds.
    pub(super) fn free(&self) -> Vec<Run> {
        slots::gaps(&self.taken(), self.slots)
    }

    /// The member of that name, or whose id begins so, which takes eight digits. A name counts first, and who holds it now before who
    /// held it.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn find(&self, which: &str) -> Result<&Member, Failure> {
        let is_named = |member: &&Member| member.grant.name == which;
        if let Some(member) = self.holders().find(is_named) {
            return Ok(member);
        }
        let digits = which.to_ascii_lowercase();
        let begins = |member: &&Member| {
            digits.len() >= ID_DIGITS_MIN && member.grant.member.to_string().starts_with(&digits)
        };
        let mut found: Vec<&Member> = self.members.iter().filter(is_named).collect();
        if found.is_empty() {
            found = self.members.iter().filter(begins).collect();
        }
        match found[..] {
            [member] => Ok(member),
            [] => Err(Failure::new(format!(
                "{which:?} is no member's name, nor the first {ID_DIGITS_MIN} or more digits of an id; see: octick authority list"
            ))),
            _ => Err(Failure::new(format!(
                "{which:?} is any of {} members; give more digits of an id instead, see: octick authority list --json",
                found.len()
            ))),
        }
    }

    /// Issues a credential: the next serial, and the slots that the member had or the first that are free.
    ///
    /// # Errors
    /// Why it cannot; nothing changed.
    pub(super) fn issue(&mut self, wish: &Wish, signers: &[&Identity]) -> Result<Credential, Failure> {
        let member = self.grant(wish)?;
        let credential = Credential::issue(&member.grant, self.log.mesh(), signers)
            .map_err(|why| Failure::new(format!("no credential for {}: {why}", wish.name)))?;
        self.serial = member.grant.serial;
        match self.members.iter_mut().find(|known| known.grant.member == member.grant.member) {
            Some(known) => *known = member,
            None => self.members.push(member),
        }
        Ok(credential)
    }

    /// Makes the next decision.
    ///
    /// # Errors
    /// There is no room for it; nothing changed.
    pub(super) fn decide(
        &mut self,
        decision: &Decision,
        note: &str,
        signers: &[&Identity],
    ) -> Result<(), Failure> {
        let signed = SignedDecision::sign(self.log.len() + 1, decision, self.log.mesh(), signers);
        self.append(signed, note.to_owned()).map_err(|why| {
            let why = match why {
                Appended::Full => "this authority has made as many decisions as a mesh keeps; make another one, and start the mesh anew with it".into(),
                why => format!("the register does not take its own decision: {why:?}"),
            };
            Failure::new(why)
        })
    }

    /// Takes a decision that was made before.
    ///
    /// # Errors
    /// Why it is not the next one.
    pub(super) fn append(&mut self, signed: SignedDecision, note: String) -> Result<(), Appended> {
        match self.log.append(&signed, verify_many) {
            Appended::New => self.decisions.push(Decided { signed, note }),
            why => return Err(why),
        }
        Ok(())
    }

    fn taken(&self) -> Vec<Run> {
        self.holders().flat_map(|member| member.grant.runs.clone()).collect()
    }

    /// What the wish comes to.
    pub(super) fn grant(&self, wish: &Wish) -> Result<Member, Failure> {
        let name = &wish.name;
        if !is_name(name) {
            let want = format!("want 1 to {NAME_MAX} letters, digits, dots, hyphens or underscores");
            return Err(Failure::new(format!("{name:?} is no name: {want}")));
        }
        if name.len() >= ID_DIGITS_MIN && name.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            let want = "want one that could not be the beginning of a node's id";
            return Err(Failure::new(format!("{name:?} is no name: {want}")));
        }
        let (key, before) = self.holder(name, wish.key.as_ref())?;
        let own = before.map_or(&[][..], |member| &member.grant.runs);
        let held = words::total(own);
        let asked = wish.cells.map_or(held, |cells| u64::from(cells).next_multiple_of(RUN_ALIGN.into()));
        if asked < held {
            return Err(Failure::new(format!(
                "{name} holds {held} slots, and --cells {asked} would take some away while its last credential grants them: revoke it first"
            )));
        }
        // More than 32 bits is more than there are, like all that is more than the table.
        let more = u32::try_from(asked - held).unwrap_or(u32::MAX);
        let runs = slots::grow(own, &self.taken(), self.slots, more)
            .map_err(|why| Failure::new(format!("{name}: {why}")))?;
        let serial =
            self.serial.checked_add(1).expect("nobody issues for half a million years, a million a second");
        let grant = Grant {
            serial,
            member: key.id(),
            from: wish.from,
            until: wish.until,
            grace: wish.grace,
            region: wish.region.or(before.map(|member| member.grant.region)).unwrap_or(ANY_REGION),
            roles: wish.roles.or(before.map(|member| member.grant.roles)).unwrap_or(0),
            rights: if runs.is_empty() { 0 } else { WRITE_CELLS },
            name: name.clone(),
            runs,
        };
        Ok(Member { key, grant })
    }

    /// Whose the name is or will be, and its member if it has one.
    fn holder(&self, name: &str, key: Option<&PublicKey>) -> Result<(PublicKey, Option<&Member>), Failure> {
        let named = self.holders().find(|member| member.grant.name == name);
        let Some(key) = key else {
            let named = named.ok_or_else(|| {
                Failure::new(format!(
                    "nobody holds the name {name}: give the node's public key, --key or --key-file"
                ))
            })?;
            return Ok((named.key.clone(), Some(named)));
        };
        if let Some(other) = named.filter(|member| member.key != *key) {
            let id = other.grant.member;
            return Err(Failure::new(format!(
                "the name {name} is that of another key, node {id}: choose another, or revoke it first"
            )));
        }
        let keyed = self.holders().find(|member| member.key == *key);
        if let Some(other) = keyed.filter(|member| member.grant.name != name) {
            let known = &other.grant.name;
            return Err(Failure::new(format!(
                "node {} has the name {known} already: issue with --name {known}, or revoke it first",
                key.id()
            )));
        }
        if self.root.key(key.id()).or(self.log.authority().key(key.id())).is_some() {
            return Err(Failure::new(format!(
                "{} is a key of the authority itself, which is to stay off the nodes: make the node a key of its own, octick keygen",
                key.id()
            )));
        }
        Ok((key.clone(), keyed))
    }
}

/// As `id` is shown in tables.
pub(super) fn short(id: NodeId) -> String {
    id.short().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn register(slots: u32) -> Register {
        let root = Authority::new(vec![identity(9).public().clone()], 1).unwrap();
        Register::new("t", slots, root, vec![])
    }

    fn wish(name: &str, key: Option<u8>, cells: Option<u32>) -> Wish {
        let key = key.map(|n| identity(n).public().clone());
        Wish { name: name.into(), key, cells, region: None, roles: None, from: 1, until: 2, grace: 0 }
    }

    fn issue(register: &mut Register, wish: &Wish) -> Result<(u64, Vec<(u32, u32)>), String> {
        let issued = register.issue(wish, &[&identity(9)]).map_err(|why| why.to_string())?;
        let read = Credential::verify_all(&[issued.bytes()], &register.log, verify_many);
        assert_eq!(read, [Ok(issued.clone())]);
        let runs = issued.grant().runs.iter().map(|run| (run.first.0, run.len)).collect();
        Ok((issued.grant().serial, runs))
    }

    fn revoke(register: &mut Register, which: &str) {
        let member = register.find(which).unwrap().grant.member;
        let decision = Decision::Revoke { member, serial: register.serial };
        register.decide(&decision, "", &[&identity(9)]).unwrap();
    }

    #[test]
    fn who_is_renewed_keeps_what_it_has_and_gets_what_it_asks_for_besides() {
        let mut register = register(128);
        let first = Wish { region: Some(4), roles: Some(2), ..wish("a", Some(1), Some(20)) };
        assert_eq!(issue(&mut register, &first), Ok((1, vec![(0, 32)])));
        assert_eq!(issue(&mut register, &wish("b", Some(2), Some(1))), Ok((2, vec![(32, 16)])));
        assert_eq!(issue(&mut register, &wish("a", None, None)), Ok((3, vec![(0, 32)])));
        assert_eq!(issue(&mut register, &wish("a", Some(1), Some(48))), Ok((4, vec![(0, 32), (48, 16)])));
        let a = &register.find("a").unwrap().grant;
        assert_eq!((a.region, a.roles, a.rights), (4, 2, WRITE_CELLS));
        assert_eq!(register.members.len(), 2);
        assert_eq!(issue(&mut register, &wish("c", Some(3), None)), Ok((5, vec![])));
        assert_eq!(register.find("c").unwrap().grant.rights, 0, "without slots there is nothing to write");
    }

    #[test]
    fn what_was_revoked_is_given_again_and_nothing_else_is() {
        let mut register = register(48);
        for (n, name) in [(1, "a"), (2, "b"), (3, "c")] {
            issue(&mut register, &wish(name, Some(n), Some(16))).unwrap();
        }
        let full = issue(&mut register, &wish("d", Some(4), Some(16))).unwrap_err();
        assert_eq!(full, "d: no room for 16 slots in one piece: 0 are free, at most 0 of them together");
        assert_eq!(register.serial, 3, "a refusal takes no serial");
        revoke(&mut register, "b");
        assert_eq!(
            issue(&mut register, &wish("b", Some(4), Some(16))),
            Ok((4, vec![(16, 16)])),
            "name and slots"
        );
        let taken = issue(&mut register, &wish("b", Some(2), None)).unwrap_err();
        assert!(taken.starts_with("the name b is that of another key"), "{taken}");
        assert_eq!(
            issue(&mut register, &wish("b2", Some(2), None)),
            Ok((5, vec![])),
            "readmitted, with nothing"
        );
    }

    #[test]
    fn a_wish_that_contradicts_the_register_is_refused_and_changes_nothing() {
        let mut register = register(64);
        issue(&mut register, &wish("a", Some(1), Some(32))).unwrap();
        for (wish, says) in [
            (wish("two words", Some(2), None), "\"two words\" is no name: want 1 to 32 letters"),
            (
                wish("b", None, None),
                "nobody holds the name b: give the node's public key, --key or --key-file",
            ),
            (wish("a", Some(2), None), "the name a is that of another key, node "),
            (wish("b", Some(1), None), "has the name a already: issue with --name a, or revoke it first"),
            (wish("b", Some(9), None), "is a key of the authority itself, which is to stay off the nodes"),
            (wish("a", None, Some(16)), "a holds 32 slots, and --cells 16 would take some away"),
            (wish("b", Some(2), Some(33)), "b: no room for 48 slots in one piece: 32 are free"),
            (wish("b", Some(2), Some(u32::MAX)), "b: no room for 4294967295 slots in one piece: 32 are free"),
        ] {
            let why = issue(&mut register, &wish).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        assert_eq!((register.serial, register.members.len()), (1, 1));
    }

    #[test]
    fn members_are_found_by_name_and_by_the_digits_that_their_id_begins_with() {
        let mut register = register(64);
        issue(&mut register, &wish("a", Some(1), None)).unwrap();
        issue(&mut register, &wish("b", Some(2), None)).unwrap();
        let id = identity(2).id();
        assert_eq!(register.find("b").unwrap().grant.member, id);
        assert_eq!(register.find(&id.to_string().to_uppercase()[..8]).unwrap().grant.member, id);
        assert!(register.find("").unwrap_err().to_string().contains("is no member's name"));
        assert!(register.find("zz").unwrap_err().to_string().contains("is no member's name"));
        revoke(&mut register, "b");
        assert_eq!(register.find("b").unwrap().grant.member, id, "its last holder");
        issue(&mut register, &wish("b", Some(3), None)).unwrap();
        assert_eq!(register.find("b").unwrap().grant.member, identity(3).id());
    }
}
