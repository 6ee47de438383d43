//! Receiving by recvmmsg: for kernels and containers without io_uring, with the same trains.

use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use std::{io, ptr};

use super::arrival::{Arrival, CONTROL_AT, NAME_AT, NAME_LEN, Received};
use super::control::CONTROL_LEN;
use super::counters::Counters;
use super::gather::Gather;
use super::{SocketSettings, Wait, alarm, sys};
use crate::pool::{Buffer, HEAD, Pool};

/// Buffers in hand, and the kernel's description of each.
pub(super) struct Mmsg {
    fd: Arc<OwnedFd>,
    alarm: Arc<OwnedFd>,
    pool: Arc<Pool>,
    /// The first of them are the next to be filled.
    buffers: Vec<Buffer>,
    /// As many as buffers are wanted.
    messages: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
    frame_lens: RangeInclusive<usize>,
    gather: Gather,
    last: Last,
    exact_timers: bool,
}

/// What the last receive got, and so what to expect of the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing flows: sleep until something does.
    Nothing,
    /// Datagrams flow: let them gather.
    Some,
    /// Every buffer was filled: more is there already.
    Full,
}

// SAFETY: the raw pointers in `messages` and `vectors` point into this value's own boxes and buffers, and are
// followed only by the kernel, only during `receive`, which has this value to itself.
unsafe impl Send for Mmsg {}

impl Mmsg {
    pub(super) fn new(
        fd: Arc<OwnedFd>,
        alarm: Arc<OwnedFd>,
        pool: Arc<Pool>,
        settings: &SocketSettings,
    ) -> Self {
        let depth = usize::from(settings.ring_depth);
        // SAFETY: all-zero bytes are a valid `mmsghdr`: null pointers and zero lengths.
        let empty: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self {
            fd,
            alarm,
            pool,
            buffers: Vec::with_capacity(depth),
            messages: vec![empty; depth].into(),
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; depth].into(),
            frame_lens: settings.frame_lens.clone(),
            gather: Gather::new(settings),
            last: Last::Nothing,
            exact_timers: false,
        }
    }

    pub(super) fn poll(
        &mut self,
        wait: Wait,
        out: &mut Vec<Arrival>,
        counters: &mut Counters,
    ) -> io::Result<usize> {
        let gather_micros = match wait {
            Wait::Micros(micros) => micros,
            Wait::Park(_) if self.last == Last::Some => self.gather.micros(),
            Wait::None | Wait::Park(_) => 0,
        };
        if gather_micros > 0 && self.last != Last::Full {
            self.nap(gather_micros, counters);
        }
        if self.pool_is_out() {
            wait.exhausted(counters);
            return Ok(0);
        }
        let taken = self.receive(out, counters)?;
        match wait {
            Wait::Park(at_most) if self.last == Last::Nothing => {
                counters.syscalls += 1;
                match sys::wait_readable([self.fd.as_fd(), self.alarm.as_fd()], at_most) {
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                    Ok([_, true]) => alarm::drain(&self.alarm),
                    _ => {}
                }
                self.receive(out, counters)
            }
            _ => Ok(taken),
        }
    }

    /// Takes at most a batch of what is there, and says whether it was a full one. Holds no buffer after one that was not.
    pub(super) fn drain(&mut self, out: &mut Vec<Arrival>, counters: &mut Counters) -> io::Result<bool> {
        self.last = Last::Nothing;
        if !self.pool_is_out() {
            self.receive(out, counters)?;
        }
        let full = self.last == Last::Full;
        if !full {
            self.buffers.clear();
        }
        Ok(full)
    }

    fn nap(&mut self, micros: u32, counters: &mut Counters) {
        // Timers are this thread's, and the thread that polls is known only here.
        if !self.exact_timers {
            sys::exact_timers();
            self.exact_timers = true;
        }
        counters.syscalls += 1;
        sys::nap(Duration::from_micros(micros.into()));
    }

    /// One recvmmsg; what it got goes to `out`.
    fn receive(&mut self, out: &mut Vec<Arrival>, counters: &mut Counters) -> io::Result<usize> {
        self.describe();
        let ready = self.buffers.len().min(out.capacity() - out.len());
        if ready == 0 {
            return Ok(0);
        }
        counters.syscalls += 1;
        // SAFETY: the first `ready` messages describe (see `describe`) an iovec each, in `vectors`, and a buffer each,
        // in `buffers`, all owned by `self`, which nothing else reads meanwhile.
        let answer = unsafe {
            let messages = self.messages.as_mut_ptr();
            libc::recvmmsg(
                self.fd.as_raw_fd(),
                messages,
                ready as _,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let got = match sys::check(answer) {
            Ok(got) => got as usize,
            Err(error) => match error.raw_os_error() {
                // Nothing there; or what an earlier send of ours met, which is no fault of receiving.
                Some(
                    libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH,
                ) => 0,
                _ => return Err(error),
            },
        };
        // What is left behind a full batch says nothing about how many come.
        if self.last != Last::Full {
            self.gather.took(got);
        }
        self.last = match got {
            0 => Last::Nothing,
            _ if got == ready => Last::Full,
            _ => Last::Some,
        };
        let before = out.len();
        for (buffer, message) in self.buffers.drain(..got).zip(&self.messages) {
            let header = &message.msg_hdr;
            let received = Received {
                len: message.msg_len as usize,
                name_len: header.msg_namelen as usize,
                control_len: control_len(header),
                truncated: header.msg_flags & libc::MSG_TRUNC != 0,
            };
            out.extend(Arrival::read(buffer, received, &self.frame_lens, counters));
        }
        Ok(out.len() - before)
    }

    /// Takes buffers from the pool up to the depth; whether not one is in hand.
    fn pool_is_out(&mut self) -> bool {
        let missing = self.messages.len() - self.buffers.len();
        if missing > 0 {
            let Self { pool, buffers, .. } = self;
            pool.take_many(missing, |buffer| buffers.push(buffer));
        }
        self.buffers.is_empty()
    }

    /// Describes the buffers in hand to the kernel, in their present order.
    fn describe(&mut self) {
        for ((buffer, message), vector) in self.buffers.iter().zip(&mut self.messages).zip(&mut self.vectors)
        {
            let start = buffer.start().as_ptr();
            // SAFETY: a buffer is longer than its head, and the three offsets lie within the head.
            let (name, control, payload) =
                unsafe { (start.add(NAME_AT), start.add(CONTROL_AT), start.add(HEAD)) };
            *vector = libc::iovec { iov_base: payload.cast(), iov_len: buffer.len() - HEAD };
            let header = &mut message.msg_hdr;
            header.msg_name = name.cast();
            header.msg_namelen = NAME_LEN as _;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.cast();
            header.msg_controllen = CONTROL_LEN as _;
        }
    }
}

/// The field's type differs between C libraries.
#[expect(clippy::unnecessary_cast, reason = "a usize with this C library, a u32 with others")]
fn control_len(header: &libc::msghdr) -> usize {
    header.msg_controllen as usize
}

impl std::fmt::Debug for Mmsg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mmsg").field("depth", &self.messages.len()).finish_non_exhaustive()
    }
}
