//! When the engine's thread has something to do by itself, and how long it may sleep until then.
//!
//! Time is an argument, microseconds since some beginning. Trains leave at most once in a flush time: the first
//! write after a quiet while goes at once, those that follow gather, and none waits longer than the setting.

use std::time::Duration;

use crate::config::Push;
use crate::runtime::shared::thread_stats::PUBLISH_STATS_MICROS;

/// Longest sleep with nothing to send: whoever writes, asks or stops rings, and what is due shortens it. Ten looks a second,
/// as often as figures are published.
const NAP_MICROS: u64 = PUBLISH_STATS_MICROS;

/// What is due.
pub(in crate::runtime) struct Timers {
    flush: u64,
    refresh: u64,
    /// When the next train may leave.
    flush_at: u64,
    refresh_at: u64,
    publish_stats_at: u64,
}

impl Timers {
    pub(in crate::runtime) fn new(push: &Push) -> Self {
        let [flush, refresh] = [push.flush, push.refresh].map(|time| time.as_micros() as u64);
        Self { flush, refresh, flush_at: 0, refresh_at: refresh, publish_stats_at: 0 }
    }

    /// Whether a train may leave. One that does is told by [`Timers::flushed`].
    pub(in crate::runtime) fn may_flush(&self, now: u64) -> bool {
        now >= self.flush_at
    }

    /// What is pending may leave at once.
    pub(in crate::runtime) fn hurry(&mut self) {
        self.flush_at = 0;
    }

    /// All that was pending has left, and what comes next gathers; or some of it is `left`, which may be stamped in so
    /// many microseconds.
    pub(in crate::runtime) fn flushed(&mut self, now: u64, left: Option<u64>) {
        self.flush_at = now + left.map_or(self.flush, |micros| micros.min(self.flush));
    }

    /// Whether to send all own cells again; then the time runs anew.
    pub(in crate::runtime) fn take_refresh(&mut self, now: u64) -> bool {
        let due = self.refresh > 0 && now >= self.refresh_at;
        if due {
            self.refresh_at = now + self.refresh;
        }
        due
    }

    /// Whether to publish figures; then the time runs anew.
    pub(in crate::runtime) fn take_publish_stats(&mut self, now: u64) -> bool {
        let due = now >= self.publish_stats_at;
        if due {
            self.publish_stats_at = now + PUBLISH_STATS_MICROS;
        }
        due
    }

    /// How long to sleep at most: until the next train, if writes are `pending` that may be stamped in so many
    /// microseconds; else until something comes.
    pub(in crate::runtime) fn nap(&self, now: u64, pending: Option<u64>) -> Duration {
        let train = pending.map_or(NAP_MICROS, |micros| self.flush_at.saturating_sub(now).max(micros));
        Duration::from_micros(train.min(NAP_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: u64 = 1_000;

    fn timers() -> Timers {
        let (flush, refresh) = (Duration::from_micros(FLUSH), Duration::from_millis(5));
        Timers::new(&Push { fanout: 1, relay: 0, flush, refresh, queue: 1 })
    }

    #[test]
    fn the_first_write_after_a_quiet_while_goes_at_once() {
        let mut timers = timers();
        timers.flushed(0, None);
        assert!(timers.may_flush(50_000));
        assert_eq!(timers.nap(50_000, Some(0)), Duration::ZERO);
    }

    #[test]
    fn a_write_waits_for_company_no_longer_than_the_setting() {
        let mut timers = timers();
        timers.flushed(10_000, None);
        // Whenever it comes and whatever woke the thread meanwhile, no sleep leads past the time of its train.
        for now in 10_000..10_000 + FLUSH {
            assert!(!timers.may_flush(now));
            let wake = now + timers.nap(now, Some(0)).as_micros() as u64;
            assert_eq!(wake, 10_000 + FLUSH);
        }
        assert!(timers.may_flush(10_000 + FLUSH));
    }

    #[test]
    fn with_nothing_to_send_it_sleeps_until_it_is_rung_for_and_not_for_ever() {
        let timers = timers();
        assert_eq!(timers.nap(77, None), Duration::from_micros(NAP_MICROS));
    }

    #[test]
    fn cells_that_cannot_be_stamped_yet_neither_keep_the_thread_awake_nor_wait_for_company() {
        let mut timers = timers();
        timers.flushed(5_000, Some(300));
        assert_eq!(timers.nap(5_000, Some(300)), Duration::from_micros(300));
        assert!(!timers.may_flush(5_299) && timers.may_flush(5_300));
    }

    #[test]
    fn refreshes_come_at_their_time_and_once() {
        let mut timers = timers();
        assert!(!timers.take_refresh(4_999) && timers.take_refresh(5_000) && !timers.take_refresh(5_001));
        let never = Push { refresh: Duration::ZERO, fanout: 1, relay: 0, flush: Duration::ZERO, queue: 1 };
        assert!(!Timers::new(&never).take_refresh(u64::MAX));
    }
}
