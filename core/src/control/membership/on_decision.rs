//! What the mesh's authority decides: told by anybody, believed only by its signatures, passed on at once.
//!
//! A decision that is new here goes to several members, so that it is everywhere after a few steps; and every few seconds each node asks
//! one other for those it missed. What can never happen: a decision taken out of its order, or told twice by one node of its own accord.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::admission::log::Appended;
use crate::admission::{Credential, Decision, SignedDecision};
use crate::control::effects::Effects;
use crate::control::id::MemberIndex;
use crate::control::membership::delivery::Delivery;
use crate::control::membership::membership::Membership;
use crate::control::message::membership::MembershipMsg;
use crate::control::output::Output;
use crate::limits::{CONTROL_FRAME_MAX, DECISION_MAX, DECISIONS_TOLD_MAX};
use crate::refusal::Refusal;

/// Members that are told of a decision that is new: with six each, one in four hundred is left to ask.
const TOLD: usize = 6;

impl Membership {
    /// A decision, from a member.
    pub(super) fn handle_decision(
        &mut self,
        now: u64,
        from: MemberIndex,
        bytes: &[u8],
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let log = self.admission.log().ok_or(Refusal::DecisionUnsound)?;
        let known = log.len();
        let decision = SignedDecision::read(bytes).map_err(|_| Refusal::DecisionUnsound)?;
        if decision.number() > known + 1 {
            self.ask_for_decisions(from, out);
            return Ok(());
        }
        if decision.number() <= known && log.after(decision.number() - 1)[0].decision() == decision.decision()
        {
            return Ok(());
        }
        if !self.decisions.take(1, now) {
            return Err(Refusal::Budget);
        }
        match self.decide(now, decision, out) {
            Appended::New | Appended::Known | Appended::Gap | Appended::Contradiction => Ok(()),
            Appended::Unsigned => Err(Refusal::DecisionUnsound),
            Appended::Full => Err(Refusal::Full),
        }
    }

    /// A decision, from a member or from this node's operator.
    pub(in crate::control) fn decide(
        &mut self,
        now: u64,
        decision: SignedDecision,
        out: &mut Effects,
    ) -> Appended {
        let Some(log) = self.admission.log_mut() else { return Appended::Unsigned };
        let appended = self.signer.append(log, &decision);
        assert!(appended != Appended::New || log.len() == decision.number(), "in their order");
        match appended {
            Appended::New => {
                self.tell_decision(&decision, out);
                if let Decision::Revoke { member, .. } = decision.decision()
                    && let Some(place) = self.members.find(*member)
                {
                    self.judge_member(place, now, out);
                }
                out.want(Output::Decided(Arc::new(decision)));
            }
            Appended::Contradiction => out.want(Output::AuthorityContradicts(decision.number())),
            Appended::Known | Appended::Gap | Appended::Unsigned | Appended::Full => {}
        }
        appended
    }

    /// This node lives by another credential from now on.
    pub(in crate::control) fn renew(&mut self, now: u64, credential: Arc<Credential>, out: &mut Effects) {
        assert_eq!(credential.grant().member, self.me().id(), "its own");
        let serial = credential.grant().serial;
        self.credential = Some(credential);
        self.restate(now, |statement| statement.serial = serial, out);
        self.judge_member(crate::control::membership::table::Members::ME, now, out);
    }

    fn tell_decision(&mut self, decision: &SignedDecision, out: &mut Effects) {
        let others: Vec<MemberIndex> = self.members.iter().map(|(place, _)| place).skip(1).collect();
        let others: Vec<MemberIndex> =
            others.into_iter().filter(|place| self.members.get(*place).state().is_live()).collect();
        for i in self.random.choose(others.len(), TOLD) {
            self.send_to(others[i], &MembershipMsg::Decision(decision.bytes()), out);
        }
    }

    pub(super) fn ask_for_decisions(&self, of: MemberIndex, out: &mut Effects) {
        let known = self.admission.log().map_or(0, |log| log.len());
        self.send_to(of, &MembershipMsg::DecisionsAsk(known), out);
    }

    /// Somebody has the first `known` decisions, and asks for more.
    pub(super) fn answer_decisions(
        &mut self,
        now: u64,
        delivery: &Delivery,
        known: u64,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let log = self.admission.log().ok_or(Refusal::DecisionUnsound)?;
        if known > log.len() {
            self.ask_for_decisions(delivery.from, out);
            return Ok(());
        }
        if known == log.len() {
            return Ok(());
        }
        self.check_proven(now, delivery, out)?;
        self.check_budget(now, delivery.from)?;
        let log = self.admission.log().ok_or(Refusal::DecisionUnsound)?;
        assert!(known < log.len(), "who knows as many was answered above");
        let missed: Vec<_> = log.after(known).iter().take(DECISIONS_TOLD_MAX).cloned().collect();
        self.paid(now, delivery.from, missed.len() * DECISION_MAX.min(CONTROL_FRAME_MAX));
        for decision in missed {
            self.send_to(delivery.from, &MembershipMsg::Decision(decision.bytes()), out);
        }
        Ok(())
    }
}
