//! What a node and its authority say to each other when the node is let in by a token.
//!
//! A token is the secret half of a key that is made for one enrolment, and a hash of the authority's keys. The node signs its own public key with
//! it, so that the secret never leaves the node, and believes nobody but the authority that the hash is of. The authority keeps the public half: who
//! reads its register cannot enrol with that.
//!
//! ```text
//! octick1-SECRET-AUTHORITY      64 and 32 hex digits
//! ```

use std::fmt;
use std::str::FromStr;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::log::Appended;
use octick_core::admission::{Authority, AuthorityLog, Credential, SignedDecision};
use octick_crypto::{Hash, Identity, Item, NodeId, PublicKey, SIGNATURE_LEN, verify_many};
use serde::{Deserialize, Serialize};

use super::register::Register;
use super::words::unhex;
use crate::keygen::hex;

/// Where an authority lets nodes in.
pub(crate) const PATH: &str = "/api/v1/enrol";
const PREFIX: &str = "octick1-";
/// Bytes of the authority's hash: nobody finds other keys with the same.
const ROOT_LEN: usize = 16;
/// What no other signature of this project begins with.
const DOMAIN: &[u8; 31] = b"octick v2 a node asks to be in!";

/// What the operator hands to whoever sets up a node.
pub(crate) struct Token {
    identity: Identity,
    root: [u8; ROOT_LEN],
}

/// What a node asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The id of the token's key.
    pub(crate) token: String,
    /// The node's own key, 64 hex digits.
    pub(crate) public_key: String,
    /// The token's signature of that, 128 hex digits.
    pub(crate) proof: String,
}

/// What an authority answers. Nothing of it is believed for who sent it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) mesh: String,
    /// Of the mesh's tables; who lies about it has a node that others have no use for.
    pub(crate) slots: u32,
    pub(crate) threshold: usize,
    pub(crate) keys: Vec<String>,
    pub(crate) decisions: Vec<String>,
    pub(crate) credential: String,
}

/// An answer that a node may believe.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) mesh: String,
    pub(crate) root: Authority,
    pub(crate) decisions: Vec<SignedDecision>,
    pub(crate) credential: Credential,
}

impl Token {
    /// A token of an authority.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(register: &Register) -> Result<Self, crate::failure::Failure> {
        Ok(Self { identity: Identity::generate()?, root: digest(&register.mesh, &register.root) })
    }

    /// The public half: what the register keeps.
    pub(super) fn key(&self) -> &PublicKey {
        self.identity.public()
    }

    /// What a node asks with it.
    pub(crate) fn request(&self, node: &PublicKey) -> Request {
        Request {
            token: self.identity.id().to_string(),
            public_key: hex(node.as_bytes()),
            proof: hex(&self.identity.sign(&message(node))),
        }
    }

    /// What is to be believed of an answer to `node`.
    ///
    /// # Errors
    /// Why nothing is.
    pub(crate) fn verify(&self, answer: &Answer, node: NodeId) -> Result<Enrolled, String> {
        let keys = answer.keys.iter().map(|digits| admit(digits)).collect::<Option<_>>();
        let root = keys.and_then(|keys| Authority::new(keys, answer.threshold).ok());
        let root = root.filter(|root| digest(&answer.mesh, root) == self.root);
        let root = root.ok_or("who answers is not the authority that the token is of")?;
        let mut log = AuthorityLog::new(authority_key(&answer.mesh), root.clone());
        let mut decisions = Vec::with_capacity(answer.decisions.len());
        for digits in &answer.decisions {
            let signed = unhex(digits).and_then(|bytes| SignedDecision::read(&bytes).ok());
            let signed = signed.ok_or("a decision that cannot be read")?;
            match log.append(&signed, verify_many) {
                Appended::New => decisions.push(signed),
                why => return Err(format!("decision {} is not to be believed: {why:?}", signed.number())),
            }
        }
        let bytes = unhex(&answer.credential).ok_or("a credential that cannot be read")?;
        let read = Credential::verify_all(&[&bytes], &log, verify_many).remove(0);
        let credential = read.map_err(|why| format!("the credential is not to be believed: {why}"))?;
        let grant = credential.grant();
        if grant.member != node || log.revoked_to(node) >= grant.serial {
            return Err("the credential is another node's, or was revoked".into());
        }
        Ok(Enrolled { mesh: answer.mesh.clone(), root, decisions, credential })
    }
}

impl Request {
    /// The node's key, if whoever asks has the secret half of `token`.
    pub(super) fn proven(&self, token: &PublicKey) -> Option<PublicKey> {
        let node = admit(&self.public_key)?;
        let signature: [u8; SIGNATURE_LEN] = unhex(&self.proof)?.try_into().ok()?;
        let mut verdict = [false];
        let message = message(&node);
        verify_many(&[Item { key: token, message: &message, signature: &signature }], &mut verdict);
        verdict[0].then_some(node)
    }
}

impl Answer {
    /// Of an authority that has just issued `credential`.
    pub(super) fn new(register: &Register, credential: &Credential) -> Self {
        let key = |key: &PublicKey| hex(key.as_bytes());
        Self {
            mesh: register.mesh.clone(),
            slots: register.slots,
            threshold: register.root.threshold(),
            keys: register.root.keys().iter().map(key).collect(),
            decisions: register.decisions.iter().map(|decided| hex(decided.signed.bytes())).collect(),
            credential: hex(credential.bytes()),
        }
    }
}

fn admit(digits: &str) -> Option<PublicKey> {
    PublicKey::admit(&unhex(digits)?.try_into().ok()?).ok()
}

fn message(node: &PublicKey) -> [u8; 64] {
    let mut message = [1; 64];
    message[..31].copy_from_slice(DOMAIN);
    message[32..].copy_from_slice(node.as_bytes());
    message
}

/// What a token knows an authority by. A mesh's name is the last field, for it may hold anything.
fn digest(mesh: &str, root: &Authority) -> [u8; ROOT_LEN] {
    let keys: String = root.keys().iter().map(|key| hex(key.as_bytes()) + "\n").collect();
    let text = format!("octick v2 authority of a token\n{}\n{keys}\n{mesh}", root.threshold());
    *Hash::of(text.as_bytes()).0.first_chunk().expect("a hash is longer")
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", hex(&*self.identity.seed()), hex(&self.root))
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.identity.id())
    }
}

impl FromStr for Token {
    type Err = &'static str;

    /// What is wrong is said without the text, which may be a secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let halves = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let read = halves.and_then(|(secret, root)| {
            let seed: [u8; 32] = unhex(secret)?.try_into().ok()?;
            Some(Self { identity: Identity::from_seed(&seed), root: unhex(root)?.try_into().ok()? })
        });
        read.ok_or("no token: want octick1-..., 105 characters, as octick authority invite prints it")
    }
}

#[cfg(test)]
mod tests {
    use octick_core::admission::Decision;

    use super::super::register::Wish;
    use super::*;

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn register(mesh: &str) -> Register {
        Register::new(mesh, 64, Authority::new(vec![identity(9).public().clone()], 1).unwrap(), vec![])
    }

    fn issue(register: &mut Register, node: u8, signer: u8) -> Credential {
        let key = Some(identity(node).public().clone());
        let name = format!("m{node}");
        let wish =
            Wish { name, key, cells: Some(16), region: None, roles: None, from: 1, until: 2, grace: 3 };
        register.issue(&wish, &[&identity(signer)]).unwrap()
    }

    #[test]
    fn a_token_is_read_as_it_was_printed_and_nothing_else_is() {
        let token = Token::new(&register("t")).unwrap();
        let text = token.to_string();
        assert_eq!(text.len(), 105);
        assert_eq!(text.parse::<Token>().unwrap().to_string(), text);
        assert!(!format!("{token:?}").contains(&text[8..72]));
        for wrong in ["", "octick1-", &text[1..], &text[..104], &text.replace("octick1", "octick2")] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_who_has_the_secret_enrols_and_only_the_key_that_it_signed() {
        let token = Token::new(&register("t")).unwrap();
        let other = Token::new(&register("t")).unwrap();
        let request = token.request(identity(1).public());
        assert_eq!(request.proven(token.key()), Some(identity(1).public().clone()));
        assert_eq!(request.proven(other.key()), None);
        let public_key = hex(identity(2).public().as_bytes());
        assert_eq!(Request { public_key, ..token.request(identity(1).public()) }.proven(token.key()), None);
        assert!(!format!("{request:?}").contains(&token.to_string()[8..72]), "the secret stays");
    }

    #[test]
    fn nobody_but_the_tokens_authority_is_believed() {
        let mut ours = register("t");
        let token = Token::new(&ours).unwrap();
        let credential = issue(&mut ours, 1, 9);
        let decision = Decision::Revoke { member: identity(5).id(), serial: 1 };
        ours.decide(&decision, "", &[&identity(9)]).unwrap();
        let verify = |change: &dyn Fn(&mut Answer)| {
            let mut answer = Answer::new(&ours, &credential);
            change(&mut answer);
            token.verify(&answer, identity(1).id()).map(|enrolled| enrolled.credential)
        };
        assert_eq!(verify(&|_| ()), Ok(credential.clone()));
        let stranger = "who answers is not the authority that the token is of";
        assert_eq!(verify(&|answer| answer.mesh = "u".into()).unwrap_err(), stranger);
        assert_eq!(verify(&|answer| answer.threshold = 0).unwrap_err(), stranger);
        let key = hex(identity(8).public().as_bytes());
        assert_eq!(verify(&|answer| answer.keys = vec![key.clone()]).unwrap_err(), stranger);
        let forged = hex(issue(&mut register("t"), 1, 8).bytes());
        let why = verify(&|answer| answer.credential.clone_from(&forged)).unwrap_err();
        assert!(why.starts_with("the credential is not to be believed"), "{why}");
        let foreign = hex(issue(&mut register("t"), 2, 9).bytes());
        let why = verify(&|answer| answer.credential.clone_from(&foreign)).unwrap_err();
        assert!(why.starts_with("the credential is another node's"), "{why}");
        let why = verify(&|answer| answer.decisions.push(answer.decisions[0].clone())).unwrap_err();
        assert!(why.starts_with("decision 1 is not to be believed: Known"), "{why}");
    }
}
