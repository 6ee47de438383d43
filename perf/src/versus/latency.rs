//! From the kernel's receive stamp to the merged state, verification included: how long a frame takes that comes alone
//! to a quiet node, and one among many to a busy one.
//!
//! The node parks when idle, as it does by default, so the quiet figure holds a wake-up. Frames are full and each is
//! signed by itself; they leave at scheduled times. What the sender or the network does is before the stamp. In the rows
//! called `signing` the node writes cells of its own besides, as many as frames come, and so signs a train each
//! millisecond on the thread that merges.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::{Config, Counter, Identity, Layout, Mode, Peer, Run, Slot, Update, clock};

use super::options::Options;
use crate::machine;
use crate::pipeline::MESH;
use crate::report::{Bar, Report, Row};
use crate::signers::Signers;

const SLOTS: u32 = 1 << 17;
const SIGNERS: usize = 16;
/// What the node itself writes, behind the signers' slots.
const OWN: Run = Run { first: Slot(SLOTS), len: 1_024 };
/// Frames a second of a quiet node, and of a busy one.
const QUIET: u32 = 500;
const BUSY: u32 = 20_000;
/// Longest median of a quiet node, µs.
const QUIET_MICROS_MAX: f64 = 100.0;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let secs = if options.quick { 0.5 } else { 2.0 };
    let floor = format!("the clock's least step is {} ns", clock::timer_floor_ns());
    let core = report.machine().pinned_to;
    machine::step_aside(core);
    let split = Mode::Split { ingress: 1 };
    for (name, mode, rate, writes) in [
        ("latency.quiet", Mode::Solo, QUIET, false),
        ("latency.quiet.split", split, QUIET, false),
        ("latency.busy", Mode::Solo, BUSY, false),
        ("latency.busy.split", split, BUSY, false),
        ("latency.signing", Mode::Solo, BUSY, true),
        ("latency.signing.split", split, BUSY, true),
    ] {
        const UNIT: &str = "µs";
        let p50 = format!("{name}.p50");
        match run(mode, core, rate, secs, writes) {
            Ok(Quantiles { frames, trains, p50: median, p99 }) => {
                let bar = (name == "latency.quiet").then_some(Bar::AtMost(QUIET_MICROS_MAX));
                let note = format!("{frames} frames at {rate}/s; p99 {p99:.1}; {trains} own trains; {floor}");
                report.push(Row::value(p50, UNIT, median).bar(bar).note(note));
            }
            Err(error) => report.push(Row::skipped(p50, UNIT, error.to_string())),
        }
    }
    machine::pin(core);
}

/// Microseconds.
struct Quantiles {
    frames: u64,
    /// Frames of the node's own making, no two of one train in these runs.
    trains: u64,
    p50: f64,
    p99: f64,
}

fn run(mode: Mode, core: Option<usize>, rate: u32, secs: f64, writes: bool) -> io::Result<Quantiles> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let mut signers = Signers::new(SIGNERS, SLOTS, now.as_micros() as u64);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = Identity::from_seed(&[0xFF; 32]);
    let mut config = Config::new(own, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.verify_at_once = true;
    config.mesh = MESH.into();
    config.layout = Layout { slots: SLOTS + OWN.len, cells8: true, cells4: false, rows: false };
    config.runs = vec![OWN];
    config.threads.mode = mode;
    if mode == Mode::Solo {
        config.threads.cores = core.into_iter().collect();
    }
    config.push.relay = 0;
    // All sign in one place; its address is the first one's.
    let mut addr = Some(socket.local_addr()?);
    let listed = |origin: octick_core::data::Origin| Peer {
        key: origin.key,
        addr: addr.take(),
        runs: origin.runs,
        revoked: false,
    };
    config.peers = signers.roster().into_iter().map(listed).collect();
    let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
    let node = octick::start(settings).map_err(|error| io::Error::other(error.to_string()))?;
    let frames: Vec<Vec<u8>> = (0..(f64::from(rate) * secs) as usize)
        .map(|_| signers.train(1).1.frames().next().expect("a train of one").to_vec())
        .collect();
    let (began, to, writer) = (Instant::now(), node.local_addr(), node.writer());
    for (i, frame) in frames.iter().enumerate() {
        let due = began + Duration::from_secs(1) * i as u32 / rate;
        while Instant::now() < due {
            thread::yield_now();
        }
        socket.send_to(frame, to)?;
        if writes {
            let slot = Slot(OWN.first.0 + i as u32 % OWN.len);
            // A full queue only means that there is enough to sign.
            let _ = writer.write(Update::Cell8(slot, i as u64));
        }
    }
    thread::sleep(Duration::from_millis(20));
    let stats = node.stop()?;
    let frames = stats.tally.get(Counter::FramesFresh);
    if frames == 0 {
        return Err(io::Error::other(format!("nothing was merged: {:?}", stats.tally)));
    }
    let at = |quantile| stats.latencies.wire_ns.value_at_quantile(quantile) as f64 / 1e3;
    let trains = stats.tally.get(Counter::FramesMade);
    Ok(Quantiles { frames, trains, p50: at(0.5), p99: at(0.99) })
}
