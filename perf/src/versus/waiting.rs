//! From a write on one node to whoever waits for it on another: a thread, a task, and beside them one who spins.
//!
//! Two nodes that park when idle, as they do by default, share one core; whoever writes and whoever waits have another. A cell is
//! written after a quiet while, so each figure holds the wake-up of both nodes, a signature and its check. A spinning reader
//! has all of that and no wake-up of its own; what waiting adds should be little more than the kernel's least wake-up
//! across these cores: half a ping-pong over two eventfds, measured in the same run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use octick::{Changes, Config, Handle, Identity, Layout, Next, Peer, Run, Slot, TryRecvError, Update};

use super::node;
use super::options::Options;
use crate::machine;
use crate::report::{Bar, Report, Row};

/// What node 0 writes.
const RUN: Run = Run { first: Slot(0), len: 1_024 };
/// Writes in one pass of one way to wait.
const ROUNDS: usize = 200;
/// Passes of all ways, at least.
const PASSES_MIN: usize = 5;
/// Between two writes: longer than a train waits for company, so that each leaves at once.
const PAUSE: Duration = Duration::from_micros(1_500);
/// How long a change may take before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// What waiting may add to spinning and a wake-up, µs.
const OVER_MICROS_MAX: f64 = 20.0;
/// What waiting may cost while nothing changes, percent of a core.
const IDLE_PERCENT_MAX: f64 = 1.0;
/// Who waits meanwhile.
const IDLE_WAITERS: usize = 8;

pub(super) fn rows(options: &Options, report: &mut Report) {
    let core = report.machine().pinned_to;
    machine::step_aside(core);
    if let Err(error) = measure(options, report, core) {
        report.push(Row::skipped("await.task.over", "µs", error.to_string()));
    }
    machine::pin(core);
}

fn measure(options: &Options, report: &mut Report, core: Option<usize>) -> io::Result<()> {
    const UNIT: &str = "µs";
    let nodes = pair(core)?;
    let (began, mut passes, mut best) = (Instant::now(), 0, [Quantiles::WORST; 4]);
    // In turns, so that whatever else the machine does meets all of them; each at its best, for that can only add.
    while passes < PASSES_MIN
        || (over(&best).iter().any(|over| *over > OVER_MICROS_MAX) && began.elapsed() < options.patience())
    {
        let [spin, wake, thread, task] = &mut best;
        spin.take(spinning(&nodes, ROUNDS)?);
        wake.take(ping_pong(core, ROUNDS)?);
        thread.take(waiting(&nodes, ROUNDS, in_thread)?);
        task.take(waiting(&nodes, ROUNDS, in_task)?);
        passes += 1;
    }
    let [spin, wake, thread, task] = &best;
    for (name, quantiles, what) in [
        ("await.spin.p50", spin, "a thread that polls without a pause"),
        ("await.eventfd.p50", wake, "the kernel's wake-up of a thread on another core: half a ping-pong"),
        ("await.thread.p50", thread, "Changes::recv"),
        ("await.task.p50", task, "Changes::next().await under tokio"),
    ] {
        let note = format!("{what}; p99 {:.1}; best of {passes} times {ROUNDS}", quantiles.p99);
        report.push(Row::value(name, UNIT, quantiles.p50).note(note));
    }
    for ((name, quantiles), over) in
        [("await.thread.over", thread), ("await.task.over", task)].into_iter().zip(over(&best))
    {
        let note =
            format!("{:.1} less {:.1} of polling less {:.1} of a wake-up", quantiles.p50, spin.p50, wake.p50);
        report.push(Row::value(name, UNIT, over).bar(Bar::AtMost(OVER_MICROS_MAX)).note(note));
    }
    let percent = idle_percent(&nodes)?;
    let note = format!("{IDLE_WAITERS} threads wait, two nodes park, nothing changes");
    let row = Row::value("await.idle.cpu", "% of a core", percent);
    report.push(row.bar(Bar::AtMost(IDLE_PERCENT_MAX)).note(note));
    nodes.into_iter().try_for_each(|node| node.stop().map(drop))
}

/// What waiting adds to polling and a wake-up: of a thread, and of a task.
fn over([spin, wake, thread, task]: &[Quantiles; 4]) -> [f64; 2] {
    [thread, task].map(|waits| waits.p50 - spin.p50 - wake.p50)
}

/// Microseconds.
#[derive(Clone, Copy)]
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    const WORST: Self = Self { p50: f64::INFINITY, p99: f64::INFINITY };

    /// Keeps the better median, with its tail.
    fn take(&mut self, mut times: Vec<Duration>) {
        times.sort_unstable();
        let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e6;
        if at(0.5) < self.p50 {
            *self = Self { p50: at(0.5), p99: at(0.99) };
        }
    }
}

/// Two nodes that list each other, both on `core`.
fn pair(core: Option<usize>) -> io::Result<[Handle; 2]> {
    let held = [UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?];
    let addresses: [SocketAddr; 2] = [held[0].local_addr()?, held[1].local_addr()?];
    drop(held);
    let identity = |n: u8| Identity::from_seed(&[n + 1; 32]);
    let runs = |n: usize| if n == 0 { vec![RUN] } else { Vec::new() };
    let start = |n: usize| {
        let mut config = Config::new(identity(n as u8), addresses[n]);
        config.layout = Layout { slots: RUN.len, cells8: true, cells4: false, rows: false };
        config.runs = runs(n);
        config.threads.cores = core.into_iter().collect();
        config.verify_at_once = true;
        // Only what is written is to change anything.
        config.push.refresh = Duration::ZERO;
        let (key, addr) = (identity(1 - n as u8).public().clone(), Some(addresses[1 - n]));
        config.peers = vec![Peer { key, addr, runs: runs(1 - n), revoked: false }];
        let settings = config.check().map_err(|error| io::Error::other(error.to_string()))?;
        octick::start(settings).map_err(|error| io::Error::other(error.to_string()))
    };
    Ok([start(0)?, start(1)?])
}

fn write(node: &Handle, round: usize) -> io::Result<Instant> {
    let update = Update::Cell8(Slot(round as u32 % RUN.len), round as u64);
    let began = Instant::now();
    node.writer().write(update).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(began)
}

fn is_change(next: &Next) -> io::Result<()> {
    match next {
        Next::Change(_) => Ok(()),
        Next::Missed(missed) => Err(io::Error::other(format!("{} changes were missed", missed.count))),
    }
}

/// One thread writes here and polls there.
fn spinning(nodes: &[Handle; 2], rounds: usize) -> io::Result<Vec<Duration>> {
    let mut changes = nodes[1].subscribe();
    let round = |round| {
        thread::sleep(PAUSE);
        let began = write(&nodes[0], round)?;
        loop {
            match changes.try_recv() {
                Ok(next) => return is_change(&next).map(|()| began.elapsed()),
                Err(TryRecvError::Empty) if began.elapsed() < PATIENCE => std::hint::spin_loop(),
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
    };
    (0..rounds).map(round).collect()
}

/// Waits for changes and says when each came, until nobody listens.
type Wait = fn(Changes, mpsc::Sender<Instant>) -> io::Result<()>;

/// One thread writes here and sleeps until the other, which sleeps there, says when it was woken.
fn waiting(nodes: &[Handle; 2], rounds: usize, wait: Wait) -> io::Result<Vec<Duration>> {
    let (said, woken) = mpsc::channel();
    let changes = nodes[1].subscribe();
    let waits = thread::Builder::new().name("waits".into()).spawn(move || wait(changes, said))?;
    let round = |round| {
        thread::sleep(PAUSE);
        let began = write(&nodes[0], round)?;
        let at = woken.recv_timeout(PATIENCE).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(at - began)
    };
    let times = (0..rounds).map(round).collect();
    drop(woken);
    // One more, so that whoever waits sees that nobody listens.
    write(&nodes[0], 0)?;
    waits.join().expect("it does not panic")?;
    times
}

fn in_thread(mut changes: Changes, said: mpsc::Sender<Instant>) -> io::Result<()> {
    loop {
        let next = changes.recv(PATIENCE).map_err(|error| io::Error::other(error.to_string()))?;
        let at = Instant::now();
        is_change(&next)?;
        if said.send(at).is_err() {
            return Ok(());
        }
    }
}

fn in_task(mut changes: Changes, said: mpsc::Sender<Instant>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        while let Some(next) = changes.next().await {
            let at = Instant::now();
            is_change(&next)?;
            if said.send(at).is_err() {
                return Ok(());
            }
        }
        Err(io::Error::other("the node has ended"))
    })
}

/// What it takes to wake a thread on `core` from this one, or the other way round.
fn ping_pong(core: Option<usize>, rounds: usize) -> io::Result<Vec<Duration>> {
    let (ping, pong) = (eventfd()?, eventfd()?);
    let (there, back) = (ping.try_clone()?, pong.try_clone()?);
    let answers = thread::Builder::new().name("pong".into()).spawn(move || {
        machine::pin(core);
        (0..rounds).try_for_each(|_| {
            take(&there)?;
            give(&back)
        })
    })?;
    let round = |_| {
        thread::sleep(PAUSE);
        let began = Instant::now();
        give(&ping)?;
        take(&pong)?;
        Ok(began.elapsed() / 2)
    };
    let times = (0..rounds).map(round).collect();
    answers.join().expect("it does not panic")?;
    times
}

fn eventfd() -> io::Result<File> {
    // SAFETY: takes no pointers; returns a new descriptor, or less than nothing.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and nobody else's.
    let file = unsafe { File::from_raw_fd(fd) };
    debug_assert_eq!(file.as_raw_fd(), fd);
    Ok(file)
}

fn give(mut event: &File) -> io::Result<()> {
    event.write_all(&1_u64.to_ne_bytes())
}

fn take(mut event: &File) -> io::Result<()> {
    event.read_exact(&mut [0; 8])
}

/// CPU time of everything but this thread while nothing changes and some wait.
fn idle_percent(nodes: &[Handle; 2]) -> io::Result<f64> {
    const SPAN: Duration = Duration::from_secs(2);
    let waiters: Vec<_> = (0..IDLE_WAITERS)
        .map(|i| {
            let mut changes = nodes[1].subscribe();
            thread::Builder::new().name(format!("idle{i}")).spawn(move || changes.recv(PATIENCE).map(drop))
        })
        .collect::<io::Result<_>>()?;
    // They fall asleep.
    thread::sleep(Duration::from_millis(100));
    let (began, before) = (Instant::now(), node::others_cpu_ns()?);
    thread::sleep(SPAN);
    let (spent, elapsed) = (node::others_cpu_ns()? - before, began.elapsed());
    write(&nodes[0], 0)?;
    for waiter in waiters {
        waiter.join().expect("it does not panic").map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(spent as f64 / elapsed.as_nanos() as f64 * 100.0)
}
