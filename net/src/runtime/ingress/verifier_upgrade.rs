//! Making verification faster beside the running node, once it verifies much: the long table of the base point and its test
//! take 30 ms of a core and some megabytes, which a node that has just been started, or does little, needs for other
//! things. Until then its verifiers make do with the short one.

use std::io;
use std::thread;

use crossbeam::channel::{self, Receiver, Sender};
use octick_crypto::{Verifier, lanes};

use crate::memory;
use crate::runtime::threads::pin::step_back;

/// Signatures that a receiving thread checks without tables before it asks for them: a tenth of a second's work.
const SLOW: u64 = 1_000;

/// A receiving thread's verifier, to be asked for.
pub(in crate::runtime) struct Promise {
    ask: Sender<()>,
    verifier: Receiver<Verifier>,
    asked: bool,
}

impl Promise {
    /// The verifier, once it was asked for and made; asks for it after so many `signatures`.
    #[inline]
    pub(in crate::runtime) fn keep(&mut self, signatures: impl FnOnce() -> u64) -> Option<Verifier> {
        if self.asked {
            return self.verifier.try_recv().ok();
        }
        if signatures() >= SLOW {
            // Another thread may have asked as well; one question is enough.
            let _ = self.ask.try_send(());
            self.asked = true;
        }
        None
    }
}

/// Makes verifiers for receiving threads, one after the other, on a thread that gives way to all others.
pub(in crate::runtime) struct Warmer {
    settings: lanes::Settings,
    asked: (Sender<()>, Receiver<()>),
    promised: Vec<Sender<Verifier>>,
}

impl Warmer {
    pub(in crate::runtime) fn new(settings: lanes::Settings) -> Self {
        Self { settings, asked: channel::bounded(1), promised: Vec::new() }
    }

    /// A verifier that is ready at once and slower, and the promise of the one that the settings ask for.
    pub(in crate::runtime) fn promise(&mut self) -> (Verifier, Promise) {
        let (sender, verifier) = channel::bounded(1);
        self.promised.push(sender);
        let quick = lanes::Settings { base: lanes::Base::Short, ..self.settings };
        (Verifier::new(quick), Promise { ask: self.asked.0.clone(), verifier, asked: false })
    }

    /// Keeps the promises when the first is asked for.
    ///
    /// # Errors
    /// No thread can be had.
    pub(in crate::runtime) fn start(self) -> io::Result<()> {
        if self.promised.is_empty() {
            return Ok(());
        }
        let Self { settings, asked: (_, asked), promised } = self;
        let keep = move || {
            if asked.recv().is_err() {
                return;
            }
            step_back();
            for promised in promised {
                // Whoever waited for it may have ended.
                drop(promised.send(warm(settings)));
            }
        };
        thread::Builder::new().name("octick-warm".into()).stack_size(1 << 20).spawn(keep).map(drop)
    }
}

/// A verifier as the settings ask for it, ready.
pub(in crate::runtime) fn warm(settings: lanes::Settings) -> Verifier {
    let verifier = Verifier::new(settings);
    memory::advise_huge(verifier.table_memory());
    memory::collapse_huge(verifier.base_memory());
    verifier
}
