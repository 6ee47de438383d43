//! What became of the frames: taken, lost on the way, or rejected, and how late they were merged.

use std::fmt;

use octick::{Gauge, Report};
use octick_core::Reject;
use octick_core::counters::Counter;
use serde::Serialize;

use super::pace::Sent;
use super::trains::Schedule;
use crate::output::wrap;
use crate::report::{Named, Percentiles, count, nanos};

/// The result of a load.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Whether the receiver took what was scheduled, but for the loss that was allowed; nothing when that is not known.
    delivered: Option<bool>,
    loss_max_percent: f64,
    frames_per_s: u64,
    frames_per_train: usize,
    secs: f64,
    /// Frames that were to be sent.
    scheduled: u64,
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
    unsent_frames: u64,
    refused_frames: u64,
    trains: u64,
}

impl Outcome {
    /// `before` and `after` are the receiver's figures around the load.
    pub(super) fn new(
        schedule: &Schedule,
        sent: &Sent,
        loss_max: f64,
        before: &Report,
        after: &Report,
    ) -> Self {
        let tally = after.tally.since(&before.tally);
        // Questions come in as frames, too; the one that is being answered is not counted as answered yet.
        let questions = tally.get(Counter::Answers) + tally.rejected(Reject::StaleQuery);
        let arrived = tally.get(Counter::FramesIn).saturating_sub(questions);
        let kernel_drops = after.gauge(Gauge::KernelDrops).saturating_sub(before.gauge(Gauge::KernelDrops));
        let mut why = tally;
        why.set_rejected(Reject::StaleQuery, 0);
        let taken = tally.get(Counter::FramesFresh);
        let micros = |gauge| after.gauge(gauge) * 1_000;
        Self {
            delivered: delivered(schedule.frames(), sent.frames, taken, loss_max),
            loss_max_percent: loss_max,
            scheduled: schedule.frames(),
            frames_per_s: schedule.rate,
            frames_per_train: schedule.train,
            secs: sent.took.as_secs_f64(),
            sent: sent.frames,
            bytes: sent.bytes,
            taken,
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
                unsent_frames: sent.unsent,
                refused_frames: sent.refused,
                trains: schedule.trains,
            },
        }
    }

    /// Whether the receiver is known to have taken as much as it should.
    pub(super) fn delivered(&self) -> bool {
        self.delivered == Some(true)
    }

    /// What the figures come to, and what to do about it.
    fn verdict(&self) -> String {
        let missing = self.scheduled.saturating_sub(self.taken);
        let allowed = self.loss_max_percent;
        match self.delivered {
            Some(true) if missing == 0 => "every frame was taken".into(),
            Some(true) => format!("{missing} frames are missing, no more than --loss-max {allowed}"),
            None => "NOT KNOWN: the receiver took more frames than were sent here, so others write to it; load a node that \
                     nobody else writes to"
                .into(),
            Some(false) => format!("NOT DELIVERED: {missing} of {} frames; {}", self.scheduled, self.remedy()),
        }
    }

    fn remedy(&self) -> &'static str {
        let dropped = |reason: Reject| self.dropped.get(reason.metric()) > 0;
        if dropped(Reject::NotOwner) || dropped(Reject::SlotRange) {
            "--first and --agents do not lie within the runs that the receiver's [[peers]] grants this key"
        } else if self.generator.unsent_frames > 0 {
            "this machine sends no faster: lower --rate, or raise --train"
        } else if self.kernel_drops > 0 {
            "the receiver did not keep up: lower --rate, raise --train, or its socket.rcvbuf_bytes"
        } else if self.generator.refused_frames > 0 {
            "this machine's kernel refused frames: see the route and the firewall"
        } else {
            "docs/operating.md says what to do about each reason above; --loss-max PERCENT accepts some loss"
        }
    }
}

/// Nothing when the receiver took frames that were not sent here.
fn delivered(scheduled: u64, sent: u64, taken: u64, loss_max: f64) -> Option<bool> {
    let missing = scheduled.saturating_sub(taken) as f64;
    (taken <= sent).then_some(taken > 0 && missing <= scheduled as f64 * loss_max / 100.0)
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
        writeln!(f, "{}", self.generator)?;
        // The verdict in lines of its own width, below the others' figures.
        let verdict = wrap(&format!("{:9}{}", "", self.verdict()), 9);
        write!(f, "result{}", &verdict["result".len()..])
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
                "\nTHE GENERATOR FELL BEHIND: {} of {of} trains were not signed in time, {} frames were never sent; \
                 lower --rate, or raise --train",
                self.unsigned_trains, self.unsent_frames
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

#[cfg(test)]
mod tests {
    use super::delivered;

    #[test]
    fn a_load_is_delivered_only_if_enough_arrived_and_nobody_else_wrote() {
        for (scheduled, sent, taken, loss_max, verdict) in [
            (200, 200, 200, 0.0, Some(true)),
            (200, 200, 199, 0.0, Some(false)),
            (200, 200, 199, 0.5, Some(true)),
            (200, 200, 198, 0.5, Some(false)),
            (200, 100, 100, 0.0, Some(false)),
            (200, 200, 0, 100.0, Some(false)),
            (200, 200, 201, 0.0, None),
            (200, 100, 150, 50.0, None),
        ] {
            assert_eq!(
                delivered(scheduled, sent, taken, loss_max),
                verdict,
                "{scheduled} {sent} {taken} {loss_max}"
            );
        }
    }
}
