//! Whether a member may be one, and with which rights: asked before anything is verified, when an announcement holds, and
//! whenever what it rests on changes.
//!
//! In come announcements, the mesh's rule and time; out go refusals, and members whose standing changes. What can never happen:
//! slots that are held on a right that is over, or a member that the authority revoked and gossip brings back.

use crate::admission::grant::peek;
use crate::admission::{Admission, Denied, Rule, Standing};
use crate::control::effects::Effects;
use crate::control::id::{MemberIndex, PeerState, Region};
use crate::control::membership::membership::Membership;
use crate::control::membership::table::{MemberStanding, Members};
use crate::control::message::announcement::{self, Announcement};
use crate::control::message::membership::Announced;
use crate::control::output::{Output, Rights};
use crate::refusal::Refusal;
use crate::stamp::Run;
use crate::time::S;

/// Members that are looked at again in one turn, half a second after the last: some 100 microseconds, and credentials end to the second
/// while nobody counts seconds.
const JUDGED_A_TURN: u32 = 1_024;
/// Between two questions for decisions that this node missed.
const DECISIONS_GAP: u64 = 5 * S;

impl Membership {
    /// Who may be a member.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Refuses what need not be verified to be refused: it costs its sender more than this node.
    pub(super) fn may_speak(&self, announced: Announced<'_>) -> Result<(), Refusal> {
        let (id, ..) = announcement::peek(announced.announcement).ok_or(Refusal::Unsound)?;
        if self.admission.is_banned(id) {
            return Err(Refusal::Banned);
        }
        let serial = peek(announced.credential).map_or(0, |(_, serial)| serial);
        if self.proofs.convicts(id, serial) {
            return Err(Refusal::Convicted);
        }
        let Some((member, serial)) = peek(announced.credential) else {
            let known = self.members.find(id).map(|place| self.members.get(place).announcement());
            let vouched = known.is_some_and(|known| known.credential().is_some());
            let needs = self.admission.rule() == Rule::Issued && !vouched;
            return if needs { Err(Refusal::NoCredential) } else { Ok(()) };
        };
        let revoked = self.admission.log().is_some_and(|log| serial <= log.revoked_to(id));
        match () {
            () if member != id => Err(Refusal::CredentialUnsound),
            () if revoked => Err(Refusal::Revoked),
            () => Ok(()),
        }
    }

    /// Whether a member on record lives by a credential of just these bytes.
    pub(super) fn is_known_credential(&self, bytes: &[u8]) -> bool {
        let member = peek(bytes).and_then(|(member, _)| self.members.find(member));
        let known = member.and_then(|place| self.members.get(place).announcement().credential());
        known.is_some_and(|known| known.bytes() == bytes)
    }

    /// What a member may do that announces itself so.
    pub(super) fn judge(&self, now: u64, announcement: &Announcement) -> Result<MemberStanding, Refusal> {
        if self.proofs.convicts(announcement.id(), announcement.statement().serial) {
            return Err(Refusal::Convicted);
        }
        let standing = self.standing(now, announcement)?;
        let granted =
            |claimed: Run| standing.runs.is_none_or(|runs| runs.iter().any(|run| run.covers(claimed)));
        let claims = &announcement.statement().claims;
        if standing.writes && !claims.iter().all(|claim| granted(claim.run)) {
            return Err(Refusal::Ungranted);
        }
        Ok(MemberStanding::of(standing.counts, standing.writes))
    }

    fn standing<'a>(&'a self, now: u64, announcement: &'a Announcement) -> Result<Standing<'a>, Denied> {
        let Region(region) = announcement.statement().region;
        let credential = announcement.credential().map(|credential| &**credential);
        self.admission.judge(announcement.id(), region, credential, self.wall(now).0 / S)
    }

    /// By which right a member claims slots: before others, the smaller number first; nothing if it has to find free ones.
    pub(super) fn right_of(&self, announcement: &Announcement) -> Option<u64> {
        if self.admission.is_listed_with_runs(announcement.id()) {
            return Some(0);
        }
        announcement.credential().map(|credential| credential.grant().serial)
    }

    /// Looks again at what members may do, so many at a time, and now and then asks one of them for decisions that this node missed.
    /// Without an authority no right ends by itself.
    pub(super) fn judge_some(&mut self, now: u64, out: &mut Effects) {
        if self.admission.log().is_none() {
            return;
        }
        let end = self.members.places();
        let from = if self.judged_to < end { self.judged_to } else { 0 };
        self.judged_to = end.min(from + JUDGED_A_TURN);
        for place in (from..self.judged_to).map(MemberIndex) {
            if !self.members.is_vacant(place) {
                self.judge_member(place, now, out);
            }
        }
        if self.ask_decisions_at <= now {
            self.ask_decisions_at = now + DECISIONS_GAP;
            let place = MemberIndex(self.random.index(end as usize) as u32);
            let asked = place != Members::ME && !self.members.is_vacant(place);
            if asked && self.members.get(place).state().is_live() {
                self.ask_for_decisions(place, out);
            }
        }
    }

    /// Looks again at what one member may do.
    pub(super) fn judge_member(&mut self, place: MemberIndex, now: u64, out: &mut Effects) {
        let announcement = self.members.get(place).announcement().clone();
        let judged = self.judge(now, &announcement);
        if place == Members::ME {
            self.judge_me(now, out);
        }
        match judged {
            Ok(standing) => {
                if self.members.set_standing(place, standing) {
                    if place != Members::ME {
                        self.admit_to_count(place, false, now);
                    }
                    self.changed(place, out);
                }
            }
            Err(_) if place == Members::ME => {
                if self.members.set_standing(place, MemberStanding::of(false, false)) {
                    self.changed(place, out);
                }
            }
            Err(_) => self.expel_denied(place, now, out),
        }
    }

    /// A member that is none any more: it is shown to nobody, and only kept so that nothing brings it back.
    fn expel_denied(&mut self, place: MemberIndex, now: u64, out: &mut Effects) {
        if self.members.get(place).pruned {
            return;
        }
        let rank = self.members.get(place).rank();
        let applied = self.members.report_at(place, rank, PeerState::Left, now);
        assert!(place != Members::ME, "a node does not expel itself");
        assert!(!self.members.get(place).state().is_live(), "{applied:?}");
        self.suspicions.close(place);
        self.broadcasts.stop(&mut self.members, place);
        self.members.set_standing(place, MemberStanding::of(false, false));
        self.members.prune(place);
        self.changed(place, out);
        assert!(self.claims.held_by(place).is_empty(), "who is no member holds nothing");
    }

    fn judge_me(&mut self, now: u64, out: &mut Effects) {
        let me = self.me().clone();
        let rights = match self.standing(now, &me) {
            Ok(standing) if standing.in_grace => Rights::Grace,
            // A credential that holds and grants nothing to write is all that it says.
            Ok(standing) if !standing.writes && !standing.counts && me.credential().is_some() => {
                Rights::ReadOnly
            }
            Ok(_) => Rights::Full,
            Err(denied) => Rights::Denied(denied),
        };
        if rights != self.rights {
            self.rights = rights;
            out.want(Output::Rights(rights));
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Banned | Denied::Unlisted => Self::Banned,
            Denied::Revoked => Self::Revoked,
            Denied::NoCredential => Self::NoCredential,
            Denied::Foreign | Denied::Region => Self::CredentialUnsound,
            Denied::Early | Denied::Over => Self::CredentialExpired,
        }
    }
}
