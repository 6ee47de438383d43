//! How long a poll of the socket may take.

use std::time::Duration;

use super::counters::Counters;
use super::sys;

/// How long [`Socket::poll`](super::Socket::poll) may take when nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No time: the caller spins. With io_uring an empty poll costs no system call.
    None,
    /// About this many microseconds, to gather a batch; a full one comes at once.
    Micros(u32),
    /// Asleep until something arrives, this long at most; while datagrams flow, until a batch has gathered
    /// ([`SocketSettings::gather_micros`](super::SocketSettings::gather_micros)).
    Park(Duration),
}

impl Wait {
    /// Longest nap while every buffer is out.
    const EXHAUSTED: Duration = Duration::from_micros(50);

    /// Lets readers bring buffers home. None is left to receive into, so nothing in the kernel could wake us.
    pub(super) fn exhausted(self, counters: &mut Counters) {
        counters.no_buffers += 1;
        let at_most = match self {
            Self::None => return,
            Self::Micros(micros) => Duration::from_micros(micros.into()),
            Self::Park(at_most) => at_most,
        };
        counters.syscalls += 1;
        sys::nap(at_most.min(Self::EXHAUSTED));
    }
}
