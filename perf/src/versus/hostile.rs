//! Datagrams that no node sends, as fast as one core can send them: what they do to genuine frames beside them.
//!
//! The node is solo, parks when idle and has a core to itself; the sender has the other one, with all that the kernel does for
//! a datagram until it lies in the socket. The sender never waits, and between two calls of 64 datagrams it sends whichever genuine
//! frame is due. The note says what the kernel delivered, and what that cost the node.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::socket::Choice;
use octick::{Config, Counter, Identity, Layout, Peer};

use super::node::others_cpu_ns;
use super::options::Options;
use crate::machine;
use crate::pipeline::MESH;
use crate::report::{Bar, Report, Row};
use crate::signers::Signers;

const SLOTS: u32 = 1 << 17;
const SIGNERS: usize = 16;
/// Genuine frames a second.
const GENUINE: u32 = 500;
/// Hostile datagrams of a call.
const CALL: usize = 64;
/// Longest 99th percentile of genuine frames from the wire to the state, µs.
const P99_MICROS_MAX: f64 = 5_000.0;
/// Hostile datagrams a second that a node must stand.
const RATE_MIN: f64 = 300_000.0;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let secs = if options.quick { 0.5 } else { 2.0 };
    let core = report.machine().pinned_to;
    machine::step_aside(core);
    for (shape, len) in [("empty", 0), ("byte", 1), ("oversized", 1_400), ("jumbo", 9_000)] {
        for (backend, choice) in [("io_uring", Choice::Uring), ("recvmmsg", Choice::Mmsg)] {
            const UNIT: &str = "µs";
            let name = format!("hostile.{shape}.{backend}.p99");
            match run(choice, core, len, secs) {
                Ok(seen) => {
                    let bar = (seen.rate >= RATE_MIN).then_some(Bar::AtMost(P99_MICROS_MAX));
                    report.push(Row::value(name, UNIT, seen.p99).bar(bar).note(seen.describe()));
                }
                Err(error) => report.push(Row::skipped(name, UNIT, error.to_string())),
            }
        }
    }
    machine::pin(core);
}

/// What came of a run.
struct Seen {
    /// Hostile datagrams sent a second.
    rate: f64,
    /// Genuine frames sent, and merged.
    genuine: [u64; 2],
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Share of its core that the node used.
    busy: f64,
}

impl Seen {
    fn describe(&self) -> String {
        let Self { rate, genuine: [sent, merged], p50, busy, .. } = self;
        format!(
            "{rate:.0} datagrams/s; {merged} of {sent} frames merged; p50 {p50:.0}; {:.1} % of a core",
            100.0 * busy
        )
    }
}

fn run(backend: Choice, core: Option<usize>, len: usize, secs: f64) -> io::Result<Seen> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let mut signers = Signers::new(SIGNERS, SLOTS, now.as_micros() as u64);
    let (peer, stranger) =
        (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    let mut config =
        Config::new(Identity::from_seed(&[0xFF; 32]), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.verify_at_once = true;
    config.mesh = MESH.into();
    config.layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
    config.threads.cores = core.into_iter().collect();
    config.push.relay = 0;
    config.socket.backend = backend;
    // All genuine frames come from one place; its address is the first signer's.
    let mut addr = Some(peer.local_addr()?);
    let listed = |origin: octick_core::data::Origin| Peer {
        key: origin.key,
        addr: addr.take(),
        runs: origin.runs,
        revoked: false,
    };
    config.peers = signers.roster().into_iter().map(listed).collect();
    let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
    let node = octick::start(settings).map_err(|error| io::Error::other(error.to_string()))?;
    let frames: Vec<Vec<u8>> = (0..(f64::from(GENUINE) * secs) as usize)
        .map(|_| signers.train(1).1.frames().next().expect("a train of one").to_vec())
        .collect();
    let to = node.local_addr();
    stranger.connect(to)?;
    let garbage = vec![0; len];
    let (began, cpu_ns) = (Instant::now(), others_cpu_ns()?);
    let mut hostile = 0;
    for (i, frame) in frames.iter().enumerate() {
        let due = began + Duration::from_secs(1) * i as u32 / GENUINE;
        while Instant::now() < due {
            hostile += flood(&stranger, &garbage)?;
        }
        peer.send_to(frame, to)?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let busy = (others_cpu_ns()? - cpu_ns) as f64 / 1e9 / elapsed;
    thread::sleep(Duration::from_millis(200));
    let stats = node.stop()?;
    let merged = stats.tally.get(Counter::FramesFresh);
    let at = |quantile| stats.latencies.wire_ns.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Seen {
        rate: hostile as f64 / elapsed,
        genuine: [frames.len() as u64, merged],
        p50: at(0.5),
        p99: at(0.99),
        busy,
    })
}

/// Sends [`CALL`] datagrams, and says how many the kernel took.
fn flood(socket: &UdpSocket, payload: &[u8]) -> io::Result<u64> {
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    // SAFETY: all-zero bytes are a valid `mmsghdr`: null pointers and zero lengths.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_iov = &raw mut vector;
    message.msg_hdr.msg_iovlen = 1;
    let mut messages = [message; CALL];
    // SAFETY: every message describes `payload`, which the kernel only reads, by `vector`; all outlive the call.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), CALL as _, 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as u64) }
}
