//! Reserves the clock ahead of the engine, on a thread of its own, and takes a later incarnation when the mesh remembers one.
//!
//! A saved state reserves the clock up to a [lead](Lead) beyond the wall clock and the latest version; the next save comes
//! when less than half of the lead is left. So the engine pays a load and a store a turn, and a disk has half a lead to answer. If it
//! does not, the engine issues nothing until it has. (CockroachDB and the timestamp oracle of TiKV keep their clocks this way.)

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use std::{fmt, io};

use octick_core::stamp::Incarnation;
use octick_core::time::Wall;

use super::begin::{Beginning, Lead, begin};
use super::store::{StableError, StableState, StableStore};
use crate::clock;
use crate::runtime::Waker;

/// How long to wait after a store has failed.
const RETRY: Duration = Duration::from_millis(100);

/// What the engine's thread and the keeper's tell each other. Clones are the same.
#[derive(Clone)]
pub(crate) struct Reservation(Arc<Shared>);

struct Shared {
    /// Up to here versions may be issued: it is durable.
    reserved: AtomicU64,
    /// The latest version that the engine issued or saw.
    latest: AtomicU64,
    /// The incarnation to be: it is durable.
    incarnation: AtomicU32,
    /// The greatest that the mesh remembers; 0 is none.
    outlived: AtomicU32,
    /// Whether there is anything to save while the node runs.
    durable: bool,
    stop: AtomicBool,
    keeper: OnceLock<Thread>,
    failure: Mutex<Option<(ErrorKind, String)>>,
}

impl Reservation {
    /// Up to where the clock may go.
    #[inline]
    pub(crate) fn reserved(&self) -> Wall {
        // After this load, the save that it stands for is done.
        Wall(self.0.reserved.load(Ordering::Acquire))
    }

    /// Tells how far the clock has gone.
    #[inline]
    pub(crate) fn set_latest(&self, latest: Wall) {
        self.0.latest.store(latest.0, Ordering::Relaxed);
    }

    /// Which incarnation the node is to be.
    #[inline]
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.0.incarnation.load(Ordering::Acquire))
    }

    /// The mesh remembers this one: a later one is to be taken.
    pub(crate) fn outlived(&self, incarnation: Incarnation) {
        self.0.outlived.fetch_max(incarnation.0, Ordering::Relaxed);
        if self.0.durable {
            self.hurry();
        } else if let Some(above) = incarnation.0.checked_add(1) {
            self.0.incarnation.fetch_max(above, Ordering::Release);
        }
    }

    /// The engine waits.
    pub(crate) fn hurry(&self) {
        if let Some(keeper) = self.0.keeper.get() {
            keeper.unpark();
        }
    }

    /// Why the last save failed, if it did.
    pub(crate) fn failure(&self) -> Option<(ErrorKind, String)> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Owns the store, and saves to it.
pub(crate) struct Keeper {
    shared: Reservation,
    work: Option<Work>,
    thread: Option<JoinHandle<Work>>,
}

struct Work {
    store: Box<dyn StableStore>,
    saved: StableState,
    lead: Lead,
    reservation: Reservation,
}

impl Keeper {
    /// Loads what is remembered, and saves what begins now; `skew_max` is how far ahead of their clocks others take versions.
    ///
    /// # Errors
    /// [`StableError`]: nothing may be issued.
    pub(crate) fn begin(
        mut store: Box<dyn StableStore>,
        chosen: Option<u32>,
        skew_max: Duration,
        wall_ns: u64,
    ) -> Result<(Self, Beginning), StableError> {
        let beginning = begin(store.load()?, chosen.map(Incarnation), wall_ns)?;
        let (durable, lead) = (store.is_durable(), Lead::of(skew_max));
        let shared = Reservation(Arc::new(Shared {
            reserved: AtomicU64::new(if durable { 0 } else { u64::MAX }),
            latest: AtomicU64::new(beginning.clock.0),
            incarnation: AtomicU32::new(beginning.incarnation.0),
            outlived: AtomicU32::new(0),
            durable,
            stop: AtomicBool::new(false),
            keeper: OnceLock::new(),
            failure: Mutex::new(None),
        }));
        let saved = StableState { incarnation: beginning.incarnation, reserved: beginning.clock };
        let mut work = Work { store, saved, lead, reservation: shared.clone() };
        if durable {
            let reserved = lead.up_to(Wall(wall_ns / 1_000), beginning.clock);
            work.save(StableState { reserved, ..saved })?;
        }
        Ok((Self { shared, work: Some(work), thread: None }, beginning))
    }

    /// What the engine looks at.
    pub(crate) fn reservation(&self) -> Reservation {
        self.shared.clone()
    }

    /// Begins to look after it, and to ring `waker` when the engine may go on.
    ///
    /// # Errors
    /// There is no thread.
    pub(crate) fn watch(&mut self, waker: Waker) -> io::Result<()> {
        let Some(work) = self.work.take_if(|_| self.shared.0.durable) else { return Ok(()) };
        let thread = thread::Builder::new().name("octick-stable".into());
        self.thread = Some(thread.spawn(move || work.run(&waker))?);
        Ok(())
    }
}

impl Drop for Keeper {
    /// The engine has ended: what it issued last is what is kept, so that the next start need not begin beyond that.
    fn drop(&mut self) {
        self.shared.0.stop.store(true, Ordering::Relaxed);
        self.shared.hurry();
        let work = self.work.take().or_else(|| self.thread.take().and_then(|thread| thread.join().ok()));
        if let Some(mut work) = work {
            let shared = &self.shared.0;
            let incarnation = Incarnation(shared.incarnation.load(Ordering::Relaxed));
            let last = StableState { incarnation, reserved: Wall(shared.latest.load(Ordering::Relaxed)) };
            // If it fails, more is reserved than was used.
            let _ = work.store.save(&last);
        }
    }
}

impl Work {
    fn run(mut self, waker: &Waker) -> Self {
        let shared = self.reservation.clone();
        let _ = shared.0.keeper.set(thread::current());
        while !shared.0.stop.load(Ordering::Relaxed) {
            let wall = Wall(clock::wall_micros());
            let nap = match self.renew(wall) {
                Ok(true) => {
                    waker.ring();
                    Duration::ZERO
                }
                Ok(false) => Duration::from_micros(self.lead.nap(wall, self.latest())),
                Err(_) => RETRY,
            };
            self.sleep(nap);
        }
        self
    }

    /// Sleeps for `nap`, less if it is hurried and nothing has failed.
    fn sleep(&self, nap: Duration) {
        let until = Instant::now() + nap;
        let stops = || self.reservation.0.stop.load(Ordering::Relaxed);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || stops() {
                return;
            }
            thread::park_timeout(left);
            if self.reservation.failure().is_none() {
                return;
            }
        }
    }

    /// Saves if that is due. Returns whether the engine may go on further than before.
    fn renew(&mut self, wall: Wall) -> Result<bool, StableError> {
        let shared = self.reservation.clone();
        let latest = self.latest();
        let outlived = shared.0.outlived.load(Ordering::Relaxed);
        let incarnation = match outlived.checked_add(1) {
            Some(above) => self.saved.incarnation.max(Incarnation(above)),
            None => self.saved.incarnation,
        };
        let runs_out = self.lead.is_due(self.saved.reserved, wall, latest);
        if !runs_out && incarnation == self.saved.incarnation {
            return Ok(false);
        }
        let reserved = self.saved.reserved.max(self.lead.up_to(wall, latest));
        let saved = self.save(StableState { incarnation, reserved });
        let failure = saved.as_ref().err().map(|error| (error.kind(), error.to_string()));
        *shared.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        saved.map(|()| true)
    }

    fn latest(&self) -> Wall {
        Wall(self.reservation.0.latest.load(Ordering::Relaxed))
    }

    fn save(&mut self, state: StableState) -> Result<(), StableError> {
        self.store.save(&state)?;
        self.saved = state;
        let shared = &self.reservation.0;
        // Not before it is durable.
        shared.reserved.store(state.reserved.0, Ordering::Release);
        shared.incarnation.store(state.incarnation.0, Ordering::Release);
        Ok(())
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("durable", &self.shared.0.durable).finish_non_exhaustive()
    }
}
