//! One node of a cluster: a process of its own, told by a number who it is and where the first one receives.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use octick::{
    Config, Counter, Handle, Identity, Layout, Membership, MeshEvent, NextEvent, NodeId, PeerState,
    RecvError, Run, Slot, Update,
};

use super::protocol::{Ask, State, Tell};

/// Slots of a node.
const RUN: u32 = 64;
/// Between two rounds of writing all of them.
const WRITE_GAP: Duration = Duration::from_millis(100);

/// Who a node is.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    number: usize,
    #[arg(long)]
    nodes: usize,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    seed: Option<SocketAddr>,
    #[arg(long)]
    plain_swim: bool,
}

/// Runs until its standard input is closed.
pub(crate) fn run(options: &Options) -> ExitCode {
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("node {}: {error}", options.number);
            ExitCode::from(2)
        }
    }
}

/// The key of node `number`: anybody may know it, for it only measures.
fn identity(number: usize) -> Identity {
    let mut seed = [0x5C; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Identity::from_seed(&seed)
}

fn serve(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(identity(options.number), options.listen);
    config.mesh = "octick-perf cluster".into();
    config.layout =
        Layout { slots: RUN * (options.nodes as u32 + 1), cells8: true, cells4: false, rows: false };
    config.runs = vec![Run { first: Slot(RUN * options.number as u32), len: RUN }];
    // As who puts a hundred on one machine would: the defaults are for a node that has a machine to itself.
    (config.writes_queue, config.changes_ring, config.socket.buffers) = (1_024, 1_024, 32);
    let mut membership = Membership { frame_cache: 4 << 20, ..Membership::default() };
    membership.settings.seeds = options.seed.into_iter().collect();
    membership.settings.lifeguard = !options.plain_swim;
    config.membership = Some(membership);
    let began = wall_ns();
    let node = Arc::new(octick::start(config.check()?)?);
    tell(&Tell::Up(node.id().to_string(), began))?;

    let (watched, nodes) = (node.clone(), options.nodes);
    thread::spawn(move || watch(&watched, nodes));
    let writing = Arc::new(AtomicBool::new(false));
    let (writer, writes, first) = (node.writer(), writing.clone(), RUN * options.number as u32);
    thread::spawn(move || {
        for value in 0.. {
            thread::sleep(WRITE_GAP);
            if writes.load(Ordering::Relaxed) {
                // A full queue is no loss: the next round writes the same cells.
                (first..first + RUN).for_each(|slot| _ = writer.write(Update::Cell8(Slot(slot), value)));
            }
        }
    });
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Ask::Counts => {
                let tally = node.tally();
                let count = |counter| tally.get(counter);
                tell(&Tell::Counts {
                    bytes: count(Counter::BytesOut),
                    control_frames: count(Counter::ControlFramesMade),
                })?;
            }
            Ask::Write(on) => writing.store(on, Ordering::Relaxed),
            Ask::View => {
                let view = node.mesh()?;
                let number = |runs: &[Run]| runs.first().map(|run| (run.first.0 / RUN) as usize);
                let live = view.live().filter_map(|member| number(&member.runs)).collect();
                tell(&Tell::View { live, digest: node.digest()?.to_string() })?;
            }
        }
    }
    Ok(())
}

/// Tells whatever becomes of members.
fn watch(node: &Handle, nodes: usize) {
    let mut events = node.events();
    let mut states: Vec<(NodeId, State)> = Vec::new();
    let mut told = 0;
    loop {
        let next = match events.recv(Duration::from_secs(1)) {
            Ok(next) => next,
            Err(RecvError::Timeout) => continue,
            Err(RecvError::Closed) => return,
        };
        let NextEvent::Event(MeshEvent::Member { id, state, .. }) = next else { continue };
        let state = match state {
            PeerState::Alive => State::Alive,
            PeerState::Suspected => State::Suspected,
            PeerState::Failed | PeerState::Left => State::Gone,
        };
        let known = states.iter_mut().find(|(other, _)| *other == id);
        let before = match known {
            Some((_, known)) => std::mem::replace(known, state),
            None => {
                states.push((id, state));
                State::Gone
            }
        };
        let live = states.iter().filter(|(_, state)| *state != State::Gone).count();
        let now = wall_ns();
        let mut said = Ok(());
        if before != state && (state == State::Suspected || before != State::Gone) {
            said = tell(&Tell::State(id.to_string(), state, now));
        }
        if live != told && live >= nodes / 2 {
            told = live;
            said = said.and(tell(&Tell::Live(live, now)));
        }
        if said.is_err() {
            return;
        }
    }
}

pub(super) fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn tell(tell: &Tell) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(tell)?)?;
    out.flush()
}
