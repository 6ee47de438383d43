//! What authentication costs: ed25519-dalek as published, and Octick's frames alone and in trains.

use ed25519_dalek::{Signature, SigningKey, VerifyingKey, verify_batch};
use octick_core::counters::Counters;
use octick_core::crypto::train::MESSAGE_LEN;
use octick_core::crypto::{Identity, MeshKeys, SIGNATURE_LEN};
use octick_core::data::batch::{Batch, Checked};
use octick_core::data::verify::Verifier;
use octick_core::data::{Directory, Origin};
use octick_core::limits::{BATCH_MAX, BLOCKS_MAX};
use octick_core::stamp::{OriginIndex, Seq, Version};
use octick_core::wire::{Block8, Frame, Kind, Sealer, Stamp};

use super::Options;
use crate::load::{Dice, EPOCH_MICROS};
use crate::pipeline::LIFE;
use crate::report::{Report, Row};
use crate::sample::sample;

/// Origins whose signatures arrive interleaved.
const ORIGINS: usize = 256;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let batches = if options.quick { 10 } else { 50 };
    let dice = &mut Dice::new(3);
    dalek(batches, report, dice);
    for (name, train_len) in [("alone", 1), ("train8", 8), ("train64", 64)] {
        report.push(frames(&format!("verify.frame.{name}"), train_len, batches, dice));
    }
}

/// A signature to be checked the way that ed25519-dalek offers.
struct Signed {
    key: VerifyingKey,
    message: [u8; MESSAGE_LEN],
    signature: Signature,
}

fn dalek(batches: usize, report: &mut Report, dice: &mut Dice) {
    let mut signed: Vec<Signed> = (0..BATCH_MAX)
        .map(|_| {
            let key = SigningKey::from_bytes(&seed(dice.below(ORIGINS as u32)));
            let message = [dice.roll() as u8; MESSAGE_LEN];
            let signature = ed25519_dalek::Signer::sign(&key, &message);
            Signed { key: key.verifying_key(), message, signature }
        })
        .collect();
    let mut row = |name, check: fn(&[Signed]) -> bool| {
        let run = |signed: &mut Vec<Signed>| assert!(check(signed), "all are genuine");
        let taken = sample(batches, &mut signed, |_| (), run).per(BATCH_MAX);
        report.push(Row::value(name, "ticks/signature", taken.median));
    };
    row("verify.dalek", |all| {
        all.iter().all(|one| one.key.verify_strict(&one.message, &one.signature).is_ok())
    });
    row("verify.dalek.cofactorless", |all| {
        all.iter().all(|one| ed25519_dalek::Verifier::verify(&one.key, &one.message, &one.signature).is_ok())
    });
    row("verify.dalek.batch64", |all| {
        let messages: Vec<&[u8]> = all.iter().map(|one| &one.message[..]).collect();
        let signatures: Vec<Signature> = all.iter().map(|one| one.signature).collect();
        let keys: Vec<VerifyingKey> = all.iter().map(|one| one.key).collect();
        verify_batch(&messages, &signatures, &keys).is_ok()
    });
}

/// Full frames through the verifier of the data plane, each train seen for the first time.
fn frames(name: &str, train_len: usize, batches: usize, dice: &mut Dice) -> Row {
    let identities: Vec<Identity> = (0..ORIGINS as u32).map(|i| Identity::from_seed(&seed(i))).collect();
    let origins = identities
        .iter()
        .map(|one| Origin { key: one.public().clone(), runs: Vec::new(), revoked: false })
        .collect();
    let directory = Directory::new(origins, [1, 2]).expect("keys of different seeds differ");
    let keys = MeshKeys::derive("perf");
    let counters = Counters::default();
    let mut verifier = Verifier::new(keys.clone());
    let mut datagrams: Vec<(OriginIndex, Vec<u8>)> = Vec::new();
    let mut next_seq = 1;
    let taken = sample(
        batches,
        &mut datagrams,
        |datagrams| {
            datagrams.clear();
            while datagrams.len() < BATCH_MAX {
                let who = dice.below(ORIGINS as u32);
                let mut train = Sealer::new();
                full_frames(&mut train, train_len, dice);
                let identity = &identities[who as usize];
                let version = Version::new(EPOCH_MICROS, identity.id());
                let stamp = Stamp { incarnation: LIFE, first_seq: Seq(next_seq), version };
                train.seal(identity, &keys, &stamp);
                next_seq += train_len as u64;
                datagrams.extend(train.frames().map(|bytes| (OriginIndex(who), bytes.to_vec())));
            }
        },
        |datagrams| {
            let mut batch = Batch::new();
            for (i, (origin, bytes)) in datagrams.iter().enumerate() {
                batch.put(i, Checked { frame: Frame::reopen(bytes), origin: *origin });
            }
            verifier.check(&mut batch, &directory, &counters);
            assert_eq!(batch.mask(), u64::MAX, "all are genuine");
        },
    );
    let a_frame = taken.per(BATCH_MAX).median;
    Row::value(name, "ticks/frame", a_frame)
        .note(format!("{:.1} ticks/cell", a_frame / (8 * BLOCKS_MAX) as f64))
}

/// Fills a train with `count` full frames of dense cells.
fn full_frames(train: &mut Sealer, count: usize, dice: &mut Dice) {
    for _ in 0..count {
        train.frame(Kind::Block8, |draft| {
            for block in 0..BLOCKS_MAX as u32 {
                draft.block8(&Block8::new(block, 0xFF, 0, [dice.roll(); 8])).expect("as many blocks as fit");
            }
        });
    }
}

fn seed(number: u32) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    seed
}

const _: () = assert!(SIGNATURE_LEN == ed25519_dalek::SIGNATURE_LENGTH);
