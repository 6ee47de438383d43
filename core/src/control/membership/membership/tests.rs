//! What a node decides about members, one call at a time.

mod accusations;
mod answers;
mod news;

use super::*;
use crate::control::membership::signer::Signed;
use crate::control::membership::verified::Ahead;
use crate::control::message::announcement::mesh_key;
use crate::control::message::kind::MessageKind;
use crate::control::output::Expelled;
use crate::refusal::Refusal;
use octick_crypto::Identity;

const NOW: u64 = 1_000 * S;
const WALL: u64 = 1_700_000_000 * S;

fn identity(key: u8) -> Identity {
    Identity::from_seed(&[key + 1; 32])
}

fn address(key: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, key], 7_700))
}

/// A node of key 0 and what it wants done.
struct Rig {
    membership: Membership,
    out: Effects,
}

/// A control frame that was sent: to whom, and its messages.
type Sent = (SocketAddr, Vec<(u8, Vec<u8>)>);

impl Rig {
    /// A node that has heard of the members of keys 1 to `others`, and has told all of it.
    fn new(others: u8) -> Self {
        Self::with(others, MembershipSettings::default())
    }

    fn with(others: u8, settings: MembershipSettings) -> Self {
        let init = NodeInit {
            mesh: mesh_key("t"),
            now: NOW,
            wall: Wall(WALL),
            id: identity(0).id(),
            incarnation: Incarnation(2),
            region: Region(0),
            capabilities: 0,
            addresses: [address(0)].to_vec(),
            runs: Vec::new(),
            seed: 1,
            secret: [1; 32],
            admission: Admission::default(),
            credential: None,
        };
        let (mut out, signer) = (Effects::default(), Box::new(Signed::new(identity(0), "t", None)));
        let membership = Membership::new(settings, &init, signer, &mut Random::new(1), &mut out);
        let mut rig = Self { membership, out };
        for key in 1..=others {
            assert_eq!(rig.learn(NOW, key, None, |_| ()), Ok(()));
        }
        rig.rest();
        rig
    }

    /// Nothing is news any more, and nothing waits to be sent.
    fn rest(&mut self) {
        let places: Vec<MemberIndex> = self.membership.members.iter().map(|(place, _)| place).collect();
        places
            .into_iter()
            .for_each(|place| self.membership.broadcasts.stop(&mut self.membership.members, place));
        self.sent();
        self.out.outputs.clear();
        while self.membership.poll_change().is_some() {}
    }

    /// What member `key` says of itself, dated a second before the rig begins.
    fn word(&self, key: u8, change: impl FnOnce(&mut Statement)) -> Announcement {
        let mut statement = Statement {
            incarnation: Incarnation(1),
            boot: 7,
            version: Version::new(WALL - S, identity(key).id()),
            capabilities: 0,
            region: Region(0),
            leaves: false,
            addresses: [address(key)].to_vec(),
            claims: Vec::new(),
            serial: 0,
        };
        change(&mut statement);
        Announcement::sign(&identity(key), &mesh_key("t"), &statement)
    }

    fn learn(
        &mut self,
        now: u64,
        key: u8,
        teller: Option<MemberIndex>,
        change: impl FnOnce(&mut Statement),
    ) -> Result<(), Refusal> {
        let word = self.word(key, change);
        self.membership.learn(now, Announced::of(&word), teller, &mut Ahead::default(), &mut self.out)
    }

    fn place(&self, key: u8) -> MemberIndex {
        self.membership.members.find(identity(key).id()).expect("on record")
    }

    fn state(&self, key: u8) -> PeerState {
        self.membership.members.get(self.place(key)).state()
    }

    fn sent(&mut self) -> Vec<Sent> {
        let frames = core::iter::from_fn(|| self.out.send_queue.take());
        let messages = |sent: crate::control::send_queue::Addressed| {
            let messages = sent.control_frame.messages();
            (sent.to, messages.map(|message| (message.kind, message.body.to_vec())).collect())
        };
        frames.map(messages).collect()
    }

    /// To whom a message of this kind was sent.
    fn told(&mut self, kind: MessageKind) -> Vec<SocketAddr> {
        let of_kind =
            |(to, messages): Sent| messages.iter().any(|(other, _)| *other == kind as u8).then_some(to);
        self.sent().into_iter().filter_map(of_kind).collect()
    }

    fn accused(&self, key: u8, state: PeerState, by: u8) -> Accusation {
        let member = self.membership.members.get(self.place(key));
        let (id, rank, by) = (member.id(), member.rank(), identity(by));
        Accusation { id, rank, state, by: by.id(), signature: None }.sign(&by, &mesh_key("t"))
    }

    /// Handles a message of member `from`, who has shown its address or not.
    fn handle(
        &mut self,
        now: u64,
        from: u8,
        proven: bool,
        message: MembershipMsg<'_>,
    ) -> Result<crate::control::membership::delivery::Handled, Refusal> {
        let mut delivery = crate::control::membership::delivery::Delivery {
            from: self.place(from),
            address: address(from),
            proven,
            announced: false,
            ahead: Ahead::default(),
        };
        self.membership.handle_message(now, &mut delivery, message, &mut self.out)
    }

    fn accuse(&mut self, now: u64, from: u8, said: Accusation) -> Result<(), Refusal> {
        self.membership.handle_accusation(now, self.place(from), said, &mut self.out)
    }
}

/// A second later each time: what a member says next.
fn later(seconds: u64) -> impl FnOnce(&mut Statement) {
    move |statement| statement.version = Version(statement.version.0 + ((seconds * S) << 12))
}
