//! The keys that say who may be a member: the rule, whose signatures count, and where the files are.

use std::path::{Path, PathBuf};

use octick::Authority;
use octick_crypto::PublicKey;

use super::conflict::{Checked, Conflict, require};
use super::hex::decode_hex;
use super::keys::{AdmissionKeys, AuthorityKeys, Rule};

/// Who may be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// The rule.
    pub rule: Rule,
    /// Whose signatures count from the start; nobody's in a mesh without an authority.
    pub root: Option<Authority>,
    /// This node's credential, relative to the configuration file.
    pub credential: PathBuf,
    /// Whether it has to be there: the rule asks for it, or the configuration names it.
    pub is_credential_due: bool,
    /// What the authority decided, relative to the configuration file.
    pub decisions: PathBuf,
}

impl AdmissionSettings {
    pub(super) fn check(keys: &AdmissionKeys, key_file: &Path, membership: bool) -> Checked<Self> {
        let AdmissionKeys { rule, authority, credential, decisions } = keys;
        let root = root(authority)?;
        let is_issued = *rule == Rule::Issued;
        require(membership || !is_issued, "admission.rule", || {
            "admission.rule = \"issued\", but membership.enabled = false: without membership a node knows only the peers of its file".into()
        })?;
        require(root.is_some() || !is_issued, "admission.rule", || {
            "admission.rule = \"issued\", but admission.authority has no keys: copy what octick authority init printed, or make a mesh: octick init".into()
        })?;
        require(root.is_none() || *rule != Rule::Listed, "admission.authority", || {
            "admission.rule = \"listed\" asks no authority, but admission.authority has keys: leave them out, or say \"issued\"".into()
        })?;
        require(root.is_none() || membership, "admission.authority", || {
            "admission.authority has keys, but membership.enabled = false".into()
        })?;
        for (key, path) in [("admission.credential", credential), ("admission.decisions", decisions)] {
            require(root.is_some() || path.as_os_str().is_empty(), key, || {
                format!("{key} = \"{}\", but admission.authority has no keys", path.display())
            })?;
        }
        let beside_the_key = |path: &PathBuf, extension: &str| match path.as_os_str().is_empty() {
            true => key_file.with_extension(extension),
            false => path.clone(),
        };
        Ok(Self {
            rule: *rule,
            root,
            is_credential_due: is_issued || !credential.as_os_str().is_empty(),
            credential: beside_the_key(credential, "credential"),
            decisions: beside_the_key(decisions, "decisions"),
        })
    }
}

/// The authority that the keys make, if there are any.
fn root(AuthorityKeys { threshold, keys }: &AuthorityKeys) -> Checked<Option<Authority>> {
    if keys.is_empty() {
        return Ok(None);
    }
    let admit = |(i, digits): (usize, &String)| {
        let key = format!("admission.authority.keys[{i}]");
        let refuse =
            |why: String| Conflict { message: format!("{key} = \"{digits}\": {why}"), key: key.clone() };
        let bytes = decode_hex(digits).ok_or_else(|| refuse("want 64 hex digits".into()))?;
        PublicKey::admit(&bytes).map_err(|why| refuse(why.to_string()))
    };
    let keys = keys.iter().enumerate().map(admit).collect::<Checked<_>>()?;
    let authority = Authority::new(keys, *threshold);
    authority.map(Some).map_err(|why| Conflict {
        key: "admission.authority".into(),
        message: format!("admission.authority: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn keys(rule: Rule, authority: usize) -> AdmissionKeys {
        let authority = AuthorityKeys { keys: vec![KEY.into(); authority], ..AuthorityKeys::default() };
        AdmissionKeys { rule, authority, ..AdmissionKeys::default() }
    }

    #[test]
    fn the_files_are_beside_the_key_unless_they_are_named() {
        let check =
            |keys: &AdmissionKeys| AdmissionSettings::check(keys, Path::new("keys/a.key"), true).unwrap();
        let issued = check(&keys(Rule::Issued, 1));
        assert_eq!(issued.credential, Path::new("keys/a.credential"));
        assert_eq!(issued.decisions, Path::new("keys/a.decisions"));
        assert!(issued.is_credential_due && issued.root.is_some_and(|root| root.threshold() == 1));
        let open = check(&keys(Rule::Open, 1));
        assert!(!open.is_credential_due, "in an open mesh it may come later");
        let named =
            check(&AdmissionKeys { credential: "b".into(), decisions: "c".into(), ..keys(Rule::Open, 1) });
        assert!(named.is_credential_due);
        assert_eq!((named.credential, named.decisions), ("b".into(), "c".into()));
        assert_eq!(check(&keys(Rule::Listed, 0)).root, None);
    }

    #[test]
    fn rule_and_authority_must_hold_together() {
        let named = AdmissionKeys { credential: "b".into(), ..keys(Rule::Open, 0) };
        let high = AuthorityKeys { threshold: 2, keys: vec![KEY.into()] };
        let high = AdmissionKeys { authority: high, ..keys(Rule::Issued, 0) };
        let digits = AuthorityKeys { threshold: 1, keys: vec!["5f".into()] };
        let digits = AdmissionKeys { authority: digits, ..keys(Rule::Issued, 0) };
        for (keys, membership, key, says) in [
            (keys(Rule::Issued, 1), false, "admission.rule", "membership.enabled = false"),
            (keys(Rule::Open, 1), false, "admission.authority", "membership.enabled = false"),
            (keys(Rule::Issued, 0), true, "admission.rule", "admission.authority has no keys"),
            (keys(Rule::Listed, 1), true, "admission.authority", "asks no authority"),
            (named, true, "admission.credential", "\"b\", but admission.authority has no keys"),
            (keys(Rule::Issued, 2), true, "admission.authority", "twice"),
            (high, true, "admission.authority", "asks for 2 signatures"),
            (digits, true, "admission.authority.keys[0]", "= \"5f\": want 64 hex digits"),
        ] {
            let conflict = AdmissionSettings::check(&keys, Path::new("node.key"), membership).unwrap_err();
            assert_eq!(conflict.key, key);
            assert!(conflict.message.contains(says), "{}", conflict.message);
        }
    }
}
