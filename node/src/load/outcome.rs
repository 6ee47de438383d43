//! What became of the frames: taken, lost on the way, or rejected, and how late they were merged.

use std::fmt;

use octick::{Gauge, Report};
use octick_core::Reject;
use octick_core::counters::Counter;
use serde::Serialize;

use super::pace::Sent;
use super::trains::Schedule;
use crate::report::{Named, Percentiles, count, nanos};

/// The result of a load.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    frames_per_s: u64,
    frames_per_train: usize,
    secs: f64,
    /// Frames handed to the kernel.
    sent: u64,
    bytes: u64,
    /// Frames that the receiver accepted and merged.
    taken: u64,
    /// Frames that never reached the receiver's code.
    lost: u64,
    /// Datagrams that the receiver's kernel dropped; a train that travels as one counts once.
    kernel_drops: u64,
    /// Frames that reached the receiver and were not merged, by reason.
    dropped: Named,
    cells_merged: u64,
    /// From the time at which a frame was to be sent to the merged state.
    latency_ns: Latency,
    generator: Generator,
}

/// As the receiver reports it, since its own start.
#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// Whether the generator kept its word.
#[derive(Debug, Serialize)]
struct Generator {
    lag_ns: Option<Percentiles>,
    lag_ns_max: u64,
    late_trains: u64,
    unsigned_trains: u64,
    refused_frames: u64,
    trains: u64,
}

impl Outcome {
    /// `before` and `after` are the receiver's figures around the load.
    pub(super) fn new(schedule: &Schedule, sent: &Sent, before: &Report, after: &Report) -> Self {
        let tally = after.tally.since(&before.tally);
        // Questions come in as frames, too; the one that is being answered is not counted as answered yet.
        let questions = tally.get(Counter::Answers) + tally.rejected(Reject::StaleQuery);
        let arrived = tally.get(Counter::FramesIn).saturating_sub(questions);
        let kernel_drops = after.gauge(Gauge::KernelDrops).saturating_sub(before.gauge(Gauge::KernelDrops));
        let mut why = tally;
        why.set_rejected(Reject::StaleQuery, 0);
        let micros = |gauge| after.gauge(gauge) * 1_000;
        Self {
            frames_per_s: schedule.rate,
            frames_per_train: schedule.train,
            secs: sent.took.as_secs_f64(),
            sent: sent.frames,
            bytes: sent.bytes,
            taken: tally.get(Counter::FramesFresh),
            lost: (sent.frames - sent.refused).saturating_sub(arrived),
            kernel_drops,
            dropped: Named::inside(&why),
            cells_merged: tally.get(Counter::CellsWon),
            latency_ns: Latency {
                p50: micros(Gauge::OriginP50),
                p99: micros(Gauge::OriginP99),
                p999: micros(Gauge::OriginP999),
                max: micros(Gauge::OriginMax),
            },
            generator: Generator {
                lag_ns: Percentiles::of(&sent.lag_ns),
                lag_ns_max: sent.lag_ns.max(),
                late_trains: sent.late,
                unsigned_trains: sent.unsigned,
                refused_frames: sent.refused,
                trains: schedule.trains,
            },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.taken as f64 / self.sent.max(1) as f64;
        let [sent, taken, cells] = [self.sent, self.taken, self.cells_merged].map(|n| count(n as f64));
        writeln!(f, "sent     {sent} frames in {:.1} s, {} to a train", self.secs, self.frames_per_train)?;
        writeln!(f, "taken    {taken} ({share:.2} %), {cells} cells merged")?;
        write!(f, "lost     {}", self.lost)?;
        if self.kernel_drops > 0 {
            write!(f, " (its kernel dropped {} datagrams: receive buffer full)", self.kernel_drops)?;
        }
        writeln!(f, "\ndropped  {}", self.dropped)?;
        let Latency { p50, p99, p999, max } = self.latency_ns;
        let [p50, p99, p999, max] = [p50, p99, p999, max].map(|ns| nanos(ns as f64));
        writeln!(
            f,
            "latency  due>state p50 {p50} p99 {p99} p99.9 {p999} max {max}, by the receiver since its start"
        )?;
        write!(f, "{}", self.generator)
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = nanos(self.lag_ns_max as f64);
        match &self.lag_ns {
            Some(lag) => write!(f, "pace     due>sent {lag} max {max}")?,
            None => write!(f, "pace     nothing was sent")?,
        }
        let of = self.trains;
        if self.unsigned_trains > 0 {
            write!(
                f,
                "\nTHE GENERATOR FELL BEHIND: {} of {of} trains were not signed in time; lower --rate, or raise --train",
                self.unsigned_trains
            )?;
        } else if self.late_trains > 0 {
            write!(
                f,
                "\nTHE GENERATOR FELL BEHIND: {} of {of} trains left more than 1 ms late; the latency above includes that",
                self.late_trains
            )?;
        }
        if self.refused_frames > 0 {
            write!(f, "\nthis machine's kernel refused {} frames: is there a route?", self.refused_frames)?;
        }
        Ok(())
    }
}
