//! Garbage at ten times the genuine rate: what it leaves of a node's genuine throughput, one ingress core.
//!
//! The genuine frames are full, and each is signed by itself; the garbage are the same frames with a bit flipped, in the
//! same origins' names, from an address that is no peer's. Both come in trains of datagrams, as in the other rows.
//!
//! By the clock: at the rate that a core must reach, how many genuine frames are merged with and without the flood, as
//! long as nobody waits for anybody. By CPU time: how many a core has room for at most, where the sender waits for the
//! node's count and nothing is lost; there garbage comes one by one, too.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::pool::Pool;
use octick::socket::{Sender, Socket, SocketSettings};
use octick::{Config, Counter, Handle, Identity, Layout, Peer, Reject};
use octick_core::limits::BATCH_MAX;

use super::node::others_cpu_ns;
use super::options::Options;
use crate::machine;
use crate::pipeline::MESH;
use crate::report::{Bar, Report, Row};
use crate::signers::Signers;

const SLOTS: u32 = 1 << 17;
const SIGNERS: usize = 16;
/// Garbage frames for each genuine one.
const TIMES: usize = 10;
/// Frames on their way before more are sent.
const FLIGHT: u64 = 2 * BATCH_MAX as u64;
/// How long the node may stand still before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where a value lies in a full frame of dense cells: behind the header and the first block's own.
const VALUE_AT: usize = 60;

/// Genuine frames a millisecond by the clock: 140,000 a second is what one ingress core must verify.
const PER_MILLI: usize = 140;

/// How a round's garbage comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flood {
    None,
    Trains,
    Alone,
}

/// CPU time of the node, and what became of the frames.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    ticks: f64,
    genuine: u64,
    /// Garbage that was refused unread.
    refused: u64,
    garbage: u64,
}

impl Spent {
    /// Ticks for a genuine frame and the garbage that comes with it.
    fn a_frame(&self) -> f64 {
        self.ticks / self.genuine as f64
    }
}

pub(super) fn rows(options: &Options, report: &mut Report) {
    const KEPT: &str = "flood.genuine_kept";
    let (hz, core) = (report.machine().tick_hz, report.machine().pinned_to);
    machine::step_aside(core);
    let figures = Rig::new(core).and_then(|mut rig| {
        let rounds = if options.quick { 3 } else { 7 };
        Ok((measure(&mut rig, rounds, hz)?, by_the_clock(&mut rig, rounds)?))
    });
    machine::pin(core);
    let ([quiet, trains, alone], [without, beside]) = match figures {
        Ok(figures) => figures,
        Err(error) => return report.push(Row::skipped(KEPT, "of the quiet rate", error.to_string())),
    };
    let note = format!("{beside:.0}/s beside {TIMES} times as much garbage, {without:.0}/s without");
    let row = Row::value(KEPT, "of the quiet rate", beside / without);
    report.push(row.bar(Bar::AtLeast(0.8)).note(note));
    for (name, spent) in [("flood.none", quiet), ("flood.trains", trains), ("flood.alone", alone)] {
        let garbage = (spent.a_frame() - quiet.a_frame()) / TIMES as f64;
        let unread = 100.0 * spent.refused as f64 / spent.garbage.max(1) as f64;
        let note = match spent.garbage {
            0 => format!("{:.0} ticks a frame", quiet.a_frame()),
            _ => format!("garbage {garbage:.0} ticks a frame, receiving it included; {unread:.1} % unread"),
        };
        report.push(Row::value(format!("{name}.room"), "frames/s", hz / spent.a_frame()).note(note));
    }
}

/// The rounds with the least time, by the kind of their flood.
fn measure(rig: &mut Rig, rounds: usize, hz: f64) -> io::Result<[Spent; 3]> {
    const KINDS: [Flood; 3] = [Flood::None, Flood::Trains, Flood::Alone];
    // The verifier's tables are built, and the flooder's account is empty.
    for _ in 0..3 {
        rig.round(Flood::Trains, hz)?;
    }
    let mut best: [Option<Spent>; KINDS.len()] = [None; KINDS.len()];
    for _ in 0..rounds {
        for (best, flood) in best.iter_mut().zip(KINDS) {
            let spent = rig.round(flood, hz)?;
            *best = Some(best.filter(|best| best.ticks <= spent.ticks).unwrap_or(spent));
        }
    }
    Ok(best.map(|best| best.expect("there was a round")))
}

/// Genuine frames merged a second, without and beside the flood; of some rounds the one that keeps most, for what other
/// processes take from the core is lost to either.
fn by_the_clock(rig: &mut Rig, rounds: usize) -> io::Result<[f64; 2]> {
    let mut best = [1.0, 0.0];
    for _ in 0..rounds {
        let [quiet, flooded] = [rig.paced(0)?, rig.paced(TIMES)?];
        if flooded / quiet > best[1] / best[0] {
            best = [quiet, flooded];
        }
        if flooded >= quiet {
            break;
        }
    }
    Ok(best)
}

/// A node, a peer of it that relays for all signers, and a stranger.
struct Rig {
    node: Handle,
    signers: Signers,
    peer: Sender,
    stranger: Sender,
}

impl Rig {
    fn new(core: Option<usize>) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        let signers = Signers::new(SIGNERS, SLOTS, now.as_micros() as u64);
        let ((peer, addr), (stranger, _)) = (sender()?, sender()?);
        let own = Identity::from_seed(&[0xFF; 32]);
        let mut config = Config::new(own, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        config.verify_at_once = true;
        config.mesh = MESH.into();
        config.layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
        config.threads.cores = core.into_iter().collect();
        config.push.relay = 0;
        // All genuine frames come from one place; its address is the first signer's.
        let mut addr = Some(addr);
        let listed = |origin: octick_core::data::Origin| Peer {
            key: origin.key,
            addr: addr.take(),
            runs: origin.runs,
            revoked: false,
        };
        config.peers = signers.roster().into_iter().map(listed).collect();
        let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
        let node = octick::start(settings).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { node, signers, peer, stranger })
    }

    /// A few trains of genuine frames, each behind its garbage.
    fn round(&mut self, flood: Flood, hz: f64) -> io::Result<Spent> {
        const TRAINS: usize = 40;
        let genuine: Vec<Vec<u8>> = (0..TRAINS * BATCH_MAX)
            .map(|_| self.signers.train(1).1.frames().next().expect("a train of one").to_vec())
            .collect();
        let garbage: Vec<Vec<u8>> = (0..if flood == Flood::None { 0 } else { TIMES })
            .flat_map(|time| {
                genuine.iter().map(move |frame| {
                    let mut frame = frame.clone();
                    frame[VALUE_AT] ^= 1 + time as u8;
                    frame
                })
            })
            .collect();
        let a_time = if flood == Flood::Alone { 1 } else { BATCH_MAX };
        let (before, cpu) = (self.node.tally(), others_cpu_ns()?);
        let mut sent = 0;
        for (i, train) in genuine.chunks(BATCH_MAX).enumerate() {
            for time in garbage.chunks(genuine.len()) {
                for frames in time[i * BATCH_MAX..][..BATCH_MAX].chunks(a_time) {
                    self.wait(|tally| tally.since(&before).get(Counter::FramesIn) + FLIGHT > sent)?;
                    sent += send(&mut self.stranger, frames, self.node.local_addr())?;
                }
            }
            self.wait(|tally| tally.since(&before).get(Counter::FramesIn) + FLIGHT > sent)?;
            sent += send(&mut self.peer, train, self.node.local_addr())?;
        }
        let count = genuine.len() as u64;
        self.wait(|tally| tally.since(&before).get(Counter::FramesFresh) == count)?;
        let ticks = (others_cpu_ns()? - cpu) as f64 * hz / 1e9;
        let counted = self.node.tally().since(&before);
        let refused = counted.rejected(Reject::OverBudget) + counted.rejected(Reject::StrangersOverBudget);
        Ok(Spent { ticks, genuine: count, refused, garbage: garbage.len() as u64 })
    }

    /// Sends for 300 ms by the clock, waiting for nobody; returns how many genuine frames were merged a second.
    fn paced(&mut self, times: usize) -> io::Result<f64> {
        const MILLIS: usize = 300;
        let genuine: Vec<Vec<u8>> = (0..MILLIS * PER_MILLI)
            .map(|_| self.signers.train(1).1.frames().next().expect("a train of one").to_vec())
            .collect();
        let mut garbage = genuine[..PER_MILLI].to_vec();
        let (before, to) = (self.node.tally(), self.node.local_addr());
        let (began, mut sent) = (Instant::now(), 0);
        for (milli, train) in genuine.chunks(PER_MILLI).enumerate() {
            while began.elapsed() < Duration::from_millis(milli as u64) {
                thread::yield_now();
            }
            // What is about to be said, falsified once for each time: new to the node, until it reads it.
            garbage.iter_mut().zip(train).for_each(|(to, from)| to.copy_from_slice(from));
            for _ in 0..times {
                garbage.iter_mut().for_each(|frame| frame[VALUE_AT] = frame[VALUE_AT].wrapping_add(1));
                for train in garbage.chunks(BATCH_MAX) {
                    sent += send(&mut self.stranger, train, to)?;
                }
            }
            for train in train.chunks(BATCH_MAX) {
                sent += send(&mut self.peer, train, to)?;
            }
        }
        let took = began.elapsed();
        let since = Instant::now();
        while self.node.tally().since(&before).get(Counter::FramesIn) < sent
            && since.elapsed() < Duration::from_millis(100)
        {
            thread::yield_now();
        }
        let merged = self.node.tally().since(&before).get(Counter::FramesFresh);
        Ok(merged as f64 / took.as_secs_f64())
    }

    fn wait(&self, holds: impl Fn(octick::Tally) -> bool) -> io::Result<()> {
        let since = Instant::now();
        while !holds(self.node.tally()) {
            if since.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{:?}", self.node.tally())));
            }
            thread::yield_now();
        }
        Ok(())
    }
}

fn send(sender: &mut Sender, train: &[Vec<u8>], to: SocketAddr) -> io::Result<u64> {
    let frames: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
    match sender.send_train(&frames, &[to]).frames_sent {
        all if all == frames.len() => Ok(all as u64),
        _ => Err(io::Error::other("the send buffer is too small for a train")),
    }
}

/// A port to send from, and its address.
fn sender() -> io::Result<(Sender, SocketAddr)> {
    let settings = SocketSettings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let pool = Arc::new(Pool::new(settings.ring_depth.into())?);
    let socket = Socket::open(&settings, &pool).map_err(|error| io::Error::other(error.to_string()))?;
    Ok((socket.sender(), socket.local_address()))
}
