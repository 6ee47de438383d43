//! Keys that a node makes up.

use std::collections::BTreeMap;
use std::rc::Rc;

use octick_core::control::Random;
use octick_crypto::Identity;

/// Keys of one node.
pub(super) const KEYS: usize = 12;

/// A made-up member.
pub(super) struct Sybil {
    pub(super) identity: Rc<Identity>,
    /// Whom it greeted.
    pub(super) greeted: BTreeMap<u32, u64>,
}

/// A dozen keys that no authority has seen.
pub(super) fn of(random: &mut Random) -> Vec<Sybil> {
    let key =
        |random: &mut Random| Rc::new(Identity::from_seed(&std::array::from_fn(|_| random.u64() as u8)));
    (0..KEYS).map(|_| Sybil { identity: key(random), greeted: BTreeMap::new() }).collect()
}
