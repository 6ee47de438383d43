//! Agents for a demo: their cells change all the time, at a steady rate.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use octick::{Slot, Update, WriteError, Writer};

use crate::config::Run;
use crate::failure::Failure;

/// How often the agents' thread wakes up.
const BEAT: Duration = Duration::from_millis(2);

/// A thread that writes cells until it is dropped.
pub(super) struct Agents {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Agents {
    /// Has the first `count` cells of `runs` change in turn, `rate` of them a second. The values count up.
    pub(super) fn start(writer: Writer, runs: &[Run], count: usize, rate: u64) -> Result<Self, Failure> {
        let slots: Vec<Slot> = runs.iter().flat_map(|run| run.first..run.end).take(count).map(Slot).collect();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("agents".into()).spawn(move || {
            let (began, mut written) = (Instant::now(), 0_u64);
            // Waits for the stop, and takes the time-out for the beat.
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
                while written < due && !slots.is_empty() {
                    let slot = slots[(written % slots.len() as u64) as usize];
                    match writer.write(Update::Cell8(slot, written)) {
                        Ok(()) => written += 1,
                        // The engine is behind; what it could not take yet is still due at the next beat.
                        Err(WriteError::Full) => break,
                        Err(WriteError::Gone) => return,
                        // An older claim to it has come to light; the other agents go on.
                        Err(WriteError::SlotsLost { .. }) => written += 1,
                        Err(error) => unreachable!("agents write their own cells: {error}"),
                    }
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was told on its way.
            drop(thread.join());
        }
    }
}
