//! Signatures of every kind in any number, and whoever judges them compared with `verify_strict`.

#![allow(dead_code, reason = "each test file takes what it needs")]

use octick_crypto::lanes::{Base, Kernel, Settings};
use octick_crypto::{Item, PublicKey, SIGNATURE_LEN, Verifier};

use crate::oracle::{self, Recipe, Signer};

/// A signature to be judged, and how it was made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) key: PublicKey,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: [u8; SIGNATURE_LEN],
    pub(crate) recipe: Recipe,
}

impl Case {
    pub(crate) fn new(signer: &Signer, message: &[u8], recipe: Recipe, nonce: [u8; 64]) -> Self {
        let signature = recipe.cook(signer, message, nonce);
        Self { key: signer.key(), message: message.to_vec(), signature, recipe }
    }

    pub(crate) fn honest(signer: &Signer, message: &[u8]) -> Self {
        Self::new(signer, message, Recipe::Honest, [9; 64])
    }

    /// Flips the bit with this number, whatever it is.
    pub(crate) fn spoil(&mut self, bit: usize) {
        self.signature[bit / 8 % 64] ^= 1 << (bit % 8);
    }

    pub(crate) fn item(&self) -> Item<'_> {
        Item { key: &self.key, message: &self.message, signature: &self.signature }
    }
}

pub(crate) fn signers(n: u8) -> Vec<Signer> {
    (1..=n).map(|i| Signer::new([i; 64])).collect()
}

/// A verifier that has a table for every one of `signers`.
pub(crate) fn warm(kernel: Kernel, signers: &[Signer]) -> Verifier {
    let mut verifier = Verifier::new(Settings {
        kernel: Some(kernel),
        cross_check: 0,
        table_after: 2,
        ..Settings::default()
    });
    let cases: Vec<Case> = signers.iter().map(|signer| Case::honest(signer, b"hello")).collect();
    let items: Vec<Item<'_>> = cases.iter().chain(&cases).map(Case::item).collect();
    verifier.verify(&items, &mut vec![false; items.len()]);
    while verifier.build_step() {}
    let tables = if kernel == Kernel::Dalek { 0 } else { signers.len() };
    assert_eq!(verifier.tables(), tables, "{kernel}");
    verifier
}

/// A verifier that never has a table.
pub(crate) fn cold(kernel: Kernel) -> Verifier {
    Verifier::new(Settings {
        kernel: Some(kernel),
        table_bytes: 0,
        cross_check: 0,
        table_after: 2,
        ..Settings::default()
    })
}

/// A verifier that is made in no time.
pub(crate) fn quick(kernel: Kernel) -> Verifier {
    Verifier::new(Settings { kernel: Some(kernel), cross_check: 0, base: Base::Short, ..Settings::default() })
}

/// `n` signatures by `signers`, honest and crafted, over messages of 0 to 200 bytes, most of them 64.
pub(crate) fn mix(signers: &[Signer], seed: u64, n: usize) -> Vec<Case> {
    let mut random = Random(seed);
    (0..n)
        .map(|_| {
            let signer = &signers[random.next() as usize % signers.len()];
            let byte = random.next() as u8;
            let recipe = match random.next() % 16 {
                0 => Recipe::LargeScalar(byte),
                1 => Recipe::SmallR(byte),
                2 => Recipe::MixedR(byte),
                3 => Recipe::LooseR(byte),
                4..7 => Recipe::FlippedBit(random.next() as u16),
                7 => Recipe::OtherMessage,
                8 => Recipe::OtherKey,
                9 => Recipe::ZeroScalar,
                10 => Recipe::NegatedR,
                _ => Recipe::Honest,
            };
            let len = if random.next().is_multiple_of(4) { random.next() % 200 } else { 64 };
            let message: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            let nonce = std::array::from_fn(|_| random.next() as u8);
            Case::new(signer, &message, recipe, nonce)
        })
        .collect()
}

/// The cases, in lots of `lot`, on which `judge` and `verify_strict` differ: number, how it was made, the wrong verdict.
pub(crate) fn disagreements(
    cases: &[Case],
    lot: usize,
    mut judge: impl FnMut(&[Item<'_>], &mut [bool]),
) -> Vec<(usize, Recipe, bool)> {
    let mut wrong = Vec::new();
    for (n, cases) in cases.chunks(lot).enumerate() {
        let items: Vec<Item<'_>> = cases.iter().map(Case::item).collect();
        let mut verdicts: Vec<bool> = (0..items.len()).map(|i| i % 2 == 0).collect();
        judge(&items, &mut verdicts);
        for (i, (case, verdict)) in cases.iter().zip(verdicts).enumerate() {
            if verdict != oracle::dalek(case.key.as_bytes(), &case.message, &case.signature) {
                wrong.push((n * lot + i, case.recipe, verdict));
            }
        }
    }
    wrong
}

/// SplitMix64: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
