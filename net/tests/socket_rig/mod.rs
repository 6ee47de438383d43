//! What the socket tests share: a pool, a socket of either backend, and patience.

#![allow(dead_code, reason = "not every test file needs every part of the rig")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use octick::pool::Pool;
use octick::socket::{Arrival, Choice, Socket, SocketSettings, Wait};

/// Both backends, each to be shown the same behaviour; the one that this machine has, where it denies io_uring.
pub(crate) fn backends() -> impl Iterator<Item = Choice> {
    let uring = Socket::open(&settings(Choice::Uring), &pool());
    if let Err(error) = &uring {
        eprintln!("skipped for io_uring: {error}");
    }
    [uring.is_ok().then_some(Choice::Uring), Some(Choice::Mmsg)].into_iter().flatten()
}

pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// For datagrams of any length that is one.
pub(crate) fn settings(backend: Choice) -> SocketSettings {
    let frames_only = SocketSettings::new(LOOPBACK.parse().expect("an address"));
    SocketSettings { backend, frame_lens: 1..=usize::from(u16::MAX), ..frames_only }
}

pub(crate) fn pool() -> Arc<Pool> {
    Arc::new(Pool::new(64).expect("memory"))
}

pub(crate) fn open(backend: Choice, pool: &Arc<Pool>) -> Socket {
    Socket::open(&settings(backend), pool).expect("a socket on loopback")
}

/// Polls until `enough` says so; fails loudly after five seconds.
pub(crate) fn poll_until(socket: &mut Socket, mut enough: impl FnMut(&mut Vec<Arrival>) -> bool) {
    let mut out = Vec::with_capacity(64);
    let start = Instant::now();
    while !enough(&mut out) {
        assert!(start.elapsed() < Duration::from_secs(5), "nothing more came: {:?}", socket.counters());
        socket.poll(Wait::Park(Duration::from_millis(20)), &mut out).expect("a socket that receives");
    }
}

/// Polls until `count` frames are in; each with its sender, in order of arrival.
pub(crate) fn frames(socket: &mut Socket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut frames = Vec::new();
    poll_until(socket, |out| {
        for arrival in out.drain(..) {
            frames.extend(arrival.frames().map(|frame| (arrival.from(), frame.to_vec())));
        }
        frames.len() >= count
    });
    frames
}

/// A frame of `len` bytes that no other number yields.
pub(crate) fn frame(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().repeat(len.div_ceil(4));
    bytes.truncate(len);
    bytes
}
