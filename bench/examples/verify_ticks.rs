//! Ticks a signature, ours and dalek's, as a table: `cargo run --release -p octick-bench --example verify_ticks`.
//!
//! Rounds are interleaved: dalek's best of them stands against our median. Words on the command line pick rows.

use std::arch::x86_64::{_mm_lfence, _rdtsc};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};
use octick::memory;
use octick_crypto::lanes::{Kernel, Settings};
use octick_crypto::{Item, PublicKey, Verifier};

const ROUNDS: usize = 15;

struct Signed {
    key: PublicKey,
    dalek: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
    bytes: [u8; 64],
}

fn signed(keys: usize, len: usize, n: usize) -> Vec<Signed> {
    (0..n)
        .map(|i| {
            // Neighbours in a batch are different signers, and each batch other ones.
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(i as u64 * 37 % keys as u64).to_le_bytes());
            let signer = SigningKey::from_bytes(&seed);
            let message: Vec<u8> = (0..len).map(|b| (b * 31 + i) as u8).collect();
            let signature = signer.sign(&message);
            let dalek = signer.verifying_key();
            let key = PublicKey::admit(dalek.as_bytes()).expect("an honest key");
            Signed { key, dalek, message, signature, bytes: signature.to_bytes() }
        })
        .collect()
}

fn timed(work: impl FnOnce()) -> f64 {
    let now = || {
        // SAFETY: every x86-64 has both.
        unsafe {
            _mm_lfence();
            _rdtsc()
        }
    };
    let start = now();
    work();
    (now() - start) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "| keys | message | kernel | at a time | median | least | batch of 8 / 64 / 256, strict, least | ratios | all bad |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (keys, known) in [(16, true), (256, true), (256, false)] {
        for len in [64, 1200] {
            let all = signed(keys, len, 1024);
            let tables = if known { "" } else { " without tables" };
            for kernel in Kernel::all_available().rev() {
                for at_a_time in [1, 8, 64, 256] {
                    let row = format!("| {keys} keys{tables} | {len} bytes | {kernel} | {at_a_time} |");
                    if wanted.iter().all(|word| row.contains(word.as_str())) {
                        println!("{row} {}", measure(&all, kernel, at_a_time, known));
                    }
                }
            }
        }
    }
}

fn measure(all: &[Signed], kernel: Kernel, at_a_time: usize, known: bool) -> String {
    let table_bytes = if known { Settings::default().table_bytes } else { 0 };
    let mut verifier = Verifier::new(Settings { kernel: Some(kernel), table_bytes, cross_check: 0 });
    memory::advise_huge(verifier.table_memory());
    memory::collapse_huge(verifier.base_memory());
    let items: Vec<Item<'_>> =
        all.iter().map(|one| Item { key: &one.key, message: &one.message, signature: &one.bytes }).collect();
    let mut verdicts = vec![false; items.len()];
    (0..2).for_each(|_| verifier.verify(&items, &mut verdicts));
    while verifier.build_step() {}
    // The same with a bit of each signature flipped.
    let bad: Vec<[u8; 64]> = all
        .iter()
        .enumerate()
        .map(|(i, one)| core::array::from_fn(|at| one.bytes[at] ^ u8::from(at == i % 63)))
        .collect();
    let bad_items: Vec<Item<'_>> =
        items.iter().zip(&bad).map(|(item, signature)| Item { signature, ..*item }).collect();
    let (mut ours, mut all_bad) = (Vec::new(), Vec::new());
    let mut best = [f64::MAX; 4];
    for _ in 0..ROUNDS {
        for (items, verdicts) in items.chunks(at_a_time).zip(verdicts.chunks_mut(at_a_time)) {
            ours.push(timed(|| verifier.verify(items, verdicts)) / items.len() as f64);
        }
        assert!(verdicts.iter().all(|verdict| *verdict));
        for (items, verdicts) in bad_items.chunks(at_a_time).zip(verdicts.chunks_mut(at_a_time)) {
            all_bad.push(timed(|| verifier.verify(items, verdicts)) / items.len() as f64);
        }
        assert!(verdicts.iter().all(|verdict| !*verdict));
        for (best, n) in best.iter_mut().zip([8, 64, 256]) {
            *best = best.min(dalek_batch(&all[..n]));
        }
        let strict = || {
            for one in &all[..64] {
                // Who does not know a signer decodes its key first.
                let decoded = || VerifyingKey::from_bytes(one.dalek.as_bytes()).expect("an honest key");
                let key = if known { one.dalek } else { decoded() };
                assert!(key.verify_strict(&one.message, &one.signature).is_ok());
            }
        };
        best[3] = best[3].min(timed(strict) / 64.0);
    }
    let least = ours.iter().copied().fold(f64::MAX, f64::min);
    let (median, all_bad) = (median(ours), median(all_bad));
    let bad = all_bad / median;
    let [b8, b64, b256, strict] = best;
    let ratios = best.map(|theirs| format!("{:.2}", theirs / median)).join(" ");
    format!("{median:.0} | {least:.0} | {b8:.0} {b64:.0} {b256:.0} {strict:.0} | {ratios} | {bad:.2} |")
}

fn dalek_batch(all: &[Signed]) -> f64 {
    let messages: Vec<&[u8]> = all.iter().map(|one| &one.message[..]).collect();
    let signatures: Vec<Signature> = all.iter().map(|one| one.signature).collect();
    let keys: Vec<VerifyingKey> = all.iter().map(|one| one.dalek).collect();
    timed(|| assert!(verify_batch(&messages, &signatures, &keys).is_ok())) / all.len() as f64
}
