//! The secret half of a node: signs, and leaves no copy behind.

use core::fmt;

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use crate::{NodeId, PublicKey, SIGNATURE_LEN};

/// A node's Ed25519 key pair. The secret is wiped from memory when the value is dropped.
pub struct Identity {
    key: SigningKey,
    public: PublicKey,
}

impl Identity {
    /// The identity behind 32 secret bytes (an RFC 8032 seed).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::admit(key.verifying_key().as_bytes())
            .expect("a derived public key is a multiple of the base point and not zero");
        Self { key, public }
    }

    /// A new identity from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    #[cfg(feature = "std")]
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The 32 secret bytes, wiped when the copy is dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// This node's name.
    pub fn id(&self) -> NodeId {
        self.public.id()
    }

    /// The published half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` in constant time (RFC 8032, section 5.1.6); about 50,000 ticks.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.id())
    }
}
