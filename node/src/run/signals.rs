//! What the system asks of a running node: SIGTERM and SIGINT end it, SIGHUP has it read its configuration again, SIGUSR1
//! has it say how it is. SIGINT after one of the first two ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, iterator::Signals};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Leave the mesh and end; the signal's name.
    End(&'static str),
    /// Read the configuration again.
    Reload,
    /// Say how it is.
    Status,
}

/// Exit code of a process that SIGINT ends: 128 and its number, as shells have it.
const INTERRUPTED: i32 = 128 + SIGINT;

/// Listens from now on: call it before the start, so that a signal during it is not lost.
///
/// # Errors
/// The system refuses a handler or a thread.
pub(super) fn listen() -> io::Result<Receiver<Signal>> {
    // The handler itself ends the process, for whatever hangs then. It is registered first, so it sees only earlier signals.
    let ending = Arc::new(AtomicBool::new(false));
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED, ending.clone())?;
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, ending.clone())?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    let (to_node, asked) = mpsc::channel();
    thread::Builder::new().name("octick-signals".into()).spawn(move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGHUP => Signal::Reload,
                SIGUSR1 => Signal::Status,
                SIGINT => Signal::End("SIGINT"),
                _ => Signal::End("SIGTERM"),
            };
            if to_node.send(signal).is_err() {
                // The node is ending anyway.
                return;
            }
        }
    })?;
    Ok(asked)
}
