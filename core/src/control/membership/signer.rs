//! Who signs what a node says of itself, and judges what others are said to have said.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::lanes::{Base, Kernel, Settings};
use octick_crypto::{Identity, MeshKeys, NodeId, PublicKey, Verifier, verify_many};

use crate::admission::log::Appended;
use crate::admission::{AuthorityLog, Credential, Invalid, SignedDecision};
use crate::control::message::accusation::Accusation;
use crate::control::message::announcement::{Announcement, Statement, Unsound, mesh_key};
use crate::control::message::equivocation::Proof;
use crate::control::message::force_leave::{ForceLeave, Removal};

/// Makes and judges announcements. The default is [`Signed`]; a simulation may remember what it has judged.
pub trait Signer: Send {
    /// Signs what this node says of itself.
    fn announce(&mut self, statement: &Statement) -> Arc<Announcement>;

    /// Reads and verifies what another node is said to have said.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    fn read(&mut self, bytes: &[u8]) -> Result<Arc<Announcement>, Unsound>;

    /// Signs that another member is gone for good.
    fn force_leave(&mut self, removal: &Removal) -> Arc<ForceLeave>;

    /// Reads and verifies what somebody is said to have said of another member.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    fn read_force_leave(&mut self, bytes: &[u8]) -> Result<Arc<ForceLeave>, Unsound>;

    /// Signs this node's own opinion of another member.
    fn accuse(&mut self, accusation: &Accusation) -> Accusation;

    /// Whether a member, of whom `key` is the key, signed an opinion of another.
    fn is_accused(&mut self, accusation: &Accusation, key: &PublicKey) -> bool;

    /// Whether a proof of equivocation holds against a member, of whom `key` is the key.
    fn is_equivocation(&mut self, proof: &Proof, key: &PublicKey) -> bool;

    /// Reads and verifies credentials, each by itself, against whom `trust` trusts.
    fn read_credentials(
        &mut self,
        bytes: &[&[u8]],
        trust: &AuthorityLog,
    ) -> Vec<Result<Arc<Credential>, Invalid>> {
        let read = Credential::verify_all(bytes, trust, verify_many);
        read.into_iter().map(|read| read.map(Arc::new)).collect()
    }

    /// Takes a decision into `log`, if it is the authority's.
    fn append(&mut self, log: &mut AuthorityLog, decision: &SignedDecision) -> Appended {
        log.append(decision, verify_many)
    }

    /// The same of many announcements, each by itself.
    fn read_all(&mut self, said: &[&[u8]]) -> Vec<Result<Arc<Announcement>, Unsound>> {
        said.iter().map(|bytes| self.read(bytes)).collect()
    }
}

/// Signs with the node's identity, and verifies every announcement anew: 190,000 ticks alone, and with seven others 70,000
/// or, with IFMA, 55,000.
#[derive(Debug)]
pub struct Signed {
    identity: Identity,
    mesh: [u8; 32],
    keys: MeshKeys,
    verifier: Verifier,
}

impl Signed {
    /// A signer of the mesh called `mesh`, which verifies with `kernel`, or with the best that this CPU has.
    pub fn new(identity: Identity, mesh: &str, kernel: Option<Kernel>) -> Self {
        let settings = Settings { kernel, base: Base::Short, ..Settings::default() };
        let (keys, verifier) = (MeshKeys::derive(mesh), Verifier::new(settings));
        Self { identity, mesh: mesh_key(mesh), keys, verifier }
    }

    /// Who it signs for.
    pub fn id(&self) -> NodeId {
        self.identity.id()
    }
}

impl Signer for Signed {
    fn announce(&mut self, statement: &Statement) -> Arc<Announcement> {
        Arc::new(Announcement::sign(&self.identity, &self.mesh, statement))
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Arc<Announcement>, Unsound> {
        Announcement::verify(bytes, &self.mesh).map(Arc::new)
    }

    fn force_leave(&mut self, removal: &Removal) -> Arc<ForceLeave> {
        Arc::new(ForceLeave::sign(&self.identity, &self.mesh, removal))
    }

    fn read_force_leave(&mut self, bytes: &[u8]) -> Result<Arc<ForceLeave>, Unsound> {
        ForceLeave::verify(bytes, &self.mesh).map(Arc::new)
    }

    fn accuse(&mut self, accusation: &Accusation) -> Accusation {
        accusation.sign(&self.identity, &self.mesh)
    }

    fn is_accused(&mut self, accusation: &Accusation, key: &PublicKey) -> bool {
        accusation.is_signed(key, &self.mesh)
    }

    fn is_equivocation(&mut self, proof: &Proof, key: &PublicKey) -> bool {
        proof.holds(&self.keys, key)
    }

    fn read_credentials(
        &mut self,
        bytes: &[&[u8]],
        trust: &AuthorityLog,
    ) -> Vec<Result<Arc<Credential>, Invalid>> {
        let read =
            Credential::verify_all(bytes, trust, |items, verdicts| self.verifier.verify(items, verdicts));
        read.into_iter().map(|read| read.map(Arc::new)).collect()
    }

    fn append(&mut self, log: &mut AuthorityLog, decision: &SignedDecision) -> Appended {
        log.append(decision, |items, verdicts| self.verifier.verify(items, verdicts))
    }

    fn read_all(&mut self, said: &[&[u8]]) -> Vec<Result<Arc<Announcement>, Unsound>> {
        let read = Announcement::verify_all(said, &self.mesh, &mut self.verifier);
        read.into_iter().map(|read| read.map(Arc::new)).collect()
    }
}
