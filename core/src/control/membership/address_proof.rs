//! Return-address proof: nobody is sent much before showing that it receives what is sent to its address.
//!
//! A token is a keyed hash of the address, the name and the time, in slots of ten seconds; whoever brings it back
//! within ten to twenty seconds has received it there. Nothing is kept of those who were challenged. (QUIC's Retry,
//! RFC 9000, section 8.1.2.)

use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::id::{TOKEN_LEN, Token};
use crate::time::S;
use crate::token_bucket::TokenBucket;

const SLOT: u64 = 10 * S;

/// Makes and recognises tokens. It has no `Debug`, for its secret would be in it.
pub struct AddressProver {
    secret: [u8; 32],
    /// Strangers whose proof of identity may be looked at.
    strangers: TokenBucket,
    /// The same, of strangers without a token: half as many, so that they cannot take the places of the others.
    unproven: TokenBucket,
    /// Challenges that may be sent: more, for each is one signature only, and smaller than what asked for it.
    challenges: TokenBucket,
}

impl AddressProver {
    /// A prover that lets `strangers` a second in. The secret must be random, and known to nobody.
    pub fn new(secret: [u8; 32], strangers: u32, now: u64) -> Self {
        assert!(strangers > 0, "nobody could ever join");
        let challenges = TokenBucket::new(strangers.saturating_mul(4), now);
        let unproven = TokenBucket::new(strangers.div_ceil(2), now);
        Self { secret, strangers: TokenBucket::new(strangers, now), unproven, challenges }
    }

    /// A token for `id` at `address`.
    pub fn token(&self, id: NodeId, address: SocketAddr, now: u64) -> Token {
        self.token_of_slot(id, address, now / SLOT)
    }

    /// Whether `token` was made for `id` at `address` not long ago.
    pub fn recognises(&self, token: &Token, id: NodeId, address: SocketAddr, now: u64) -> bool {
        let slot = now / SLOT;
        [slot, slot.wrapping_sub(1)].into_iter().any(|slot| {
            let expected = self.token_of_slot(id, address, slot);
            // Without a branch on where they differ: who could measure that would learn a token byte by byte.
            expected.iter().zip(token).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
        })
    }

    /// Whether another challenge may be sent now.
    pub fn may_challenge(&mut self, now: u64) -> bool {
        self.challenges.take(1, now)
    }

    /// Whether another stranger may be looked at now; `proven` if it brought a token.
    pub fn may_introduce(&mut self, proven: bool, now: u64) -> bool {
        if proven { self.strangers.take(1, now) } else { self.unproven.take(1, now) }
    }

    fn token_of_slot(&self, id: NodeId, address: SocketAddr, slot: u64) -> Token {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&id.0);
        match address {
            SocketAddr::V4(v4) => hasher.update(&v4.ip().octets()),
            SocketAddr::V6(v6) => hasher.update(&v6.ip().octets()),
        };
        hasher.update(&address.port().to_le_bytes());
        hasher.update(&slot.to_le_bytes());
        let hash = hasher.finalize();
        *hash.as_bytes().first_chunk::<TOKEN_LEN>().expect("a hash is longer than a token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_name_its_address_and_its_time() {
        let address_prover = AddressProver::new([7; 32], 10, 0);
        let (id, here) = (NodeId([1; 16]), "127.0.0.1:1".parse().unwrap());
        let token = address_prover.token(id, here, 5 * S);
        assert!(address_prover.recognises(&token, id, here, 5 * S));
        assert!(address_prover.recognises(&token, id, here, 15 * S));
        assert!(!address_prover.recognises(&token, id, here, 25 * S), "too late");
        assert!(!address_prover.recognises(&token, NodeId([2; 16]), here, 5 * S), "another's");
        assert!(!address_prover.recognises(&token, id, "127.0.0.1:2".parse().unwrap(), 5 * S), "elsewhere");
        let other = AddressProver::new([8; 32], 10, 0);
        assert!(!other.recognises(&token, id, here, 5 * S), "of another node");
    }

    #[test]
    fn strangers_are_looked_at_as_many_as_may_be_half_of_them_unproven_and_four_times_as_many_are_challenged()
    {
        let mut prover = AddressProver::new([7; 32], 10, 5 * S);
        let count = |prover: &mut AddressProver, ask: fn(&mut AddressProver, u64) -> bool, now| {
            (0..100).filter(|_| ask(prover, now)).count()
        };
        assert_eq!(count(&mut prover, |prover, now| prover.may_introduce(false, now), 5 * S), 5);
        assert_eq!(count(&mut prover, |prover, now| prover.may_introduce(true, now), 5 * S), 10);
        assert_eq!(count(&mut prover, AddressProver::may_challenge, 5 * S), 40);
        assert_eq!(
            count(&mut prover, |prover, now| prover.may_introduce(false, now), 6 * S),
            5,
            "a second later"
        );
        assert_eq!(count(&mut prover, AddressProver::may_challenge, 6 * S), 40);
    }
}
