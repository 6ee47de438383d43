//! A node that was invited and has not come yet, as the register keeps it.

use octick_crypto::PublicKey;

/// What a node will get that shows the secret half of `token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invite {
    pub(super) token: PublicKey,
    pub(super) name: String,
    pub(super) cells: Option<u32>,
    pub(super) region: Option<u16>,
    pub(super) roles: Option<u16>,
    pub(super) days: u64,
    pub(super) grace_days: u64,
    /// Until when, seconds since 1970.
    pub(super) until: u64,
}
