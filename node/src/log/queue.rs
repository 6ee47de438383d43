//! Lines wait here for the thread that writes them: bounded, never waited for, and what is lost is counted and told.
//!
//! In come whole lines; out go bytes on a file. The thread alone waits for the file: for the reader of a full pipe as long as
//! that takes. It never gives up on the file, for a disk may be emptied and a pipe get another reader. A line is written
//! whole or, when the file fails in its middle, ended before the next one begins.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that wait at most: some 6,000 lines.
const BYTES_MAX: usize = 1 << 20;
/// Between two tries to say what was lost while nothing else is to be written, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));
/// Between two tries on a file that somebody has set not to block.
const NOT_YET: Duration = Duration::from_millis(10);

/// The queue, shared by everybody who logs and the thread that writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is a line, or an end.
    more: Condvar,
    /// Everything is written.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    dropped: u64,
    /// Nothing is taken any more; the thread ends when it has written what there is.
    closing: bool,
    ended: bool,
}

/// What the thread does next.
enum Next {
    Write(Box<[u8]>),
    /// Nothing came for a while.
    Retry,
    End,
}

impl Queue {
    /// A queue and its thread. `lost` makes the line that says how many were dropped, and what the file said.
    pub(super) fn start(
        file: impl Write + Send + 'static,
        lost: impl Fn(u64, &str) -> String + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let shared = queue.clone();
        thread::Builder::new().name("octick-log".into()).spawn(move || shared.write(file, lost))?;
        Ok(queue)
    }

    /// A place for one line, which must be written to it in one piece.
    pub(super) fn line(self: &Arc<Self>) -> Line {
        Line(self.clone())
    }

    /// Takes a line, or counts it.
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.closing || state.bytes + line.len() > BYTES_MAX {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.into());
        self.more.notify_one();
    }

    /// Lines that did not reach the file.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Takes no more lines, and waits until those that were taken are written, up to `patience`.
    pub(super) fn finish(&self, patience: Duration) {
        let mut state = self.lock();
        state.closing = true;
        self.more.notify_one();
        let waited = self.ended.wait_timeout_while(state, patience, |state| !state.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn write(&self, file: impl Write, lost: impl Fn(u64, &str) -> String) {
        let mut outlet = Outlet { file, torn: false, why: String::new() };
        let (mut told, mut gap) = (0, RETRY.0);
        loop {
            let next = self.next((self.dropped() > told).then_some(gap));
            // What was lost came before this line, so it is told before it.
            let dropped = self.dropped();
            let silent = dropped > told && {
                let line = lost(dropped - told, outlet.why_lost());
                outlet.write(line.as_bytes()).inspect(|()| told = dropped).is_err()
            };
            gap = if silent { (2 * gap).min(RETRY.1) } else { RETRY.0 };
            match next {
                Next::Write(line) if silent || outlet.write(&line).is_err() => self.lock().dropped += 1,
                Next::Write(_) | Next::Retry => {}
                Next::End => break,
            }
        }
        self.lock().ended = true;
        self.ended.notify_all();
    }

    /// Waits for a line, at most until it is time to try again.
    fn next(&self, retry: Option<Duration>) -> Next {
        let until = retry.map(|gap| Instant::now() + gap);
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                return Next::Write(line);
            }
            if state.closing {
                return Next::End;
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Next::Retry,
                Some(left) => self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.more.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Nothing that holds the lock can panic half-way, so what a panic leaves behind is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one line.
pub(super) struct Line(Arc<Queue>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file, and what it said last.
struct Outlet<W> {
    file: W,
    /// Whether it failed in the middle of a line.
    torn: bool,
    /// Why it took no line, if it did not.
    why: String,
}

impl<W: Write> Outlet<W> {
    fn why_lost(&self) -> &str {
        if self.why.is_empty() { "the output was slower than the log" } else { &self.why }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.write_whole(line);
        self.why = written.as_ref().err().map_or_else(String::new, ToString::to_string);
        written
    }

    fn write_whole(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
            self.torn = false;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    bytes = &bytes[n..];
                    self.torn = !bytes.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(NOT_YET),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
