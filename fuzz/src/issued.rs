//! Target `issued`: a control plane in a mesh that admits by credential, among members that come, lie, are revoked and come again.
//!
//! What is kept over an input: the authority's log, whom it revoked, six keys with credentials of several serials, addresses
//! that were proven or not, and time that passes in steps from a millisecond to days, so that credentials end. What is promised
//! after every step: whoever is on record and not gone has a credential of its own that the authority signed and did not revoke; nobody
//! holds a slot that was not granted to it; the log has exactly the decisions that the authority signed, in their order; the table keeps
//! its bound, and whoever never showed its address got little.

use std::collections::BTreeMap;
use std::sync::Arc;

use octick_core::admission::endorsement::authority_key;
use octick_core::admission::grant::{ANY_REGION, WRITE_CELLS};
use octick_core::admission::{
    Admission, Authority, AuthorityLog, Credential, Decision, Grant, SignedDecision,
};
use octick_core::control::message::announcement::{Announcement, mesh_key};
use octick_core::control::message::membership::{Accusation, Announced, MembershipMsg};
use octick_core::control::{
    Claim, Config, Control, MembershipSettings, NodeInit, Output, PacketInfo, PeerState, Refusals, Region,
    Signed, Statement,
};
use octick_core::stamp::{Incarnation, Run, Seq, Slot, Version};
use octick_core::time::Wall;
use octick_core::wire::ControlFrame;
use octick_crypto::{Identity, NodeId};

use crate::cursor::Cursor;
use crate::traffic::{Traffic, address};
use crate::world::{NOW, World};

/// Steps that one input may lead to: each verifies a few signatures.
const STEPS_MAX: usize = 40;
/// Members that the table holds.
const MEMBERS_MAX: usize = 5;
/// How long credentials hold, seconds, and for how long after that they are borne.
const HOLDS: u32 = 86_400;
const GRACE: u32 = 3_600;
/// Microseconds in a second.
const S: u64 = 1_000_000;

/// The authority's key; and whoever would like to be the authority.
fn authority(is_true: bool) -> Identity {
    Identity::from_seed(&[if is_true { 0xA1 } else { 0xA2 }; 32])
}

fn id(who: usize) -> NodeId {
    World::get().people[who].id()
}

fn run_of(who: usize) -> Run {
    Run { first: Slot(64 * who as u32), len: 64 }
}

fn grant(who: usize, serial: u64) -> Grant {
    let now = (NOW / S) as u32;
    Grant {
        serial,
        member: id(who),
        from: now,
        until: now + HOLDS,
        grace: GRACE,
        region: ANY_REGION,
        roles: 0,
        rights: WRITE_CELLS,
        name: format!("person-{who}"),
        runs: vec![run_of(who)],
    }
}

fn issue(grant: &Grant, by_the_true: bool) -> Credential {
    Credential::issue(grant, &authority_key("fuzz"), &[&authority(by_the_true)]).expect("a sound grant")
}

/// A node, and what became of it.
struct Play {
    control: Control,
    now: u64,
    seq: u64,
    /// Decisions of the authority in the order of their numbers, as far as they were said to this node in that order.
    decided: u64,
    revoked: BTreeMap<NodeId, u64>,
    traffic: Traffic,
}

impl Play {
    fn new(seed: u8) -> Self {
        let membership = MembershipSettings {
            members_max: MEMBERS_MAX,
            strangers: 4,
            seeds: vec![address(1)],
            ..MembershipSettings::default()
        };
        let settings = Config { membership, ..Config::default() }.check().expect("the settings hold");
        let root = Authority::new(vec![authority(true).public().clone()], 1).expect("one key");
        let init = NodeInit {
            mesh: mesh_key("fuzz"),
            now: S,
            wall: Wall(NOW),
            id: id(0),
            incarnation: Incarnation(1),
            region: Region(0),
            capabilities: 0,
            addresses: vec![address(0)],
            runs: vec![run_of(0)],
            seed: seed.into(),
            secret: [seed; 32],
            admission: Admission::issued(AuthorityLog::new(authority_key("fuzz"), root)),
            credential: Some(Arc::new(issue(&grant(0, 1), true))),
        };
        let signer = Signed::new(Identity::from_seed(&World::get().people[0].seed()), "fuzz", None);
        Self {
            control: Control::new(settings, init, Box::new(signer)),
            now: S,
            seq: 0,
            decided: 0,
            revoked: BTreeMap::new(),
            traffic: Traffic::default(),
        }
    }

    fn wall(&self) -> u64 {
        NOW + self.now - S
    }

    /// A control frame of person `who` arrives, in the life `life`.
    fn hear(&mut self, who: usize, life: u32, control_frame: &ControlFrame) {
        self.seq += 1;
        let packet = PacketInfo {
            from: address(who),
            to: Some(id(0)),
            origin: id(who),
            incarnation: Incarnation(life),
            seq: Seq(self.seq),
            version: Version::new(self.wall(), id(who)),
        };
        self.traffic.came(packet.from, control_frame);
        let messages = control_frame.messages();
        if let Ok(announcement) = self.control.introduce(self.now, packet.from, id(who), messages.clone()) {
            let _ = self.control.handle_introduced(self.now, &packet, announcement, messages);
        }
    }

    /// Takes what the node wants, and checks what holds after everything that happens.
    fn settle(&mut self) {
        let mut taken = 0;
        while let Some(output) = self.control.poll() {
            taken += 1;
            assert!(taken < 10_000, "a step leads to a bounded number of intentions");
            match output {
                Output::Send { to, control_frame } => self.traffic.went(to, &control_frame),
                Output::Member { announcement, runs, revoked, .. }
                    if !revoked && announcement.id() != id(0) =>
                {
                    let granted = announcement.credential().map_or(&[][..], |held| &held.grant().runs[..]);
                    let holds = |run: &Run| granted.iter().any(|granted| granted.covers(*run));
                    assert!(runs.iter().all(holds), "{runs:?} of {granted:?}");
                }
                _ => {}
            }
        }
        let members = self.control.members();
        assert!(members.len() <= MEMBERS_MAX, "{} members", members.len());
        let log = self.control.admission().log().expect("an authority");
        assert_eq!(log.len(), self.decided, "what the authority signed, in its order");
        for who in 0..World::get().people.len() {
            assert_eq!(log.revoked_to(id(who)), self.revoked.get(&id(who)).copied().unwrap_or(0));
        }
        for (_, member) in
            members.iter().filter(|(_, member)| member.state().is_live() && member.id() != id(0))
        {
            let credential = member.announcement().credential().expect("nobody is a member without one");
            let grant = credential.grant();
            assert!(grant.member == member.id(), "nobody lives by the credential of another");
            assert!(grant.serial > log.revoked_to(member.id()), "nobody lives by what was revoked");
            assert!(grant.name.starts_with("person-"), "the authority has signed it");
        }
    }

    /// A decision arrives, or is given by the operator: the next one or another, of the authority or of somebody else.
    fn decide(&mut self, who: usize, input: &mut Cursor<'_>) {
        let (about, serial) = (usize::from(input.u8()) % 6, u64::from(input.u8() % 4));
        let (number, how) = ((self.decided + u64::from(input.u8() % 3)).max(1), input.u8());
        let (is_true, is_bent) = (how & 3 != 0, how & 0x1C == 0x1C);
        // The node under test stays a member, or there would be little to see.
        let about = about.max(1);
        let decision = Decision::Revoke { member: id(about), serial };
        let made = SignedDecision::sign(number, &decision, &authority_key("fuzz"), &[&authority(is_true)]);
        let mut bytes = made.bytes().to_vec();
        if is_bent {
            let at = usize::from(input.u8()) % bytes.len();
            bytes[at] ^= 1 << (how >> 5);
        }
        let is_next = number == self.decided + 1 && is_true && !is_bent;
        let before = self.control.admission().log().expect("an authority").len();
        if how & 0xE0 == 0xE0 {
            if let Ok(read) = SignedDecision::read(&bytes) {
                let _ = self.control.decide(self.now, read);
            }
        } else {
            let mut control_frame = ControlFrame::to(id(0));
            let _ = MembershipMsg::Decision(&bytes).write(&mut control_frame);
            self.hear(who, 1, &control_frame);
        }
        let after = self.control.admission().log().expect("an authority").len();
        // From whom it is not known, or who spent its budget, it need not be taken; what is not the next one never is.
        assert!(after == before || (is_next && after == before + 1), "{before} decisions, then {after}");
        if after > before {
            self.decided = after;
            let revoked = self.revoked.entry(id(about)).or_default();
            *revoked = (*revoked).max(serial);
        }
    }
}

/// What person `who` announces: by some serial, with some claims, behind it some credential.
fn announcement(play: &Play, who: usize, input: &mut Cursor<'_>) -> (Announcement, Vec<u8>) {
    let (how, serial) = (input.u8(), 1 + u64::from(input.u8() % 4));
    let wanted = if how & 3 == 3 { Run { first: Slot(64), len: 128 } } else { run_of(who) };
    let claims = if how & 4 == 0 { vec![Claim { run: wanted, since: 0 }] } else { Vec::new() };
    let statement = Statement {
        incarnation: Incarnation(1 + u32::from(how >> 3 & 1)),
        boot: 1,
        version: Version::new(play.wall(), id(who)),
        capabilities: 0,
        region: Region(0),
        leaves: how & 0xF0 == 0xF0,
        addresses: vec![address(who)],
        claims,
        serial: if how & 0x30 == 0x30 { 0 } else { serial },
    };
    let said = Announcement::sign(&World::get().people[who], &mesh_key("fuzz"), &statement);
    let shown = input.u8();
    let mut grant = grant(if shown & 0x0F == 0x0F { (who + 1) % 6 } else { who }, serial);
    if shown & 0x30 == 0x30 {
        grant.name = "made-up".into();
    }
    let mut bytes = issue(&grant, shown & 0x30 != 0x30).bytes().to_vec();
    if shown & 0xC0 == 0xC0 {
        let at = usize::from(input.u8()) % bytes.len();
        bytes[at] ^= 1 << (input.u8() % 8);
    }
    (said, bytes)
}

/// Plays what `data` says.
pub fn run(data: &[u8]) {
    play(data);
}

/// [`run`], and what was refused.
pub fn play(data: &[u8]) -> Refusals {
    let mut input = Cursor::new(data);
    let mut play = Play::new(input.u8());
    play.control.tick(play.now);
    play.settle();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut play, &mut input);
        play.settle();
    }
    play.traffic.check();
    play.control.refusals()
}

fn step(play: &mut Play, input: &mut Cursor<'_>) {
    let (op, who) = (input.u8(), 1 + usize::from(input.u8()) % 5);
    let mut control_frame = ControlFrame::to(id(0));
    if op & 0x80 != 0 {
        let (said, credential) = announcement(play, who, input);
        let announced = Announced { announcement: said.bytes(), credential: &credential };
        let _ = MembershipMsg::Announce(announced).write(&mut control_frame);
    }
    match op % 8 {
        0 => {
            // From a millisecond to some days.
            play.now += u64::from(input.u16()) * if op & 0x40 == 0 { 1_000 } else { 5 * S };
            play.control.tick(play.now);
            return;
        }
        1 => return play.decide(who, input),
        2 => {
            let (said, credential) = announcement(play, 1 + usize::from(input.u8()) % 5, input);
            let announced = Announced { announcement: said.bytes(), credential: &credential };
            let message = if op & 0x40 == 0 { MembershipMsg::Announce } else { MembershipMsg::Missing };
            let _ = message(announced).write(&mut control_frame);
        }
        3 => _ = MembershipMsg::DecisionsAsk(u64::from(input.u8() % 4)).write(&mut control_frame),
        4 => {
            let token = play.traffic.token(address(who));
            let _ = MembershipMsg::Response(token.unwrap_or([input.u8(); 16])).write(&mut control_frame);
            let _ = MembershipMsg::SyncAsk { cursor: 0, digests: None }.write(&mut control_frame);
        }
        5 => {
            let asked = play.traffic.nonce(address(who));
            let (nonce, digest) = (u32::from(input.u8()), input.u32());
            let message = match op & 0x40 {
                0 => MembershipMsg::Ack { nonce: asked.unwrap_or(nonce), digest },
                _ => MembershipMsg::Ping { nonce, digest },
            };
            let _ = message.write(&mut control_frame);
        }
        6 => {
            let about = usize::from(input.u8()) % 6;
            let members = play.control.members();
            let rank = members.find(id(about)).map(|place| members.get(place).rank());
            let rank = rank.unwrap_or((Incarnation(1), Version(input.u64())));
            let state = if op & 0x40 == 0 { PeerState::Suspected } else { PeerState::Failed };
            let said = Accusation { id: id(about), rank, state, by: id(who), signature: None };
            // By itself, by another that it names, or by nobody.
            let said = match input.u8() % 4 {
                0 => said,
                1 => Accusation { signature: Some([7; 64]), ..said },
                2 => Accusation { by: id(1), ..said },
                _ => said.sign(&World::get().people[who], &mesh_key("fuzz")),
            };
            let _ = MembershipMsg::Accuse(said).write(&mut control_frame);
        }
        _ => {
            let (kind, len) = (input.u8().max(1), usize::from(input.u8()));
            let _ = control_frame.push(kind, input.bytes(len));
        }
    }
    if !control_frame.is_empty() {
        play.hear(who, 1, &control_frame);
    }
}
