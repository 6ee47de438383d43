//! What a member may do in a mesh, and until when: signed by the mesh's authority, shown by the member.
//!
//! Its bytes are a [`grant`] and the signatures of the authority behind it.
//! Serials rise with every credential that an authority signs, so of two for one member the later counts, and a revocation names the
//! last one that it ends. A credential is public: it is worth something only beside a signature of the member's own key.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::{Identity, Item, NodeId};

use super::endorsement::{Document, Endorsements, Invalid, endorse, message};
use super::grant::{self, Grant};
use super::log::AuthorityLog;
use crate::limits::CREDENTIAL_MAX;

/// A credential that was verified against a mesh's authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    grant: Grant,
    bytes: Box<[u8]>,
}

impl Credential {
    /// Issues a credential, with the signature of each of `signers`.
    ///
    /// # Errors
    /// What of the grant nobody could read again.
    ///
    /// # Panics
    /// Without signers, or with more than [`ENDORSEMENTS_MAX`](crate::limits::ENDORSEMENTS_MAX).
    pub fn issue(grant: &Grant, mesh: &[u8; 32], signers: &[&Identity]) -> Result<Self, Invalid> {
        let mut bytes = grant::encode(grant);
        let (read, _) = grant::decode(&bytes)?;
        assert_eq!(read, *grant, "what was written is what is read");
        endorse(Document::Credential, mesh, &mut bytes, signers);
        assert!(bytes.len() <= CREDENTIAL_MAX, "{} bytes of a credential", bytes.len());
        Ok(Self { grant: grant.clone(), bytes: bytes.into_boxed_slice() })
    }

    /// Reads credentials and verifies them together, each by itself, against what `trust` says of their signers. `check` is
    /// [`verify_many`](octick_crypto::verify_many), or does the same.
    pub fn verify_all(
        bytes: &[&[u8]],
        trust: &AuthorityLog,
        check: impl FnOnce(&[Item<'_>], &mut [bool]),
    ) -> Vec<Result<Self, Invalid>> {
        let read: Vec<_> = bytes.iter().map(|bytes| decode(bytes)).collect();
        let messages: Vec<_> = read
            .iter()
            .zip(bytes)
            .map(|(read, bytes)| {
                let said = read.as_ref().map_or(&[][..], |(_, said, _)| &bytes[..*said]);
                message(Document::Credential, trust.mesh(), said)
            })
            .collect();
        let mut items: Vec<Item<'_>> = Vec::new();
        let mut results = Vec::with_capacity(bytes.len());
        let mut spans = Vec::with_capacity(bytes.len());
        for ((read, message), bytes) in read.into_iter().zip(&messages).zip(bytes) {
            let begin = items.len();
            let result = read.and_then(|(grant, _, endorsements)| {
                items.extend(trust.signatures_of(&grant, endorsements, message).ok_or(Invalid::Untrusted)?);
                Ok(Self { grant, bytes: (*bytes).into() })
            });
            results.push(result);
            spans.push(begin..items.len());
        }
        let mut verdicts = alloc::vec![false; items.len()];
        check(&items, &mut verdicts);
        assert!(results.len() == bytes.len(), "an answer for each");
        for (result, span) in results.iter_mut().zip(spans) {
            if result.is_ok() && verdicts[span].contains(&false) {
                *result = Err(Invalid::Signature);
            }
        }
        results
    }

    /// What bytes say that they grant, and whose signatures they say are under it: for people who look at a credential. Nothing of it
    /// is proven.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn read_unproven(bytes: &[u8]) -> Result<(Grant, Vec<NodeId>), Invalid> {
        let (grant, _, endorsements) = decode(bytes)?;
        Ok((grant, endorsements.signers().collect()))
    }

    /// What it grants.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The bytes that prove it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.grant).finish()
    }
}

/// What is granted, the length of what says so, and the signatures behind it.
fn decode(bytes: &[u8]) -> Result<(Grant, usize, Endorsements<'_>), Invalid> {
    let (grant, rest) = grant::decode(bytes)?;
    Ok((grant, bytes.len() - rest.len(), Endorsements::read(rest)?))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::super::endorsement::authority_key;
    use octick_crypto::verify_many;

    use super::super::samples::{authority, grant, identity, issue, log, mesh, run, verify};
    use super::*;
    use crate::limits::{GRANTS_MAX, NAME_MAX};

    #[test]
    fn it_is_read_as_it_was_issued_and_in_its_own_mesh_only() {
        let issued = issue(&grant(1, 5), &[9]);
        assert_eq!(verify(issued.bytes(), &log(9)).unwrap(), issued);
        assert_eq!(grant::peek(issued.bytes()), Some((identity(1).id(), 5)));
        let unproven = Credential::read_unproven(issued.bytes());
        assert_eq!(unproven, Ok((grant(1, 5), alloc::vec![identity(9).id()])));
        assert_eq!(Credential::read_unproven(&issued.bytes()[1..]).err(), Some(Invalid::Field));
        let elsewhere = authority_key("u");
        let trust = AuthorityLog::new(elsewhere, authority(9));
        let read = Credential::verify_all(&[issued.bytes()], &trust, verify_many);
        assert_eq!(read, [Err(Invalid::Signature)]);
    }

    #[test]
    fn no_bit_of_it_can_be_another_and_no_byte_can_be_missing() {
        let issued = issue(&grant(1, 5), &[9]);
        let trust = log(9);
        let bits = 8 * issued.bytes().len();
        let forged: Vec<Vec<u8>> = (0..bits)
            .map(|bit| {
                let mut bytes = issued.bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            })
            .chain((0..issued.bytes().len()).map(|len| issued.bytes()[..len].to_vec()))
            .collect();
        let forged: Vec<&[u8]> = forged.iter().map(|bytes| &bytes[..]).collect();
        let read = Credential::verify_all(&forged, &trust, verify_many);
        let believed: Vec<usize> = (0..read.len()).filter(|i| read[*i].is_ok()).collect();
        assert_eq!(believed, [0; 0]);
    }

    #[test]
    fn only_the_keys_that_the_mesh_trusts_may_issue() {
        let issued = issue(&grant(1, 5), &[8]);
        assert_eq!(verify(issued.bytes(), &log(9)), Err(Invalid::Untrusted));
    }

    #[test]
    fn among_many_each_is_judged_by_itself() {
        let all = [issue(&grant(1, 5), &[9]), issue(&grant(2, 6), &[8]), issue(&grant(3, 7), &[9])];
        let mut bytes: Vec<Vec<u8>> = all.iter().map(|issued| issued.bytes().to_vec()).collect();
        *bytes[2].last_mut().unwrap() ^= 1;
        let bytes: Vec<&[u8]> = bytes.iter().map(|bytes| &bytes[..]).collect();
        let read = Credential::verify_all(&bytes, &log(9), verify_many);
        assert_eq!(read, [Ok(all[0].clone()), Err(Invalid::Untrusted), Err(Invalid::Signature)]);
    }

    #[test]
    fn what_nobody_could_read_again_is_not_issued() {
        let with = |change: fn(&mut Grant)| {
            let mut grant = grant(1, 5);
            change(&mut grant);
            Credential::issue(&grant, &mesh(), &[&identity(9)]).unwrap_err()
        };
        assert_eq!(with(|grant| grant.serial = 0), Invalid::Field);
        assert_eq!(with(|grant| grant.until = 999), Invalid::Validity);
        assert_eq!(with(|grant| grant.name = "".to_string()), Invalid::Name);
        assert_eq!(with(|grant| grant.name = "two words".to_string()), Invalid::Name);
        assert_eq!(with(|grant| grant.name = "x".repeat(33)), Invalid::Name);
        assert_eq!(with(|grant| grant.runs[0].len = 8), Invalid::Run);
        assert_eq!(with(|grant| grant.runs.swap(0, 1)), Invalid::Run);
        assert_eq!(with(|grant| grant.runs = (0..9).map(|n| run(16 * n, 16)).collect()), Invalid::Field);
    }

    #[test]
    fn the_longest_is_as_long_as_its_bound() {
        let mut grant = grant(1, 5);
        grant.name = "x".repeat(NAME_MAX);
        grant.runs = (0..GRANTS_MAX as u32).map(|n| run(32 * n, 16)).collect();
        assert_eq!(issue(&grant, &[7, 8, 9]).bytes().len(), CREDENTIAL_MAX);
    }
}
