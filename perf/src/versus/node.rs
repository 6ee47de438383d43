//! A whole node against its naive twin: the same signed trains over loopback, each on one core, CPU time a frame.
//!
//! The sender keeps a few trains in flight and waits for the receiver's count, so that nothing is lost and both take
//! every frame. What is counted is the CPU time of the receiving threads, not the wall's, so waiting costs nothing
//! and other processes do not matter.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::pool::Pool;
use octick::socket::{Sender, Socket, SocketSettings};
use octick::{Config, Counter, Identity, Layout, Peer};
use octick_core::limits::BATCH_MAX;

use super::options::Options;
use crate::machine;
use crate::naive::Naive;
use crate::pipeline::MESH;
use crate::report::{Bar, Report, Row};
use crate::signers::{CELLS, Signers};

const SLOTS: u32 = 1 << 16;
const SIGNERS: usize = 8;
/// Frames on their way at most: less than the smallest receive buffer that systems grant by default holds.
const FLIGHT: u64 = 2 * BATCH_MAX as u64;
/// How long a receiver may stand still before its run counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a frame cost a receiver, ticks.
#[derive(Clone, Copy, Debug)]
struct Cost {
    all: f64,
    verify: f64,
    merge: f64,
}

impl Cost {
    /// Each stage at its best: whatever else runs on the core can only make one dearer.
    fn least(self, other: Self) -> Self {
        Self {
            all: self.all.min(other.all),
            verify: self.verify.min(other.verify),
            merge: self.merge.min(other.merge),
        }
    }

    /// Where the time went. Stages are told by the counter, which runs on while other processes have the core.
    fn describe(&self) -> String {
        let Self { all, verify, merge } = self;
        let rest = all - verify - merge;
        if rest < 0.0 {
            return "stages not told apart: the core was shared".into();
        }
        format!("receive and the rest {rest:.0}, verify {verify:.0}, parse, window and merge {merge:.0}")
    }
}

pub(super) fn rows(options: &Options, report: &mut Report) {
    const UNIT: &str = "ticks/frame";
    let names = ["node.ticks_per_frame", "node.naive.ticks_per_frame"];
    let trains = if options.quick { 40 } else { 160 };
    let [ours, theirs] = match compare(options, report, &Load { trains, len: BATCH_MAX, strict: false }) {
        Ok(costs) => costs,
        Err(error) => {
            names.iter().for_each(|name| report.push(Row::skipped(*name, UNIT, error.to_string())));
            return report.push(Row::skipped("node.ratio_naive", "times fewer", error.to_string()));
        }
    };
    for (name, cost) in names.into_iter().zip([ours, theirs]) {
        let note = format!("{}; {:.1} ticks/cell", cost.describe(), cost.all / CELLS as f64);
        report.push(Row::value(name, UNIT, cost.all).note(note));
    }
    let note = "CPU time of the receiver, trains of 64 full frames";
    report.push(Row::value("node.ratio_naive", "times fewer", theirs.all / ours.all).note(note));
}

/// The same with every frame signed for itself, which no train makes cheap, and a twin that checks with
/// `verify_strict`: signatures from the socket on, on one core.
pub(super) fn ingest_rows(options: &Options, report: &mut Report) {
    const UNIT: &str = "frames/s";
    let trains = if options.quick { 2_000 } else { 8_000 };
    let [ours, theirs] = match compare(options, report, &Load { trains, len: 1, strict: true }) {
        Ok(costs) => costs,
        Err(error) => {
            report.push(Row::skipped("ingest.verified_frames_per_s", UNIT, error.to_string()));
            return report.push(Row::skipped("ingest.ratio_naive", "times fewer", error.to_string()));
        }
    };
    let hz = report.machine().tick_hz;
    let note = format!("{:.0} ticks a frame: {}", ours.all, ours.describe());
    let row = Row::value("ingest.verified_frames_per_s", UNIT, hz / ours.all);
    report.push(row.bar(Bar::AtLeast(140_000.0)).note(note));
    let note = format!("{:.0} ticks a frame: {}", theirs.all, theirs.describe());
    let row = Row::value("ingest.ratio_naive", "times fewer", theirs.all / ours.all);
    report.push(row.bar(Bar::AtLeast(7.0)).note(note));
}

/// What both nodes get.
struct Load {
    trains: usize,
    /// Frames to a train.
    len: usize,
    /// Whether the naive node checks with `verify_strict`.
    strict: bool,
}

/// What a frame costs Octick and its twin, each at its best of some rounds.
fn compare(options: &Options, report: &Report, load: &Load) -> io::Result<[Cost; 2]> {
    let rounds = if options.quick { 1 } else { 3 };
    let (hz, core) = (report.machine().tick_hz, report.machine().pinned_to);
    // The sender leaves the measured core to the receiver.
    machine::step_aside(core);
    let mut best: [Option<Cost>; 2] = [None; 2];
    let mut run = || {
        for _ in 0..rounds {
            for (best, run) in best.iter_mut().zip([octick as Run, naive]) {
                let cost = run(&Trains::new(load), core, hz)?;
                *best = Some(best.map_or(cost, |best| best.least(cost)));
            }
        }
        Ok(())
    };
    let outcome: io::Result<()> = run();
    machine::pin(core);
    outcome?;
    Ok(best.map(|cost| cost.expect("every round has both")))
}

type Run = fn(&Trains, Option<usize>, f64) -> io::Result<Cost>;

/// Signed trains in memory, before any clock runs.
struct Trains {
    signers: Signers,
    trains: Vec<Vec<Vec<u8>>>,
    strict: bool,
}

impl Trains {
    fn new(load: &Load) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        let mut signers = Signers::new(SIGNERS, SLOTS, now.as_micros() as u64);
        let train = |_| signers.train(load.len).1.frames().map(<[u8]>::to_vec).collect();
        let trains = (0..load.trains).map(train).collect();
        Self { signers, trains, strict: load.strict }
    }

    fn frames(&self) -> u64 {
        self.trains.iter().map(|train| train.len() as u64).sum()
    }

    /// Sends every train, never more than [`FLIGHT`] frames ahead of what `taken` says.
    fn send(&self, to: SocketAddr, taken: impl Fn() -> u64) -> io::Result<()> {
        let mut sender = sender()?;
        let wait_for = |frames: u64| {
            let since = Instant::now();
            while taken() < frames {
                if since.elapsed() > PATIENCE {
                    let lost = format!("the receiver stands at {} of {frames} frames", taken());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, lost));
                }
                thread::yield_now();
            }
            Ok(())
        };
        let mut sent = 0;
        for train in &self.trains {
            wait_for((sent + train.len() as u64).saturating_sub(FLIGHT))?;
            let frames: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
            let outcome = sender.send_train(&frames, &[to]);
            if outcome.frames_sent < frames.len() {
                return Err(io::Error::other("the send buffer is too small for a train"));
            }
            sent += train.len() as u64;
        }
        wait_for(sent)
    }
}

/// An unbound port to send from.
fn sender() -> io::Result<Sender> {
    let settings = SocketSettings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let pool = Arc::new(Pool::new(settings.ring_depth.into())?);
    let socket = Socket::open(&settings, &pool).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(socket.sender())
}

fn octick(trains: &Trains, core: Option<usize>, hz: f64) -> io::Result<Cost> {
    let own = Identity::from_seed(&[0xFF; 32]);
    let mut config = Config::new(own, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.verify_at_once = true;
    config.mesh = MESH.into();
    config.layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
    config.threads.cores = core.into_iter().collect();
    // The sender's address is no peer's, so that nothing is sent to it; its budget is not what is measured.
    config.limits.strangers = config.limits.peer;
    let peer = |origin: octick_core::data::Origin| Peer {
        key: origin.key,
        addr: None,
        runs: origin.runs,
        revoked: false,
    };
    config.peers = trains.signers.roster().into_iter().map(peer).collect();
    let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
    let node = octick::start(settings).map_err(|error| io::Error::other(error.to_string()))?;
    let before = others_cpu_ns()?;
    trains.send(node.local_addr(), || node.tally().get(Counter::FramesFresh))?;
    let taken_ns = others_cpu_ns()? - before;
    let stats = node.stop()?;
    let ticks_per_cell = stats.latencies.centiticks.value_at_quantile(0.5) as f64 / 100.0;
    Ok(Cost {
        all: taken_ns as f64 * hz / 1e9 / trains.frames() as f64,
        verify: stats.tally.get(Counter::VerifyTicks) as f64 / trains.frames() as f64,
        merge: ticks_per_cell * CELLS as f64,
    })
}

fn naive(trains: &Trains, core: Option<usize>, hz: f64) -> io::Result<Cost> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    receive_buffer(&socket, 4 << 20)?;
    let (to, target) = (socket.local_addr()?, trains.frames());
    let merged = Arc::new(AtomicU64::new(0));
    let node = Naive::new(MESH, &trains.signers.roster(), trains.strict);
    let before = others_cpu_ns()?;
    let receiver = thread::Builder::new().name("naive".into()).spawn({
        let merged = Arc::clone(&merged);
        move || {
            machine::pin(core);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async {
                let spent = node.run(tokio::net::UdpSocket::from_std(socket)?, merged, target).await;
                io::Result::Ok(spent)
            })
        }
    })?;
    let sent = trains.send(to, || merged.load(Ordering::Relaxed));
    let taken_ns = others_cpu_ns()? - before;
    sent?;
    let spent = receiver.join().expect("the naive node does not panic")?;
    Ok(Cost {
        all: taken_ns as f64 * hz / 1e9 / target as f64,
        verify: median(spent.verify),
        merge: median(spent.merge),
    })
}

fn median(mut ticks: Vec<u64>) -> f64 {
    ticks.sort_unstable();
    ticks.get(ticks.len() / 2).map_or(0.0, |middle| *middle as f64)
}

/// Asks for the receive buffer that Octick asks for, so that both lose nothing.
fn receive_buffer(socket: &std::net::UdpSocket, bytes: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&bytes) as libc::socklen_t;
    // SAFETY: the option is an integer, and `bytes` is one that outlives the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            len,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// CPU time of all threads but this one, nanoseconds.
pub(super) fn others_cpu_ns() -> io::Result<u64> {
    Ok(cpu_ns(libc::CLOCK_PROCESS_CPUTIME_ID)? - cpu_ns(libc::CLOCK_THREAD_CPUTIME_ID)?)
}

fn cpu_ns(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec for the kernel to fill.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
