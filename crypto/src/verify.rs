//! Many signatures in, one verdict each out.
//!
//! **The rule.** For an admitted key A, a signature (R, s) over m is valid exactly if `verify_strict` of
//! ed25519-dalek accepts it: s < L, enc(sB - kA) = R with k = SHA-512(R, A, m), and R is not the identity.
//! The verdict depends on nothing else: not on the other items, their number or order, nor on the CPU. Batch
//! equations over random combinations are faster, and not used, because crafted input makes them disagree with
//! the single check.
//!
//! This is the seam for faster kernels: they replace the loop and must give the very same verdicts.

use ed25519_dalek::Signature;

use crate::{PublicKey, SIGNATURE_LEN};

/// One signature to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The claimed signer, admitted before.
    pub key: &'a PublicKey,
    /// The signed bytes.
    pub message: &'a [u8],
    /// R and s as received.
    pub signature: &'a [u8; SIGNATURE_LEN],
}

/// Decides every item by itself: `verdicts[i]` becomes whether `items[i]` is valid. About 111,000 ticks each.
///
/// # Panics
/// When the two slices differ in length.
pub fn verify_many(items: &[Item<'_>], verdicts: &mut [bool]) {
    assert_eq!(items.len(), verdicts.len(), "one verdict an item");
    for (item, verdict) in items.iter().zip(verdicts) {
        *verdict = verify_one(item);
    }
}

fn verify_one(item: &Item<'_>) -> bool {
    let signature = Signature::from_bytes(item.signature);
    item.key.verifying_key().verify_strict(item.message, &signature).is_ok()
}
