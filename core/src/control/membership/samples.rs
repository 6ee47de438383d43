//! Members for the tests of this folder.

use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::Identity;

use crate::control::id::Region;
use crate::control::membership::table::Members;
use crate::control::message::announcement::{Announcement, Statement, mesh_key};
use crate::random::Random;
use crate::stamp::{Incarnation, Version};

/// A table of at most `capacity` with this node and `others` in it, who announced themselves at `now`.
pub(in crate::control) fn members(others: u8, capacity: usize, now: u64) -> Members {
    let members = members_of(others, capacity, now, |_, _| ());
    assert_eq!(members.live().len(), usize::from(others));
    members
}

/// The same of members that say of themselves what is changed, each by its key: 0 is this node's.
pub(in crate::control) fn members_of(
    others: u8,
    capacity: usize,
    now: u64,
    change: impl Fn(u8, &mut Statement),
) -> Members {
    let announcement = |key: u8| {
        let identity = Identity::from_seed(&[key + 1; 32]);
        let mut statement = Statement {
            serial: 0,
            incarnation: Incarnation(1),
            boot: 0,
            version: Version::new(1_700_000_000_000_000, identity.id()),
            capabilities: 0,
            region: Region(0),
            leaves: false,
            addresses: Vec::new(),
            claims: Vec::new(),
        };
        change(key, &mut statement);
        Arc::new(Announcement::sign(&identity, &mesh_key("t"), &statement))
    };
    let mut members = Members::new(announcement(0), capacity, Random::new(1));
    for key in 1..=others {
        members.announce(&announcement(key), now);
    }
    members
}
