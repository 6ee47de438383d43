//! What a node makes of a member: its mesh's rule, its own configuration, and what the authority decided.
//!
//! In come a member's id and its credential, verified; out comes its [`Standing`]. The configuration of this node beats everything: whom it
//! bans is refused whatever the authority says. Clocks decide only when a credential ends, and are passed in.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::NodeId;

use super::credential::Credential;
use super::grant::{ANY_REGION, Validity, WRITE_CELLS};
use super::log::AuthorityLog;
use crate::stamp::Run;

/// By how much clocks of an authority and of its members may differ, seconds.
pub const SKEW: u64 = 120;

/// Who may be a member of a mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Anyone. Strangers have no slot by right. Nothing counts them where the mesh has an authority; where it has none, those
    /// count that stay and answer, and whoever runs enough of them makes up quorums.
    #[default]
    Open,
    /// Whoever the configuration lists.
    Listed,
    /// Whoever has a credential of the mesh's authority.
    Issued,
}

/// What a node makes of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Whether quorums, witnesses and seats count it.
    pub counts: bool,
    /// Whether it may write where it is allowed to.
    pub writes: bool,
    /// The slots that are its own by right; nothing if it has to find free ones.
    pub runs: Option<&'a [Run]>,
    /// Whether its credential has ended and should be renewed.
    pub in_grace: bool,
}

/// Why somebody is no member here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// This node's configuration bans it.
    Banned,
    /// Its credential was revoked.
    Revoked,
    /// It is not in the configuration's list.
    Unlisted,
    /// It shows no credential.
    NoCredential,
    /// Its credential is another member's.
    Foreign,
    /// Its credential does not hold yet: a clock is wrong, perhaps.
    Early,
    /// Its credential is over.
    Over,
    /// Its credential is for another region.
    Region,
}

/// The rule of a mesh, as one node applies it.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    rule: Rule,
    /// Shared by all copies: a simulation has one for each of many nodes.
    listed: Arc<BTreeMap<NodeId, Vec<Run>>>,
    banned: BTreeSet<NodeId>,
    log: Option<AuthorityLog>,
}

impl Admission {
    /// A mesh that anyone may join, in which those with credentials of `log`'s authority, if there is one, have what they grant.
    pub fn open(log: Option<AuthorityLog>) -> Self {
        Self { log, ..Self::default() }
    }

    /// A mesh of those with a credential.
    pub fn issued(log: AuthorityLog) -> Self {
        Self { rule: Rule::Issued, log: Some(log), ..Self::default() }
    }

    /// A mesh of those who are [listed](Self::list).
    pub fn listed() -> Self {
        Self { rule: Rule::Listed, ..Self::default() }
    }

    /// This node's configuration knows a member, and the slots that are its own; without any it has to find free ones.
    pub fn list(&mut self, member: NodeId, runs: Vec<Run>) {
        Arc::make_mut(&mut self.listed).insert(member, runs);
    }

    /// This node's configuration will have nothing to do with a member.
    pub fn ban(&mut self, member: NodeId) {
        self.banned.insert(member);
    }

    /// Whether this node's configuration will have nothing to do with a member.
    pub fn is_banned(&self, member: NodeId) -> bool {
        self.banned.contains(&member)
    }

    /// Whether this node's configuration lists a member.
    pub fn lists(&self, member: NodeId) -> bool {
        self.listed.contains_key(&member)
    }

    /// Whether this node's configuration gives a member slots of its own.
    pub fn is_listed_with_runs(&self, member: NodeId) -> bool {
        self.listed.get(&member).is_some_and(|runs| !runs.is_empty())
    }

    /// Which rule it is.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The authority's decisions, if the mesh has one.
    pub fn log(&self) -> Option<&AuthorityLog> {
        self.log.as_ref()
    }

    /// The same, to append to.
    pub fn log_mut(&mut self) -> Option<&mut AuthorityLog> {
        self.log.as_mut()
    }

    /// What this node makes of `member` in `region` with `credential`, at `now`, seconds since 1970.
    ///
    /// # Errors
    /// Why it is no member.
    pub fn judge<'a>(
        &'a self,
        member: NodeId,
        region: u16,
        credential: Option<&'a Credential>,
        now: u64,
    ) -> Result<Standing<'a>, Denied> {
        if self.is_banned(member) {
            return Err(Denied::Banned);
        }
        let listed = self.listed.get(&member).map(|runs| by_right(runs));
        let issued = self.judge_credential(member, region, credential, now);
        match (self.rule, listed, issued) {
            // A revocation ends what the authority granted; who was never granted anything cannot show it.
            (_, _, Err(Denied::Revoked)) => Err(Denied::Revoked),
            (Rule::Open | Rule::Listed, Some(listed), _) => Ok(listed),
            (Rule::Listed, None, _) => Err(Denied::Unlisted),
            (Rule::Open, None, issued) => {
                // Without an authority there is nobody else to count.
                Ok(issued.unwrap_or(Standing { counts: self.log.is_none(), ..STRANGER }))
            }
            (Rule::Issued, _, issued) => issued,
        }
    }

    fn judge_credential<'a>(
        &self,
        member: NodeId,
        region: u16,
        credential: Option<&'a Credential>,
        now: u64,
    ) -> Result<Standing<'a>, Denied> {
        let revoked_to = self.log.as_ref().map_or(0, |log| log.revoked_to(member));
        let Some(grant) = credential.map(Credential::grant) else {
            // In an open mesh nobody gets rid of a revocation by hiding the credential.
            return Err(if revoked_to > 0 { Denied::Revoked } else { Denied::NoCredential });
        };
        if grant.member != member {
            return Err(Denied::Foreign);
        }
        if grant.serial <= revoked_to {
            return Err(Denied::Revoked);
        }
        if grant.region != ANY_REGION && grant.region != region {
            return Err(Denied::Region);
        }
        let validity = grant.validity(now, SKEW);
        let holds = match validity {
            Validity::Early => return Err(Denied::Early),
            Validity::Over => return Err(Denied::Over),
            Validity::Valid | Validity::Grace => true,
            Validity::ReadOnly => false,
        };
        Ok(Standing {
            counts: holds,
            writes: holds && grant.rights & WRITE_CELLS != 0,
            runs: Some(if holds { &grant.runs } else { &[] }),
            in_grace: validity == Validity::Grace,
        })
    }
}

/// Anyone in an open mesh with an authority: it may write where nobody else does.
const STRANGER: Standing<'_> = Standing { counts: false, writes: true, runs: None, in_grace: false };

fn by_right(runs: &[Run]) -> Standing<'_> {
    let runs = (!runs.is_empty()).then_some(runs);
    Standing { counts: true, writes: true, runs, in_grace: false }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Listed => "listed",
            Self::Issued => "issued",
        })
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Banned => "this node's configuration bans it",
            Self::Revoked => "the mesh's authority revoked its credential",
            Self::Unlisted => "the configuration does not list it",
            Self::NoCredential => "it shows no credential of the mesh's authority",
            Self::Foreign => "it shows another member's credential",
            Self::Early => "its credential does not hold yet",
            Self::Over => "its credential is over",
            Self::Region => "its credential is for another region",
        })
    }
}

impl core::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use octick_crypto::{Identity, verify_many};

    use super::super::decision::{Decision, SignedDecision};
    use super::super::grant::Grant;
    use super::super::log::Appended;
    use super::super::samples::{grant, identity, issue, log, mesh, run};
    use super::*;

    const NOW: u64 = 1_500;

    fn id(n: u8) -> NodeId {
        identity(n).id()
    }

    fn revoke(admission: &mut Admission, member: u8, serial: u64) {
        let decision = Decision::Revoke { member: id(member), serial };
        let signer: Identity = identity(9);
        let signed = SignedDecision::sign(1, &decision, &mesh(), &[&signer]);
        let log = admission.log_mut().expect("an authority");
        assert_eq!(log.append(&signed, verify_many), Appended::New);
    }

    #[test]
    fn in_an_open_mesh_strangers_have_nothing_by_right() {
        let mut open = Admission::open(Some(log(9)));
        open.list(id(2), vec![run(0, 16)]);
        let stranger = open.judge(id(1), 0, None, NOW).unwrap();
        assert!(!stranger.counts && stranger.runs.is_none());
        let known = open.judge(id(2), 0, None, NOW).unwrap();
        assert!(known.counts && known.runs == Some(&[run(0, 16)][..]));
        let credential = issue(&grant(3, 5), &[9]);
        let credentialed = open.judge(id(3), 0, Some(&credential), NOW).unwrap();
        assert!(credentialed.counts && credentialed.runs == Some(&credential.grant().runs[..]));
    }

    #[test]
    fn a_listed_mesh_admits_its_list() {
        let mut listed = Admission::listed();
        listed.list(id(1), vec![]);
        assert_eq!(listed.judge(id(2), 0, None, NOW), Err(Denied::Unlisted));
        assert!(listed.judge(id(1), 0, None, NOW).unwrap().counts);
    }

    #[test]
    fn an_issued_mesh_admits_whom_a_credential_names_while_it_holds() {
        let issued = Admission::issued(log(9));
        let credential = issue(&grant(1, 5), &[9]);
        let at = |now| issued.judge(id(1), 0, Some(&credential), now);
        assert_eq!(issued.judge(id(1), 0, None, NOW), Err(Denied::NoCredential));
        assert_eq!(issued.judge(id(2), 0, Some(&credential), NOW), Err(Denied::Foreign));
        assert_eq!(at(1_000 - SKEW - 1), Err(Denied::Early));
        assert!(at(NOW).unwrap().counts && !at(NOW).unwrap().in_grace);
        assert!(at(2_050).unwrap().counts && at(2_050).unwrap().in_grace);
        let late = at(2_150).unwrap();
        assert!(!late.counts && !late.writes && late.runs == Some(&[]), "it reads");
        assert_eq!(at(2_201 + SKEW), Err(Denied::Over));
    }

    #[test]
    fn a_credential_for_a_region_is_for_that_region() {
        let issued = Admission::issued(log(9));
        let credential = issue(&Grant { region: 4, ..grant(1, 5) }, &[9]);
        assert_eq!(issued.judge(id(1), 3, Some(&credential), NOW), Err(Denied::Region));
        assert!(issued.judge(id(1), 4, Some(&credential), NOW).is_ok());
    }

    #[test]
    fn a_revocation_sticks_until_the_authority_issues_anew() {
        for mut admission in [Admission::open(Some(log(9))), Admission::issued(log(9))] {
            revoke(&mut admission, 1, 5);
            let judge = |serial| {
                let credential = issue(&grant(1, serial), &[9]);
                admission.judge(id(1), 0, Some(&credential), NOW).map(|standing| standing.counts)
            };
            assert_eq!(
                (judge(4), judge(5), judge(6)),
                (Err(Denied::Revoked), Err(Denied::Revoked), Ok(true))
            );
            assert_eq!(admission.judge(id(1), 0, None, NOW), Err(Denied::Revoked), "hiding it is no way out");
        }
    }

    #[test]
    fn the_local_configuration_beats_the_authority() {
        let mut admission = Admission::issued(log(9));
        admission.ban(id(1));
        let credential = issue(&grant(1, 5), &[9]);
        assert_eq!(admission.judge(id(1), 0, Some(&credential), NOW), Err(Denied::Banned));
    }
}
