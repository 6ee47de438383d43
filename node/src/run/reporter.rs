//! Figures in the log: when asked for every so often, when the node stops, and when it drops frames.

use std::time::{Duration, Instant};

use octick::{Handle, MeshError, Shutdown, Unsent};
use octick_core::counters::Counter;
use tracing::{info, warn};

use super::meter::{self, Meter};
use crate::admin::Address;
use crate::log::{self, Format};
use crate::report::{About, Figures, Named, Reading};

/// How often a node looks whether it drops frames.
const LOOK: Duration = Duration::from_secs(10);
/// Between two lines about drops that go on.
const REPEAT: Duration = Duration::from_secs(60);

/// Reads the figures of one node and logs them.
pub(super) struct Reporter {
    about: About,
    format: Format,
    began: Instant,
    /// Between two lines of figures; zero logs none.
    interval: Duration,
    /// Of those lines.
    meter: Meter,
    read_at: Instant,
    drops: Drops,
}

/// What was dropped, as far as it was told.
struct Drops {
    told: Reading,
    told_at: Option<Instant>,
    look_at: Instant,
}

impl Reporter {
    /// Says that the node runs, and on what.
    pub(super) fn new(node: &Handle, admin: &[Address], format: Format, interval: Duration) -> Self {
        let about = meter::about(node);
        let now = Instant::now();
        let About { id, listen, kernel, verify, backend, why, .. } = &about;
        let [admin, admin_tcp] = [admin.first(), admin.get(1)].map(|at| at.map(tracing::field::display));
        let (pid, version) = (std::process::id(), crate::version::VERSION);
        let mesh = node.mesh().ok();
        let admission = crate::admin::view::Admission::of(mesh.as_ref());
        let (rule, granted) = (&admission.rule, admission.credential.as_ref());
        let name = granted.map(|granted| &granted.name);
        let credential = granted.map(|granted| &granted.says);
        info!(
            id,
            name,
            listen,
            admission = rule,
            credential,
            admin,
            admin_tcp,
            kernel,
            verify,
            backend,
            why,
            pid,
            version,
            "node started"
        );
        let drops = Drops { told: Reading::default(), told_at: None, look_at: now + LOOK };
        Self { about, format, began: now, interval, meter: Meter::default(), read_at: now, drops }
    }

    /// Changes how often figures are logged.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Logs what is due.
    pub(super) fn look(&mut self, node: &Handle, now: Instant) {
        if !self.interval.is_zero() && now >= self.read_at + self.interval {
            let reading = self.meter.read(node);
            let over = now - self.read_at;
            self.read_at = now;
            self.figures(&reading, over);
        }
        if now >= self.drops.look_at {
            self.drops.look_at = now + LOOK;
            self.drops.look(node, now);
        }
    }

    fn figures(&self, reading: &Reading, over: Duration) {
        let figures = Figures {
            secs: self.began.elapsed().as_secs_f64(),
            timer_floor_ns: self.about.timer_floor_ns,
            kernel: self.about.kernel.clone(),
            verify: self.about.verify.clone(),
            backend: self.about.backend.clone(),
            ..Figures::of(reading, over)
        };
        if self.format == Format::Text {
            return info!(target: log::ASKED, "{figures}");
        }
        info!(
            target: log::ASKED,
            over_secs = over.as_secs_f64(),
            cells_merged_per_s = figures.cells_merged_per_s,
            frames_in_per_s = figures.frames_in_per_s,
            frames_out_per_s = figures.frames_out_per_s,
            duplicates_per_s = figures.duplicates_per_s,
            drops = %figures.drops,
            shortages = %figures.shortages,
            ticks_per_cell_p50 = figures.ticks_per_cell.map(|price| price.p50),
            ticks_per_cell_mean = figures.ticks_per_cell.map(|price| price.mean),
            ticks_per_cell_budget = figures.ticks_per_cell_budget,
            wire_to_state_ns_p50 = figures.wire_to_state_ns.map(|wire| wire.p50),
            wire_to_state_ns_p99 = figures.wire_to_state_ns.map(|wire| wire.p99),
            wire_to_state_ns_p999 = figures.wire_to_state_ns.map(|wire| wire.p999),
            verify_disabled = figures.verify_disabled,
            "figures"
        );
    }

    /// Says how the node is, to whoever asked by a signal.
    pub(super) fn status(&self, node: &Handle) {
        let counts = self.counts(&meter::reading(node.stats()));
        let (alive, suspected, failed, left, partition) = match node.mesh() {
            Ok(mesh) => {
                let count = |state| Some(mesh.members.iter().filter(|member| member.state == state).count());
                use octick::PeerState::{Alive, Failed, Left, Suspected};
                let partition = crate::admin::view::Status::from(mesh.partition).name();
                (count(Alive), count(Suspected), count(Failed), count(Left), Some(partition))
            }
            Err(MeshError::NoMembership | MeshError::Gone) => (None, None, None, None, None),
        };
        let Counts { secs, cells_merged, frames_in, frames_out, duplicates, drops, shortages } = counts;
        let (id, log_lines_dropped) = (&self.about.id, log::dropped());
        info!(
            target: log::ASKED,
            id, secs, alive, suspected, failed, left, partition, cells_merged, frames_in, frames_out, duplicates,
            drops = %drops, shortages = %shortages, log_lines_dropped, "status"
        );
    }

    /// Says what the node did while it ran, and what it could not send any more.
    pub(super) fn whole(&self, ended: &Shutdown) {
        let Unsent { writes, blocks, frames } = ended.unsent;
        if !ended.unsent.is_nothing() {
            warn!(writes, blocks, frames, "not everything was sent before the node stopped");
        }
        let Counts { secs, cells_merged, frames_in, frames_out, duplicates, drops, shortages } =
            self.counts(&meter::reading(ended.stats.clone()));
        let log_lines_dropped = log::dropped();
        info!(
            secs, cells_merged, frames_in, frames_out, duplicates, drops = %drops, shortages = %shortages,
            log_lines_dropped, "node stopped"
        );
    }

    fn counts(&self, reading: &Reading) -> Counts {
        Counts {
            secs: self.began.elapsed().as_secs(),
            cells_merged: reading.tally.get(Counter::CellsWon),
            frames_in: reading.tally.get(Counter::FramesIn),
            frames_out: reading.tally.get(Counter::FramesOut),
            duplicates: reading.tally.rejected(octick_core::Reject::Duplicate),
            drops: Named::drops(reading),
            shortages: Named::shortages(reading),
        }
    }
}

/// Sums since the start.
struct Counts {
    secs: u64,
    cells_merged: u64,
    frames_in: u64,
    frames_out: u64,
    duplicates: u64,
    drops: Named,
    shortages: Named,
}

impl Drops {
    /// Tells of what was dropped since it was told last: at once the first time, then at most every [`REPEAT`].
    fn look(&mut self, node: &Handle, now: Instant) {
        if self.told_at.is_some_and(|at| now < at + REPEAT) {
            return;
        }
        let reading = Meter::default().read(node);
        let drops = Named::drops(&reading.since(&self.told));
        if drops.total() > 0 {
            warn!(drops = %drops, total = drops.total(), "frames dropped; see docs/operating.md for each reason");
            (self.told, self.told_at) = (reading, Some(now));
        }
    }
}
