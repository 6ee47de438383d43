//! `docs/validity.md` says what verifiers make of the published edge cases; here its columns about ed25519-dalek and
//! Octick are measured anew, where the cases are at hand (see `vectors`).

mod oracle;
mod vectors;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey, verify_batch};
use octick_crypto::{PublicKey, SIGNATURE_LEN};
use oracle::unhex;
use serde_json::Value;
use vectors::load;

/// How often a batch is tried: its verdict may change from one call to the next.
const TRIES: usize = 64;

/// `yes`, `no`, or how many of the tries said yes.
fn words(accepted: usize) -> String {
    match accepted {
        0 => "no".into(),
        TRIES => "yes".into(),
        _ => "by chance".into(),
    }
}

/// The verdicts of `verify`, `verify_strict`, `verify_batch` in honest company, and Octick.
fn verdicts(case: &Value) -> [String; 4] {
    let part = |name: &str| unhex(case[name].as_str().expect("a text"));
    let (key, message) = (part("pub_key"), part("message"));
    let key: [u8; 32] = key.try_into().expect("32 bytes");
    let signature: [u8; SIGNATURE_LEN] = part("signature").try_into().expect("64 bytes");
    let dalek = Signature::from_bytes(&signature);
    let octick = match PublicKey::admit(&key) {
        Err(_) => "no key".into(),
        Ok(admitted) => words(TRIES * usize::from(oracle::verdict(&admitted, &message, &signature))),
    };
    let Ok(decoded) = VerifyingKey::from_bytes(&key) else {
        return ["no key".into(), "no key".into(), "no key".into(), octick];
    };
    let batch = (0..TRIES).filter(|n| {
        let signer = SigningKey::from_bytes(&[*n as u8; 32]);
        let other = signer.sign(&[*n as u8]);
        let messages: [&[u8]; 2] = [&message, &[*n as u8]];
        verify_batch(&messages, &[dalek, other], &[decoded, signer.verifying_key()]).is_ok()
    });
    let yes = |holds: bool| words(TRIES * usize::from(holds));
    [
        yes(decoded.verify(&message, &dalek).is_ok()),
        yes(decoded.verify_strict(&message, &dalek).is_ok()),
        words(batch.count()),
        octick,
    ]
}

#[test]
fn the_table_says_what_is_so() {
    let Some(cases) = load("speccheck.json") else { return };
    let page = include_str!("../../docs/validity.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| {
            line.strip_prefix("| ").is_some_and(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), cases.len(), "a row for each case");
    for (i, (row, case)) in rows.iter().zip(&cases).enumerate() {
        assert_eq!(row[0], i.to_string());
        assert_eq!(row[row.len() - 4..], verdicts(case), "case {i}");
    }
}

/// ZIP 215 in words: s < L, A and R decode in whatever way, and 8(sB - kA - R) is the identity.
fn forgiving(case: &Value) -> Option<bool> {
    let part = |name: &str| unhex(case[name].as_str().expect("a text"));
    let (key, signature) = (part("pub_key").try_into().ok()?, part("signature").try_into().ok()?);
    let (r, s) = oracle::halves(&signature);
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s))?;
    let (a, point) = (CompressedEdwardsY(key).decompress()?, CompressedEdwardsY(r).decompress()?);
    let k = oracle::challenge(&r, &key, &part("message"));
    Some((ED25519_BASEPOINT_POINT * s - a * k - point).mul_by_cofactor().is_identity())
}

#[test]
fn the_forgiving_rule_takes_the_cases_that_the_page_names() {
    let Some(cases) = load("speccheck.json") else { return };
    let taken: Vec<usize> = (0..cases.len()).filter(|i| forgiving(&cases[*i]) == Some(true)).collect();
    assert_eq!(taken, [0, 1, 2, 3, 4, 5, 9, 10, 11]);
    assert!(include_str!("../../docs/validity.md").contains("cofactor forgives: 0 to 5 and 9 to 11"));
}
