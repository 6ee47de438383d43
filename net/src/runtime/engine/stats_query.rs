//! A node's figures as others ask for them: what a question carries, and what the answer says.

use octick_core::counters::Tally;
use octick_core::data::report::{Gauge, Report};
use octick_core::wire::{Entries, Stat};

use crate::runtime::shared::thread_stats::ThreadStats;

/// The token of a question or an answer.
pub(in crate::runtime) fn token_of(entries: &Entries<'_>) -> Option<u64> {
    let Entries::Stats(stats) = entries else { return None };
    let first = stats.first()?;
    (first.id.get() == Stat::TOKEN).then_some(first.value.get())
}

/// All threads' counters together.
pub(crate) fn tally(all_stats: &[ThreadStats]) -> Tally {
    all_stats.iter().fold(Tally::default(), |sum, thread_stats| sum.plus(&thread_stats.counters.snapshot()))
}

/// What this node tells askers.
pub(in crate::runtime) fn report(all_stats: &[ThreadStats]) -> Report {
    let mut report = Report { tally: tally(all_stats), ..Report::default() };
    let mut set = |gauge: Gauge, value| report.gauges[gauge as usize] += value;
    for thread_stats in all_stats {
        thread_stats.look(|bulk| {
            set(Gauge::KernelDrops, bulk.socket.kernel_drops);
            let (wire, origin) = (&bulk.latencies.wire_ns, &bulk.latencies.origin_us);
            // Only the engine's thread measures latencies; the others add nothing.
            if !wire.is_empty() || !origin.is_empty() {
                set(Gauge::WireP50, wire.value_at_quantile(0.5));
                set(Gauge::WireP99, wire.value_at_quantile(0.99));
                set(Gauge::WireP999, wire.value_at_quantile(0.999));
                set(Gauge::OriginP50, origin.value_at_quantile(0.5));
                set(Gauge::OriginP99, origin.value_at_quantile(0.99));
                set(Gauge::OriginP999, origin.value_at_quantile(0.999));
                set(Gauge::OriginMax, origin.max());
            }
        });
    }
    report
}
