//! A node is built, its threads are spawned, and its handle is made.

use std::io;

use crate::config::{Mode, Settings, Wait};
use crate::handle::{Handle, Running};
use crate::limits::RING;
use crate::runtime::build::{Node, build};
use crate::runtime::engine::engine_loop::EngineLoop;
use crate::runtime::ingress::stages::Stages;
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::runtime::threads::receive::Receiver;
use crate::runtime::threads::solo::Solo;
use crate::runtime::threads::split::{HandOver, Merger};
use crate::runtime::threads::threads::{StartError, Threads};
use crate::runtime::threads::waker::{ParkWaiter, SocketWaiter, Waker};
use crate::socket::{Filter, Socket};

/// Starts a node on threads of its own.
///
/// # Errors
/// What could not be had: the port, memory, a thread, what is remembered of the start before. Nothing keeps running.
pub fn start(settings: Settings) -> Result<Handle, StartError> {
    let chosen = settings.config().threads.clone();
    let skew_max = settings.config().skew_max;
    let Node { mut inner, mut sockets, mut stages, engine_loop } = build(settings)?;
    let filter = sockets[0].filter();
    let unfiltered = matches!(filter, Filter::Refused(_)).then(|| filter.to_string());
    let mut threads = Threads::new(&chosen.cores);
    let waker = match chosen.mode {
        Mode::Solo => {
            let socket = sockets.pop().expect("one socket is open");
            spawn_solo(&mut threads, socket, &mut stages, engine_loop, chosen.wait, &inner.all_stats[0])?
        }
        Mode::Split { .. } => {
            let receiving = sockets.into_iter().zip(inner.all_stats[1..].iter().cloned());
            spawn_split(&mut threads, receiving, &mut stages, engine_loop, chosen.wait)?
        }
    };
    threads.wake_to_stop(waker.clone());
    stages.warm_up().map_err(StartError::Thread)?;
    inner.keeper.watch(waker.clone()).map_err(StartError::Thread)?;
    let behind = inner.beginning.warning(skew_max);
    let warnings = threads.warnings().into_iter().chain(unfiltered).chain(behind).collect();
    Ok(Handle::new(inner, Running { threads, waker, warnings }))
}

/// Spawns the one thread that does everything. Returns what wakes it.
fn spawn_solo(
    threads: &mut Threads,
    socket: Socket,
    stages: &mut Stages,
    engine_loop: EngineLoop,
    wait: Wait,
    thread_stats: &ThreadStats,
) -> Result<Waker, StartError> {
    let waiter = SocketWaiter::new(socket.alarm().clone());
    let (waker, stage, sink) = (waiter.waker(), stages.stage(thread_stats), Solo { engine_loop });
    let receiver = Receiver { socket, stage, sink, waiter, wait };
    threads.spawn("octick", move |stop| receiver.run(stop).map(drop))?;
    Ok(waker)
}

/// Spawns a thread for each socket, and the engine's behind their rings. Returns what wakes the engine's.
fn spawn_split(
    threads: &mut Threads,
    receiving: impl Iterator<Item = (Socket, ThreadStats)>,
    stages: &mut Stages,
    engine_loop: EngineLoop,
    wait: Wait,
) -> Result<Waker, StartError> {
    let sleeper = ParkWaiter::new();
    let waker = sleeper.waker();
    let mut rings = Vec::new();
    for (i, (socket, thread_stats)) in receiving.enumerate() {
        let (ring, end) = rtrb::RingBuffer::new(RING);
        rings.push(end);
        let (stage, waiter) = (stages.stage(&thread_stats), SocketWaiter::new(socket.alarm().clone()));
        let sink = HandOver { ring, waker: sleeper.waker(), thread_stats };
        let receiver = Receiver { socket, stage, sink, waiter, wait };
        threads.spawn(&format!("octick-in{i}"), move |stop| receiver.run(stop).map(drop))?;
    }
    let merger = Merger { rings, engine_loop, sleeper, wait };
    threads.spawn("octick-engine", move |stop| {
        merger.run(stop);
        io::Result::Ok(())
    })?;
    Ok(waker)
}
