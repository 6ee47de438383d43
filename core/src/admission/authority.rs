//! Whose signatures count for a mesh: one key, or some number of several.

use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{NodeId, PublicKey};

use crate::limits::{AUTHORITY_KEYS_MAX, ENDORSEMENTS_MAX};

/// The keys of an authority, and how many of them have to sign what it says.
#[derive(Clone)]
pub struct Authority {
    /// Rising by id.
    keys: Vec<PublicKey>,
    threshold: usize,
}

/// Why keys and a number make no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAuthority {
    /// No key, or more than [`AUTHORITY_KEYS_MAX`].
    Keys(usize),
    /// One key twice.
    Twice(NodeId),
    /// No signature asked for, or more than there are keys, or than fit under a document.
    Threshold(usize),
}

impl Authority {
    /// An authority that speaks by `threshold` signatures of `keys`.
    ///
    /// # Errors
    /// What is wrong with the numbers.
    pub fn new(mut keys: Vec<PublicKey>, threshold: usize) -> Result<Self, NoAuthority> {
        if keys.is_empty() || keys.len() > AUTHORITY_KEYS_MAX {
            return Err(NoAuthority::Keys(keys.len()));
        }
        keys.sort_unstable_by_key(PublicKey::id);
        if let Some(twice) = keys.windows(2).find(|pair| pair[0].id() == pair[1].id()) {
            return Err(NoAuthority::Twice(twice[0].id()));
        }
        if threshold == 0 || threshold > keys.len().min(ENDORSEMENTS_MAX) {
            return Err(NoAuthority::Threshold(threshold));
        }
        assert!((1..=keys.len()).contains(&threshold), "{threshold} of {} keys", keys.len());
        Ok(Self { keys, threshold })
    }

    /// Its keys, rising by id.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many of them have to sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Its key of that id.
    pub fn key(&self, id: NodeId) -> Option<&PublicKey> {
        self.keys.binary_search_by_key(&id, PublicKey::id).ok().map(|at| &self.keys[at])
    }
}

impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |of: &Self| of.keys.iter().map(|key| *key.as_bytes()).collect::<Vec<_>>();
        self.threshold == other.threshold && bytes(self) == bytes(other)
    }
}

impl Eq for Authority {}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys.iter().map(PublicKey::id);
        write!(f, "{} of ", self.threshold)?;
        f.debug_list().entries(ids).finish()
    }
}

impl fmt::Display for NoAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => write!(f, "an authority of {keys} keys: it has 1 to {AUTHORITY_KEYS_MAX}"),
            Self::Twice(id) => write!(f, "an authority with the key of {id} twice"),
            Self::Threshold(threshold) => write!(
                f,
                "an authority that asks for {threshold} signatures: at least one, at most {ENDORSEMENTS_MAX}, and no more than it has keys"
            ),
        }
    }
}

impl core::error::Error for NoAuthority {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use octick_crypto::Identity;

    fn key(n: u8) -> PublicKey {
        Identity::from_seed(&[n; 32]).public().clone()
    }

    #[test]
    fn an_authority_has_distinct_keys_and_a_number_that_they_can_reach() {
        assert_eq!(Authority::new(vec![], 1).unwrap_err(), NoAuthority::Keys(0));
        let many = (0..=AUTHORITY_KEYS_MAX as u8).map(key).collect();
        assert_eq!(Authority::new(many, 1).unwrap_err(), NoAuthority::Keys(AUTHORITY_KEYS_MAX + 1));
        assert_eq!(
            Authority::new(vec![key(1), key(2), key(1)], 1).unwrap_err(),
            NoAuthority::Twice(key(1).id())
        );
        for threshold in [0, 3] {
            let wrong = Authority::new(vec![key(1), key(2)], threshold).unwrap_err();
            assert_eq!(wrong, NoAuthority::Threshold(threshold));
        }
        let authority = Authority::new(vec![key(1), key(2), key(3)], 2).unwrap();
        assert!((1..=3).all(|n| authority.key(key(n).id()).is_some_and(|found| found.id() == key(n).id())));
        assert!(authority.key(key(4).id()).is_none());
    }
}
