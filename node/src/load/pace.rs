//! Sends each train when it is due, however the receiver fares: an open loop, and one that ends when its time is over.

use std::net::SocketAddr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use hdrhistogram::Histogram;
use octick::clock::wall_ns;
use octick::socket::Sender;

use super::trains::{Schedule, Stock};

/// Sleeping is this inexact; the rest of a wait is spun away.
const SLEEP_SLACK: Duration = Duration::from_micros(120);
/// A train that goes out later than this after its time counts as late.
const LATE: Duration = Duration::from_millis(1);
/// How long after the last train was due the generator goes on to send what it could not send in time.
pub(super) const OVERTIME: Duration = Duration::from_millis(500);

/// What the generator did.
pub(super) struct Sent {
    /// Frames handed to the kernel.
    pub(super) frames: u64,
    pub(super) bytes: u64,
    /// Trains that went out late.
    pub(super) late: u64,
    /// Trains that were not signed when they were due.
    pub(super) unsigned: u64,
    /// Frames that the generator did not send, for its time was over.
    pub(super) unsent: u64,
    /// How long after their time trains went out, ns.
    pub(super) lag_ns: Histogram<u64>,
    /// Frames that the kernel refused.
    pub(super) refused: u64,
    /// From the first to the last train.
    pub(super) took: Duration,
}

/// Sends everything in `stock` to `to`.
pub(super) fn send(stock: &Stock, schedule: &Schedule, sender: &mut Sender, to: SocketAddr) -> Sent {
    let start_ns = stock.start_micros * 1_000;
    let mut sent = Sent {
        frames: 0,
        bytes: 0,
        late: 0,
        unsigned: 0,
        unsent: 0,
        lag_ns: Histogram::new_with_bounds(1, 3_600_000_000_000, 2).expect("the bounds are in order"),
        refused: 0,
        took: Duration::ZERO,
    };
    let refused = sender.counters().send_errors;
    let end_ns = start_ns + (schedule.due(schedule.trains) + OVERTIME).as_nanos() as u64;
    for i in 0..schedule.trains {
        let due_ns = start_ns + schedule.due(i).as_nanos() as u64;
        let train = match stock.trains.recv_timeout(Duration::from_nanos(end_ns.saturating_sub(wall_ns()))) {
            Ok(train) => train,
            // The signer is too slow; it ends early only by a panic, which it has told.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        };
        sent.unsigned += u64::from(train.signed_ns > due_ns);
        wait_until(due_ns);
        let lag_ns = wall_ns().saturating_sub(due_ns);
        sent.lag_ns.saturating_record(lag_ns.max(1));
        sent.late += u64::from(lag_ns > LATE.as_nanos() as u64);
        let frames: Vec<&[u8]> = train.frames().collect();
        let mut done = 0;
        while done < frames.len() && wall_ns() < end_ns {
            // A full send buffer empties as fast as the kernel delivers; until then there is nothing else to do.
            let outcome = sender.send_train(&frames[done..], &[to]);
            done = outcome.stopped.map_or(frames.len(), |stop| done + stop.frame);
        }
        sent.frames += done as u64;
        sent.bytes += frames[..done].iter().map(|frame| frame.len() as u64).sum::<u64>();
        if done < frames.len() {
            break;
        }
    }
    sent.unsent = schedule.frames() - sent.frames;
    sent.refused = sender.counters().send_errors - refused;
    sent.took = Duration::from_nanos(wall_ns().saturating_sub(start_ns));
    sent
}

/// Returns at `due_ns`, nanoseconds since 1970, as exactly as the machine lets it.
pub(super) fn wait_until(due_ns: u64) {
    loop {
        let left = Duration::from_nanos(due_ns.saturating_sub(wall_ns()));
        if left.is_zero() {
            return;
        }
        match left.checked_sub(SLEEP_SLACK) {
            Some(sleep) => std::thread::sleep(sleep),
            None => std::hint::spin_loop(),
        }
    }
}
