//! The credential and the decisions of a node, read and verified before it starts, and again when it is told to.
//!
//! In come paths, the mesh's name and the node's id; out comes what the library is started with, or one line that says which file does not
//! fit and what to do.

use std::io;
use std::path::Path;
use std::sync::Arc;

use octick::admission::endorsement::authority_key;
use octick::admission::grant::Validity;
use octick::admission::rule::SKEW;
use octick::admission::{Grant, Invalid, SignedDecision};
use octick::{Admission, Appended, AuthorityLog, Credential, NodeId};
use octick_crypto::verify_many;

use crate::authority::words::{day, moment};
use crate::authority::{read_credential, read_decisions};
use crate::config::{AdmissionSettings, Rule};
use crate::failure::Failure;

/// Whom a node trusts, and what it was granted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The rule, and the authority with its decisions.
    pub admission: Admission,
    /// This node's credential, which holds.
    pub credential: Option<Arc<Credential>>,
}

/// This moment, seconds since 1970.
pub fn now() -> u64 {
    octick::clock::wall_micros() / 1_000_000
}

/// Reads what the node `own` starts with at `now`.
///
/// # Errors
/// One line: which file does not fit, and what to do.
pub fn read(settings: &AdmissionSettings, mesh: &str, own: NodeId, now: u64) -> Result<Trust, Failure> {
    let Some(log) = decisions(settings, mesh, &[])? else {
        let admission = match settings.rule {
            Rule::Listed => Admission::listed(),
            Rule::Open | Rule::Issued => Admission::open(None),
        };
        return Ok(Trust { admission, credential: None });
    };
    let credential = credential(settings, &log, mesh, own, now)?;
    let admission = match settings.rule {
        Rule::Issued => Admission::issued(log),
        Rule::Open | Rule::Listed => Admission::open(Some(log)),
    };
    Ok(Trust { admission, credential })
}

/// The mesh's authority, if it has one, with the decisions `known` and those of the file.
///
/// # Errors
/// One line: which decision is not to be believed.
pub fn decisions(
    settings: &AdmissionSettings,
    mesh: &str,
    known: &[Arc<SignedDecision>],
) -> Result<Option<AuthorityLog>, Failure> {
    let Some(root) = &settings.root else { return Ok(None) };
    let mut log = AuthorityLog::new(authority_key(mesh), root.clone());
    for signed in known {
        log.append(signed, verify_many);
    }
    append(&mut log, &settings.decisions, mesh)?;
    Ok(Some(log))
}

/// Takes the decisions of a file, which need not be there.
fn append(log: &mut AuthorityLog, path: &Path, mesh: &str) -> Result<(), Failure> {
    if is_missing(path) {
        return Ok(());
    }
    for bytes in read_decisions(path)? {
        let signed = SignedDecision::read(&bytes)?;
        let number = signed.number();
        let why = match log.append(&signed, verify_many) {
            Appended::New | Appended::Known => continue,
            Appended::Gap => "decisions before it are missing",
            Appended::Contradiction => {
                "another one is known under its number: the authority's keys are used twice"
            }
            Appended::Unsigned => "too few keys of admission.authority signed it for this mesh",
            Appended::Full => "it is more than a node keeps",
        };
        return Err(Failure::new(format!(
            "{}: decision {number} of mesh {mesh:?} is not to be believed: {why}; get the file from the authority: octick authority list \
             --decisions FILE",
            path.display()
        )));
    }
    Ok(())
}

/// The credential of the node `own`, if it has one or has to, by the authority of `log` at `now`.
///
/// # Errors
/// One line: why it does not hold, and what to do.
pub fn credential(
    settings: &AdmissionSettings,
    log: &AuthorityLog,
    mesh: &str,
    own: NodeId,
    now: u64,
) -> Result<Option<Arc<Credential>>, Failure> {
    let path = &settings.credential;
    let refuse = |why: String| Failure::new(format!("{}: {why}", path.display()));
    if is_missing(path) {
        return match settings.is_credential_due {
            false => Ok(None),
            true => Err(refuse(
                "no credential there; the mesh's authority issues one for this node's key (octick authority issue --name NAME --key HEX), or lets it in \
                 by a token: octick enrol"
                    .into(),
            )),
        };
    }
    let bytes = read_credential(path)?;
    let credential = Credential::verify_all(&[&bytes], log, verify_many).remove(0).map_err(|why| {
        refuse(match why {
            Invalid::Untrusted => {
                "too few keys of this mesh's authority signed it: is admission.authority what octick authority init printed, and node.decisions of today?".into()
            }
            Invalid::Signature => {
                format!("its signature does not hold in mesh {mesh:?}: it is of a mesh of another name, or damaged")
            }
            why => why.to_string(),
        })
    })?;
    let grant = credential.grant();
    let name = &grant.name;
    if grant.member != own {
        return Err(refuse(format!(
            "it is that of {name}, node {}, and this node's key is that of {own}: give each node the file that was issued for its key",
            grant.member
        )));
    }
    if log.revoked_to(own) >= grant.serial {
        return Err(refuse(format!(
            "the authority revoked it: serial {} of {name} is void, and no member talks to this node. The authority can issue another: octick \
             authority issue",
            grant.serial
        )));
    }
    match reach(grant, now) {
        (Validity::Early | Validity::Over, says) => Err(refuse(says)),
        (Validity::Valid | Validity::Grace | Validity::ReadOnly, _) => Ok(Some(credential.into())),
    }
}

/// How far a credential reaches at `now`, and what there is to do about it.
pub fn reach(grant: &Grant, now: u64) -> (Validity, String) {
    let (until, grace) = (u64::from(grant.until), u64::from(grant.grace));
    let validity = grant.validity(now, SKEW);
    let renew = format!("renew it: octick authority issue --name {}", grant.name);
    let says = match validity {
        Validity::Early => format!(
            "it holds from {} on, and by this machine's clock it is {}: set the clock",
            moment(grant.from.into()),
            moment(now)
        ),
        Validity::Valid => format!("it holds until {}", day(until)),
        Validity::Grace => {
            format!(
                "it ended on {}, and holds in its grace until {}: {renew}",
                day(until),
                day(until + grace)
            )
        }
        Validity::ReadOnly => format!(
            "it ended on {} and its grace on {}: until {} this node may only read; {renew}",
            day(until),
            day(until + grace),
            day(until + 2 * grace)
        ),
        Validity::Over => format!("it ended on {}, and all its grace is over: {renew}", day(until)),
    };
    (validity, says)
}

fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use octick::admission::Decision;
    use octick::admission::grant::{ANY_REGION, WRITE_CELLS};
    use octick::{Authority, Identity, Run, Slot};

    use super::*;
    use crate::authority::document;

    const NOW: u64 = 1_500;

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn settings(dir: &Path, rule: Rule) -> AdmissionSettings {
        AdmissionSettings {
            rule,
            root: Some(Authority::new(vec![identity(9).public().clone()], 1).unwrap()),
            credential: dir.join("node.credential"),
            is_credential_due: rule == Rule::Issued,
            decisions: dir.join("node.decisions"),
        }
    }

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("octick-trust-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn issue(dir: &Path, member: u8, mesh: &str, signer: u8) {
        let grant = Grant {
            serial: 5,
            member: identity(member).id(),
            from: 1_000,
            until: 2_000,
            grace: 100,
            region: ANY_REGION,
            roles: 0,
            rights: WRITE_CELLS,
            name: "worker-1".into(),
            runs: vec![Run { first: Slot(0), len: 16 }],
        };
        let issued = Credential::issue(&grant, &authority_key(mesh), &[&identity(signer)]).unwrap();
        fs::write(dir.join("node.credential"), document::credential(&issued, mesh)).unwrap();
    }

    fn decide(dir: &Path, numbers: &[u64], signer: u8) {
        let decision = Decision::Revoke { member: identity(1).id(), serial: 5 };
        let sign = |number: &u64| {
            SignedDecision::sign(*number, &decision, &authority_key("t"), &[&identity(signer)])
        };
        let signed: Vec<_> = numbers.iter().map(sign).collect();
        let text = document::decisions(signed.iter().map(|signed| (signed, "")), "t");
        fs::write(dir.join("node.decisions"), text).unwrap();
    }

    fn refusal(dir: &Path, now: u64) -> String {
        read(&settings(dir, Rule::Issued), "t", identity(1).id(), now).unwrap_err().to_string()
    }

    #[test]
    fn a_credential_that_does_not_fit_says_which_and_what_to_do() {
        let dir = directory("credential");
        assert!(refusal(&dir, NOW).contains("node.credential: no credential there"));
        for (member, mesh, signer, now, says) in [
            (2, "t", 9, NOW, "this node's key is that of"),
            (1, "u", 9, NOW, "a mesh of another name, or damaged"),
            (1, "t", 8, NOW, "too few keys of this mesh's authority signed it"),
            (1, "t", 9, 100, "set the clock"),
            (1, "t", 9, 2_400, "all its grace is over: renew it: octick authority issue --name worker-1"),
        ] {
            issue(&dir, member, mesh, signer);
            let why = refusal(&dir, now);
            assert!(why.contains(says), "{why}");
        }
        issue(&dir, 1, "t", 9);
        let trust = read(&settings(&dir, Rule::Issued), "t", identity(1).id(), 2_150).unwrap();
        assert!(trust.credential.is_some(), "who may only read may start");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn decisions_of_the_file_count_from_the_start() {
        let dir = directory("decisions");
        issue(&dir, 1, "t", 9);
        decide(&dir, &[1], 9);
        assert!(refusal(&dir, NOW).contains("the authority revoked it: serial 5 of worker-1 is void"));
        decide(&dir, &[2], 9);
        assert!(
            refusal(&dir, NOW).contains("decision 2 of mesh \"t\" is not to be believed: decisions before")
        );
        decide(&dir, &[1], 8);
        assert!(refusal(&dir, NOW).contains("too few keys of admission.authority signed it"));
        fs::remove_file(dir.join("node.credential")).unwrap();
        decide(&dir, &[1, 2], 9);
        let trust = read(&settings(&dir, Rule::Open), "t", identity(2).id(), NOW).unwrap();
        assert_eq!(trust.admission.log().map(AuthorityLog::len), Some(2));
        assert_eq!(trust.credential, None);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_there_is_to_do_follows_from_how_far_it_reaches() {
        let dir = directory("reach");
        issue(&dir, 1, "t", 9);
        let trust = read(&settings(&dir, Rule::Issued), "t", identity(1).id(), NOW).unwrap();
        let credential = trust.credential.unwrap();
        let says = |now| reach(credential.grant(), now).1;
        assert_eq!(says(NOW), "it holds until 1970-01-01");
        assert!(says(2_050).contains("in its grace") && says(2_050).ends_with("--name worker-1"));
        assert!(says(2_150).contains("may only read"));
        fs::remove_dir_all(dir).unwrap();
    }
}
