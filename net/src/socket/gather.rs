//! How long a parked poll lets datagrams gather once they flow.
//!
//! Going to sleep and being woken costs a thread about what receiving ten frames does, 14 µs of a core in a virtual
//! machine whose host is told of each sleep, timer and wake-up. A wait that is short beside the latency of few
//! datagrams is therefore stretched when there are many: then they are late by the batch anyway, and the core is what
//! they would run out of.

use super::SocketSettings;

/// How many times as long datagrams gather when there are many.
const STRETCH: u32 = 3;

/// The wait of one socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather {
    micros: u32,
    /// How many datagrams of a batch are many: a quarter of what a batch holds at most.
    plenty: usize,
    many: bool,
}

impl Gather {
    pub(super) fn new(settings: &SocketSettings) -> Self {
        let plenty = (usize::from(settings.ring_depth) / 4).max(2);
        Self { micros: settings.gather_micros, plenty, many: false }
    }

    /// Microseconds to wait for the next batch; 0 for not at all.
    pub(super) fn micros(self) -> u32 {
        if self.many { self.micros.saturating_mul(STRETCH) } else { self.micros }
    }

    /// A batch of so many datagrams came of the last wait.
    pub(super) fn took(&mut self, datagrams: usize) {
        self.many = datagrams >= self.plenty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_stretched_while_batches_are_a_quarter_full() {
        let settings = SocketSettings::new(([127, 0, 0, 1], 0).into());
        let mut gather = Gather::new(&settings);
        for (took, micros) in [(0, 20), (3, 20), (4, 60), (16, 60), (5, 60), (3, 20), (4, 60), (0, 20)] {
            gather.took(took);
            assert_eq!(gather.micros(), micros, "after a batch of {took}");
        }
        let mut never = Gather::new(&SocketSettings { gather_micros: 0, ..settings });
        never.took(16);
        assert_eq!(never.micros(), 0);
    }
}
