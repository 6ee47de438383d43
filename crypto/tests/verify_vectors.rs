//! The published edge cases, by every kernel: see `published_vectors.rs` for where the files come from.

mod oracle;
mod rig;

use std::path::{Path, PathBuf};

use octick_crypto::lanes::{KEY_TABLE_BYTES, Kernel, Settings};
use octick_crypto::{Item, PublicKey, SIGNATURE_LEN, Verifier};
use oracle::{Recipe, unhex};
use rig::{Case, disagreements};
use serde_json::Value;

fn load(file: &str) -> Option<Value> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("OCTICK_VECTORS").map_or_else(beside, PathBuf::from);
    match std::fs::read(folder.join(file)) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("the file is JSON")),
        Err(error) => {
            eprintln!("skipped: {}: {error}; name the folder in OCTICK_VECTORS", folder.join(file).display());
            None
        }
    }
}

/// A case whose key is admitted and whose signature has the right length.
fn case(key: &str, message: Vec<u8>, signature: &str) -> Option<Case> {
    let key = PublicKey::admit(&unhex(key).try_into().ok()?).ok()?;
    let signature: [u8; SIGNATURE_LEN] = unhex(signature).try_into().ok()?;
    Some(Case { key, message, signature, recipe: Recipe::Honest })
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("no text {name} in {case}"))
}

fn all() -> Vec<Case> {
    let list = |file| load(file).and_then(|cases| cases.as_array().cloned()).unwrap_or_default();
    let speccheck = list("speccheck.json")
        .into_iter()
        .filter_map(|one| case(text(&one, "pub_key"), unhex(text(&one, "message")), text(&one, "signature")));
    let cctv = list("cctv.json")
        .into_iter()
        .filter_map(|one| case(text(&one, "key"), text(&one, "msg").as_bytes().to_vec(), text(&one, "sig")));
    let groups = load("wycheproof.json").and_then(|file| file["testGroups"].as_array().cloned());
    let wycheproof = groups.unwrap_or_default().into_iter().flat_map(|group| {
        let key = text(&group["publicKey"], "pk").to_owned();
        let tests = group["tests"].as_array().cloned().expect("a list");
        tests.into_iter().filter_map(move |one| case(&key, unhex(text(&one, "msg")), text(&one, "sig")))
    });
    speccheck.chain(cctv).chain(wycheproof).collect()
}

#[test]
fn every_kernel_judges_the_published_cases_as_verify_strict_does() {
    let cases = all();
    for kernel in Kernel::all_available() {
        let table_bytes = cases.len().max(1) * KEY_TABLE_BYTES;
        let mut verifier = Verifier::new(Settings { kernel: Some(kernel), table_bytes, cross_check: 0 });
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
