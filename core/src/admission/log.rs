//! The decisions of a mesh's authority in their order, and whom they leave trusted.
//!
//! In come decisions from anywhere: the node's disk, its configuration, its peers. Each is taken only as the next number, and only
//! if the keys that speak for the authority at that number signed it; so every node that has the first n of them trusts the same. What can
//! never happen: a decision that is taken back, skipped, or believed because of who told it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{Item, NodeId, PublicKey};

use super::authority::Authority;
use super::decision::{Decision, SignedDecision};
use super::endorsement::Endorsements;
use super::grant::Grant;
use crate::limits::{DECISIONS_MAX, GENERATIONS_MAX, ISSUERS_MAX};
use crate::stamp::Run;

/// What became of a decision that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in force.
    New,
    /// It was known.
    Known,
    /// Others come before it, which are missing here.
    Gap,
    /// Another one is known under its number: the authority, or who has its keys, said two things.
    Contradiction,
    /// Too few keys that speak for the authority signed it.
    Unsigned,
    /// More decisions, issuers or generations of keys than are kept.
    Full,
}

/// Keys that spoke, or speak, for the authority.
#[derive(Clone, Debug)]
struct Generation {
    authority: Authority,
    /// The last serial that they may have signed.
    serials_to: u64,
}

#[derive(Clone, Debug)]
struct Issuer {
    key: PublicKey,
    slots: Run,
    until: u32,
    serials_to: u64,
}

/// Every decision that a node knows, and what follows from them.
#[derive(Clone)]
pub struct AuthorityLog {
    mesh: [u8; 32],
    /// The last one speaks.
    generations: Vec<Generation>,
    issuers: Vec<Issuer>,
    /// The last void serial of each.
    revoked: BTreeMap<NodeId, u64>,
    decisions: Vec<Arc<SignedDecision>>,
}

impl AuthorityLog {
    /// Trusts `root`, from the node's configuration, for the mesh whose [key](super::endorsement::authority_key) is `mesh`.
    pub fn new(mesh: [u8; 32], root: Authority) -> Self {
        let generations = alloc::vec![Generation { authority: root, serials_to: u64::MAX }];
        Self { mesh, generations, issuers: Vec::new(), revoked: BTreeMap::new(), decisions: Vec::new() }
    }

    /// What binds its documents to the mesh.
    pub fn mesh(&self) -> &[u8; 32] {
        &self.mesh
    }

    /// Who speaks for the authority now.
    pub fn authority(&self) -> &Authority {
        &self.generations.last().expect("the root is the first").authority
    }

    /// The number of decisions known: the number of the last.
    pub fn len(&self) -> u64 {
        self.decisions.len() as u64
    }

    /// Whether there was none yet.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// The decisions behind number `known`, in their order.
    pub fn after(&self, known: u64) -> &[Arc<SignedDecision>] {
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(self.decisions.len());
        &self.decisions[known..]
    }

    /// The last serial of a member that is void; 0 if none is.
    pub fn revoked_to(&self, member: NodeId) -> u64 {
        self.revoked.get(&member).copied().unwrap_or(0)
    }

    /// Takes a decision, if it is the next one and the authority's. At most three signatures are verified.
    /// `check` is [`verify_many`](octick_crypto::verify_many), or does the same.
    pub fn append(
        &mut self,
        signed: &SignedDecision,
        check: impl FnOnce(&[Item<'_>], &mut [bool]),
    ) -> Appended {
        let last = self.len();
        if signed.number() <= last {
            // Which signatures stand under it makes no other decision of it.
            let known = &self.decisions[signed.number() as usize - 1];
            assert!(known.number() == signed.number(), "a decision is found by its number");
            let same = known.decision() == signed.decision();
            let (authority, mesh) = (self.authority_at(signed.number()), self.mesh);
            return match same {
                true => Appended::Known,
                false if signed.is_signed_by(&authority, &mesh, check) => Appended::Contradiction,
                false => Appended::Unsigned,
            };
        }
        if signed.number() > last + 1 {
            return Appended::Gap;
        }
        if !self.has_room_for(signed.decision()) {
            return Appended::Full;
        }
        if !signed.is_signed_by(self.authority(), &self.mesh, check) {
            return Appended::Unsigned;
        }
        self.apply(signed.decision());
        self.decisions.push(Arc::new(signed.clone()));
        assert!(
            self.len() == signed.number() && self.decisions.len() <= DECISIONS_MAX,
            "numbered without gaps"
        );
        Appended::New
    }

    /// The signatures that have to hold for a credential, if keys that may issue it signed it; all of them have to.
    pub(super) fn signatures_of<'k, 'm: 'k, 'e: 'k>(
        &'k self,
        grant: &Grant,
        endorsements: Endorsements<'e>,
        message: &'m [u8; 64],
    ) -> Option<Vec<Item<'k>>> {
        for generation in self.generations.iter().rev() {
            let mut items = endorsements.items(message, |id| generation.authority.key(id));
            if grant.serial <= generation.serials_to && items.len() >= generation.authority.threshold() {
                items.truncate(generation.authority.threshold());
                return Some(items);
            }
        }
        let may = |issuer: &&Issuer| {
            let within = |run: &Run| issuer.slots.covers(*run);
            grant.serial <= issuer.serials_to && grant.until <= issuer.until && grant.runs.iter().all(within)
        };
        let key = |id| self.issuers.iter().filter(may).map(|issuer| &issuer.key).find(|key| key.id() == id);
        let mut items = endorsements.items(message, key);
        items.truncate(1);
        (!items.is_empty()).then_some(items)
    }

    /// Who spoke for the authority when the decision of that number was due.
    fn authority_at(&self, number: u64) -> Authority {
        let before = self.decisions.iter().take_while(|decision| decision.number() < number);
        let rotations = before.filter(|signed| matches!(signed.decision(), Decision::Rotate { .. })).count();
        assert!(rotations < self.generations.len(), "{rotations} rotations, and the root");
        assert!(rotations < self.generations.len(), "each rotation made a generation");
        self.generations[rotations].authority.clone()
    }

    fn has_room_for(&self, decision: &Decision) -> bool {
        let room = match decision {
            Decision::Rotate { .. } => self.generations.len() < GENERATIONS_MAX,
            Decision::Appoint { .. } => self.issuers.len() < ISSUERS_MAX,
            Decision::Revoke { .. } | Decision::Dismiss { .. } => true,
        };
        room && self.decisions.len() < DECISIONS_MAX
    }

    fn apply(&mut self, decision: &Decision) {
        match decision {
            Decision::Revoke { member, serial } => {
                let revoked = self.revoked.entry(*member).or_default();
                *revoked = (*revoked).max(*serial);
            }
            Decision::Rotate { authority, serial } => {
                self.generations.last_mut().expect("the root is the first").serials_to = *serial;
                self.generations.push(Generation { authority: authority.clone(), serials_to: u64::MAX });
            }
            Decision::Appoint { issuer, slots, until } => self.issuers.push(Issuer {
                key: (**issuer).clone(),
                slots: *slots,
                until: *until,
                serials_to: u64::MAX,
            }),
            Decision::Dismiss { issuer, serial } => {
                let theirs = self.issuers.iter_mut().filter(|each| each.key.id() == *issuer);
                theirs.for_each(|each| each.serials_to = each.serials_to.min(*serial));
            }
        }
    }
}

impl fmt::Debug for AuthorityLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.authority();
        f.debug_struct("AuthorityLog")
            .field("authority", authority)
            .field("decisions", &self.decisions.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;

    use octick_crypto::verify_many;

    use super::super::endorsement::Invalid;
    use super::super::samples::{authority, grant, identity, issue, key, log, mesh, run, verify};
    use super::*;

    fn signed(number: u64, decision: &Decision, signers: &[u8]) -> SignedDecision {
        let signers: Vec<_> = signers.iter().map(|n| identity(*n)).collect();
        SignedDecision::sign(number, decision, &mesh(), &signers.iter().collect::<Vec<_>>())
    }

    fn revoke(member: u8, serial: u64) -> Decision {
        Decision::Revoke { member: identity(member).id(), serial }
    }

    fn every_decision() -> [Decision; 4] {
        let several = Authority::new(vec![key(1), key(2), key(3)], 2).unwrap();
        [
            revoke(1, 7),
            Decision::Rotate { authority: several, serial: 70 },
            Decision::Appoint { issuer: Box::new(key(4)), slots: run(0, 64), until: 5_000 },
            Decision::Dismiss { issuer: key(4).id(), serial: 90 },
        ]
    }

    #[test]
    fn a_decision_is_read_as_it_was_signed_and_no_bit_of_it_can_be_another() {
        for decision in every_decision() {
            let made = signed(1, &decision, &[9]);
            assert_eq!(SignedDecision::read(made.bytes()).as_ref(), Ok(&made));
            assert_eq!(made.signers(), [identity(9).id()]);
            for bit in 0..8 * made.bytes().len() {
                let mut bytes = made.bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let believed = SignedDecision::read(&bytes)
                    .is_ok_and(|read| log(9).append(&read, verify_many) == Appended::New);
                assert!(!believed, "bit {bit} of {decision:?}");
            }
        }
    }

    #[test]
    fn decisions_are_taken_in_their_order_and_once() {
        let mut log = log(9);
        let mut take = |number, decision: &Decision| log.append(&signed(number, decision, &[9]), verify_many);
        assert_eq!(take(2, &revoke(1, 5)), Appended::Gap);
        assert_eq!(take(1, &revoke(1, 5)), Appended::New);
        assert_eq!(take(1, &revoke(1, 5)), Appended::Known);
        assert_eq!(take(2, &revoke(1, 3)), Appended::New);
        assert_eq!(log.revoked_to(identity(1).id()), 5, "nothing takes a revocation back");
        assert_eq!(log.after(1).iter().map(|signed| signed.number()).collect::<Vec<_>>(), [2]);
        assert!(log.after(u64::MAX).is_empty());
    }

    #[test]
    fn an_authority_that_says_two_things_is_found_out_and_nobody_else_is_believed() {
        let mut log = log(9);
        assert_eq!(log.append(&signed(1, &revoke(1, 5), &[9]), verify_many), Appended::New);
        let second = log.append(&signed(1, &revoke(2, 5), &[9]), verify_many);
        assert_eq!(second, Appended::Contradiction);
        assert_eq!(log.append(&signed(1, &revoke(2, 5), &[8]), verify_many), Appended::Unsigned);
        assert_eq!(log.append(&signed(2, &revoke(2, 5), &[8]), verify_many), Appended::Unsigned);
        assert_eq!(log.len(), 1);
    }

    #[test]
    fn after_a_rotation_the_new_keys_speak_and_old_credentials_remain() {
        let mut trust = log(9);
        let [_, rotate, ..] = every_decision();
        assert_eq!(trust.append(&signed(1, &rotate, &[9]), verify_many), Appended::New);
        assert_eq!(trust.append(&signed(2, &revoke(5, 1), &[9]), verify_many), Appended::Unsigned);
        assert_eq!(trust.append(&signed(2, &revoke(5, 1), &[1]), verify_many), Appended::Unsigned);
        assert_eq!(trust.append(&signed(2, &revoke(5, 1), &[1, 3]), verify_many), Appended::New);
        let verdict =
            |serial, signers: &[u8]| verify(issue(&grant(6, serial), signers).bytes(), &trust).err();
        assert_eq!(verdict(70, &[9]), None);
        assert_eq!(verdict(71, &[9]), Some(Invalid::Untrusted), "the old key signs nothing new");
        assert_eq!(verdict(71, &[2]), Some(Invalid::Untrusted), "one of two");
        assert_eq!(verdict(71, &[2, 3]), None);
    }

    #[test]
    fn an_issuer_grants_what_it_may_until_it_is_dismissed() {
        let mut trust = log(9);
        let [.., appoint, dismiss] = every_decision();
        let verdict = |trust: &AuthorityLog, change: &dyn Fn(&mut Grant)| {
            let mut grant = grant(6, 80);
            grant.runs = vec![run(16, 16)];
            change(&mut grant);
            verify(issue(&grant, &[4]).bytes(), trust).err()
        };
        let untrusted = Some(Invalid::Untrusted);
        assert_eq!(verdict(&trust, &|_| ()), untrusted, "not yet appointed");
        assert_eq!(trust.append(&signed(1, &appoint, &[9]), verify_many), Appended::New);
        assert_eq!(verdict(&trust, &|_| ()), None);
        assert_eq!(verdict(&trust, &|grant| grant.runs = vec![run(48, 32)]), untrusted, "slots of others");
        assert_eq!(verdict(&trust, &|grant| grant.until = 5_001), untrusted, "longer than itself");
        assert_eq!(trust.append(&signed(2, &revoke(5, 1), &[4]), verify_many), Appended::Unsigned);
        assert_eq!(trust.append(&signed(2, &dismiss, &[9]), verify_many), Appended::New);
        assert_eq!(verdict(&trust, &|_| ()), None, "what it issued before remains");
        assert_eq!(verdict(&trust, &|grant| grant.serial = 91), untrusted);
    }

    #[test]
    fn who_has_the_same_decisions_trusts_the_same_whoever_told_it() {
        let [revoke, rotate, ..] = every_decision();
        let all = [signed(1, &revoke, &[9]), signed(2, &rotate, &[9])];
        let mut first = log(9);
        all.iter().for_each(|signed| assert_eq!(first.append(signed, verify_many), Appended::New));
        let mut second = AuthorityLog::new(mesh(), authority(9));
        for signed in first.after(0) {
            assert_eq!(second.append(signed, verify_many), Appended::New);
        }
        assert_eq!(first.authority(), second.authority());
    }
}
