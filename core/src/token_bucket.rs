//! A token bucket: so many a second, and a second's worth at once.
//!
//! In come the time and what is wanted; out comes whether there is enough. What can never happen: more than twice the rate in any second.

use crate::time::S;

/// A bucket that fills up with time.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    per_second: u64,
    /// Millionths of one.
    left: u64,
    at: u64,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(per_second: u32, now: u64) -> Self {
        let per_second = u64::from(per_second);
        Self { per_second, left: per_second * S, at: now }
    }

    /// Takes `n`, or what is left if that is less: for what is known only afterwards.
    pub fn spend(&mut self, n: u64) {
        self.left = self.left.saturating_sub(n * S);
    }

    /// Takes `n`, or nothing when less is left.
    pub fn take(&mut self, n: u64, now: u64) -> bool {
        let grown = now.saturating_sub(self.at).min(S) * self.per_second;
        (self.left, self.at) = ((self.left + grown).min(self.per_second * S), self.at.max(now));
        assert!(self.left <= self.per_second * S, "more than a second's worth at once");
        let enough = self.left >= n * S;
        if enough {
            self.left -= n * S;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MS;

    #[test]
    fn a_budget_fills_with_time_and_no_further() {
        let mut budget = TokenBucket::new(10, 0);
        assert!(budget.take(10, 0) && !budget.take(1, 50 * MS) && budget.take(1, 100 * MS));
        assert!(!budget.take(11, 100 * S) && budget.take(10, 100 * S));
    }
}
