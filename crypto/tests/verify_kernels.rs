//! Every kernel gives the verdict of `verify_strict`, for every kind of signature, in every company.

mod oracle;
mod rig;

use curve25519_dalek::scalar::Scalar;
use octick_crypto::lanes::{Kernel, Settings};
use octick_crypto::{Item, Verifier};
use oracle::Signer;
use rig::{Case, cold, disagreements, mix, quick, signers, warm};

/// Kernels under test: with the tables of `signers`, without any, and with as little as there can be.
fn kernels(signers: &[Signer]) -> impl Iterator<Item = (String, Verifier)> + '_ {
    Kernel::all_available().flat_map(|kernel| {
        let with = (format!("{kernel} with tables"), warm(kernel, signers));
        let without = (format!("{kernel} without tables"), cold(kernel));
        let quick = (format!("{kernel} with the short table of the base point"), quick(kernel));
        [with, without, quick]
    })
}

#[test]
fn every_kernel_agrees_with_verify_strict_on_a_mix_of_everything() {
    let signers = signers(12);
    let cases = mix(&signers, 1, 3000);
    for (kernel, mut verifier) in kernels(&signers) {
        let wrong = disagreements(&cases, 64, |items, verdicts| verifier.verify(items, verdicts));
        assert_eq!(wrong, [], "{kernel}");
        assert_eq!(verifier.failure(), None);
    }
}

#[test]
fn every_batch_size_and_every_place_of_the_one_bad_signature() {
    let signers = signers(9);
    let good: Vec<Case> = (0..64).map(|i| Case::honest(&signers[i % 9], &[i as u8; 64])).collect();
    for (kernel, mut verifier) in kernels(&signers) {
        for size in 1..=64 {
            // Every place for the sizes around whole lanes, some places for the others.
            let step = if size <= 17 || size >= 63 { 1 } else { 7 };
            for bad in (0..=size).step_by(step) {
                let mut cases = good[..size].to_vec();
                if let Some(case) = cases.get_mut(bad) {
                    case.spoil(bad * 7 + size);
                }
                let items: Vec<_> = cases.iter().map(Case::item).collect();
                let mut verdicts = vec![bad % 2 == 0; size];
                verifier.verify(&items, &mut verdicts);
                let expected: Vec<bool> = (0..size).map(|i| i != bad).collect();
                assert_eq!(verdicts, expected, "{kernel}, {size} signatures, number {bad} is bad");
            }
        }
    }
}

#[test]
fn messages_of_unequal_lengths_share_a_batch() {
    let signers = signers(8);
    for (kernel, mut verifier) in kernels(&signers) {
        for lengths in
            [[0, 1, 46, 47, 48, 49, 63, 64], [64; 8], [1200; 8], [0, 1200, 111, 112, 175, 176, 4096, 64]]
        {
            for turn in 0..8 {
                let cases: Vec<Case> = (0..8)
                    .map(|i| {
                        let message: Vec<u8> =
                            (0..lengths[(i + turn) % 8]).map(|b| b as u8 ^ i as u8).collect();
                        Case::honest(&signers[i], &message)
                    })
                    .collect();
                let wrong = disagreements(&cases, 8, |items, verdicts| verifier.verify(items, verdicts));
                assert_eq!(wrong, [], "{kernel} {lengths:?}");
            }
        }
    }
}

#[test]
fn swapped_lanes_would_show() {
    let signers = signers(8);
    let cases: Vec<Case> = (0..8).map(|i| Case::honest(&signers[i], b"whose is it?")).collect();
    for (kernel, mut verifier) in kernels(&signers) {
        for (one, other) in (0..8).flat_map(|one| (0..one).map(move |other| (one, other))) {
            let mut swapped = cases.clone();
            swapped[one].signature = cases[other].signature;
            swapped[other].signature = cases[one].signature;
            let items: Vec<_> = swapped.iter().map(Case::item).collect();
            let mut verdicts = [false; 8];
            verifier.verify(&items, &mut verdicts);
            let expected: [bool; 8] = std::array::from_fn(|i| i != one && i != other);
            assert_eq!(verdicts, expected, "{kernel}");
        }
    }
}

#[test]
fn tables_may_come_and_go_at_any_time() {
    let signers = signers(40);
    for kernel in Kernel::all_available() {
        // Room for two or three tables, so that they change hands.
        let mut verifier = Verifier::new(Settings {
            kernel: Some(kernel),
            table_bytes: 500_000,
            cross_check: 3,
            table_after: 2,
            ..Settings::default()
        });
        for round in 0..30 {
            let busy = &signers[round..round + 4];
            let cases = mix(busy, round as u64, 60);
            let wrong = disagreements(&cases, 1 + round, |items, verdicts| {
                verifier.verify(items, verdicts);
                verifier.build_step();
            });
            assert_eq!(wrong, [], "{kernel}");
            for _ in 0..round {
                verifier.build_step();
            }
        }
        assert_eq!(verifier.failure(), None);
        assert!(verifier.tables() <= 2, "{} tables", verifier.tables());
    }
}

/// Each canary is a kernel that is right but for one thing that a real one could get wrong.
#[test]
fn the_rig_catches_broken_kernels() {
    let signers = signers(8);
    let cases = mix(&signers, 2, 1500);
    let mut verifier = warm(Kernel::Portable, &signers);
    let mut caught = |name: &str, canary: fn(usize, &Item<'_>) -> Option<bool>| {
        let wrong = disagreements(&cases, 64, |items, verdicts| {
            verifier.verify(items, verdicts);
            for (i, (item, verdict)) in items.iter().zip(verdicts).enumerate() {
                *verdict = canary(i, item).unwrap_or(*verdict);
            }
        });
        assert_ne!(wrong, [], "a kernel that {name} was not caught");
    };
    caught("accepts s + L", |_, item| (computed(item) == r(item)).then_some(true));
    caught("ignores the sign of R", |_, item| {
        (canonical_s(item) && without_sign(computed(item)) == without_sign(r(item))).then_some(true)
    });
    caught("accepts the identity as R", |_, item| {
        (canonical_s(item) && r(item) == IDENTITY && computed(item) == IDENTITY).then_some(true)
    });
    caught("gives lane 5 the verdict `true`", |i, _| (i % 8 == 5).then_some(true));
    caught("gives the last place the verdict `false`", |i, _| (i == 63).then_some(false));
}

const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

fn computed(item: &Item<'_>) -> [u8; 32] {
    oracle::computed_r(item.key.as_bytes(), item.message, item.signature)
}

fn r(item: &Item<'_>) -> [u8; 32] {
    oracle::halves(item.signature).0
}

fn canonical_s(item: &Item<'_>) -> bool {
    Scalar::from_canonical_bytes(oracle::halves(item.signature).1).is_some().into()
}

fn without_sign(mut r: [u8; 32]) -> [u8; 32] {
    r[31] &= 0x7F;
    r
}

/// `cargo test --release -p octick-crypto --test verify_kernels -- --ignored --nocapture`: some minutes.
#[test]
#[ignore = "a million signatures a kernel take minutes"]
fn every_kernel_agrees_with_verify_strict_a_million_times() {
    let signers = signers(64);
    let mut verifiers: Vec<_> =
        kernels(&signers).filter(|(_, verifier)| verifier.kernel() != Kernel::Dalek).collect();
    for seed in 0..100 {
        let cases = mix(&signers, 1000 + seed, 10_000);
        let items: Vec<Item<'_>> = cases.iter().map(Case::item).collect();
        let mut strict = vec![false; items.len()];
        octick_crypto::verify_many(&items, &mut strict);
        for (kernel, verifier) in &mut verifiers {
            let mut verdicts = vec![seed % 2 == 0; items.len()];
            verifier.verify(&items, &mut verdicts);
            let wrong = (0..items.len()).find(|i| verdicts[*i] != strict[*i]);
            assert_eq!(wrong.map(|i| &cases[i]), None, "{kernel}, seed {seed}");
        }
        println!("{} signatures", (seed + 1) * 10_000);
    }
}
