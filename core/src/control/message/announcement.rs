//! What a member says of itself: a signed announcement, which proves itself wherever it is met.
//!
//! ```text
//!  0  public key, 32                     48  capabilities u32
//! 32  incarnation u32                    52  region u16
//! 36  boot u32                           54  flags u8: 1 the member leaves, 2 it has a credential; others zero
//! 40  version u64                        55  addresses u8, 56  runs u8, 57  three zeros
//! 60  addresses: 4, IPv4 4, port u16; or 6, IPv6 16, port u16
//!     runs: first u32, len u32, since u64 (microseconds)
//!     serial of the credential u64, if it has one
//!     signature, 64
//! ```
//!
//! Its name is the hash of its key, so nobody speaks for another; the mesh's name is hashed in, so it means nothing
//! elsewhere. Of two announcements of one member the later (incarnation, version) counts: a member that is suspected,
//! moves, or gives slots away says so by a newer one, and nobody else can.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use octick_crypto::{Identity, Item, NodeId, PublicKey, SIGNATURE_LEN, Verifier, verify_many};

use crate::admission::Credential;
use crate::control::id::Region;
use crate::limits::ANNOUNCEMENT_FIXED;
pub use crate::limits::{ADDRESSES_MAX, ANNOUNCEMENT_MAX, CLAIMS_MAX};
use crate::stamp::{Incarnation, Run, Slot, Version};

// Counts are bytes, and what is signed and its domain are 64.
const _: () = assert!(ADDRESSES_MAX <= u8::MAX as usize);
const _: () = assert!(CLAIMS_MAX <= u8::MAX as usize);
const _: () = assert!(DOMAIN.len() + 1 + 32 == 64);

const LEAVES: u8 = 1;
const CREDENTIAL: u8 = 2;
const DOMAIN: &[u8; 31] = b"octick v1 member's announcement";

/// The ability not to be missed: a member that announces it never counts for a quorum, whether it is there or not. The other
/// bits are the embedder's.
pub const EPHEMERAL: u32 = 1 << 31;

/// A run of slots that a member speaks for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The slots.
    pub run: Run,
    /// When it first claimed them, microseconds since 1970: of two claims the older holds.
    pub since: u64,
}

/// What a member is about to announce: everything but its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The member's incarnation.
    pub incarnation: Incarnation,
    /// Drawn when the process started: tells two processes with one key apart.
    pub boot: u32,
    /// When it was made; of one incarnation the greatest counts.
    pub version: Version,
    /// What the member can do; bits are given out in the documentation.
    pub capabilities: u32,
    /// Its region.
    pub region: Region,
    /// Whether this is its last word.
    pub leaves: bool,
    /// Where it can be reached, best first, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// What it speaks for, at most [`CLAIMS_MAX`].
    pub claims: Vec<Claim>,
    /// The serial of the credential that it lives by, from 1; 0 if it has none.
    pub serial: u64,
}

/// An announcement that was checked: whole, and signed by the member that it is about.
#[derive(Clone)]
pub struct Announcement {
    key: PublicKey,
    statement: Statement,
    bytes: Box<[u8]>,
    /// The credential that it names, verified.
    credential: Option<Arc<Credential>>,
}

/// Why bytes are no announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// They end early, or go on behind the signature.
    Length,
    /// Reserved bits are set, or a number is out of its range.
    Reserved,
    /// The key is none.
    Key,
    /// The version is another member's.
    Version,
    /// An address that nothing can be sent to.
    Address,
    /// A run of slots that nobody can own.
    Run,
    /// The signature does not hold in this mesh.
    Signature,
}

/// What binds announcements to the mesh called `mesh`.
pub fn mesh_key(mesh: &str) -> [u8; 32] {
    blake3::derive_key("octick v1 announcement", mesh.as_bytes())
}

/// The id and the age of an announcement, before anything of it is proven: enough to see that it is old news.
pub fn peek(bytes: &[u8]) -> Option<(NodeId, Incarnation, Version)> {
    let fixed = bytes.first_chunk::<ANNOUNCEMENT_FIXED>()?;
    let key = fixed.first_chunk::<32>()?;
    Some((NodeId::of(key), Incarnation(u32_at(fixed, 32)), Version(u64_at(fixed, 40))))
}

/// An announcement, and what may come behind it: the credential of the member, or nothing. Neither is proven.
pub fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fixed, mut rest) = bytes.split_first_chunk::<ANNOUNCEMENT_FIXED>()?;
    let [flags, addresses_len, claims_len, ..] = *fixed.last_chunk::<6>()?;
    for _ in 0..addresses_len {
        let family = *rest.first()?;
        rest = rest.get(if family == 4 { 7 } else { 19 }..)?;
    }
    let serial = if flags & CREDENTIAL == 0 { 0 } else { 8 };
    let behind = 16 * usize::from(claims_len) + serial + SIGNATURE_LEN;
    bytes.split_at_checked(bytes.len() - rest.len() + behind)
}

impl Announcement {
    /// Makes an announcement.
    ///
    /// # Panics
    /// When the statement has more addresses or claims than fit.
    pub fn sign(identity: &Identity, mesh: &[u8; 32], statement: &Statement) -> Self {
        let mut bytes = encode(identity.public().as_bytes(), statement);
        let signature = identity.sign(&message(mesh, &bytes));
        bytes.extend_from_slice(&signature);
        Self {
            key: identity.public().clone(),
            statement: statement.clone(),
            bytes: bytes.into_boxed_slice(),
            credential: None,
        }
    }

    /// Reads an announcement, admits its key and verifies its signature.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn verify(bytes: &[u8], mesh: &[u8; 32]) -> Result<Self, Unsound> {
        let (key, statement) = decode(bytes)?;
        let key = PublicKey::admit(&key).map_err(|_| Unsound::Key)?;
        let read = Self { key, statement, bytes: bytes.into(), credential: None };
        let (said, signature) = read.said();
        let item = Item { key: &read.key, message: &message(mesh, said), signature };
        let mut verdict = [false];
        verify_many(&[item], &mut verdict);
        if verdict[0] { Ok(read) } else { Err(Unsound::Signature) }
    }

    /// The same of many, each by itself: side by side they cost less.
    pub fn verify_all(
        said: &[&[u8]],
        mesh: &[u8; 32],
        verifier: &mut Verifier,
    ) -> Vec<Result<Self, Unsound>> {
        let decoded: Vec<_> = said.iter().map(|bytes| decode(bytes)).collect();
        let keys: Vec<[u8; 32]> = decoded.iter().flatten().map(|(key, _)| *key).collect();
        let mut keys = verifier.admit(&keys).into_iter();
        let mut read: Vec<Result<Self, Unsound>> = Vec::with_capacity(said.len());
        for (decoded, bytes) in decoded.into_iter().zip(said) {
            read.push(decoded.and_then(|(_, statement)| {
                let key = keys.next().expect("one for each that was decoded").map_err(|_| Unsound::Key)?;
                Ok(Self { key, statement, bytes: (*bytes).into(), credential: None })
            }));
        }
        let messages: Vec<[u8; 64]> =
            read.iter().flatten().map(|read| message(mesh, read.said().0)).collect();
        let items: Vec<Item<'_>> = read
            .iter()
            .flatten()
            .zip(&messages)
            .map(|(read, message)| Item { key: &read.key, message, signature: read.said().1 })
            .collect();
        let mut verdicts = alloc::vec![false; items.len()];
        assert!(items.len() == messages.len(), "a message each");
        verifier.verify(&items, &mut verdicts);
        assert!(read.len() == said.len() && keys.next().is_none(), "an answer each");
        let mut verdicts = verdicts.into_iter();
        for read in &mut read {
            if read.is_ok() && verdicts.next() != Some(true) {
                *read = Err(Unsound::Signature);
            }
        }
        read
    }

    /// What is signed, and the signature.
    fn said(&self) -> (&[u8], &[u8; SIGNATURE_LEN]) {
        self.bytes.split_last_chunk().expect("a decoded announcement ends in a signature")
    }

    /// Whose it is.
    pub fn id(&self) -> NodeId {
        self.key.id()
    }

    /// The key that its frames are verified with.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Which of two counts: the later incarnation, then the later word.
    pub fn rank(&self) -> (Incarnation, Version) {
        (self.statement.incarnation, self.statement.version)
    }

    /// Whether it claims the slots that `other` claims.
    pub fn claims_like(&self, other: &Self) -> bool {
        let runs = |said: &Self| said.statement.claims.iter().map(|claim| claim.run).collect::<Vec<_>>();
        runs(self) == runs(other)
    }

    /// The bytes that prove it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The credential that its member lives by, as far as it was shown.
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        self.credential.as_ref()
    }

    /// The same announcement with the credential that it names.
    ///
    /// # Panics
    /// When the credential is another one.
    pub fn with_credential(mut self, credential: Arc<Credential>) -> Self {
        let grant = credential.grant();
        assert!(grant.member == self.id() && grant.serial == self.statement.serial, "it names this one");
        self.credential = Some(credential);
        self
    }
}

impl Statement {
    /// Whether the member never counts for a quorum.
    pub fn is_ephemeral(&self) -> bool {
        self.capabilities & EPHEMERAL != 0
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").field("id", &self.id()).field("statement", &self.statement).finish()
    }
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "announcement of another length than it says",
            Self::Reserved => "announcement with reserved bits set",
            Self::Key => "announcement of a key that is none",
            Self::Version => "announcement with another member's version",
            Self::Address => "announcement of an address that cannot be sent to",
            Self::Run => "announcement of slots that nobody can own",
            Self::Signature => "announcement that its member did not sign for this mesh",
        })
    }
}

impl core::error::Error for Unsound {}

/// What is signed: 31 bytes that no other signature of this project begins with, one that says which layout, and a
/// keyed hash.
fn message(mesh: &[u8; 32], said: &[u8]) -> [u8; 64] {
    let mut message = [1; 64];
    message[..31].copy_from_slice(DOMAIN);
    message[32..].copy_from_slice(blake3::keyed_hash(mesh, said).as_bytes());
    message
}

fn encode(key: &[u8; 32], statement: &Statement) -> Vec<u8> {
    let Statement { addresses, claims, .. } = statement;
    assert!(addresses.len() <= ADDRESSES_MAX && claims.len() <= CLAIMS_MAX, "an announcement is short");
    let mut bytes = Vec::with_capacity(ANNOUNCEMENT_MAX);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&statement.incarnation.0.to_le_bytes());
    bytes.extend_from_slice(&statement.boot.to_le_bytes());
    bytes.extend_from_slice(&statement.version.0.to_le_bytes());
    bytes.extend_from_slice(&statement.capabilities.to_le_bytes());
    bytes.extend_from_slice(&statement.region.0.to_le_bytes());
    let flags = if statement.leaves { LEAVES } else { 0 } | if statement.serial > 0 { CREDENTIAL } else { 0 };
    bytes.extend_from_slice(&[flags, addresses.len() as u8, claims.len() as u8, 0, 0, 0]);
    addresses.iter().for_each(|address| put_address(&mut bytes, *address));
    for Claim { run, since } in claims {
        bytes.extend_from_slice(&run.first.0.to_le_bytes());
        bytes.extend_from_slice(&run.len.to_le_bytes());
        bytes.extend_from_slice(&since.to_le_bytes());
    }
    if statement.serial > 0 {
        bytes.extend_from_slice(&statement.serial.to_le_bytes());
    }
    assert!(bytes.len() + SIGNATURE_LEN <= ANNOUNCEMENT_MAX, "{} bytes before the signature", bytes.len());
    bytes
}

fn decode(bytes: &[u8]) -> Result<([u8; 32], Statement), Unsound> {
    let (fixed, mut rest) = bytes.split_first_chunk::<ANNOUNCEMENT_FIXED>().ok_or(Unsound::Length)?;
    let key = *fixed.first_chunk::<32>().ok_or(Unsound::Length)?;
    let [flags, addresses_len, claims_len, zeros @ ..] = *fixed.last_chunk::<6>().ok_or(Unsound::Length)?;
    let counts = usize::from(addresses_len) <= ADDRESSES_MAX && usize::from(claims_len) <= CLAIMS_MAX;
    // The last incarnation could never be followed by another.
    let incarnation = Incarnation(u32_at(fixed, 32));
    if flags & !(LEAVES | CREDENTIAL) != 0 || zeros != [0; 3] || !counts || incarnation.0 == u32::MAX {
        return Err(Unsound::Reserved);
    }
    let version = Version(u64_at(fixed, 40));
    if !version.is_of(NodeId::of(&key)) {
        return Err(Unsound::Version);
    }
    let mut addresses = Vec::with_capacity(addresses_len.into());
    for _ in 0..addresses_len {
        addresses.push(take_address(&mut rest)?);
    }
    let mut claims: Vec<Claim> = Vec::with_capacity(claims_len.into());
    for _ in 0..claims_len {
        let (claim, after) = rest.split_first_chunk::<16>().ok_or(Unsound::Length)?;
        let run = Run { first: Slot(u32_at(claim, 0)), len: u32_at(claim, 4) };
        let follows = claims.last().is_none_or(|last| last.run.end() <= u64::from(run.first.0));
        if !run.is_sound() || !follows {
            return Err(Unsound::Run);
        }
        claims.push(Claim { run, since: u64_at(claim, 8) });
        rest = after;
    }
    let mut serial = 0;
    if flags & CREDENTIAL != 0 {
        let (said, after) = rest.split_first_chunk::<8>().ok_or(Unsound::Length)?;
        serial = u64::from_le_bytes(*said);
        rest = after;
    }
    if rest.len() != SIGNATURE_LEN {
        return Err(Unsound::Length);
    }
    if flags & CREDENTIAL != 0 && serial == 0 {
        return Err(Unsound::Reserved);
    }
    let statement = Statement {
        incarnation,
        boot: u32_at(fixed, 36),
        version,
        capabilities: u32_at(fixed, 48),
        region: Region(u16::from_le_bytes([fixed[52], fixed[53]])),
        leaves: flags & LEAVES != 0,
        addresses,
        claims,
        serial,
    };
    Ok((key, statement))
}

/// Appends an address as seven or nineteen bytes.
pub(in crate::control) fn put_address(bytes: &mut impl Extend<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            bytes.extend([4]);
            bytes.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.extend([6]);
            bytes.extend(ip.octets());
        }
    }
    bytes.extend(address.port().to_le_bytes());
}

/// Takes an address off the front.
pub(in crate::control) fn take_address(rest: &mut &[u8]) -> Result<SocketAddr, Unsound> {
    let (family, after) = rest.split_first().ok_or(Unsound::Length)?;
    let (ip, after) = match family {
        4 => {
            let (octets, after) = after.split_first_chunk::<4>().ok_or(Unsound::Length)?;
            (IpAddr::V4(Ipv4Addr::from(*octets)), after)
        }
        6 => {
            let (octets, after) = after.split_first_chunk::<16>().ok_or(Unsound::Length)?;
            (IpAddr::V6(Ipv6Addr::from(*octets)), after)
        }
        _ => return Err(Unsound::Address),
    };
    let (port, after) = after.split_first_chunk::<2>().ok_or(Unsound::Length)?;
    *rest = after;
    let address = SocketAddr::new(ip, u16::from_le_bytes(*port));
    let nowhere = ip.is_unspecified() || ip.is_multicast() || address.port() == 0;
    if nowhere { Err(Unsound::Address) } else { Ok(address) }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("the caller's chunk is long enough"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("the caller's chunk is long enough"))
}

#[cfg(test)]
mod tests {
    use octick_crypto::lanes::{Base, Settings};

    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    use crate::limits::SLOTS_MAX;

    fn identity() -> Identity {
        Identity::from_seed(&[1; 32])
    }

    fn statement() -> Statement {
        let run = |first, len, since| Claim { run: Run { first: Slot(first), len }, since };
        Statement {
            incarnation: Incarnation(3),
            boot: 77,
            version: Version::new(1_700_000_000_000_000, identity().id()),
            capabilities: 5,
            region: Region(9),
            leaves: false,
            addresses: vec!["127.0.0.1:7700".parse().unwrap(), "[2001:db8::1]:7701".parse().unwrap()],
            claims: vec![run(0, 16, 1), run(64, 32, 2)],
            serial: 0,
        }
    }

    fn sealed(mesh: &str) -> Vec<u8> {
        Announcement::sign(&identity(), &mesh_key(mesh), &statement()).bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> Result<Statement, Unsound> {
        Announcement::verify(bytes, &mesh_key("a")).map(|announcement| announcement.statement().clone())
    }

    #[test]
    fn what_a_member_says_is_read_as_it_said_it() {
        assert_eq!(read(&sealed("a")), Ok(statement()));
        let (id, incarnation, version) = peek(&sealed("a")).unwrap();
        assert_eq!((id, incarnation, version), (identity().id(), Incarnation(3), statement().version));
        let mut longest = statement();
        longest.addresses = vec!["[::1]:1".parse().unwrap(); ADDRESSES_MAX];
        longest.claims = (0..CLAIMS_MAX as u32)
            .map(|i| Claim { run: Run { first: Slot(i * 32), len: 16 }, since: 0 })
            .collect();
        longest.serial = u64::MAX;
        let announcement = Announcement::sign(&identity(), &mesh_key("a"), &longest);
        assert_eq!(announcement.bytes().len(), ANNOUNCEMENT_MAX);
        assert_eq!(read(announcement.bytes()), Ok(longest));
    }

    #[test]
    fn what_comes_behind_an_announcement_is_told_from_it() {
        for serial in [0, 7] {
            let said = Announcement::sign(&identity(), &mesh_key("a"), &Statement { serial, ..statement() });
            let whole = [said.bytes(), b"credential"].concat();
            assert_eq!(split(&whole), Some((said.bytes(), &b"credential"[..])));
            assert_eq!(split(said.bytes()), Some((said.bytes(), &[][..])));
            (0..said.bytes().len()).for_each(|len| assert_eq!(split(&whole[..len]), None));
        }
    }

    #[test]
    fn nobody_speaks_for_another_or_in_another_mesh() {
        assert_eq!(read(&sealed("b")), Err(Unsound::Signature));
        let mut stolen = sealed("a");
        stolen[..32].copy_from_slice(Identity::from_seed(&[2; 32]).public().as_bytes());
        assert_eq!(read(&stolen), Err(Unsound::Version));
    }

    #[test]
    fn each_of_many_is_judged_by_itself() {
        let mut verifier = Verifier::new(Settings { base: Base::Short, ..Settings::default() });
        let mut said: Vec<Vec<u8>> = (0..20)
            .map(|i| {
                let identity = Identity::from_seed(&[i; 32]);
                let version = Version::new(1_700_000_000_000_000, identity.id());
                let statement = Statement { version, ..statement() };
                Announcement::sign(&identity, &mesh_key("a"), &statement).bytes().to_vec()
            })
            .collect();
        said[3].pop();
        *said[7].last_mut().unwrap() ^= 1;
        said[11][54] |= 0x80;
        said[15] = sealed("b");
        let bytes: Vec<&[u8]> = said.iter().map(Vec::as_slice).collect();
        let read = Announcement::verify_all(&bytes, &mesh_key("a"), &mut verifier);
        let wrong: Vec<_> =
            read.iter().enumerate().filter_map(|(i, read)| Some((i, *read.as_ref().err()?))).collect();
        let expected = [
            (3, Unsound::Length),
            (7, Unsound::Signature),
            (11, Unsound::Reserved),
            (15, Unsound::Signature),
        ];
        assert_eq!(wrong, expected);
        for (read, said) in read.into_iter().zip(&said) {
            let alone = Announcement::verify(said, &mesh_key("a"));
            let bytes = |read: Result<Announcement, Unsound>| read.map(|read| read.bytes().to_vec());
            assert_eq!(bytes(read), bytes(alone));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = sealed("a");
        for bit in 0..8 * whole.len() {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bent).is_err(), "bit {bit}");
        }
        (0..whole.len()).for_each(|len| assert!(read(&whole[..len]).is_err()));
        assert_eq!(read(&[&whole[..], &[0]].concat()), Err(Unsound::Length));
    }

    #[test]
    fn what_is_reserved_is_zero_and_each_count_has_its_most() {
        let set = |at: usize, value: u8| {
            let mut bytes = sealed("a");
            bytes[at] = value;
            read(&bytes)
        };
        assert_eq!(set(54, LEAVES), Err(Unsound::Signature), "that may be said, but was not");
        assert_eq!(set(54, CREDENTIAL), Err(Unsound::Length), "there is no serial");
        for bit in 2..8 {
            assert_eq!(set(54, 1 << bit), Err(Unsound::Reserved));
        }
        for at in 57..60 {
            assert_eq!(set(at, 1), Err(Unsound::Reserved), "byte {at}");
        }
        assert_eq!(set(55, ADDRESSES_MAX as u8 + 1), Err(Unsound::Reserved));
        assert_ne!(set(55, ADDRESSES_MAX as u8), Err(Unsound::Reserved));
        assert_eq!(set(56, CLAIMS_MAX as u8 + 1), Err(Unsound::Reserved));
        assert_ne!(set(56, CLAIMS_MAX as u8), Err(Unsound::Reserved));
        let mut last = sealed("a");
        last[32..36].copy_from_slice(&[0xFF; 4]);
        assert_eq!(read(&last), Err(Unsound::Reserved), "no incarnation could follow it");
        let named = Statement { serial: 1, ..statement() };
        let mut nameless = Announcement::sign(&identity(), &mesh_key("a"), &named).bytes().to_vec();
        let serial = nameless.len() - SIGNATURE_LEN - 8;
        nameless[serial] = 0;
        assert_eq!(read(&nameless), Err(Unsound::Reserved), "a credential has a number");
    }

    #[test]
    fn addresses_that_nothing_can_be_sent_to_are_refused() {
        for nowhere in ["0.0.0.0:1", "224.0.0.1:1", "10.0.0.1:0", "[::]:1", "[ff02::1]:1", "[2001:db8::1]:0"]
        {
            let addresses = vec![nowhere.parse().unwrap()];
            let said =
                Announcement::sign(&identity(), &mesh_key("a"), &Statement { addresses, ..statement() });
            assert_eq!(read(said.bytes()), Err(Unsound::Address), "{nowhere}");
        }
        for family in [0, 5, 7] {
            let mut bytes = sealed("a");
            bytes[60] = family;
            assert_eq!(read(&bytes), Err(Unsound::Address));
        }
    }

    #[test]
    fn slots_that_nobody_can_own_are_refused() {
        for (first, len) in [(8, 16), (0, 8), (0, 0), (SLOTS_MAX - 16, 32)] {
            let mut broken = statement();
            broken.claims = vec![Claim { run: Run { first: Slot(first), len }, since: 0 }];
            let announcement = Announcement::sign(&identity(), &mesh_key("a"), &broken);
            assert_eq!(read(announcement.bytes()), Err(Unsound::Run));
        }
        let mut twice = statement();
        twice.claims[1].run.first = Slot(0);
        let announcement = Announcement::sign(&identity(), &mesh_key("a"), &twice);
        assert_eq!(read(announcement.bytes()), Err(Unsound::Run));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300), flags in 0..3_u8) {
            let mut bytes = bytes;
            if bytes.len() > 60 {
                bytes[54..60].copy_from_slice(&[flags & 1, flags, flags, 0, 0, 0]);
            }
            prop_assert!(read(&bytes).is_err());
            prop_assert!(split(&bytes).is_none_or(|(said, behind)| said.len() + behind.len() == bytes.len()));
        }
    }
}
