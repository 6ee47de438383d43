//! A control plane among honest, lying and garbling members: nothing panics, nothing grows past its bound, nobody is
//! believed who did not sign, and little is sent to who has not shown its address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use octick_core::admission::Admission;
use octick_core::control::id::Region;
use octick_core::control::message::announcement::{Announcement, Unsound, mesh_key};
use octick_core::control::message::equivocation::Proof;
use octick_core::control::message::force_leave::{ForceLeave, Removal};
use octick_core::control::message::kind::{FREE, MessageKind};
use octick_core::control::message::membership::{Accusation, Announced, BUCKETS, Listed, MembershipMsg};
use octick_core::control::{
    Claim, Config, Control, MembershipSettings, NodeInit, Output, PacketInfo, PeerState, Refusals, Signer,
    Statement,
};
use octick_core::data::audit::AuditMsg;
use octick_core::list::List;
use octick_core::stamp::{Incarnation, Run, Seq, Slot, Version};
use octick_core::time::Wall;
use octick_core::wire::control_frame::BODY_MAX;
use octick_core::wire::{ControlFrame, Kind, Sealer, Stamp};
use octick_crypto::{MeshKeys, NodeId, PublicKey};

use crate::cursor::Cursor;
use crate::traffic::{Traffic, address};
use crate::world::{NOW, World};

/// Members that the table holds: fewer than there are people and lives.
const MEMBERS_MAX: usize = 5;
/// Control frames that one input may lead to.
const STEPS_MAX: usize = 120;

type Verdict = Result<Arc<Announcement>, Unsound>;

/// Verifies each announcement once in all inputs: a signature takes longer than everything else here.
struct Memory;

impl Signer for Memory {
    fn announce(&mut self, statement: &Statement) -> Arc<Announcement> {
        Arc::new(Announcement::sign(&World::get().people[0], &mesh_key("fuzz"), statement))
    }

    fn read(&mut self, bytes: &[u8]) -> Verdict {
        static SEEN: OnceLock<Mutex<BTreeMap<Vec<u8>, Verdict>>> = OnceLock::new();
        let mut seen = SEEN.get_or_init(Mutex::default).lock().expect("nobody panics while holding it");
        if seen.len() > 4_096 {
            seen.clear();
        }
        let verify = || Announcement::verify(bytes, &mesh_key("fuzz")).map(Arc::new);
        seen.entry(bytes.to_vec()).or_insert_with(verify).clone()
    }

    fn force_leave(&mut self, removal: &Removal) -> Arc<ForceLeave> {
        Arc::new(ForceLeave::sign(&World::get().people[0], &mesh_key("fuzz"), removal))
    }

    fn read_force_leave(&mut self, bytes: &[u8]) -> Result<Arc<ForceLeave>, Unsound> {
        ForceLeave::verify(bytes, &mesh_key("fuzz")).map(Arc::new)
    }

    fn accuse(&mut self, accusation: &Accusation) -> Accusation {
        accusation.sign(&World::get().people[0], &mesh_key("fuzz"))
    }

    fn is_accused(&mut self, accusation: &Accusation, key: &PublicKey) -> bool {
        accusation.is_signed(key, &mesh_key("fuzz"))
    }

    fn is_equivocation(&mut self, proof: &Proof, key: &PublicKey) -> bool {
        proof.holds(&MeshKeys::derive("fuzz"), key)
    }
}

/// What person `who` says of itself, with a few spread_settings.
fn statement(who: usize, input: &mut Cursor<'_>) -> Statement {
    let (spread_settings, version) = (input.u8(), u64::from(input.u8()));
    let claims = (0..usize::from(spread_settings >> 6)).map(|i| Claim {
        run: Run { first: Slot(64 * i as u32 + 16 * u32::from(spread_settings & 3)), len: 32 },
        since: NOW + u64::from(spread_settings),
    });
    // Most are of these seconds, some of the day before the last, or of an hour to come.
    let micros = match version {
        0..=230 => NOW + version * 1_000,
        231..=254 => NOW - 48 * 3_600_000_000,
        _ => NOW + 3_600_000_000,
    };
    Statement {
        incarnation: Incarnation(1 + u32::from(spread_settings >> 4 & 1)),
        boot: u32::from(spread_settings >> 3 & 1),
        version: Version::new(micros, World::get().people[who].id()),
        capabilities: 0,
        region: Region(u16::from(spread_settings & 15 == 15)),
        leaves: spread_settings & 63 == 33,
        addresses: vec![address(if spread_settings & 31 == 7 { 200 } else { who })],
        claims: claims.collect(),
        serial: 0,
    }
}

/// A node, and what became of it.
struct Play {
    control: Control,
    now: u64,
    seqs: [u64; 6],
    traffic: Traffic,
}

impl Play {
    fn new(seed: u8) -> Self {
        let me = World::get().people[0].id();
        let seeds = vec![address(1)];
        let membership = MembershipSettings {
            members_max: MEMBERS_MAX,
            strangers: 4,
            seeds,
            ..MembershipSettings::default()
        };
        let settings = Config { membership, ..Config::default() }.check().expect("the settings hold");
        let init = NodeInit {
            mesh: mesh_key("fuzz"),
            now: 1_000_000,
            wall: Wall(NOW),
            id: me,
            incarnation: Incarnation(1),
            region: Region(0),
            capabilities: 0,
            addresses: vec![address(0)],
            runs: vec![Run { first: Slot(0), len: 64 }],
            seed: seed.into(),
            secret: [seed; 32],
            admission: Admission::default(),
            credential: None,
        };
        Self {
            control: Control::new(settings, init, Box::new(Memory)),
            now: 1_000_000,
            seqs: [0; 6],
            traffic: Traffic::default(),
        }
    }

    /// A control frame arrives, said to be person `who`'s.
    fn control_frame(
        &mut self,
        who: usize,
        life: u32,
        seq: Option<u64>,
        control_frame: &ControlFrame,
        to: Option<usize>,
    ) {
        let origin = World::get().people[who].id();
        self.seqs[who] += 1;
        let packet = PacketInfo {
            from: address(who),
            to: to.map(|to| World::get().people[to].id()),
            origin,
            incarnation: Incarnation(life),
            seq: Seq(seq.unwrap_or(self.seqs[who])),
            version: Version::new(NOW + self.now, origin),
        };
        self.traffic.came(packet.from, control_frame);
        let messages = control_frame.messages();
        if let Ok(announcement) = self.control.introduce(self.now, packet.from, origin, messages.clone()) {
            let _ = self.control.handle_introduced(self.now, &packet, announcement, messages);
        }
    }

    /// Takes what the node wants, and checks what holds after everything that happens.
    fn settle(&mut self) {
        let mut taken = 0;
        while let Some(output) = self.control.poll() {
            taken += 1;
            assert!(taken < 10_000, "a step leads to a bounded number of intentions");
            if let Output::Send { to, control_frame } = output {
                self.traffic.went(to, &control_frame);
            }
        }
        assert!(self.control.next_due() > 0);
        let members = self.control.members();
        assert!(members.len() <= MEMBERS_MAX);
        let me = World::get().people[0].id();
        let own = members.find(me).map(|place| members.get(place)).expect("this node is a member");
        assert_eq!(own.state(), PeerState::Alive);
        let people: Vec<NodeId> = World::get().people.iter().map(|person| person.id()).collect();
        assert!(members.iter().all(|(_, member)| people.contains(&member.id())), "nobody else has signed");
        assert!(members.live().iter().all(|place| members.get(*place).state().is_live()));
    }
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
    let (op, who, life) = (input.u8(), usize::from(input.u8()) % 6, input.u8());
    // Most are for this node, some for whoever is there, and few for another.
    let to = [Some(0), None, Some(0), Some(1)][usize::from(life >> 6)];
    let life = 1 + u32::from(life & 1);
    let mut control_frame = ControlFrame::new();
    let about = usize::from(input.u8()) % 6;
    // Most control frames begin with their author's word, so that strangers become members.
    if op & 0x80 != 0 {
        let word = Announcement::sign(&World::get().people[who], &mesh_key("fuzz"), &statement(who, input));
        let _ = MembershipMsg::Announce(Announced::bare(word.bytes())).write(&mut control_frame);
    }
    match op % 9 {
        0 => {
            play.now += u64::from(input.u16()) * 1_000;
            play.control.tick(play.now);
            return;
        }
        1 => {
            let kind = input.u8().max(1);
            let len = usize::from(input.u8());
            let body = input.bytes(len);
            if let Some(compare) = AuditMsg::decode(body) {
                let mut again = List::<u8, BODY_MAX>::new();
                compare.encode(&mut again);
                assert_eq!(AuditMsg::decode(&again), Some(compare), "what was read is written as it is read");
            }
            if kind == MessageKind::Proof as u8 {
                // Somebody signed two things under one number; or, if the length is odd, one of them in another mesh.
                let said = |value, mesh: &str| {
                    let (mut train, person) = (Sealer::new(), &World::get().people[about]);
                    train.frame(Kind::Rows, |draft| _ = draft.rows(&[(0, 0, value)]));
                    let version = Version::new(NOW, person.id());
                    let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(7), version };
                    train.seal(person, &MeshKeys::derive(mesh), &stamp);
                    train.frames().next().expect("one frame").to_vec()
                };
                let other = said(2, if len & 1 == 0 { "fuzz" } else { "elsewhere" });
                let proof = Proof::of(&said(1, "fuzz"), &other).expect("they differ");
                for piece in proof.pieces() {
                    let _ = MembershipMsg::Proof(piece).write(&mut control_frame);
                }
            } else {
                let _ = control_frame.push(kind, body);
            }
        }
        2 => {
            let mut word =
                Announcement::sign(&World::get().people[about], &mesh_key("fuzz"), &statement(about, input))
                    .bytes()
                    .to_vec();
            let (at, bend) = (usize::from(input.u8()) % word.len(), input.u8());
            word[at] ^= if bend < 0xC0 { 0 } else { bend };
            let _ = MembershipMsg::Announce(Announced::bare(&word)).write(&mut control_frame);
        }
        3 => {
            let id = World::get().people[about].id();
            let members = play.control.members();
            let known = members.find(id).map(|place| members.get(place).rank());
            let rank = match (known, input.u8() & 3) {
                (Some(rank), 1..) => rank,
                _ => (Incarnation(input.u8().into()), Version(input.u64())),
            };
            let state = if input.u8() & 1 == 0 { PeerState::Suspected } else { PeerState::Failed };
            let by = World::get().people[usize::from(input.u8()) % 6].id();
            let signer = usize::from(input.u8());
            let said = Accusation { id, rank, state, by, signature: None };
            // Some are signed by whom they name, and some by another.
            let said = match World::get().people.iter().find(|person| person.id() == by) {
                Some(by) if signer < 0x60 => said.sign(by, &mesh_key("fuzz")),
                _ if signer < 0x80 => Accusation { signature: Some([signer as u8; 64]), ..said },
                _ => said,
            };
            let _ = MembershipMsg::Accuse(said).write(&mut control_frame);
        }
        4 => {
            let (digest, nonce) = (input.u32(), u32::from(input.u8()));
            let asked = play.traffic.nonce(address(who));
            let target = World::get().people[about].id();
            let note = match input.u8() % 4 {
                0 => MembershipMsg::Ping { nonce, digest },
                1 => MembershipMsg::Ack { nonce: asked.unwrap_or(nonce), digest },
                2 => MembershipMsg::PingReq { nonce, target },
                _ => MembershipMsg::Nack { nonce: asked.unwrap_or(nonce) },
            };
            let _ = note.write(&mut control_frame);
        }
        5 => {
            let (cursor, fill) = (input.u8() % BUCKETS as u8, input.u8());
            let digests = [[fill; 4]; BUCKETS];
            let digests = (fill & 1 == 0).then_some(&digests);
            let _ = MembershipMsg::SyncAsk { cursor, digests }.write(&mut control_frame);
        }
        6 => {
            let (bucket, count) = (input.u8() % BUCKETS as u8, usize::from(input.u8() % 70));
            let entries: Vec<[u8; Listed::LEN]> = (0..count).map(|i| [i as u8; Listed::LEN]).collect();
            let names: Vec<[u8; 8]> = (0..count).map(|i| [i as u8; 8]).collect();
            let note = match input.u8() % 3 {
                0 => MembershipMsg::SyncList { bucket, entries: &entries },
                1 => MembershipMsg::SyncWant { bucket, names: &names },
                _ => MembershipMsg::SyncDone { next: bucket, digest: input.u32() },
            };
            let _ = note.write(&mut control_frame);
        }
        7 => {
            let token = play.traffic.token(address(who));
            let _ = MembershipMsg::Response(token.unwrap_or([input.u8(); 16])).write(&mut control_frame);
            let _ = MembershipMsg::Hello.write(&mut control_frame);
            let _ = MembershipMsg::SyncAsk { cursor: 0, digests: None }.write(&mut control_frame);
        }
        _ => {
            let token = [input.u8(); 16];
            let _ = MembershipMsg::Challenge { token, seen_at: address(about) }.write(&mut control_frame);
            let _ = control_frame.push(FREE, &[1, 2, 3]);
        }
    }
    if !control_frame.is_empty() {
        let seq = (op & 0x40 != 0).then(|| u64::from(input.u8()));
        play.control_frame(who, life, seq, &control_frame, to);
    }
}
