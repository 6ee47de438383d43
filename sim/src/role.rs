//! How a node behaves: as the code says, or in one of the ways that are not.

use serde::Deserialize;

/// How a node behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// As the code says.
    #[default]
    Honest,
    /// Takes everything in and sends nothing but what makes it known.
    Silent,
    /// Damages what it sends.
    Garbage,
    /// Says one thing to some and another to others, both signed.
    Equivocator,
    /// Joins under many keys; this and what follows is in [`hostile`](crate::hostile).
    Sybil,
    /// Accuses members that run, in its own and in made-up names.
    Accuser,
    /// Sends what others said again, later and to others.
    Replayer,
    /// Asks in a victim's name, so that answers go to the victim.
    Reflector,
    /// Claims the slots of others.
    Claimant,
    /// Dates what it says of itself far ahead.
    Postdater,
}

impl Role {
    /// Whether it signs by keys that are no node's.
    pub fn signs_for_others(self) -> bool {
        matches!(self, Self::Sybil | Self::Reflector)
    }
}
