//! The UDP edge against a tokio loop, over loopback: ticks of one thread's own CPU time a frame.
//!
//! Every shape runs its contenders in turn, round after round, in this process, receiver and sender each pinned to a
//! core of its own. The figure is the ratio of the best rounds: noise only ever adds, and hits whom it hits. The
//! note says the ticks and the ratio of the medians.

mod receivers;
mod senders;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use octick::socket::Choice;

use crate::machine;
use crate::report::{Bar, Row};
use crate::ticks;
use receivers::{RECEIVE_BUFFER_BYTES, Receiver, Rig};

/// What the figures count.
const UNIT: &str = "times fewer";
/// Attempts at a round that counts.
const TRIES: usize = 10;

/// A way of sending to the receiver under test until told to stop.
type Load = fn(SocketAddr, &AtomicBool);

/// How one shape is measured.
struct Shape {
    name: &'static str,
    /// Against tokio.
    bar: f64,
    /// Frames that a round takes.
    frames: usize,
    /// Everything is queued before the receiver starts, or sent while it runs.
    load: Option<Load>,
    /// Frames a second that the load promises; a round at another rate does not count.
    rate: Option<f64>,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "drain", bar: 1.1, frames: 2_048, load: None, rate: None },
    Shape { name: "trains", bar: 4.5, frames: 100_000, load: Some(senders::flood), rate: None },
    Shape { name: "paced", bar: 1.5, frames: 4_000, load: Some(senders::pace), rate: Some(senders::PACE) },
];

/// Every row of receiving and sending.
pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let &[sender, .., receiver] = machine::usable() else {
        return skipped("two cores are needed");
    };
    let rounds = if quick { 7 } else { 21 };
    // A thread of its own, so that pinning it leaves the caller's alone.
    thread::scope(|scope| {
        let measured = scope.spawn(move || {
            machine::pin(Some(receiver));
            let hz = ticks::hz();
            let mut rows: Vec<_> = SHAPES.iter().flat_map(|shape| shape.rows(rounds, hz, sender)).collect();
            rows.push(sending(rounds, hz, sender));
            rows
        });
        measured.join().unwrap_or_else(|_| skipped("the sockets failed, see above"))
    })
}

fn skipped(why: &str) -> Vec<Row> {
    let names = SHAPES.iter().flat_map(|shape| ["tokio", "recvmmsg"].map(|peer| row_name(shape.name, peer)));
    names.chain(["send.trains.ratio_tokio".into()]).map(|name| Row::skipped(name, UNIT, why)).collect()
}

fn row_name(shape: &str, peer: &str) -> String {
    format!("recv.{shape}.ratio_{peer}")
}

impl Shape {
    fn rows(&self, rounds: usize, hz: f64, sender: usize) -> Vec<Row> {
        // Ours without stamps, for the others have none, either; the note says what they add.
        let mut contenders = [
            Receiver::octick(Choice::Auto, false),
            Receiver::octick(Choice::Mmsg, false),
            Receiver::tokio(),
            Receiver::octick(Choice::Auto, true),
        ];
        let mut taken = [const { Vec::new() }; 4];
        let frames = match self.load {
            None => contenders.iter().map(Receiver::queue_len).fold(self.frames, usize::min),
            Some(_) => self.frames,
        };
        for _ in 0..rounds {
            for (contender, taken) in contenders.iter_mut().zip(&mut taken) {
                let secs = (0..TRIES).find_map(|_| self.round(contender, frames, sender));
                taken.extend(secs.map(|secs| secs * hz / frames as f64));
            }
        }
        let [uring, mmsg, tokio, stamped] = taken.map(Figures::of);
        let runs = contenders[0].runs();
        let mut against_tokio = ratio(row_name(self.name, "tokio"), (runs, uring), ("tokio", tokio));
        if let Some(stamped) = stamped {
            against_tokio.note += &format!("; with stamps {:.0}", stamped.best);
        }
        vec![
            against_tokio.bar(Bar::AtLeast(self.bar)),
            ratio(row_name(self.name, "recvmmsg"), (runs, uring), ("recvmmsg", mmsg)),
        ]
    }

    /// Seconds of CPU that the receiver spent; nothing if the load did not keep its pace.
    fn round(&self, receiver: &mut Receiver, frames: usize, core: usize) -> Option<f64> {
        let to = receiver.address();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            if let Some(load) = self.load {
                let stop = &stop;
                scope.spawn(move || {
                    machine::pin(Some(core));
                    load(to, stop);
                });
                // Past the first trains, when every buffer is warm.
                receiver.take(frames / 10);
            } else {
                senders::queue(to, frames);
            }
            let (start, clock) = (thread_cpu(), Instant::now());
            receiver.take(frames);
            let (spent, elapsed) = (thread_cpu() - start, clock.elapsed());
            stop.store(true, Ordering::Relaxed);
            let rate = frames as f64 / elapsed.as_secs_f64();
            // A receiver that sleeps after each frame has the sender pay for the wake-ups, and so slows it: that is its
            // doing, and if only rounds counted in which it did not, they would be those in which it was behind.
            let kept = self.rate.is_none_or(|wanted| (0.8..1.1).contains(&(rate / wanted)));
            kept.then_some(spent.as_secs_f64())
        })
    }
}

/// Egress: the same trains, to a socket that is full. Over loopback a sender also delivers; to a socket that takes
/// them it would pay for moving each page to the receiver's core, which on the way to a device nobody does. The note
/// has that figure, too.
fn sending(rounds: usize, hz: f64, core: usize) -> Row {
    let full = Rig::sink(4_096);
    let [octick, tokio] = egress(rounds, hz, full.address());
    let sink = Rig::sink(RECEIVE_BUFFER_BYTES);
    let (to, stop) = (sink.address(), AtomicBool::new(false));
    let [octick_drained, tokio_drained] = thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            machine::pin(Some(core));
            sink.swallow(stop);
        });
        let figures = egress(rounds, hz, to);
        stop.store(true, Ordering::Relaxed);
        figures
    });
    let mut row = ratio("send.trains.ratio_tokio".into(), ("sendmmsg", octick), ("tokio", tokio));
    if let (Some(ours), Some(theirs)) = (octick_drained, tokio_drained) {
        row.note += &format!("; to a drained socket {:.0}, {:.0}", ours.median, theirs.median);
    }
    row.bar(Bar::AtLeast(8.0))
}

fn egress(rounds: usize, hz: f64, to: SocketAddr) -> [Option<Figures>; 2] {
    const TRAINS: usize = 100;
    let mut contenders = [senders::Egress::octick(), senders::Egress::tokio()];
    let mut taken = [const { Vec::new() }; 2];
    for round in 0..=rounds {
        for (contender, taken) in contenders.iter_mut().zip(&mut taken) {
            let start = thread_cpu();
            let frames = contender.send(to, TRAINS);
            let ticks = (thread_cpu() - start).as_secs_f64() * hz / frames as f64;
            // The first round fills what is to be full, and warms the rest.
            taken.extend((round > 0).then_some(ticks));
        }
    }
    taken.map(Figures::of)
}

/// Ticks a frame over all rounds.
#[derive(Clone, Copy)]
struct Figures {
    best: f64,
    median: f64,
}

impl Figures {
    /// Nothing if no round counted.
    fn of(mut ticks: Vec<f64>) -> Option<Self> {
        ticks.sort_by(f64::total_cmp);
        Some(Self { best: *ticks.first()?, median: ticks[ticks.len() / 2] })
    }
}

type Contender<'a> = (&'a str, Option<Figures>);

fn ratio(name: String, (ours, our): Contender<'_>, (theirs, their): Contender<'_>) -> Row {
    let (Some(our), Some(their)) = (our, their) else {
        return Row::skipped(name, UNIT, "the sender never kept its pace: the machine is busy");
    };
    let note = format!(
        "{} a frame: {ours} {:.0}, {theirs} {:.0}; medians {:.0}, {:.0}: {:.2}",
        ticks::UNIT,
        our.best,
        their.best,
        our.median,
        their.median,
        their.median / our.median
    );
    Row::value(name, UNIT, their.best / our.best).note(note)
}

/// CPU time of this thread: what it spent in itself and in the kernel, without its sleeps.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec for the kernel to fill.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "every Linux has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
