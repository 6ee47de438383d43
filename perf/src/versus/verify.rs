//! What authentication costs: ed25519-dalek as published, and Octick's frames alone and in trains.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier as _, VerifyingKey, verify_batch};
use octick_bench::load::{Dice, EPOCH_MICROS};
use octick_core::counters::Counters;
use octick_core::crypto::MeshKeys;
use octick_core::crypto::train::MESSAGE_LEN;
use octick_core::data::Directory;
use octick_core::data::batch::{Batch, Checked};
use octick_core::data::verify::Verifier;
use octick_core::limits::BATCH_MAX;
use octick_core::stamp::OriginIndex;
use octick_core::wire::Frame;

use super::options::Options;
use crate::pipeline::MESH;
use crate::report::{Report, Row};
use crate::sample::sample;
use crate::signers::{CELLS, Signers};

/// Origins whose signatures arrive interleaved.
const ORIGINS: usize = 256;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let batches = if options.quick { 10 } else { 50 };
    dalek(batches, report);
    for (name, train_len) in [("alone", 1), ("train8", 8), ("train64", 64)] {
        report.push(frames(&format!("verify.frame.{name}"), train_len, batches));
    }
}

/// A signature to be checked the way that ed25519-dalek offers.
struct Signed {
    key: VerifyingKey,
    message: [u8; MESSAGE_LEN],
    signature: Signature,
}

fn dalek(batches: usize, report: &mut Report) {
    let mut rng = Dice::new(3);
    let sign = |_| {
        let key = SigningKey::from_bytes(&[rng.below(ORIGINS as u32) as u8; 32]);
        let message = [rng.roll() as u8; MESSAGE_LEN];
        Signed { key: key.verifying_key(), message, signature: key.sign(&message) }
    };
    let mut signed: Vec<Signed> = (0..BATCH_MAX).map(sign).collect();
    let mut row = |name, check: fn(&[Signed]) -> bool| {
        let run = |signed: &mut Vec<Signed>| assert!(check(signed), "all are genuine");
        let taken = sample(batches, &mut signed, |_| (), run).per(BATCH_MAX);
        report
            .push(Row::value(name, "ticks/signature", taken.least).note(format!("p50 {:.0}", taken.median)));
    };
    row("verify.dalek", |all| all.iter().all(|one| one.key.verify(&one.message, &one.signature).is_ok()));
    row("verify.dalek.strict", |all| {
        all.iter().all(|one| one.key.verify_strict(&one.message, &one.signature).is_ok())
    });
    row("verify.dalek.batch64", |all| {
        let messages: Vec<&[u8]> = all.iter().map(|one| &one.message[..]).collect();
        let signatures: Vec<Signature> = all.iter().map(|one| one.signature).collect();
        let keys: Vec<VerifyingKey> = all.iter().map(|one| one.key).collect();
        verify_batch(&messages, &signatures, &keys).is_ok()
    });
}

/// Full frames through the verifier of the data plane, each train seen for the first time.
fn frames(name: &str, train_len: usize, batches: usize) -> Row {
    let mut signers = Signers::new(ORIGINS, 1 << 21, EPOCH_MICROS);
    let directory =
        Directory::new(signers.roster(), [1, 2]).expect("signers share the table without overlap");
    let counters = Counters::default();
    let verifier = Verifier::new(MeshKeys::derive(MESH));
    let datagrams: Vec<(OriginIndex, Vec<u8>)> = Vec::new();
    // Between batches a node builds what makes the next ones faster, as an idle thread does.
    let next = |(verifier, datagrams): &mut (Verifier, Vec<_>)| {
        while verifier.build_step() {}
        datagrams.clear();
        while datagrams.len() < BATCH_MAX {
            let (origin, train) = signers.train(train_len);
            datagrams.extend(train.frames().map(|bytes| (origin, bytes.to_vec())));
        }
    };
    let taken = sample(batches, &mut (verifier, datagrams), next, |(verifier, datagrams)| {
        let mut batch = [Batch::new()];
        for (i, (origin, bytes)) in datagrams.iter().enumerate() {
            batch[0].put(i, Checked { frame: Frame::reopen(bytes), origin: *origin });
        }
        verifier.check(&mut batch, &directory, &counters);
        assert_eq!(batch[0].mask(), u64::MAX, "all are genuine");
    });
    let a_frame = taken.per(BATCH_MAX);
    let note = format!("{:.1} ticks/cell; p50 {:.0}", a_frame.least / CELLS as f64, a_frame.median);
    Row::value(name, "ticks/frame", a_frame.least).note(note)
}
