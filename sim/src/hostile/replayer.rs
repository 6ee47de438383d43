//! Sends what it heard again, from the address that it came from: at once and late, to whom it was meant for and to others.

use super::hostile::{Hand, Heard, Hostile};

/// Packets in one strike.
const AT_ONCE: usize = 6;

impl Hostile {
    /// Some of what it heard, to anybody.
    pub(super) fn replay(&mut self, hand: &mut Hand<'_>) {
        if self.heard.is_empty() {
            return;
        }
        for _ in 0..AT_ONCE {
            let to = self.somebody(hand);
            let Heard { from, packet, at } = self.heard[self.random.index(self.heard.len())].clone();
            debug_assert!(at <= hand.now, "heard before it was said");
            if to != from {
                hand.out.forged.push((from, to, packet));
            }
        }
    }
}
