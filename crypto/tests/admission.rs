//! A public key is admitted once: canonical, on the curve, torsion-free, not the identity.

mod oracle;

use std::cell::RefCell;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use octick_crypto::lanes::{Base, Kernel, Settings};
use octick_crypto::{Identity, KeyError, NodeId, PublicKey, Verifier};
use oracle::Signer;
use proptest::prelude::*;

thread_local! {
    /// One for every kernel that this CPU has.
    static VERIFIERS: RefCell<Vec<Verifier>> = RefCell::new({
        let quick = |kernel| Settings { kernel: Some(kernel), base: Base::Short, ..Settings::default() };
        Kernel::all_available().map(|kernel| Verifier::new(quick(kernel))).collect()
    });
}

/// Why a key is refused: alone, and in company by every kernel.
fn refusal(bytes: &[u8; 32]) -> Option<KeyError> {
    let alone = PublicKey::admit(bytes).err();
    VERIFIERS.with_borrow_mut(|verifiers| {
        for verifier in verifiers {
            let company = verifier.admit(&[*bytes; 5]);
            assert!(
                company.iter().all(|one| one.as_ref().err() == alone.as_ref()),
                "{verifier:?} {bytes:02x?}"
            );
            assert_eq!(verifier.failure(), None);
        }
    });
    alone
}

/// The rule in other words: [L]P is computed instead of asking the library whether P is torsion-free.
fn expected(bytes: &[u8; 32]) -> Option<KeyError> {
    let Some(point) = CompressedEdwardsY(*bytes).decompress() else { return Some(KeyError::NotOnCurve) };
    if point.compress().0 != *bytes {
        return Some(KeyError::NotCanonical);
    }
    if point.is_identity() {
        return Some(KeyError::Identity);
    }
    let times_order = point * -Scalar::ONE + point;
    (!times_order.is_identity()).then_some(KeyError::Torsion)
}

#[test]
fn points_of_small_order_are_refused() {
    for (i, torsion) in EIGHT_TORSION.iter().enumerate() {
        let error = if i == 0 { KeyError::Identity } else { KeyError::Torsion };
        assert_eq!(refusal(&torsion.compress().0), Some(error), "point {i}");
    }
}

#[test]
fn encodings_that_are_not_canonical_are_refused_as_such() {
    let suspects = oracle::all_suspect_encodings();
    let loose = oracle::loose_encodings();
    assert!(loose.len() >= 12, "the generator has lost its teeth: {} loose encodings", loose.len());
    for bytes in suspects {
        assert_eq!(refusal(&bytes), expected(&bytes), "{bytes:02x?}");
        assert_eq!(refusal(&bytes) == Some(KeyError::NotCanonical), loose.contains(&bytes), "{bytes:02x?}");
    }
}

#[test]
fn bytes_off_the_curve_are_refused() {
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(refusal(&two), Some(KeyError::NotOnCurve));
}

#[test]
fn each_refusal_reads_differently() {
    let all = [KeyError::NotOnCurve, KeyError::NotCanonical, KeyError::Identity, KeyError::Torsion];
    let texts: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
}

#[test]
fn a_node_is_named_by_the_hash_of_its_key() {
    let identity = Identity::from_seed(&[1; 32]);
    let hash = blake3::hash(identity.public().as_bytes());
    assert_eq!(identity.id().0, hash.as_bytes()[..16]);
    assert_eq!(identity.id(), NodeId::of(identity.public().as_bytes()));
    assert_eq!(identity.id().to_string(), hash.to_hex()[..32]);
    assert_eq!(identity.id().short().to_string(), hash.to_hex()[..8]);
}

proptest! {
    #[test]
    fn a_component_of_small_order_is_refused_and_its_absence_is_not(seed: [u8; 64]) {
        let signer = Signer::new(seed);
        for (i, torsion) in EIGHT_TORSION.iter().enumerate() {
            let error = (i != 0).then_some(KeyError::Torsion);
            prop_assert_eq!(refusal(&(signer.point + torsion).compress().0), error, "torsion {}", i);
        }
    }

    #[test]
    fn any_bytes_are_admitted_exactly_by_the_rule(bytes: [u8; 32]) {
        prop_assert_eq!(refusal(&bytes), expected(&bytes));
    }

    #[test]
    fn an_admitted_key_keeps_its_bytes(seed: [u8; 64]) {
        let bytes = Signer::new(seed).public;
        let key = PublicKey::admit(&bytes).unwrap();
        prop_assert_eq!(key.as_bytes(), &bytes);
        prop_assert_eq!(key.id(), NodeId::of(&bytes));
    }

    #[test]
    fn a_seed_gives_the_key_that_rfc_8032_gives(seed: [u8; 32]) {
        let dalek = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let identity = Identity::from_seed(&seed);
        prop_assert_eq!(identity.public().as_bytes(), dalek.as_bytes());
        prop_assert_eq!(*identity.seed(), seed);
    }
}
