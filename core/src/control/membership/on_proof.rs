//! Proofs of equivocation: told by anybody, believed for the two signatures in them, passed on ahead of everything else.
//!
//! A proof that is new here goes to several members at once and, for some seconds, to one more every half second, so that it is everywhere
//! after a few steps; newcomers and whoever comes back are told. The rule is that of a revocation: a convicted member is no member any
//! more, holds no slots, and its frames are refused; its cells are nobody's, and taken out of the tables, the same everywhere. Only a
//! credential with a later serial brings it back, or this node's operator, for this node.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::effects::Effects;
use crate::control::id::MemberIndex;
use crate::control::membership::membership::Membership;
use crate::control::membership::proofs::{Conviction, Proofs};
use crate::control::membership::table::Members;
use crate::control::message::equivocation::{Piece, Proof};
use crate::control::message::membership::MembershipMsg;
use crate::control::output::Output;
use crate::refusal::Refusal;
use crate::time::{MS, S};

/// Members that are told of a proof that is new: with eight each, one in three thousand is left to be told later.
const TOLD: usize = 8;
/// How long one more member is told, and how often.
const RETOLD: u64 = 5 * S;
const RETELL_GAP: u64 = 500 * MS;
/// Proofs that one who comes, or comes back, is told of at once.
const TAUGHT_MAX: usize = 16;

impl Membership {
    /// Who was convicted, and by what.
    pub(in crate::control) fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// A part of a proof.
    pub(super) fn handle_piece(
        &mut self,
        now: u64,
        from: MemberIndex,
        piece: &Piece<'_>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.proofs.of(piece.origin).is_some() {
            return Ok(());
        }
        // Nothing can be checked of who is not on record.
        self.members.find(piece.origin).ok_or(Refusal::Unheard)?;
        let Some(bytes) = self.proofs.take(from, piece) else { return Ok(()) };
        let proof = Proof::read(&bytes).filter(|proof| proof.origin() == piece.origin);
        self.convict(now, proof.ok_or(Refusal::ProofUnsound)?, out)
    }

    /// A proof, from a member or from what this node saw itself.
    pub(in crate::control) fn convict(
        &mut self,
        now: u64,
        proof: Proof,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let id = proof.origin();
        if self.proofs.of(id).is_some() {
            return Ok(());
        }
        let place = self.members.find(id).ok_or(Refusal::Unheard)?;
        if !self.proofs.has_room() {
            return Err(Refusal::Full);
        }
        if !self.proofs.may_check(now) {
            return Err(Refusal::Budget);
        }
        let announcement = self.members.get(place).announcement().clone();
        if !self.signer.is_equivocation(&proof, announcement.key()) {
            return Err(Refusal::ProofUnsound);
        }
        let (proof, serial) = (Arc::new(proof), announcement.statement().serial);
        self.proofs.convict(proof.clone(), serial, now);
        assert!(self.proofs.convicts(id, serial), "what holds convicts");
        self.tell_proof(&proof, TOLD, out);
        out.want(Output::Convicted(proof));
        if place != Members::ME {
            self.judge_member(place, now, out);
        }
        Ok(())
    }

    /// An operator knows better of a member than a proof: it may come back, to this node.
    pub(in crate::control) fn pardon(&mut self, id: NodeId) -> bool {
        self.proofs.pardon(id)
    }

    /// Tells one more member of what is new, if it is time.
    pub(super) fn retell_proofs(&mut self, now: u64, out: &mut Effects) {
        if self.proofs.retell_at > now {
            return;
        }
        let young = |(_, conviction): &(NodeId, &Conviction)| now < conviction.at + RETOLD;
        let young: Vec<Arc<Proof>> =
            self.proofs.iter().filter(young).take(TAUGHT_MAX).map(|(_, c)| c.proof.clone()).collect();
        self.proofs.retell_at = if young.is_empty() { u64::MAX } else { now + RETELL_GAP };
        young.iter().for_each(|proof| self.tell_proof(proof, 1, out));
    }

    /// Tells a member of all proofs, who may not have heard of them.
    pub(super) fn teach_proofs(&self, to: MemberIndex, out: &mut Effects) {
        for (_, conviction) in self.proofs.iter().take(TAUGHT_MAX) {
            self.say_proof(&conviction.proof, to, out);
        }
    }

    fn tell_proof(&mut self, proof: &Proof, members: usize, out: &mut Effects) {
        let liar = self.members.find(proof.origin());
        let live = self.members.live().iter().copied().filter(|place| Some(*place) != liar);
        let live: Vec<MemberIndex> = live.collect();
        for i in self.random.choose(live.len(), members) {
            self.say_proof(proof, live[i], out);
        }
    }

    fn say_proof(&self, proof: &Proof, to: MemberIndex, out: &mut Effects) {
        for piece in proof.pieces() {
            self.send_to(to, &MembershipMsg::Proof(piece), out);
        }
    }
}
