//! Public keys: admitted once, shared from then on.

use core::fmt;

use curve25519_dalek::Scalar;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::traits::IsIdentity;
use ed25519_dalek::VerifyingKey;

use crate::lanes::Minus;

/// A node's name: the first 16 bytes of the BLAKE3 hash of its public key.
///
/// Shown as 32 hex digits, and shortened to 8 by `{:.8}`-like [`NodeId::short`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    /// The id of whoever holds the secret behind `public_key` (32 bytes, as published).
    pub fn of(public_key: &[u8; 32]) -> Self {
        let hash = blake3::hash(public_key);
        let (id, _) = hash.as_bytes().split_first_chunk().expect("a hash is longer than an id");
        Self(*id)
    }

    /// The first four bytes, for people: 8 hex digits.
    pub fn short(self) -> impl fmt::Display {
        struct Short(NodeId);
        impl fmt::Display for Short {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0.0[..4])
            }
        }
        Short(self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// An Ed25519 public key that passed admission: canonical, on the curve, torsion-free, not the identity.
///
/// Admission costs about 86,000 ticks, by [`Verifier::admit`](crate::Verifier::admit) with many others 36,000 to 44,000,
/// and is paid once a key; afterwards the decompressed point is shared.
/// Only keys that passed it can be verified against, so every node gives the same verdict (see [`mod@crate::verify`]).
#[derive(Clone)]
pub struct PublicKey {
    key: VerifyingKey,
    id: NodeId,
    minus: Minus,
}

impl PublicKey {
    /// Admits 32 published bytes, or says why not. Nothing is kept of a refused key.
    ///
    /// # Errors
    /// One [`KeyError`] for each rule, checked in the order of the enum.
    pub fn admit(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let candidate = Candidate::read(bytes)?;
        let is_torsion_free = candidate.is_torsion_free();
        candidate.admit(is_torsion_free)
    }

    /// The node that this key names.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The 32 bytes as published.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Its negative: what the lanes compute with.
    pub(crate) fn minus(&self) -> &Minus {
        &self.minus
    }

    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// A key that would be admitted if its order is L.
pub(crate) struct Candidate(PublicKey);

impl Candidate {
    /// Applies all rules but the last.
    pub(crate) fn read(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotOnCurve)?;
        if !is_canonical(bytes) {
            return Err(KeyError::NotCanonical);
        }
        if key.to_edwards().is_identity() {
            return Err(KeyError::Identity);
        }
        let minus = Minus::decode(bytes).expect("dalek decoded it just now");
        Ok(Self(PublicKey { key, id: NodeId::of(bytes), minus }))
    }

    /// The last rule: whether L times the point is the neutral one.
    pub(crate) fn is_torsion_free(&self) -> bool {
        is_torsion_free(&self.0.key.to_edwards())
    }

    /// The negative of the point, of the same order.
    pub(crate) fn minus(&self) -> &Minus {
        &self.0.minus
    }

    /// The key, now that the last rule was applied.
    pub(crate) fn admit(self, is_torsion_free: bool) -> Result<PublicKey, KeyError> {
        if is_torsion_free { Ok(self.0) } else { Err(KeyError::Torsion) }
    }
}

/// Whether the bytes of a point are the ones that it encodes to: y below p = 2^255 - 19, and no sign on x = 0, which is so
/// where y is 1 or -1. The same as to encode it again, without the inversion.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let (low, high) = (bytes[0], bytes[31] & 0x7F);
    let inner = &bytes[1..31];
    let is_top = high == 0x7F && inner.iter().all(|byte| *byte == 0xFF);
    let is_one = low == 1 && high == 0 && inner.iter().all(|byte| *byte == 0);
    let (below_p, is_minus_one) = (!is_top || low < 0xED, is_top && low == 0xEC);
    let signed = bytes[31] & 0x80 != 0;
    below_p && !(signed && (is_one || is_minus_one))
}

/// Whether L times the point is the neutral one, that is, (L - 1) times it is its negative: L - 1 is a scalar, L is none. Keys are
/// public, so the multiplication may take as long as it likes, which is less than dalek's own test takes.
fn is_torsion_free(point: &EdwardsPoint) -> bool {
    let minus_one = -Scalar::ONE;
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&minus_one, point, &Scalar::ZERO) == -point
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        write_hex(f, self.as_bytes())?;
        f.write_str(")")
    }
}

/// Why a public key was refused. Each is a property of the 32 bytes alone, so every node refuses the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// The bytes are not the y coordinate of any point of the curve.
    NotOnCurve,
    /// The bytes decode to a point that encodes differently (y not below the field's prime, or a sign on x = 0).
    NotCanonical,
    /// The neutral point: every message would verify.
    Identity,
    /// The point has a component of small order, so that verifiers which multiply by the cofactor disagree with
    /// those that do not.
    Torsion,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOnCurve => "public key is not a point of the curve",
            Self::NotCanonical => "public key is not canonically encoded",
            Self::Identity => "public key is the neutral point",
            Self::Torsion => "public key has a component of small order",
        })
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::CompressedEdwardsY;

    use super::*;

    /// What admission did before it was made quicker.
    fn twin(bytes: &[u8; 32]) -> Result<(), KeyError> {
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotOnCurve)?;
        match () {
            () if point.compress().as_bytes() != bytes => Err(KeyError::NotCanonical),
            () if point.is_identity() => Err(KeyError::Identity),
            () if !point.is_torsion_free() => Err(KeyError::Torsion),
            () => Ok(()),
        }
    }

    fn assert_agrees(bytes: &[u8; 32]) {
        assert_eq!(PublicKey::admit(bytes).map(drop), twin(bytes), "{bytes:02x?}");
    }

    #[test]
    fn odd_encodings_get_the_verdict_of_encoding_them_again() {
        // All y near 0, 1, p and 2^255, with and without the sign.
        for base in [[0; 32], [0xFF; 32]] {
            for low in 0..=255 {
                for high in [0, 1, 0x7E, 0x7F] {
                    for sign in [0, 0x80] {
                        let mut bytes = base;
                        (bytes[0], bytes[31]) = (low, high | sign);
                        assert_agrees(&bytes);
                        bytes[15] ^= 0x10;
                        assert_agrees(&bytes);
                    }
                }
            }
        }
    }

    #[test]
    fn keys_with_and_without_torsion_are_told_apart() {
        for n in 1..200_u64 {
            let point = EdwardsPoint::mul_base(&Scalar::from(n * n));
            for torsion in EIGHT_TORSION {
                let bytes = (point + torsion).compress().to_bytes();
                assert_agrees(&bytes);
                assert_eq!(PublicKey::admit(&bytes).is_ok(), torsion.is_identity());
            }
        }
    }
}
