//! Checking signatures of known signers, by each kernel that this CPU has, and dalek's ways beside it.
//!
//! Budget, ticks a signature of a 64-byte message: AVX-512 8,000, with IFMA 6,000, AVX2 12,000, portable 25,000. All
//! bad costs what all good does. To admit a key costs 43 us alone, and 18 to 28 side by side. The same as a table of ticks and ratios: `octick-perf versus --only signature`.

use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};
use octick::memory;
use octick_crypto::lanes::{Base, Kernel, Settings};
use octick_crypto::{Identity, Item, PublicKey, Verifier};

/// Signatures a call.
const LOT: usize = 64;

struct Signed {
    key: PublicKey,
    message: Vec<u8>,
    signature: [u8; 64],
}

/// Signatures by `keys` signers in turn.
fn signed(keys: usize, len: usize, good: bool) -> Vec<Signed> {
    (0..1024)
        .map(|i| {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(i as u64 * 37 % keys as u64).to_le_bytes());
            let signer = SigningKey::from_bytes(&seed);
            let message: Vec<u8> = (0..len).map(|b| (b * 31 + i) as u8).collect();
            let mut signature = signer.sign(&message).to_bytes();
            signature[i % 63] ^= u8::from(!good);
            let key = PublicKey::admit(signer.verifying_key().as_bytes()).expect("an honest key");
            Signed { key, message, signature }
        })
        .collect()
}

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20);
    group.throughput(Throughput::Elements(LOT as u64));
    for keys in [16, 256] {
        for len in [64, 1200] {
            let all = signed(keys, len, true);
            for kernel in Kernel::all_available().filter(|kernel| *kernel != Kernel::Dalek) {
                ours(&mut group, &format!("known.{keys}.{len}b.{kernel}"), kernel, &all);
            }
        }
    }
    let bad = signed(256, 64, false);
    ours(&mut group, "all_bad.256.64b", Kernel::detect(), &bad);
    theirs(&mut group, &signed(256, 64, true));
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, kernel: Kernel, all: &[Signed]) {
    let settings = Settings { kernel: Some(kernel), cross_check: 0, table_after: 2, ..Settings::default() };
    let mut verifier = Verifier::new(settings);
    memory::advise_huge(verifier.table_memory());
    memory::collapse_huge(verifier.base_memory());
    let items: Vec<Item<'_>> = all
        .iter()
        .map(|one| Item { key: &one.key, message: &one.message, signature: &one.signature })
        .collect();
    let mut verdicts = [false; LOT];
    // Whoever signs twice gets a table.
    for lot in items.chunks(LOT).chain(items.chunks(LOT)) {
        verifier.verify(lot, &mut verdicts);
    }
    while verifier.build_step() {}
    let mut lots = items.chunks(LOT).cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            verifier.verify(lots.next().expect("they go round"), &mut verdicts);
            verdicts
        });
    });
}

/// Keys that nobody has seen, one by one and side by side.
fn admit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admit");
    group.throughput(Throughput::Elements(LOT as u64));
    let keys: Vec<[u8; 32]> =
        (0..LOT as u8).map(|i| *Identity::from_seed(&[i; 32]).public().as_bytes()).collect();
    group.bench_function("alone", |bencher| {
        bencher.iter(|| keys.iter().filter(|key| PublicKey::admit(key).is_ok()).count());
    });
    for kernel in Kernel::all_available().filter(|kernel| *kernel != Kernel::Dalek) {
        let settings = Settings { kernel: Some(kernel), base: Base::Short, ..Settings::default() };
        let mut verifier = Verifier::new(settings);
        group.bench_function(kernel.name(), |bencher| bencher.iter(|| verifier.admit(&keys).len()));
    }
}

fn theirs(group: &mut BenchmarkGroup<'_, WallTime>, all: &[Signed]) {
    let key = |one: &Signed| VerifyingKey::from_bytes(one.key.as_bytes()).expect("admitted");
    let keys: Vec<VerifyingKey> = all.iter().map(key).collect();
    let messages: Vec<&[u8]> = all.iter().map(|one| &one.message[..]).collect();
    let signatures: Vec<Signature> = all.iter().map(|one| Signature::from_bytes(&one.signature)).collect();
    let n = LOT;
    group.bench_function("dalek.strict", |bencher| {
        bencher.iter(|| {
            let valid = |i: &usize| keys[*i].verify_strict(messages[*i], &signatures[*i]).is_ok();
            (0..n).filter(valid).count()
        });
    });
    group.bench_function("dalek.batch64", |bencher| {
        bencher.iter(|| verify_batch(&messages[..n], &signatures[..n], &keys[..n]).is_ok());
    });
}

criterion_group!(benches, verify, admit);
criterion_main!(benches);
