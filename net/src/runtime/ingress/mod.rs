//! From arrivals to frames that may be merged.

pub(super) mod batches;
pub(super) mod filter;
pub(super) mod sender_table;
pub(super) mod stages;
pub(super) mod verifier_upgrade;
