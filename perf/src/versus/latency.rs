//! From the kernel's receive stamp to the merged state, verification included: how long a frame takes that comes alone
//! to a quiet node, and one among many to a busy one.
//!
//! The node parks when idle, as it does by default, so the quiet figure holds a wake-up. Frames are full and each is
//! signed by itself; they leave at scheduled times. What the sender or the network does is before the stamp.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::{Config, Counter, Identity, Layout, Mode, Peer, clock};

use super::Options;
use crate::machine;
use crate::pipeline::MESH;
use crate::report::{Bar, Report, Row};
use crate::signers::Signers;

const SLOTS: u32 = 1 << 16;
const SIGNERS: usize = 16;
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
    for (name, mode, rate) in [
        ("latency.quiet", Mode::Solo, QUIET),
        ("latency.quiet.split", Mode::Split { ingress: 1 }, QUIET),
        ("latency.busy", Mode::Solo, BUSY),
        ("latency.busy.split", Mode::Split { ingress: 1 }, BUSY),
    ] {
        const UNIT: &str = "µs";
        let p50 = format!("{name}.p50");
        match run(mode, core, rate, secs) {
            Ok(Quantiles { frames, p50: median, p99 }) => {
                let bar = (name == "latency.quiet").then_some(Bar::AtMost(QUIET_MICROS_MAX));
                let note = format!("{frames} frames at {rate}/s; p99 {p99:.1}; {floor}");
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
    p50: f64,
    p99: f64,
}

fn run(mode: Mode, core: Option<usize>, rate: u32, secs: f64) -> io::Result<Quantiles> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let mut signers = Signers::new(SIGNERS, SLOTS, now.as_micros() as u64);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = Identity::from_seed(&[0xFF; 32]);
    let mut config = Config::new(own, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.mesh = MESH.into();
    config.layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
    config.threads.mode = mode;
    if mode == Mode::Solo {
        config.threads.cores = core.into_iter().collect();
    }
    config.push.relay = 0;
    let addr = Some(socket.local_addr()?);
    let listed =
        |origin: octick_core::data::Origin| Peer { key: origin.key, addr, runs: origin.runs, revoked: false };
    config.peers = signers.roster().into_iter().map(listed).collect();
    let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
    let node = octick::start(settings).map_err(|error| io::Error::other(error.to_string()))?;
    let frames: Vec<Vec<u8>> = (0..(f64::from(rate) * secs) as usize)
        .map(|_| signers.train(1).1.frames().next().expect("a train of one").to_vec())
        .collect();
    let (began, to) = (Instant::now(), node.local_addr());
    for (i, frame) in frames.iter().enumerate() {
        let due = began + Duration::from_secs(1) * i as u32 / rate;
        while Instant::now() < due {
            thread::yield_now();
        }
        socket.send_to(frame, to)?;
    }
    thread::sleep(Duration::from_millis(20));
    let stats = node.stop()?;
    let frames = stats.tally.get(Counter::FramesFresh);
    if frames == 0 {
        return Err(io::Error::other(format!("nothing was merged: {:?}", stats.tally)));
    }
    let at = |quantile| stats.latencies.wire_ns.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Quantiles { frames, p50: at(0.5), p99: at(0.99) })
}
