//! Who is who, and signatures: real ones, or what stands in for them in large runs.
//!
//! A control frame is a signed frame, as on the wire. In large runs it is a structure that carries a 64-bit code over its
//! packet and its messages, keyed by a secret of its origin that only the origin and the [`Identities`] know. So a control frame
//! that its origin did not issue is refused as surely as the real signature refuses it, at a hundredth of the price;
//! what the stand-in does not show is the cost of signatures. Announcements are signed in earnest in every run, and
//! each is verified once for all nodes.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use octick_core::control::message::accusation::Accusation;
use octick_core::control::message::announcement::{Announcement, Unsound, mesh_key};
use octick_core::control::message::equivocation::Proof;
use octick_core::control::message::force_leave::{ForceLeave, Removal};
use octick_core::control::{PacketInfo, Random, Signer, Statement};
use octick_core::data::accept::{Terms, check_control};
use octick_core::limits::CONTROL_FRAME_AGE_MAX;
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::state::Layout;
use octick_core::wire::recipient::root_for;
use octick_core::wire::{ControlFrame, Entries, Frame, Kind, Messages, Sealer, Stamp};
use octick_crypto::train::{message, root_of};
use octick_crypto::{Identity, Item, MeshKeys, NodeId, PublicKey, verify_many};
use serde::{Deserialize, Serialize};

use crate::S;

/// The mesh of all simulations.
pub const MESH: &str = "simulation";
/// Bytes of a frame around its entries, the signature included.
const AROUND: usize = 40 + 64;
const PORT: u16 = 7_700;
/// By how much clocks may differ, as for a node that is told nothing else; there are no tables here.
const TERMS: Terms =
    Terms { layout: Layout { slots: 0, cells8: false, cells4: false, rows: false }, skew_micros_max: 5 * S };

/// How control frames are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// By Ed25519.
    Real,
    /// By a code that the cast checks.
    StandIn,
}

/// Where a node is reached.
pub fn address(node: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0A00_0000 + node), PORT))
}

/// Which node is reached there.
pub fn node_at(address: SocketAddr) -> Option<u32> {
    match address.ip() {
        IpAddr::V4(ip) if address.port() == PORT => ip.to_bits().checked_sub(0x0A00_0000),
        _ => None,
    }
}

/// The keys of node `node` in the run of `seed`.
pub fn identity(seed: u64, node: u32) -> Identity {
    let mut random = Random::new(seed ^ u64::from(node) << 32);
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.u64().to_le_bytes()));
    Identity::from_seed(&bytes)
}

/// A control frame on its way.
#[derive(Clone)]
pub enum Packet {
    /// A frame, signed by Ed25519.
    Frame(Rc<[u8]>),
    /// A control frame with a code.
    Coded(Rc<Coded>),
}

/// A control frame that is signed by a code.
#[derive(Clone)]
pub struct Coded {
    origin: NodeId,
    stamp: Stamp,
    control_frame: Box<ControlFrame>,
    code: u64,
}

/// A control frame that came, before anything of it is proven.
pub struct Arrived<'a> {
    /// Whose it claims to be.
    pub packet: PacketInfo,
    /// What it says.
    pub messages: Messages<'a>,
    post: &'a Packet,
}

impl Packet {
    /// On the wire, bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Frame(bytes) => bytes.len(),
            Self::Coded(coded) => AROUND + coded.control_frame.padded().len(),
        }
    }

    /// Never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads it, as far as it is a control frame for node `me`, made not long before `wall`, microseconds since 1970.
    pub fn open(&self, from: SocketAddr, me: NodeId, wall: u64) -> Option<Arrived<'_>> {
        match self {
            Self::Frame(bytes) => {
                let frame = Frame::parse(bytes).ok()?;
                let Entries::Control(messages) = frame.entries() else { return None };
                let packet = PacketInfo::of(from, &frame, me);
                check_control(&frame, me, &TERMS, wall).is_ok().then_some(Arrived {
                    packet,
                    messages,
                    post: self,
                })
            }
            Self::Coded(coded) => {
                let Stamp { incarnation, first_seq: seq, version } = coded.stamp;
                let (to, origin) = (coded.control_frame.recipient(), coded.origin);
                let packet = PacketInfo { from, to, origin, incarnation, seq, version };
                let messages = coded.control_frame.messages();
                let age_max = TERMS.skew_micros_max + CONTROL_FRAME_AGE_MAX;
                let holds = to.is_none_or(|to| to == me) && version.micros() + age_max >= wall;
                holds.then_some(Arrived { packet, messages, post: self })
            }
        }
    }

    /// Reads it whoever it is for, and however old it is: `ids` are whom it may be for.
    pub fn open_blindly(&self, from: SocketAddr, ids: &[NodeId]) -> Option<Arrived<'_>> {
        let Self::Frame(bytes) = self else { return None };
        let frame = Frame::parse(bytes).ok()?;
        let Entries::Control(messages) = frame.entries() else { return None };
        let to = *ids.iter().find(|id| frame.recipient().admits(**id))?;
        Some(Arrived { packet: PacketInfo::of(from, &frame, to), messages, post: self })
    }

    /// Damages it: another byte, or another's name.
    pub fn garble(&self, others: &[NodeId], random: &mut Random) -> Self {
        match self {
            Self::Frame(bytes) => {
                let mut bytes = bytes.to_vec();
                let at = random.index(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                Self::Frame(bytes.into())
            }
            Self::Coded(coded) => {
                let mut coded = (**coded).clone();
                if random.permille(500) {
                    coded.origin = others[random.index(others.len())];
                } else {
                    let mut control_frame = ControlFrame::new();
                    control_frame.address(coded.control_frame.recipient());
                    for told in coded.control_frame.messages() {
                        let mut body = told.body.to_vec();
                        body.iter_mut().take(4).for_each(|byte| *byte ^= random.u64() as u8 | 1);
                        let fits = control_frame.push(told.kind, &body);
                        debug_assert!(fits, "a control frame as long as the first fits");
                    }
                    coded.control_frame = Box::new(control_frame);
                    coded.stamp.first_seq.0 += 1;
                }
                Self::Coded(Rc::new(coded))
            }
        }
    }
}

/// Everybody's keys. Shared by all actors of a run.
pub struct Identities {
    people: Vec<Person>,
    ids: Vec<NodeId>,
    by_id: HashMap<NodeId, u32>,
    method: Signatures,
    keys: MeshKeys,
    sealer: RefCell<Sealer>,
    archive: Archive,
    accusations: Accusations,
    /// Hashes of the frames that were signed, to hold real verdicts against.
    issued: RefCell<HashSet<u128>>,
}

struct Person {
    identity: Arc<Identity>,
    secret: u64,
}

/// Accusations that were judged, by a hash.
type Accusations = Arc<Mutex<HashMap<u128, bool>>>;
/// Announcements that were judged.
type Archive = Arc<Mutex<HashMap<Box<[u8]>, Result<Arc<Announcement>, Unsound>>>>;

impl Identities {
    /// `nodes` nodes with keys from `seed`.
    pub fn new(nodes: u32, seed: u64, method: Signatures) -> Self {
        let mut secrets = Random::new(seed ^ 0x5EA1);
        let people: Vec<Person> = (0..nodes)
            .map(|node| Person { identity: Arc::new(identity(seed, node)), secret: secrets.u64() })
            .collect();
        let ids: Vec<NodeId> = people.iter().map(|person| person.identity.id()).collect();
        Self {
            by_id: ids.iter().copied().zip(0..).collect(),
            ids,
            people,
            method,
            keys: MeshKeys::derive(MESH),
            sealer: RefCell::new(Sealer::new()),
            archive: Archive::default(),
            accusations: Accusations::default(),
            issued: RefCell::default(),
        }
    }

    /// Names, by number.
    pub fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// The number of a name.
    pub fn find(&self, id: NodeId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The keys of a node.
    pub fn identity(&self, node: u32) -> &Identity {
        &self.people[node as usize].identity
    }

    /// Judges announcements for a node, each once for all.
    pub fn signer(&self, node: u32) -> Box<dyn Signer> {
        let identity = self.people[node as usize].identity.clone();
        let (archive, accusations) = (self.archive.clone(), self.accusations.clone());
        Box::new(Shared { identity, archive, accusations })
    }

    /// Signs a control frame of `node`.
    pub fn seal(
        &self,
        node: u32,
        incarnation: Incarnation,
        seq: Seq,
        version: Version,
        control_frame: Box<ControlFrame>,
    ) -> Packet {
        let stamp = Stamp { incarnation, first_seq: seq, version };
        let person = &self.people[node as usize];
        match self.method {
            Signatures::Real => self.sign(&person.identity, &stamp, &control_frame),
            Signatures::StandIn => {
                let origin = self.ids[node as usize];
                let code = code(person.secret, origin, &stamp, &control_frame);
                Packet::Coded(Rc::new(Coded { origin, stamp, control_frame, code }))
            }
        }
    }

    /// Signs a control frame by a key that may be nobody's of the run.
    pub fn seal_as(
        &self,
        identity: &Identity,
        incarnation: Incarnation,
        seq: Seq,
        version: Version,
        control_frame: &ControlFrame,
    ) -> Packet {
        self.sign(identity, &Stamp { incarnation, first_seq: seq, version }, control_frame)
    }

    fn sign(&self, identity: &Identity, stamp: &Stamp, control_frame: &ControlFrame) -> Packet {
        let mut sealer = self.sealer.borrow_mut();
        sealer.clear();
        sealer.frame(Kind::Control, |draft| draft.control_frame(control_frame));
        sealer.seal(identity, &self.keys, stamp);
        let bytes = sealer.frames().next().expect("one frame was made");
        self.issued.borrow_mut().insert(name_of(bytes));
        Packet::Frame(bytes.into())
    }

    /// Whether a control frame's origin signed it; `key` is that which the receiver knows the origin by.
    pub fn verify(&self, arrived: &Arrived<'_>, key: &PublicKey) -> bool {
        match arrived.post {
            Packet::Frame(bytes) => {
                let frame = Frame::reopen(bytes);
                let (header, leaf) = (frame.header(), self.keys.leaf(frame.signed_part()));
                let (index, len) = (header.train_index(), header.train_len());
                let root = root_of(&self.keys, leaf, index, len, frame.path());
                let root = root_for(&self.keys, root, arrived.packet.to);
                let mut verdict = [false];
                let message = message(len, &root);
                verify_many(&[Item { key, message: &message, signature: frame.signature() }], &mut verdict);
                verdict[0]
            }
            Packet::Coded(coded) => self.find(coded.origin).is_some_and(|node| {
                code(self.people[node as usize].secret, coded.origin, &coded.stamp, &coded.control_frame)
                    == coded.code
            }),
        }
    }

    /// Whether a control frame that was taken for signed was issued by anybody at all. Codes are their own proof.
    pub fn was_issued(&self, arrived: &Arrived<'_>) -> bool {
        match arrived.post {
            Packet::Frame(bytes) => self.issued.borrow().contains(&name_of(bytes)),
            Packet::Coded(_) => true,
        }
    }
}

/// Half of a content hash.
fn name_of(bytes: &[u8]) -> u128 {
    let hash = octick_crypto::Hash::of(bytes);
    u128::from_le_bytes(*hash.0.first_chunk().expect("a hash has 32 bytes"))
}

/// A code over all of a control frame: multiply and fold, eight bytes a step, two lanes.
fn code(secret: u64, origin: NodeId, stamp: &Stamp, control_frame: &ControlFrame) -> u64 {
    let id = u128::from_le_bytes(origin.0);
    let place = u64::from(stamp.incarnation.0) << 32 ^ stamp.first_seq.0.rotate_left(17) ^ stamp.version.0;
    let mut code = fold(secret ^ id as u64, place ^ (id >> 64) as u64);
    if let Some(to) = control_frame.recipient() {
        let to = u128::from_le_bytes(to.0);
        code = fold(code ^ to as u64, (to >> 64) as u64 ^ 0xE703_7ED1_A0B4_28DB);
    }
    for words in control_frame.padded().as_chunks::<16>().0 {
        let word = u128::from_le_bytes(*words);
        code = fold(code ^ word as u64, (word >> 64) as u64 ^ 0xA076_1D64_78BD_642F) ^ code.rotate_left(23);
    }
    fold(code ^ control_frame.len() as u64, secret | 1)
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

struct Shared {
    identity: Arc<Identity>,
    archive: Archive,
    accusations: Accusations,
}

impl Signer for Shared {
    fn announce(&mut self, statement: &Statement) -> Arc<Announcement> {
        Arc::new(Announcement::sign(&self.identity, &mesh_key(MESH), statement))
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Arc<Announcement>, Unsound> {
        let mut archive = self.archive.lock().expect("nobody panics with it");
        if let Some(judged) = archive.get(bytes) {
            return judged.clone();
        }
        let judged = Announcement::verify(bytes, &mesh_key(MESH)).map(Arc::new);
        archive.insert(bytes.into(), judged.clone());
        judged
    }

    fn force_leave(&mut self, removal: &Removal) -> Arc<ForceLeave> {
        Arc::new(ForceLeave::sign(&self.identity, &mesh_key(MESH), removal))
    }

    fn read_force_leave(&mut self, bytes: &[u8]) -> Result<Arc<ForceLeave>, Unsound> {
        ForceLeave::verify(bytes, &mesh_key(MESH)).map(Arc::new)
    }

    fn accuse(&mut self, accusation: &Accusation) -> Accusation {
        accusation.sign(&self.identity, &mesh_key(MESH))
    }

    fn is_accused(&mut self, accusation: &Accusation, key: &PublicKey) -> bool {
        let (said, signature) = accusation.parts();
        let name = name_of(&[&key.as_bytes()[..], &said, signature].concat());
        let mut judged = self.accusations.lock().expect("nobody panics with it");
        *judged.entry(name).or_insert_with(|| accusation.is_signed(key, &mesh_key(MESH)))
    }

    fn is_equivocation(&mut self, proof: &Proof, key: &PublicKey) -> bool {
        proof.holds(&MeshKeys::derive(MESH), key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_methods_take_what_was_issued_and_nothing_else() {
        for method in [Signatures::Real, Signatures::StandIn] {
            let cast = Identities::new(3, 1, method);
            let mut control_frame = ControlFrame::to(cast.ids()[0]);
            assert!(control_frame.push(0xF9, &[1, 2, 3, 4, 5, 6, 7, 8]));
            let version = Version::new(crate::WALL, cast.ids()[1]);
            let post = cast.seal(1, Incarnation(1), Seq(9), version, Box::new(control_frame));
            let verdict = |post: &Packet| {
                let arrived = post.open(address(1), cast.ids()[0], crate::WALL)?;
                let node = cast.find(arrived.packet.origin)?;
                Some(cast.verify(&arrived, cast.identity(node).public()))
            };
            assert_eq!(verdict(&post), Some(true), "{method:?}");
            assert!(cast.was_issued(&post.open(address(1), cast.ids()[0], crate::WALL).unwrap()));
            let mut random = Random::new(5);
            for _ in 0..200 {
                let garbled = post.garble(&[cast.ids()[0], cast.ids()[2]], &mut random);
                assert_ne!(verdict(&garbled), Some(true), "{method:?}");
            }
        }
    }

    #[test]
    fn addresses_name_nodes() {
        assert!((0..100_000).step_by(777).all(|node| node_at(address(node)) == Some(node)));
        assert_eq!(node_at("127.0.0.1:7700".parse().unwrap()).filter(|node| *node < 1 << 20), None);
    }
}
