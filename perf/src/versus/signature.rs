//! Signatures against ed25519-dalek's own ways to check them, in one process on one core: our median beside the best of
//! its rounds, all interleaved.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};
use octick_core::crypto::lanes::{Kernel, Settings};
use octick_core::crypto::{Item, PublicKey, SIGNATURE_LEN, Verifier};

use super::options::Options;
use crate::report::{Bar, Report, Row};
use crate::ticks;

const RATIO: &str = "times fewer";
/// Signatures measured: enough for dalek's largest batch, four times.
const SIGNATURES: usize = 1_024;
/// Dalek's batches.
const BATCHES: [usize; 3] = [8, 64, 256];

/// A signature as both sides take it.
struct Signed {
    key: PublicKey,
    dalek: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
    bytes: [u8; SIGNATURE_LEN],
}

/// Ticks a signature.
struct Figures {
    ours: f64,
    all_bad: f64,
    batches: [f64; 3],
    strict: f64,
}

/// One way to be asked.
#[derive(Clone, Copy)]
struct Way {
    kernel: Kernel,
    known: bool,
    at_a_time: usize,
}

pub(super) fn rows(options: &Options, report: &mut Report) {
    let rounds = if options.quick { 5 } else { 11 };
    for keys in [16, 256] {
        for (len, size) in [(64, "64b"), (1_200, "1200b")] {
            let all = signed(keys, len);
            for kernel in Kernel::ALL.into_iter().rev().filter(|kernel| *kernel != Kernel::Dalek) {
                let name = format!("verify.known.{keys}.{size}.{}", name(kernel));
                let ratios = ["ratio_batch64", "ratio_batch256", "ratio_strict"];
                if !kernel.available() {
                    for row in ratios.into_iter().chain(["ticks"]) {
                        report.push(Row::skipped(format!("{name}.{row}"), RATIO, "not this CPU's"));
                    }
                    continue;
                }
                let figures = measure(&all, Way { kernel, known: true, at_a_time: 64 }, rounds);
                let theirs = [figures.batches[1], figures.batches[2], figures.strict];
                for (i, (row, theirs)) in ratios.into_iter().zip(theirs).enumerate() {
                    let bar = if keys == 256 { bars(kernel)[i] } else { None };
                    let note = format!("{theirs:.0} ticks against {:.0}", figures.ours);
                    let row = Row::value(format!("{name}.{row}"), RATIO, theirs / figures.ours);
                    report.push(row.bar(bar.map(Bar::AtLeast)).note(note));
                }
                report.push(Row::value(format!("{name}.ticks"), "ticks/signature", figures.ours));
            }
        }
    }
    let all = signed(256, 64);
    for kernel in Kernel::ALL.into_iter().rev().filter(|kernel| lanes(*kernel)) {
        others(&all, kernel, rounds, report);
    }
    let kernel = Kernel::detect();
    let best = measure(&all, Way { kernel, known: true, at_a_time: 64 }, rounds);
    let row = Row::value("verify.all_bad.cost", "times all good", best.all_bad / best.ours);
    report.push(row.bar(Bar::AtMost(1.05)).note(format!("{kernel}")));
}

/// Few at a time, and without tables.
fn others(all: &[Signed], kernel: Kernel, rounds: usize, report: &mut Report) {
    let barred = |bar: f64| (kernel == Kernel::Avx512).then_some(bar);
    let name = name(kernel);
    let rows = [
        (format!("verify.known.256.n8.{name}.ratio_batch8"), RATIO),
        (format!("verify.unknown.{name}.ratio_strict"), RATIO),
    ];
    if !kernel.available() {
        return rows
            .into_iter()
            .for_each(|(row, unit)| report.push(Row::skipped(row, unit, "not this CPU's")));
    }
    let [n8, unknown] = rows;
    let eight = measure(all, Way { kernel, known: true, at_a_time: 8 }, rounds);
    let row = Row::value(n8.0, n8.1, eight.batches[0] / eight.ours).bar(barred(5.0).map(Bar::AtLeast));
    report.push(row.note(format!("{:.0} ticks against {:.0}", eight.batches[0], eight.ours)));
    let none = measure(all, Way { kernel, known: false, at_a_time: 64 }, rounds);
    let row = Row::value(unknown.0, unknown.1, none.strict / none.ours).bar(barred(1.8).map(Bar::AtLeast));
    report.push(row.note(format!("{:.0} ticks with decoding against {:.0}", none.strict, none.ours)));
}

/// Least ratios to `verify_batch(64)`, `verify_batch(256)` and `verify_strict`.
fn bars(kernel: Kernel) -> [Option<f64>; 3] {
    match kernel {
        Kernel::Avx512 => [Some(5.0), Some(4.0), Some(10.0)],
        Kernel::Avx2 => [Some(2.0), None, None],
        Kernel::Portable => [Some(1.5), None, None],
        Kernel::Avx512Ifma | Kernel::Dalek => [None; 3],
    }
}

fn lanes(kernel: Kernel) -> bool {
    !matches!(kernel, Kernel::Dalek | Kernel::Portable)
}

/// The name of a kernel in rows.
fn name(kernel: Kernel) -> &'static str {
    if kernel == Kernel::Portable { "scalar" } else { kernel.name() }
}

/// [`SIGNATURES`] of `keys` signers over messages of `len` bytes; neighbours are different signers.
fn signed(keys: usize, len: usize) -> Vec<Signed> {
    let one = |i: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&(i as u64 * 37 % keys as u64).to_le_bytes());
        let signer = SigningKey::from_bytes(&seed);
        let message: Vec<u8> = (0..len).map(|at| (at * 31 + i) as u8).collect();
        let (signature, dalek) = (signer.sign(&message), signer.verifying_key());
        let key = PublicKey::admit(dalek.as_bytes()).expect("an honest key");
        Signed { key, dalek, message, signature, bytes: signature.to_bytes() }
    };
    (0..SIGNATURES).map(one).collect()
}

fn measure(all: &[Signed], way: Way, rounds: usize) -> Figures {
    let table_bytes = if way.known { Settings::default().table_bytes } else { 0 };
    let mut verifier = Verifier::new(Settings {
        kernel: Some(way.kernel),
        table_bytes,
        cross_check: 0,
        table_after: 2,
        ..Settings::default()
    });
    octick::memory::advise_huge(verifier.table_memory());
    octick::memory::collapse_huge(verifier.base_memory());
    let good: Vec<Item<'_>> =
        all.iter().map(|one| Item { key: &one.key, message: &one.message, signature: &one.bytes }).collect();
    // The same with a bit of each signature flipped, each at another place.
    let flip = |(i, one): (usize, &Signed)| {
        std::array::from_fn(|at| one.bytes[at] ^ u8::from(at == i % (SIGNATURE_LEN - 1)))
    };
    let flipped: Vec<[u8; SIGNATURE_LEN]> = all.iter().enumerate().map(flip).collect();
    let bad: Vec<Item<'_>> =
        good.iter().zip(&flipped).map(|(item, signature)| Item { signature, ..*item }).collect();
    let mut verdicts = vec![false; all.len()];
    (0..2).for_each(|_| verifier.verify(&good, &mut verdicts));
    while verifier.build_step() {}

    let (mut ours, mut all_bad) = (Vec::new(), Vec::new());
    let (mut batches, mut strict) = ([f64::MAX; 3], f64::MAX);
    let mut check = |items: &[Item<'_>], holds: bool, taken: &mut Vec<f64>| {
        let lots = items.chunks(way.at_a_time).zip(verdicts.chunks_mut(way.at_a_time));
        taken.extend(
            lots.map(|(items, verdicts)| timed(|| verifier.verify(items, verdicts)) / items.len() as f64),
        );
        assert!(verdicts.iter().all(|verdict| *verdict == holds), "{} gave a wrong verdict", way.kernel);
    };
    for _ in 0..rounds {
        check(&good, true, &mut ours);
        check(&bad, false, &mut all_bad);
        for (best, n) in batches.iter_mut().zip(BATCHES) {
            *best = best.min(dalek_batch(&all[..n]));
        }
        strict = strict.min(dalek_strict(&all[..64], way.known));
    }
    Figures { ours: median(ours), all_bad: median(all_bad), batches, strict }
}

fn dalek_batch(all: &[Signed]) -> f64 {
    let messages: Vec<&[u8]> = all.iter().map(|one| &one.message[..]).collect();
    let signatures: Vec<Signature> = all.iter().map(|one| one.signature).collect();
    let keys: Vec<VerifyingKey> = all.iter().map(|one| one.dalek).collect();
    timed(|| assert!(verify_batch(&messages, &signatures, &keys).is_ok(), "all are genuine"))
        / all.len() as f64
}

/// One by one. Who does not know a signer decodes its key first.
fn dalek_strict(all: &[Signed], known: bool) -> f64 {
    let decoded = |one: &Signed| VerifyingKey::from_bytes(one.dalek.as_bytes()).expect("an honest key");
    let run = || {
        for one in all {
            let key = if known { one.dalek } else { decoded(one) };
            assert!(key.verify_strict(&one.message, &one.signature).is_ok(), "all are genuine");
        }
    };
    timed(run) / all.len() as f64
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = ticks::now();
    work();
    (ticks::now() - start) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
