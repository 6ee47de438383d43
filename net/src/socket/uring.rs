//! Receiving by io_uring: one multishot receive that fills provided buffers until something ends it, and one multishot
//! poll of the alarm.
//!
//! What ends it: a burst longer than the ring, a full completion queue, and an empty datagram from anyone, which the socket's
//! filter keeps away where the kernel takes one. Every completion that does not promise more is followed by a new receive,
//! never while the ring is empty: that would fail at once. After an empty datagram others are likely, each of which would
//! end a receive and cost a system call; so `recvmmsg`, which they do not end, first takes all that is there. What completes is delivered by this thread's own next `io_uring_enter` (deferred task running), so
//! the kernel writes into buffers only inside [`Uring::poll`].

use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io, ptr};

use io_uring::types::{CancelBuilder, Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::arrival::{Arrival, NAME_LEN, Received};
use super::buffer_ring::BufferRing;
use super::control::CONTROL_LEN;
use super::counters::Counters;
use super::gather::Gather;
use super::mmsg::Mmsg;
use super::{SocketSettings, Wait, alarm};
use crate::pool::{Buffer, HEAD, Pool};

/// The one group of provided buffers.
const GROUP: u16 = 0;
/// The socket's place among the registered files.
const FILE: Fixed = Fixed(0);
/// Submissions in flight: the receive, and the poll of the alarm.
const SUBMISSIONS: u32 = 2;
/// Marks completions of the alarm.
const ALARM: u64 = 1;

/// A ring with one socket and one receive.
pub(super) struct Uring {
    /// First, so that it is closed before what the kernel was given goes.
    ring: IoUring,
    buffers: BufferRing,
    pool: Arc<Pool>,
    /// How the kernel lays out the head of each buffer: lengths only. Boxed, for the address is given away.
    layout: Box<libc::msghdr>,
    frame_lens: RangeInclusive<usize>,
    /// Takes what is there after an empty datagram.
    drain: Mmsg,
    /// Whether an empty datagram ended the receive, and more than one batch may be there.
    draining: bool,
    /// How long a parked poll gathers a batch, where the kernel can (Linux 6.12).
    gather: Option<Gather>,
    started: bool,
    armed: bool,
    /// Whether the alarm is being polled.
    alert: bool,
    alarm: Arc<OwnedFd>,
    _fd: Arc<OwnedFd>,
}

// SAFETY: the raw pointers in `layout` are null, those in `ring` are to its own mappings. That one thread alone
// may enter the ring is the kernel's rule, and the kernel refuses others.
unsafe impl Send for Uring {}

impl Uring {
    /// A ring that is not started: [`Uring::poll`] does that, so that it belongs to the thread that polls.
    ///
    /// # Errors
    /// What the kernel refuses. Nothing stays open.
    pub(super) fn new(
        fd: Arc<OwnedFd>,
        alarm: Arc<OwnedFd>,
        pool: Arc<Pool>,
        settings: &SocketSettings,
    ) -> io::Result<Self> {
        // Each buffer completes once; endings, the alarm and the cancellation complete, too.
        Self::with_completions(fd, alarm, pool, settings, u32::from(settings.ring_depth) * 2 + 8)
    }

    fn with_completions(
        fd: Arc<OwnedFd>,
        alarm: Arc<OwnedFd>,
        pool: Arc<Pool>,
        settings: &SocketSettings,
        completions: u32,
    ) -> io::Result<Self> {
        let buffers = BufferRing::new(settings.ring_depth, pool.len())?;
        let ring = IoUring::builder()
            .setup_r_disabled()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(completions)
            .build(SUBMISSIONS)?;
        ring.submitter().register_files(&[fd.as_raw_fd()])?;
        // SAFETY: the address is of a mapping that holds as many entries, and `buffers` outlives the registration,
        // which `drop` ends before it drops `buffers`.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(buffers.address(), buffers.depth(), GROUP, 0)?
        };
        // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and zero lengths.
        let mut layout: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        layout.msg_namelen = NAME_LEN as _;
        layout.msg_controllen = CONTROL_LEN as _;
        let gather = ring.params().is_feature_min_timeout().then(|| Gather::new(settings));
        let drain = Mmsg::new(fd.clone(), alarm.clone(), pool.clone(), settings);
        Ok(Self {
            ring,
            buffers,
            pool,
            layout,
            frame_lens: settings.frame_lens.clone(),
            drain,
            draining: false,
            gather,
            started: false,
            armed: false,
            alert: false,
            alarm,
            _fd: fd,
        })
    }

    pub(super) fn poll(
        &mut self,
        wait: Wait,
        out: &mut Vec<Arrival>,
        counters: &mut Counters,
    ) -> io::Result<usize> {
        let before = out.len();
        // Those that the last poll had no room for.
        self.reap(out, counters)?;
        if out.len() > before {
            return Ok(out.len() - before);
        }
        if self.draining {
            self.draining = self.drain.drain(out, counters)?;
            // In order: the receive is armed anew when nothing is left to take by hand.
            if self.draining || out.len() > before {
                return Ok(out.len() - before);
            }
        }
        self.buffers.refill(&self.pool);
        if self.buffers.lent() == 0 {
            wait.exhausted(counters);
            return Ok(0);
        }
        if !self.armed || !self.alert {
            self.arm()?;
        }
        self.enter(wait, out.capacity() - out.len(), counters)?;
        self.reap(out, counters)?;
        if let Some(gather) = &mut self.gather {
            gather.took(out.len() - before);
        }
        Ok(out.len() - before)
    }

    /// Takes completions while `out` has room.
    fn reap(&mut self, out: &mut Vec<Arrival>, counters: &mut Counters) -> io::Result<()> {
        let mut completions = self.ring.completion();
        while out.len() < out.capacity() {
            let Some(completion) = completions.next() else { break };
            if completion.user_data() == ALARM {
                self.alert = cqueue::more(completion.flags());
                alarm::drain(&self.alarm);
                continue;
            }
            if !cqueue::more(completion.flags()) {
                self.armed = false;
                counters.multishot_ended += 1;
            }
            let filled =
                cqueue::buffer_select(completion.flags()).and_then(|number| self.buffers.take_back(number));
            match (completion.result(), filled) {
                (result @ 0.., Some(buffer)) => {
                    let received = read_head(&buffer, result as usize);
                    self.draining |= !self.armed && received.len == 0;
                    out.extend(Arrival::read(buffer, received, &self.frame_lens, counters));
                }
                // An ending without a datagram: re-armed by the next poll. A buffer that came with it is home.
                (0.., None) => {}
                (failure, _) if is_passing(-failure) => {}
                (failure, _) => return Err(io::Error::from_raw_os_error(-failure)),
            }
        }
        Ok(())
    }

    /// Queues the receive and the poll of the alarm, whichever has ended; the next `enter` submits them.
    fn arm(&mut self) -> io::Result<()> {
        if !self.started {
            // From here on the ring belongs to this thread.
            self.ring.submitter().register_enable_rings()?;
            self.started = true;
        }
        let mut queue = self.ring.submission();
        if !core::mem::replace(&mut self.armed, true) {
            let receive = opcode::RecvMsgMulti::new(FILE, ptr::from_ref(&*self.layout), GROUP).build();
            // SAFETY: `layout` is read when the kernel takes the submission, and lives as long as the ring.
            unsafe { queue.push(&receive) }
                .expect("at most one of each is in flight, and the queue holds two");
        }
        if !core::mem::replace(&mut self.alert, true) {
            let poll = opcode::PollAdd::new(Fd(self.alarm.as_raw_fd()), libc::POLLIN as u32).multi(true);
            // SAFETY: no memory is given away; the descriptor stays open as long as the ring.
            unsafe { queue.push(&poll.build().user_data(ALARM)) }
                .expect("at most one of each is in flight, and the queue holds two");
        }
        Ok(())
    }

    /// Submits, delivers, and waits: the one system call of a poll, and none when nothing is to be done.
    fn enter(&mut self, wait: Wait, room: usize, counters: &mut Counters) -> io::Result<()> {
        let queue = self.ring.submission();
        counters.cq_overflow += u64::from(queue.cq_overflow());
        let idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        // More than is lent cannot complete.
        let batch = room.min(self.buffers.lent());
        let gather_micros = self.gather.map_or(0, Gather::micros);
        let (want, at_least_micros, at_most) = match wait {
            Wait::None if idle => return Ok(()),
            Wait::None => (0, 0, Duration::ZERO),
            Wait::Micros(micros) => (batch, 0, Duration::from_micros(micros.into())),
            Wait::Park(at_most) if gather_micros > 0 => (batch, gather_micros, at_most),
            Wait::Park(at_most) => (1, 0, at_most),
        };
        counters.syscalls += 1;
        let entered = if want == 0 {
            self.ring.submit()
        } else {
            let time = Timespec::from(at_most);
            // A batch, or any once `at_least` is over, or nothing after `at_most`.
            let args = SubmitArgs::new().timespec(&time).min_wait_usec(at_least_micros);
            self.ring.submitter().submit_with_args(want, &args)
        };
        match entered {
            Err(error) => match error.raw_os_error() {
                // Time is up, a signal came, or completions must be taken first.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                Some(libc::EEXIST) => Err(io::Error::other("the socket was polled by another thread before")),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }
}

/// What io_uring wrote at the start of a buffer: four lengths, then the name and the ancillary data where
/// [`Arrival::read`] looks for them. `written` counts all of it and the payload.
fn read_head(buffer: &Buffer, written: usize) -> Received {
    let word = |at: usize| u32::from_ne_bytes(*buffer.head()[at..].first_chunk().expect("within the head"));
    Received {
        len: written.saturating_sub(HEAD),
        name_len: word(0) as usize,
        control_len: word(4) as usize,
        truncated: word(12) & libc::MSG_TRUNC as u32 != 0,
    }
}

/// Whether a receive that ended with this error number may simply be armed anew.
fn is_passing(errno: i32) -> bool {
    matches!(
        errno,
        libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN | libc::EINTR | libc::ECANCELED
            // What an earlier send of ours met.
            | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH
    )
}

impl Drop for Uring {
    fn drop(&mut self) {
        let submitter = self.ring.submitter();
        // Tearing a ring down is asynchronous: whatever still refers to the socket keeps its port bound, and under
        // SO_REUSEPORT swallows traffic. So end the receive first, then give back the file. Each may fail without
        // harm: nothing was armed, or another thread drops us, and then the kernel does the same a little later.
        if self.armed {
            let _ = submitter.register_sync_cancel(None, CancelBuilder::any());
            // Runs what the cancellation deferred; only then the receive lets go of the socket.
            let _ = submitter.submit();
        }
        let _ = submitter.unregister_buf_ring(GROUP);
        let _ = submitter.unregister_files();
    }
}

impl fmt::Debug for Uring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uring")
            .field("lent", &self.buffers.lent())
            .field("armed", &self.armed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use crate::socket::sys;

    use super::*;

    #[test]
    fn an_overflowing_completion_queue_loses_nothing_and_is_counted() {
        let settings = SocketSettings::new("127.0.0.1:0".parse().expect("an address"));
        let settings = SocketSettings { frame_lens: 1..=1, ..settings };
        let fd = Arc::new(settings.bound().expect("a socket").0);
        let alarm = Arc::new(alarm::new().expect("an alarm"));
        let to = sys::local_address(fd.as_fd()).expect("an address");
        let pool = Arc::new(Pool::new(64).expect("memory"));
        // Two completions, sixteen buffers: what `new` never makes.
        let Ok(mut uring) = Uring::with_completions(fd, alarm, pool.clone(), &settings, SUBMISSIONS) else {
            eprintln!("skipped: no io_uring here");
            return;
        };
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (mut counters, mut out, mut got) = (Counters::default(), Vec::with_capacity(64), Vec::new());
        uring.poll(Wait::None, &mut out, &mut counters).expect("armed");
        for number in 0..100_u8 {
            peer.send_to(&[number], to).expect("sent");
        }
        for _ in 0..1_000 {
            uring.poll(Wait::Micros(50), &mut out, &mut counters).expect("received");
            got.extend(out.drain(..).map(|arrival| arrival.bytes()[0]));
        }
        assert!(got.into_iter().eq(0..100), "{counters:?}");
        assert!(counters.cq_overflow > 0 && counters.multishot_ended > 0, "{counters:?}");
        drop(uring);
        assert_eq!(pool.free(), 64);
    }
}
