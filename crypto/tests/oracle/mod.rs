//! What the tests hold the crate to: the validity rule written out, and signatures made by hand to break it.

#![allow(dead_code, reason = "each test file takes what it needs")]

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use ed25519_dalek::{Signature, VerifyingKey};
use octick_crypto::{Item, PublicKey, SIGNATURE_LEN, verify_many};
use sha2::{Digest, Sha512};

/// The order of the base point: 2^252 + 27742317777372353535851937790883648493, little-endian.
pub(crate) const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// s < L, enc(sB - kA) = R with k = SHA-512(R, A, m), and R is not the identity.
pub(crate) fn rule(key: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let (r, s) = halves(signature);
    let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else { return false };
    let a = CompressedEdwardsY(*key).decompress().expect("only admitted keys are asked about");
    let expected = ED25519_BASEPOINT_POINT * s - a * challenge(&r, key, message);
    expected.compress().0 == r && !expected.is_identity()
}

/// What `verify_strict` says, called without the crate under test.
pub(crate) fn dalek(key: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let key = VerifyingKey::from_bytes(key).expect("only admitted keys are asked about");
    key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}

/// The crate's verdict on one signature alone.
pub(crate) fn verdict(key: &PublicKey, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let mut verdict = [false];
    verify_many(&[Item { key, message, signature }], &mut verdict);
    verdict[0]
}

/// A signer that holds its scalar in the hand, and so can sign what no honest signer would.
pub(crate) struct Signer {
    pub(crate) secret: Scalar,
    pub(crate) point: EdwardsPoint,
    pub(crate) public: [u8; 32],
}

impl Signer {
    pub(crate) fn new(seed: [u8; 64]) -> Self {
        let secret = Scalar::from_bytes_mod_order_wide(&seed);
        let point = ED25519_BASEPOINT_POINT * secret;
        Self { secret, point, public: point.compress().0 }
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::admit(&self.public).expect("a multiple of the base point")
    }

    /// Signs with nonce `r`, after `torsion` was added to R. Honest when the torsion is the identity.
    pub(crate) fn sign(&self, message: &[u8], r: Scalar, torsion: EdwardsPoint) -> [u8; SIGNATURE_LEN] {
        self.sign_for((ED25519_BASEPOINT_POINT * r + torsion).compress().0, message, r)
    }

    /// Completes a signature whose R goes out encoded as `r_bytes`, canonical or not.
    pub(crate) fn sign_for(&self, r_bytes: [u8; 32], message: &[u8], r: Scalar) -> [u8; SIGNATURE_LEN] {
        join(r_bytes, (r + challenge(&r_bytes, &self.public, message) * self.secret).to_bytes())
    }
}

/// A way to make a signature; all but the first are wrong, each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    Honest,
    /// s + nL, which verifiers that reduce s accept.
    LargeScalar(u8),
    /// R of small order, s = ka: sB - kA is the identity, which verifiers that multiply by eight cannot tell from R.
    SmallR(u8),
    /// R with a component of small order: the same.
    MixedR(u8),
    /// R with the other sign, s made for that R.
    NegatedR,
    /// R not reduced below the field's prime, or minus zero.
    LooseR(u8),
    /// One bit of R or s is the other one.
    FlippedBit(u16),
    /// Signed over other bytes.
    OtherMessage,
    /// Signed by somebody else.
    OtherKey,
    /// s = 0.
    ZeroScalar,
}

impl Recipe {
    pub(crate) fn cook(self, signer: &Signer, message: &[u8], nonce: [u8; 64]) -> [u8; SIGNATURE_LEN] {
        let r = Scalar::from_bytes_mod_order_wide(&nonce);
        let zero = EIGHT_TORSION[0];
        let honest = signer.sign(message, r, zero);
        match self {
            Self::Honest => honest,
            Self::LargeScalar(n) => {
                let (r, s) = halves(&honest);
                join(r, (0..1 + n % 14).fold(s, |s, _| add(s, L)))
            }
            Self::SmallR(i) => signer.sign(message, Scalar::ZERO, EIGHT_TORSION[usize::from(i % 8)]),
            Self::MixedR(i) => signer.sign(message, r, EIGHT_TORSION[usize::from(1 + i % 7)]),
            Self::NegatedR => {
                let (mut negated, _) = halves(&honest);
                negated[31] ^= 0x80;
                signer.sign_for(negated, message, r)
            }
            Self::LooseR(i) => {
                let loose = loose_encodings();
                signer.sign_for(loose[usize::from(i) % loose.len()], message, Scalar::ZERO)
            }
            Self::FlippedBit(bit) => {
                let bit = usize::from(bit) % (8 * SIGNATURE_LEN);
                let mut flipped = honest;
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            }
            Self::OtherMessage => signer.sign(&[message, b"?"].concat(), r, zero),
            Self::OtherKey => Signer::new([7; 64]).sign(message, r, zero),
            Self::ZeroScalar => join(halves(&honest).0, [0; 32]),
        }
    }
}

/// Encodings that decode to a point, and are not what that point encodes to: y from the prime up, and minus zero.
pub(crate) fn loose_encodings() -> Vec<[u8; 32]> {
    let is_loose = |bytes: &[u8; 32]| {
        CompressedEdwardsY(*bytes).decompress().is_some_and(|point| point.compress().0 != *bytes)
    };
    all_suspect_encodings().into_iter().filter(is_loose).collect()
}

/// The 19 values of y from 2^255 - 19 up, and y = 1 and y = -1, each under both signs.
pub(crate) fn all_suspect_encodings() -> Vec<[u8; 32]> {
    let mut minus_one = [0xFF; 32];
    (minus_one[0], minus_one[31]) = (0xEC, 0x7F);
    let one = core::array::from_fn(|i| u8::from(i == 0));
    let above_the_prime = (0xED..=0xFF).map(|low| {
        let mut bytes = [0xFF; 32];
        (bytes[0], bytes[31]) = (low, 0x7F);
        bytes
    });
    let unsigned = above_the_prime.chain([one, minus_one]);
    unsigned
        .flat_map(|bytes| {
            let mut signed = bytes;
            signed[31] |= 0x80;
            [bytes, signed]
        })
        .collect()
}

/// What the rule computes and compares with R.
pub(crate) fn computed_r(key: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> [u8; 32] {
    let (r, s) = halves(signature);
    let a = CompressedEdwardsY(*key).decompress().expect("only admitted keys are asked about");
    let s = Scalar::from_bytes_mod_order(s);
    (ED25519_BASEPOINT_POINT * s - a * challenge(&r, key, message)).compress().0
}

pub(crate) fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

pub(crate) fn halves(signature: &[u8; SIGNATURE_LEN]) -> ([u8; 32], [u8; 32]) {
    let (r, s) = signature.split_at(32);
    (r.try_into().unwrap(), s.try_into().unwrap())
}

pub(crate) fn join(r: [u8; 32], s: [u8; 32]) -> [u8; SIGNATURE_LEN] {
    [r, s].concat().try_into().unwrap()
}

/// Sum of two little-endian numbers; a carry out of the top is lost.
fn add(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    core::array::from_fn(|i| {
        let sum = u16::from(a[i]) + u16::from(b[i]) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

pub(crate) fn unhex_array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}
