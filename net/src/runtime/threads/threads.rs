//! The threads of a node: started one by one, each on its core, stopped together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use crossbeam::channel;

use crate::runtime::threads::pin::pin;
use crate::runtime::threads::waker::Waker;
use crate::socket::OpenError;
use crate::stable::StableError;

/// The threads of a node.
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    cores: Vec<usize>,
    /// Of the threads that may sleep for long.
    wakers: Vec<Waker>,
    said: (channel::Sender<String>, channel::Receiver<String>),
}

impl Threads {
    pub(in crate::runtime) fn new(cores: &[usize]) -> Self {
        Self {
            stop: Arc::default(),
            threads: Vec::new(),
            cores: cores.to_vec(),
            wakers: Vec::new(),
            said: channel::unbounded(),
        }
    }

    /// Starts a thread, pinned to the next core of the list.
    pub(in crate::runtime) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&AtomicBool) -> io::Result<()> + Send + 'static,
    ) -> Result<(), StartError> {
        let core = self.cores.get(self.threads.len()).copied();
        let (stop, say, called) = (self.stop.clone(), self.said.0.clone(), name.to_owned());
        let (ready, started) = channel::bounded::<()>(1);
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            if let Some(Err(warning)) = core.map(|core| pin(&called, core)) {
                let _ = say.send(warning);
            }
            drop(ready);
            work(&stop)
        });
        self.threads.push(thread.map_err(StartError::Thread)?);
        // Returns when the thread drops its end: then its warning, if any, is there.
        let _ = started.recv();
        Ok(())
    }

    /// Has a thread that may sleep for long be woken when all are to stop.
    pub(in crate::runtime) fn wake_to_stop(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    /// Tells all threads to end. One that is just going to sleep may find out a nap later.
    fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::ring);
    }

    pub(in crate::runtime) fn warnings(&self) -> Vec<String> {
        self.said.1.try_iter().collect()
    }

    /// Stops all threads and waits for them.
    ///
    /// # Errors
    /// The first thread's that ended by an error of its socket.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.tell_to_stop();
        let ends: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        ends.into_iter().try_for_each(|end| match end {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Whether every thread still works.
    pub(crate) fn is_whole(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.tell_to_stop();
        // A panic of a thread was told on its way; dropping must not panic again.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Why a node did not start. Nothing keeps running.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// No socket.
    Socket(OpenError),
    /// No memory for tables or buffers.
    Memory(io::Error),
    /// No thread.
    Thread(io::Error),
    /// What is remembered of the start before cannot be read, or the store takes nothing.
    Stable(StableError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "{error}"),
            Self::Memory(error) => {
                write!(f, "no memory for tables and buffers: {error}; want fewer slots or buffers")
            }
            Self::Thread(error) => write!(f, "no thread: {error}"),
            Self::Stable(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Socket(error) => Some(error),
            Self::Memory(error) | Self::Thread(error) => Some(error),
            Self::Stable(error) => Some(error),
        }
    }
}
