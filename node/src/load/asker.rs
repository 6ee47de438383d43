//! Asks the receiver for its own figures, with a signed ping; a pong answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use octick::Report;
use octick::pool::Pool;
use octick::socket::{Arrival, Sender, Socket, SocketSettings, Wait};
use octick_core::data::report::Pages;
use octick_core::stamp::{HybridClock, Incarnation, Seq};
use octick_core::time::Wall;
use octick_core::wire::{Entries, Frame, Kind, Sealer, Stamp, Stat};
use octick_crypto::{Identity, MeshKeys};

use crate::failure::Failure;

/// How long an answer may take before the question is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// A socket, and the key to ask with.
pub(super) struct Asker {
    socket: Socket,
    sender: Sender,
    to: SocketAddr,
    identity: Arc<Identity>,
    keys: MeshKeys,
    incarnation: Incarnation,
    clock: HybridClock,
    token: u64,
    sealer: Sealer,
}

impl Asker {
    pub(super) fn new(
        to: SocketAddr,
        identity: Arc<Identity>,
        keys: MeshKeys,
        incarnation: Incarnation,
    ) -> Result<Self, Failure> {
        let bind = match (to.ip().is_loopback(), to) {
            (true, _) => (to.ip(), 0).into(),
            (false, SocketAddr::V4(_)) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            (false, SocketAddr::V6(_)) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let settings = SocketSettings { ring_depth: 2, ..SocketSettings::new(bind) };
        let socket = Socket::open(&settings, &Arc::new(Pool::new(4)?))?;
        let clock = HybridClock::new(identity.id());
        let token = octick::clock::ticks();
        let sender = socket.sender();
        Ok(Self { socket, sender, to, identity, keys, incarnation, clock, token, sealer: Sealer::new() })
    }

    /// Sends from the asker's address.
    pub(super) fn sender(&self) -> Sender {
        self.socket.sender()
    }

    /// The receiver's figures; nothing if it is silent for as long as `patience`.
    pub(super) fn ask(&mut self, patience: Duration) -> Result<Option<Report>, Failure> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            self.token += 1;
            self.send();
            let again = until.min(Instant::now() + AGAIN);
            let mut arrivals = Vec::with_capacity(2);
            let mut pages = Pages::default();
            while let Some(wait) = again.checked_duration_since(Instant::now()) {
                self.socket.poll(Wait::Park(wait), &mut arrivals)?;
                let answer = arrivals.drain(..).find_map(|arrival| self.answer(&arrival, &mut pages));
                if answer.is_some() {
                    return Ok(answer);
                }
            }
        }
        Ok(None)
    }

    fn send(&mut self) {
        self.sealer.clear();
        self.sealer.frame(Kind::StatsQuery, |draft| {
            draft.stat(&Stat::new(Stat::TOKEN, self.token)).expect("it fits");
        });
        let version = self.clock.tick(Wall(octick::clock::wall_micros()));
        let stamp = Stamp { incarnation: self.incarnation, first_seq: Seq(0), version };
        self.sealer.seal(&self.identity, &self.keys, &stamp);
        for frame in self.sealer.frames() {
            // A question that is not sent is asked again, like one that is lost.
            let _ = self.sender.send_train(&[frame], &[self.to]);
        }
    }

    /// What an answer to the latest question reports, once all its frames are there. The token is proof enough for a tool that only measures.
    fn answer(&self, arrival: &Arrival, pages: &mut Pages) -> Option<Report> {
        arrival.frames().find_map(|bytes| {
            let frame = Frame::parse(bytes).ok().filter(|frame| frame.kind() == Kind::StatsReply)?;
            let Entries::Stats(stats) = frame.entries() else { return None };
            let token = stats.first().filter(|stat| stat.id.get() == Stat::TOKEN)?;
            if token.value.get() == self.token { pages.take(stats) } else { None }
        })
    }
}
