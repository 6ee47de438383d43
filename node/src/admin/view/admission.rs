//! By which rule a mesh admits members, and what the node that answers may do in it.

use std::fmt;

use octick::admission::Grant;
use octick::{Credential, MeshView, Rights, Rule};
use serde::{Deserialize, Serialize};

use crate::trust::{now, reach};

/// By which rule a node admits members, and what it may do itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// `open`, `listed` or `issued`. A node without membership knows its peers only: `listed`.
    pub rule: String,
    /// Whether its configuration names an authority.
    pub authority: bool,
    /// How many decisions of that are known: the number of the last.
    pub decisions: u64,
    /// `full`, `grace`, `read_only` or `denied`.
    pub rights: String,
    /// Why, where it was denied.
    pub denied: Option<String>,
    /// What the authority granted the node, if it did.
    pub credential: Option<Granted>,
}

/// What an authority granted a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// What people call it.
    pub name: String,
    /// Counts the credentials of the authority.
    pub serial: u64,
    /// Until when, seconds since 1970.
    pub until: u64,
    /// How far it reaches now, and what there is to do about it.
    pub says: String,
}

impl Admission {
    /// As `mesh` has it; nothing of it without membership.
    pub(crate) fn of(mesh: Option<&MeshView>) -> Self {
        let Some(MeshView { admission, members, .. }) = mesh else {
            return Self { rule: Rule::Listed.to_string(), rights: "full".into(), ..Self::default() };
        };
        let (rights, denied) = match admission.rights {
            Rights::Full => ("full", None),
            Rights::Grace => ("grace", None),
            Rights::ReadOnly => ("read_only", None),
            Rights::Denied(why) => ("denied", Some(why.to_string())),
        };
        let own = members.iter().find(|member| member.this_node);
        Self {
            rule: admission.rule.to_string(),
            authority: admission.has_authority,
            decisions: admission.decisions,
            rights: rights.into(),
            denied,
            credential: own.and_then(|own| own.credential.as_deref()).map(Granted::of),
        }
    }

    /// The same without what changes with time alone.
    pub(super) fn steady(&self) -> Self {
        let mut steady = self.clone();
        steady.credential.iter_mut().for_each(|granted| granted.says.clear());
        steady
    }
}

impl Granted {
    fn of(credential: &Credential) -> Self {
        let grant = credential.grant();
        let Grant { name, serial, until, .. } = grant;
        let (_, says) = reach(grant, now());
        Self { name: name.clone(), serial: *serial, until: (*until).into(), says }
    }
}

/// The rule, in words for people.
impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rule[..], self.authority) {
            ("open", false) => f.write_str("OPEN: whoever knows the mesh's name may join it"),
            ("open", true) => f.write_str(
                "OPEN: whoever knows the mesh's name may join it; a credential gives slots and a vote",
            ),
            ("listed", _) => f.write_str("listed: the peers of this node's configuration"),
            ("issued", _) => f.write_str("issued: whoever has a credential of the mesh's authority"),
            (rule, _) => f.write_str(rule),
        }?;
        match (self.authority, self.decisions) {
            (false, _) => Ok(()),
            (true, 1) => f.write_str("; 1 decision is known"),
            (true, n) => write!(f, "; {n} decisions are known"),
        }
    }
}

impl Granted {
    /// Name and serial, how far it reaches, and what there is to do, in words for people.
    pub fn summary(&self) -> String {
        format!("{}, serial {}; {}", self.name, self.serial, self.says)
    }
}
