//! What the directory gives back, and who makes room in it: a node that hears of members without end, without sockets.

mod nodes;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nodes::{LAYOUT, MESH, NOW, SKEW};
use octick_core::Reject;
use octick_core::admission::Admission;
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::membership::{Announced, MembershipMsg};
use octick_core::control::{
    Announcement, Claim, Config, Control, MembershipSettings, NodeInit, Region as Home, Signed, Statement,
};
use octick_core::counters::{Counter, Counters};
use octick_core::crypto::{Identity, NodeId};
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Origin, Update};
use octick_core::engine::{Engine, MeshEvent, NotLearnt, Parts};
use octick_core::stamp::{Incarnation, OriginIndex, Run, Seq, Slot, Version};
use octick_core::state::{Regions, State};
use octick_core::table::{Kernel, Region};
use octick_core::time::Wall;
use octick_core::wire::{ControlFrame, Frame, Kind, Sealer, Stamp};
use octick_crypto::MeshKeys;

const S: u64 = 1_000_000;

fn identity(key: u32) -> Identity {
    let mut seed = [9; 32];
    seed[..4].copy_from_slice(&key.to_le_bytes());
    Identity::from_seed(&seed)
}

fn id(key: u32) -> NodeId {
    identity(key).id()
}

fn address(key: u32) -> SocketAddr {
    SocketAddr::from(([10, 7, (key >> 8) as u8, key as u8], 7_700))
}

fn run(n: u32) -> Run {
    Run { first: Slot(16 * n), len: 16 }
}

fn origin(key: u32, runs: &[Run]) -> Origin {
    Origin { key: identity(key).public().clone(), runs: runs.to_vec(), revoked: false }
}

fn parts(key: u32, incarnation: u32, origins: Vec<Origin>, origins_max: usize, runs: Vec<Run>) -> Parts {
    let regions = Regions::take(&LAYOUT, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    Parts {
        identity: identity(key),
        keys: MeshKeys::derive(MESH),
        incarnation: Incarnation(incarnation),
        directory: Directory::new(origins, [1, 2]).unwrap(),
        origins_max,
        runs,
        state: State::new(LAYOUT, regions, Kernel::detect(), NOW),
        changes: 64,
        counters: Counters::default(),
        ticks: nodes::no_ticks,
    }
}

/// What a member says of itself, `version` microseconds after the beginning.
fn said(key: u32, incarnation: u32, version: u64, claims: &[Run], leaves: bool) -> Announcement {
    let statement = Statement {
        incarnation: Incarnation(incarnation),
        boot: 1,
        version: Version::new(NOW + version, id(key)),
        capabilities: 0,
        region: Home(0),
        leaves,
        addresses: vec![address(key)],
        claims: claims.iter().map(|run| Claim { run: *run, since: NOW }).collect(),
        serial: 0,
    };
    Announcement::sign(&identity(key), &mesh_key(MESH), &statement)
}

/// Frames of a member that writes its run's first cell.
fn writes(key: u32, incarnation: u32, own: Run, count: u64) -> Vec<Vec<u8>> {
    let mut engine = Engine::new(parts(key, incarnation, vec![origin(key, &[own])], 1, vec![own]));
    let frame = |i| {
        engine.write(Update::Cell8(own.first, i)).unwrap();
        engine.flush(NOW + i).expect("something is pending").frames().next().expect("a frame").to_vec()
    };
    (1..=count).map(frame).collect()
}

/// The node that hears all of this.
struct Node {
    engine: Engine,
    ingress: Ingress,
    counters: Counters,
    now: u64,
    /// Numbers of control frames.
    seq: u64,
}

impl Node {
    /// Knows itself, key 0.
    fn new(origins_max: usize, admission: Admission) -> Self {
        let parts = parts(0, 1, vec![origin(0, &[])], origins_max, Vec::new());
        let (directory, counters, keys) =
            (parts.directory.clone(), parts.counters.clone(), parts.keys.clone());
        let init = NodeInit {
            mesh: mesh_key(MESH),
            now: 0,
            wall: Wall(NOW),
            id: id(0),
            incarnation: Incarnation(1),
            region: Home(0),
            capabilities: 0,
            addresses: vec![address(0)],
            runs: Vec::new(),
            seed: 1,
            secret: [1; 32],
            admission,
            credential: None,
        };
        let membership = MembershipSettings {
            strangers: 100_000,
            forget_after: Duration::from_secs(60),
            ..MembershipSettings::default()
        };
        let settings = Config { membership, ..Config::default() }.check().expect("the settings hold");
        let signer = Signed::new(identity(0), MESH, None);
        let engine = Engine::new(parts).with_control(Control::new(settings, init, Box::new(signer)), 1 << 16);
        let terms = Terms { layout: LAYOUT, skew_micros_max: SKEW };
        let ingress =
            Ingress::new(directory, engine.windows(), terms, keys, counters.clone(), nodes::no_ticks)
                .for_node(id(0));
        Self { engine, ingress, counters, now: 0, seq: 0 }
    }

    /// A member's control frame that says of itself what it announces, and whatever it tells of others.
    fn sealed(&mut self, by: u32, own: &Announcement, told: &[Announcement]) -> Vec<u8> {
        let incarnation = own.statement().incarnation;
        let mut control_frame = ControlFrame::to(id(0));
        for said in core::iter::once(own).chain(told) {
            assert!(MembershipMsg::Announce(Announced::of(said)).write(&mut control_frame), "it fits");
        }
        self.seq += 1;
        let mut sealer = Sealer::new();
        sealer.frame(Kind::Control, |draft| draft.control_frame(&control_frame));
        let version = Version::new(NOW + self.now, id(by));
        sealer.seal(
            &identity(by),
            &MeshKeys::derive(MESH),
            &Stamp { incarnation, first_seq: Seq(self.seq), version },
        );
        sealer.frames().next().expect("a frame").to_vec()
    }

    /// Takes such a control frame.
    fn hear(&mut self, by: u32, own: &Announcement, told: &[Announcement]) {
        let bytes = self.sealed(by, own, told);
        let frame = Frame::parse(&bytes).expect("it is sound");
        self.engine.handle_stranger(self.now, address(by), &frame);
        self.settle();
    }

    fn settle(&mut self) {
        while self.engine.next_control_frame(NOW + self.now).is_some() {}
        if self.engine.settle_members().is_some() {
            self.ingress.set_directory(self.engine.directory().clone());
        }
    }

    fn run(&mut self, micros: u64) {
        let until = self.now + micros;
        while self.now < until {
            self.now = self.engine.next_due().clamp(self.now + 1, self.now + S).min(until);
            self.engine.tick(self.now);
            self.settle();
        }
    }

    /// Takes a frame; whether it was merged.
    fn take(&mut self, frame: &[u8]) -> bool {
        let batch = self.ingress.check(&[frame], &nodes::senders(1), NOW + self.now);
        self.engine.absorb(&batch).fresh == 1
    }

    fn knows(&self, key: u32) -> bool {
        self.place(key).is_some()
    }

    fn place(&self, key: u32) -> Option<OriginIndex> {
        self.engine.directory().find(&id(key))
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counters.snapshot().get(counter)
    }

    /// One member, heard, tells of `keys`.
    fn told_of(&mut self, by: u32, keys: impl Iterator<Item = u32>, leaves: bool) {
        let own = said(by, 1, 0, &[], false);
        let all: Vec<Announcement> = keys.map(|key| said(key, 1, self.now, &[], leaves)).collect();
        for some in all.chunks(4) {
            self.hear(by, &own, some);
        }
    }
}

#[test]
fn who_is_forgotten_gives_its_place_back_and_nothing_of_it_speaks_for_the_next() {
    let mut node = Node::new(3, Admission::default());
    node.hear(1, &said(1, 9, 0, &[run(1)], false), &[]);
    let old = writes(1, 9, run(1), 5);
    assert!(old[..4].iter().all(|frame| node.take(frame)));
    let place = node.place(1).expect("it is a member");
    // It leaves, and is remembered for a minute.
    node.now += S;
    node.hear(1, &said(1, 9, S, &[run(1)], true), &[]);
    node.run(50 * S);
    assert!(node.knows(1) && !node.take(&old[3]), "a duplicate");
    node.run(20 * S);
    assert!(!node.knows(1) && node.engine.directory().len() == 1);
    assert!(!node.take(&old[4]), "nothing that it signed counts");
    assert_eq!(node.counters.snapshot().rejected(Reject::UnknownOrigin), 1);
    // The next one at its place is in an earlier incarnation, and numbers its frames from one.
    node.hear(2, &said(2, 1, node.now, &[run(1)], false), &[]);
    assert_eq!(node.place(2), Some(place));
    let new = writes(2, 1, run(1), 4);
    assert!(new.iter().all(|frame| node.take(frame)), "its numbers are its own");
    assert!(new.iter().all(|frame| !node.take(frame)) && old.iter().all(|frame| !node.take(frame)));
    let owner = node.engine.directory().origins().find(|origin| origin.runs == [run(1)]);
    assert_eq!(owner.map(|origin| origin.key.id()), Some(id(2)));
}

#[test]
fn members_that_left_before_they_were_known_take_no_place() {
    let mut node = Node::new(64, Admission::default());
    node.hear(1, &said(1, 1, 0, &[], false), &[]);
    node.told_of(1, 1_000..5_200, true);
    assert_eq!((node.engine.directory().len(), node.count(Counter::OriginsEvicted)), (2, 0));
    node.hear(2, &said(2, 1, node.now, &[run(2)], false), &[]);
    assert!(node.take(&writes(2, 1, run(2), 1)[0]));
}

#[test]
fn a_full_directory_lets_go_of_whom_nobody_heard_and_of_nobody_else() {
    let mut node = Node::new(64, Admission::default());
    node.engine.learn([origin(500, &[run(50)])]).expect("there is room");
    for key in 1..=10 {
        node.hear(key, &said(key, 1, 0, &[run(key)], false), &[]);
    }
    node.told_of(1, 1_000..1_600, false);
    assert!(node.engine.directory().len() <= 64);
    assert!(node.count(Counter::OriginsEvicted) > 500, "{}", node.count(Counter::OriginsEvicted));
    assert!((0..=10).chain([500]).all(|key| node.knows(key)), "who was heard, or configured, stays");
    assert!(node.take(&writes(3, 1, run(3), 1)[0]), "and writes");
    // So a newcomer finds room.
    node.hear(20, &said(20, 1, 0, &[run(20)], false), &[]);
    assert!(node.knows(20) && node.take(&writes(20, 1, run(20), 1)[0]));
    assert_eq!(node.count(Counter::OriginsRefused), 0);
}

#[test]
fn who_made_room_is_taken_in_again_when_it_is_heard() {
    let mut node = Node::new(32, Admission::default());
    node.hear(1, &said(1, 1, 0, &[], false), &[]);
    let shy = said(2, 1, 0, &[run(2)], false);
    node.hear(1, &said(1, 1, 0, &[], false), core::slice::from_ref(&shy));
    assert!(node.knows(2));
    node.told_of(1, 1_000..1_100, false);
    assert!(!node.knows(2), "nobody heard it");
    node.hear(2, &shy, &[]);
    assert!(node.knows(2) && node.take(&writes(2, 1, run(2), 1)[0]));
}

#[test]
fn a_directory_full_of_members_that_were_heard_refuses_more_and_says_so() {
    let mut node = Node::new(16, Admission::default());
    for key in 1..16 {
        node.hear(key, &said(key, 1, 0, &[], false), &[]);
    }
    assert_eq!(node.engine.directory().len(), 16);
    while node.engine.next_event().is_some() {}
    node.told_of(1, 1_000..1_008, false);
    assert!((1..16).all(|key| node.knows(key)));
    assert_eq!((node.count(Counter::OriginsEvicted), node.count(Counter::OriginsRefused)), (0, 8));
    let refused = std::iter::from_fn(|| node.engine.next_event());
    let full = |event: &MeshEvent| matches!(event, MeshEvent::NotLearnt { why: NotLearnt::Full { .. }, .. });
    assert_eq!(refused.filter(full).count(), 8);
}

#[test]
fn who_is_known_by_right_outdoes_whoever_is_not() {
    let mut admission = Admission::open(None);
    (100..104).for_each(|key| admission.list(id(key), Vec::new()));
    let mut node = Node::new(16, admission);
    for key in 1..16 {
        node.hear(key, &said(key, 1, 0, &[], false), &[]);
    }
    for key in 100..104 {
        node.hear(key, &said(key, 1, 0, &[], false), &[]);
        assert!(node.knows(key), "{key}");
    }
    // And stays, whoever comes.
    for key in 200..220 {
        node.hear(key, &said(key, 1, 0, &[], false), &[]);
    }
    assert!((100..104).all(|key| node.knows(key)));
    // The configuration beats everybody.
    node.engine.learn((300..310).map(|key| origin(key, &[]))).expect("they make room");
    assert!((300..310).chain(100..104).all(|key| node.knows(key)));
}

/// What a word costs every node of a mesh of 4,000, checks of the frame that brings it left out:
/// `cargo test --release -p octick-core --test directory -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures"]
fn what_a_word_costs() {
    let evil = 1;
    let own = said(evil, 1, 0, &[], false);
    let began = Instant::now();
    (0..200).for_each(|_| assert!(Announcement::verify(own.bytes(), &mesh_key(MESH)).is_ok()));
    println!("verifying an announcement: {:?}", began.elapsed() / 200);
    let mut node = Node::new(8_192, Admission::default());
    node.hear(evil, &own, &[]);
    let members: Vec<Announcement> = (0..4_000).map(|k| said(20_000 + k, 1, 0, &[run(k)], false)).collect();
    members.chunks(4).for_each(|some| node.hear(evil, &own, some));
    println!("{} members", node.engine.directory().len());
    for (name, first) in [("free slots", 5_000), ("another's slots", 100)] {
        let (mut told, mut settled) = (Duration::ZERO, Duration::ZERO);
        let rounds = 200;
        for i in 0..rounds {
            // Each is paid for.
            node.now += 2 * S;
            let claim = Run { first: Slot(16 * first), len: 16 + 16 * (i % 2) };
            let word = said(evil, 1, node.now, &[claim], false);
            let bytes = node.sealed(evil, &word, &[]);
            let frame = Frame::parse(&bytes).expect("it is sound");
            let began = Instant::now();
            node.engine.handle_control_frame(node.now, address(evil), &frame);
            told += began.elapsed();
            while node.engine.next_control_frame(NOW + node.now).is_some() {}
            let began = Instant::now();
            assert!(node.engine.settle_members().is_some(), "its claims are other ones");
            settled += began.elapsed();
        }
        println!(
            "a claim to {name}: {:?} to hear, {:?} for a new directory",
            told / rounds,
            settled / rounds
        );
    }
    let mut node = Node::new(4_096, Admission::default());
    node.hear(evil, &own, &[]);
    for (name, keys) in [("filling", 100_000..104_200), ("full", 104_200..107_000)] {
        let all: Vec<Announcement> = keys.map(|key| said(key, 1, 0, &[], false)).collect();
        let mut took = Duration::ZERO;
        for some in all.chunks(4) {
            let bytes = node.sealed(evil, &own, some);
            let frame = Frame::parse(&bytes).expect("it is sound");
            let began = Instant::now();
            node.engine.handle_control_frame(node.now, address(evil), &frame);
            while node.engine.settle_members().is_some() {}
            took += began.elapsed();
            node.settle();
        }
        println!("{name}: {:?} a control frame of four new keys", took / (all.len() / 4) as u32);
    }
}
