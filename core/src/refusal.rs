//! Why something that control planes say to each other was not handled, or not sent. The list numbers the counters, names the metrics and
//! feeds the documentation.

use crate::listed::listed;

listed! {
    /// Why a control frame, or a part of it, was not handled. Nothing but a counter has changed by it.
    Refusal;

    /// The origin is unknown and does not announce itself first.
    Stranger = "control_stranger",
    /// A stranger that has not shown that it receives what is sent to its address; it was asked to.
    Unproven = "control_unproven",
    /// More strangers, questions, or changes of what a member claims, than may be looked at in a second.
    Budget = "control_budget",
    /// An announcement that breaks a rule, or that its member did not sign for this mesh.
    Unsound = "control_unsound",
    /// An announcement so old that who is gone since may be forgotten.
    Stale = "control_stale",
    /// A control frame of an earlier incarnation of its origin.
    OldIncarnation = "control_old_incarnation",
    /// A control frame of a later incarnation of its origin than is known, without its announcement.
    UnknownIncarnation = "control_unknown_incarnation",
    /// A control frame whose number was seen before, or is too old to tell.
    Duplicate = "control_duplicate",
    /// A message whose body is not what its kind requires; what came before it was handled.
    Malformed = "control_malformed",
    /// A message of a kind that this node does not know; the others were handled.
    Kind = "control_kind",
    /// An answer that nobody here asked for.
    Unasked = "control_unasked",
    /// An accusation of a member that nobody here has heard of, or of a word of it that nobody has heard.
    Unheard = "control_unheard",
    /// A member for whom there is no room on record.
    Full = "control_full",
    /// A control frame in this node's own name.
    Own = "control_own",
    /// A message of a session that is none.
    SessionMalformed = "session_malformed",
    /// A message of a session that is not, or not in that state.
    SessionUnknown = "session_unknown",
    /// A session of a member that was answered only just, or that very one before.
    SessionTooSoon = "session_too_soon",
    /// A session for which there is no room.
    SessionFull = "session_full",
    /// Symbols under another key or of another set than those before.
    SessionChanged = "session_changed",
    /// Symbols that will never decode, found by their number.
    SessionTooLong = "session_too_long",
    /// Symbols that are those of no set.
    SessionContradiction = "session_contradiction",
    /// A session in which more was asked for than it may send.
    SessionGreedy = "session_greedy",
    /// A number in a session past its bound.
    SessionBound = "session_bound",
    /// Announced ids of updates: too many are missed already, or their sender's never came true.
    IdsRefused = "ids_refused",
    /// Pulled updates: more than a link may ask for in a second.
    PullsRefused = "pulls_refused",
    /// Pulled updates that are not here.
    PullsUnknown = "pulls_unknown",
    /// Shuffles with more descriptors than one may carry.
    SamplesOversized = "samples_oversized",
    /// Answers to a shuffle that nobody asked for, or that came too late.
    SamplesUnasked = "samples_unasked",
    /// Descriptors of announcements too old, or dated ahead of time.
    SamplesMisdated = "samples_misdated",
    /// A message of the audit that is none.
    AuditMalformed = "audit_malformed",
    /// A message of the audit while too many wait to be looked at; its sender asks again.
    AuditFull = "audit_full",
    /// A control frame of this node's own that found no room among those that wait to be sent.
    SendQueueFull = "send_queue_full",
    /// A node that this node's configuration bans, or that a listed mesh does not list.
    Banned = "control_banned",
    /// An announcement without the credential that the mesh asks for.
    NoCredential = "control_no_credential",
    /// A credential that no key trusted by the mesh signed, that names another member or region, or that breaks a rule.
    CredentialUnsound = "control_credential_unsound",
    /// A credential that is over, or does not hold yet by this node's clock.
    CredentialExpired = "control_credential_expired",
    /// A credential that the mesh's authority revoked.
    Revoked = "control_revoked",
    /// A claim to slots that the credential does not grant.
    Ungranted = "control_ungranted",
    /// A decision in the name of an authority that did not sign it, or that this mesh does not have.
    DecisionUnsound = "control_decision_unsound",
    /// A control frame for another node.
    Misaddressed = "control_misaddressed",
    /// A message that only a control frame with a named recipient may bring.
    Unaddressed = "control_unaddressed",
    /// Somebody who was not here is missed, or a member is made to leave or suspected as well, by one that does not count, or whose word was taken before.
    Unvouched = "control_unvouched",
    /// An announcement dated further ahead than clocks may differ.
    Early = "control_early",
    /// An accusation by a member whose accusations were refuted too often lately.
    AccuserSpent = "control_accuser_spent",
    /// Something of a member that was convicted of equivocation.
    Convicted = "control_convicted",
    /// A proof of equivocation that proves nothing.
    ProofUnsound = "control_proof_unsound",
}

/// How often each was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals {
    counts: [u64; Refusal::ALL.len()],
}

impl Default for Refusals {
    fn default() -> Self {
        Self { counts: [0; Refusal::ALL.len()] }
    }
}

impl Refusals {
    /// How often `refusal` was counted.
    pub fn get(&self, refusal: Refusal) -> u64 {
        self.counts[refusal as usize]
    }

    /// Those that were counted, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.iter().copied().zip(self.counts).filter(|&(_, count)| count > 0)
    }

    /// Counts one.
    pub fn count(&mut self, refusal: Refusal) {
        self.counts[refusal as usize] += 1;
    }

    /// Sets what a machine has counted itself.
    pub fn set(&mut self, refusal: Refusal, count: u64) {
        self.counts[refusal as usize] = count;
    }
}

impl core::error::Error for Refusal {}
