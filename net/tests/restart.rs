//! Nodes that are started again: killed, restored from a copy, with a clock that stepped back, with a disk that fails.
//!
//! A store that is ahead of the wall clock is a clock that stepped back: here half an hour, where versions may lie an hour apart.

mod patience;

use std::fs;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use octick::{
    Config, Counter, FileStore, Handle, Identity, Incarnation, Layout, Membership, MemoryStore, Reject, Run,
    Slot, StableError, StableState, StableStore, StartError, Update, WriteError, clock,
};
use octick_core::time::Wall;
use patience::until;

const LAYOUT: Layout = Layout { slots: 1_024, cells8: true, cells4: false, rows: false };
const HALF_HOUR: u64 = 1_800_000_000;

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn slot(n: usize) -> Slot {
    Slot(64 * n as u32)
}

fn config(n: usize, seed: Option<SocketAddr>) -> Config {
    let mut config = Config::new(identity(n), (Ipv4Addr::LOCALHOST, 0).into());
    config.layout = LAYOUT;
    config.runs = vec![Run { first: slot(n), len: 64 }];
    config.skew_max = Duration::from_secs(3_600);
    let mut membership = Membership::default();
    membership.settings.seeds = seed.into_iter().collect();
    config.membership = Some(membership);
    config
}

fn start(config: Config) -> Handle {
    octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
}

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("octick-restart-{}-{n}", std::process::id()));
        fs::create_dir(&path).expect("a directory of its own");
        Self(path)
    }

    fn state(&self) -> PathBuf {
        self.0.join("node.state")
    }

    /// A store whose last start was an hour's half later than it is now, and a hundred seconds' incarnations.
    fn of_the_future(&self) -> FileStore {
        let mut store = FileStore::new(self.state(), identity(1).id());
        store.load().expect("nothing is there");
        let reserved = Wall(clock::wall_micros() + HALF_HOUR);
        let state = StableState { incarnation: Incarnation(clock::incarnation() + 1_000), reserved };
        store.save(&state).expect("there is room");
        store
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn node(state: &Path, seed: &Handle) -> Handle {
    let mut config = config(1, Some(seed.local_addr()));
    config.stable_store = Box::new(FileStore::new(state, identity(1).id()));
    start(config)
}

/// The incarnation that a node says it is.
fn incarnation(node: &Handle) -> u32 {
    let view = node.mesh().expect("it looks after a mesh");
    view.members.iter().find(|member| member.this_node).expect("it is there").incarnation.0
}

fn arrives(seed: &Handle, value: u64) {
    until("it is there", || seed.reader().cell8(slot(1)).is_some_and(|cell| cell.value == value));
}

/// Stops a node as SIGKILL does: what its store held while it ran is what the next start finds.
fn kill(node: Handle, state: &Path) {
    let image = state.with_extension("image");
    fs::copy(state, &image).expect("it is there");
    drop(node);
    fs::rename(image, state).expect("the same directory");
}

#[test]
fn a_node_that_is_killed_and_started_again_at_once_with_its_clock_stepped_back_reuses_nothing() {
    let directory = Directory::new();
    let seed = start(config(0, None));
    drop(directory.of_the_future());
    let (mut last, mut version) = (0, 0);
    for value in 1..6 {
        let node = node(&directory.state(), &seed);
        node.writer().write(Update::Cell8(slot(1), value)).expect("its own cell");
        arrives(&seed, value);
        let now = seed.reader().cell8(slot(1)).expect("it has come").version.0;
        assert!(now > version && incarnation(&node) > last, "start {value}");
        (last, version) = (incarnation(&node), now);
        kill(node, &directory.state());
    }
    let tally = seed.tally();
    for reject in [Reject::OldIncarnation, Reject::BehindWindow, Reject::Duplicate, Reject::Future] {
        assert_eq!(tally.rejected(reject), 0, "{reject:?}");
    }
}

#[test]
fn a_node_restored_from_a_copy_writes_nothing_before_it_has_heard_and_goes_on_above_what_is_remembered() {
    let directory = Directory::new();
    let seed = start(config(0, None));
    drop(directory.of_the_future());
    let backup = directory.0.join("backup");
    fs::copy(directory.state(), &backup).expect("it is there");
    let mut remembered = 0;
    for value in 1..4 {
        let node = node(&directory.state(), &seed);
        node.writer().write(Update::Cell8(slot(1), value)).expect("its own cell");
        arrives(&seed, value);
        remembered = incarnation(&node);
    }
    fs::copy(&backup, directory.state()).expect("the same directory");
    let before = seed.tally();
    let node = node(&directory.state(), &seed);
    node.writer().write(Update::Cell8(slot(1), 77)).expect("it waits");
    arrives(&seed, 77);
    assert!(incarnation(&node) > remembered, "{} after {remembered}", incarnation(&node));
    let tally = seed.tally().since(&before);
    for reject in [Reject::OldIncarnation, Reject::BehindWindow, Reject::Duplicate] {
        assert_eq!(tally.rejected(reject), 0, "nothing was issued before: {reject:?}");
    }
    // It is kept, so the next start goes on from there.
    let began = incarnation(&node);
    drop(node);
    let state =
        FileStore::new(directory.state(), identity(1).id()).load().expect("whole").expect("it is there");
    assert_eq!(state.incarnation.0, began);
}

#[test]
fn a_node_that_hears_nobody_writes_nothing_while_only_its_store_vouches_for_it() {
    let directory = Directory::new();
    drop(directory.of_the_future());
    let mut config = config(1, Some((Ipv4Addr::LOCALHOST, 9).into()));
    config.stable_store = Box::new(FileStore::new(directory.state(), identity(1).id()));
    let node = start(config);
    assert!(
        node.warnings().iter().all(|warning| !warning.contains("wall clock")),
        "half an hour is borne here"
    );
    node.writer().write(Update::Cell8(slot(1), 1)).expect("it waits");
    until("it calls itself alone", || node.mesh().expect("it looks after a mesh").alone);
    assert_eq!((node.reader().cell8(slot(1)), node.tally().get(Counter::FramesMade)), (None, 0));
    let end = node.shutdown(Duration::from_millis(10)).expect("it ran");
    assert_eq!(end.unsent.blocks, 1, "and it says what it did not send");
}

#[test]
fn a_start_in_one_process_goes_on_from_the_one_before() {
    let (store, mut last) = (MemoryStore::default(), 0);
    for _ in 0..3 {
        let mut config = config(0, None);
        config.stable_store = Box::new(store.clone());
        let node = start(config);
        assert!(incarnation(&node) > last);
        last = incarnation(&node);
        node.writer().write(Update::Cell8(slot(0), 1)).expect("its own cell");
        until("it is written", || node.reader().cell8(slot(0)).is_some());
        let version = node.reader().cell8(slot(0)).expect("it is written").version;
        drop(node);
        let state = store.clone().load().expect("memory").expect("it was saved");
        assert!(state.reserved >= version.wall() && state.reserved < Wall(clock::wall_micros() + 1_000_000));
    }
}

#[test]
fn a_damaged_file_and_one_in_use_stop_the_start_and_say_why() {
    let directory = Directory::new();
    let seed = start(config(0, None));
    let fails = || {
        let mut config = config(1, None);
        config.stable_store = Box::new(FileStore::new(directory.state(), identity(1).id()));
        match octick::start(config.check().expect("sound")) {
            Err(StartError::Stable(error)) => error,
            _ => panic!("it starts"),
        }
    };
    let first = node(&directory.state(), &seed);
    assert!(matches!(fails(), StableError::InUse { .. }));
    drop(first);
    fs::write(directory.state(), b"octick").expect("there is room");
    assert!(matches!(fails(), StableError::Damaged { .. }));
}

/// A disk: how often it was written, what it holds, whether it fails, and a lock that it waits for.
#[derive(Clone, Debug, Default)]
struct Disk {
    saves: Arc<AtomicU32>,
    reserved: Arc<AtomicU64>,
    full: Arc<AtomicBool>,
    busy: Arc<Mutex<()>>,
}

impl StableStore for Disk {
    fn load(&mut self) -> Result<Option<StableState>, StableError> {
        Ok(None)
    }

    fn save(&mut self, state: &StableState) -> Result<(), StableError> {
        let _done = self.busy.lock().expect("nobody panics");
        if self.full.load(Ordering::Relaxed) {
            let error = Error::from(ErrorKind::StorageFull);
            return Err(StableError::Io { path: "disk".into(), doing: "write", error });
        }
        self.saves.fetch_add(1, Ordering::Relaxed);
        self.reserved.store(state.reserved.0, Ordering::Relaxed);
        Ok(())
    }
}

/// Writes and reads until the store is used up, and checks that nothing lies beyond it. Returns how a write is refused.
fn use_up(node: &Handle, disk: &Disk) -> WriteError {
    let (writer, reader, mut value) = (node.writer(), node.reader(), 0);
    let began = Instant::now();
    let refused = loop {
        value += 1;
        assert!(began.elapsed() < Duration::from_secs(60), "{value} writes, and none is refused");
        match writer.write(Update::Cell8(slot(0), value)) {
            Ok(()) | Err(WriteError::Full) => {}
            Err(refused) => break refused,
        }
    };
    let version = reader.cell8(slot(0)).expect("it was written before").version;
    assert!(
        version.wall() <= Wall(disk.reserved.load(Ordering::Relaxed)),
        "nothing is beyond what is durable"
    );
    refused
}

#[test]
fn a_store_that_fails_or_hangs_stops_writes_with_the_cause_and_they_go_on_when_it_answers() {
    let disk = Disk::default();
    let mut config = config(0, None);
    config.skew_max = Duration::from_secs(1);
    config.stable_store = Box::new(disk.clone());
    let node = start(config);
    let writer = node.writer();
    writer.write(Update::Cell8(slot(0), 1)).expect("there is room");
    until("it is written", || node.reader().cell8(slot(0)).is_some());
    assert_eq!(node.stable_failure(), None);

    disk.full.store(true, Ordering::Relaxed);
    let refused = use_up(&node, &disk);
    assert_eq!(refused, WriteError::NotReserved { why: ErrorKind::StorageFull });
    assert!(refused.to_string().contains("state_file"), "{refused}");
    assert!(node.stable_failure().is_some_and(|why| why.starts_with("disk: could not write")));
    disk.full.store(false, Ordering::Relaxed);
    until("writes are taken again", || writer.write(Update::Cell8(slot(0), u64::MAX)).is_ok());
    assert_eq!(node.stable_failure(), None);
    until("and sent", || node.reader().cell8(slot(0)).is_some_and(|cell| cell.value == u64::MAX));

    let busy = disk.busy.lock().expect("nobody panics");
    assert_eq!(use_up(&node, &disk), WriteError::NotReserved { why: ErrorKind::TimedOut });
    drop(busy);
    until("writes are taken again", || writer.write(Update::Cell8(slot(0), 7)).is_ok());
}

#[test]
fn saves_come_by_the_clock_and_not_by_the_frame() {
    let disk = Disk::default();
    let mut config = config(0, None);
    // Half a second ahead, renewed when a quarter is left.
    config.skew_max = Duration::from_secs(1);
    config.push.flush = Duration::ZERO;
    config.stable_store = Box::new(disk.clone());
    let (began, node) = (Instant::now(), start(config));
    assert_eq!(disk.saves.load(Ordering::Relaxed), 1, "before anything is issued");
    let (writer, mut value) = (node.writer(), 0);
    while node.tally().get(Counter::FramesMade) < 5_000 {
        value += 1;
        let _ = writer.write(Update::Cell8(slot(0), value));
    }
    let quarters = began.elapsed().as_millis() / 250;
    drop(node);
    let saves = u128::from(disk.saves.load(Ordering::Relaxed));
    assert!(saves <= 3 + quarters, "{saves} saves in {quarters} quarters of a second and 5,000 frames");
}
