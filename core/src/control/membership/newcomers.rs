//! Newcomers: who was asked by newcomers tells them who came after them.
//!
//! Whoever comes asks one member for everybody. While others come, too, that member learns of all of them, and those
//! that came before would hear of each by broadcast, some ten times. So it tells them itself: each once, many in a control frame.
//! Broadcasts and comparisons go on beside, and find what a lost message leaves out.

use alloc::vec::Vec;

use crate::control::id::MemberIndex;
use crate::control::membership::settings::MembershipSettings;
use crate::limits::{NEWCOMER_NEWS_MAX, NEWCOMERS_MAX};
use crate::time::{MS, S};
use crate::token_bucket::TokenBucket;

/// From the first thing to tell until it is told: others will come meanwhile.
const GAP: u64 = 40 * MS;
/// Things to tell that are not waited for: they fill a control frame.
const CONTROL_FRAME: usize = 7;
/// How long after its last question a newcomer is told.
pub(super) const TERM: u64 = S;

/// Whom a node teaches, and what it has not told them yet.
#[derive(Debug)]
pub(super) struct Newcomers {
    newcomers: Vec<Newcomer>,
    news: Vec<MemberIndex>,
    due: u64,
    /// Control frames: half of what answers may take, so that newcomers who ask are not kept waiting by those who came before.
    budget: TokenBucket,
}

#[derive(Clone, Copy, Debug)]
struct Newcomer {
    place: MemberIndex,
    until: u64,
    /// What it was told of the news in its first answer.
    told: usize,
}

impl Newcomers {
    /// Nobody to tell yet.
    pub(super) fn new(settings: &MembershipSettings, now: u64) -> Self {
        let budget = TokenBucket::new(settings.sync_frames.div_ceil(2), now);
        Self { newcomers: Vec::new(), news: Vec::new(), due: 0, budget }
    }

    /// A member asks: as one that knows nobody if `new`.
    pub(super) fn asked_by(&mut self, place: MemberIndex, new: bool, now: u64) {
        let until = now + TERM;
        if let Some(newcomer) = self.newcomers.iter_mut().find(|newcomer| newcomer.place == place) {
            newcomer.until = until;
        } else if new && self.newcomers.len() < NEWCOMERS_MAX {
            self.newcomers.push(Newcomer { place, until, told: self.news.len() });
        }
        assert!(self.newcomers.len() <= NEWCOMERS_MAX, "{} newcomers", self.newcomers.len());
    }

    /// There is something new to say of a member.
    pub(super) fn hear(&mut self, place: MemberIndex, now: u64) {
        if self.newcomers.is_empty() || self.news.contains(&place) || self.news.len() == NEWCOMER_NEWS_MAX {
            return;
        }
        if self.news.is_empty() {
            self.due = now + GAP;
        }
        self.news.push(place);
        assert!(self.news.len() <= NEWCOMER_NEWS_MAX && self.due <= now + GAP, "{} news", self.news.len());
        if self.news.len() >= CONTROL_FRAME {
            self.due = now;
        }
    }

    /// When [`Newcomers::give`] has something to do.
    pub(super) fn next_due(&self) -> u64 {
        if self.news.is_empty() { u64::MAX } else { self.due }
    }

    /// Who is to be told of whom now, as far as the budget goes; the others hear broadcasts.
    pub(super) fn give(&mut self, now: u64) -> Vec<(MemberIndex, Vec<MemberIndex>)> {
        if now < self.next_due() {
            return Vec::new();
        }
        let news = core::mem::take(&mut self.news);
        self.newcomers.retain(|newcomer| now < newcomer.until);
        let budget = &mut self.budget;
        let lacking = |newcomer: &mut Newcomer| {
            let told = core::mem::take(&mut newcomer.told);
            assert!(told <= news.len(), "{told} of {} were told", news.len());
            let place = newcomer.place;
            let news: Vec<MemberIndex> =
                news[told..].iter().copied().filter(|other| *other != place).collect();
            let control_frames = news.len().div_ceil(CONTROL_FRAME) as u64;
            (control_frames > 0 && budget.take(control_frames, now)).then_some((place, news))
        };
        self.newcomers.iter_mut().filter_map(lacking).collect()
    }

    /// Forgets a place that is given to another member.
    pub(super) fn forget(&mut self, place: MemberIndex) {
        self.newcomers.retain(|newcomer| newcomer.place != place);
        if let Some(at) = self.news.iter().position(|other| *other == place) {
            self.news.remove(at);
            self.newcomers.iter_mut().for_each(|newcomer| newcomer.told -= usize::from(at < newcomer.told));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_newcomer_is_told_of_those_after_it_and_of_nobody_twice() {
        let mut newcomers = Newcomers::new(&MembershipSettings::default(), 0);
        newcomers.hear(MemberIndex(1), 0);
        assert_eq!(newcomers.next_due(), u64::MAX, "there is nobody to tell");
        newcomers.asked_by(MemberIndex(1), true, 0);
        newcomers.hear(MemberIndex(2), 0);
        newcomers.asked_by(MemberIndex(2), true, 0);
        newcomers.hear(MemberIndex(3), 5);
        newcomers.hear(MemberIndex(3), 6);
        newcomers.asked_by(MemberIndex(4), false, 7);
        assert!(newcomers.give(GAP - 1).is_empty());
        let told = newcomers.give(GAP);
        assert_eq!(
            told,
            [(MemberIndex(1), [2, 3].map(MemberIndex).to_vec()), (MemberIndex(2), [MemberIndex(3)].to_vec())]
        );
        assert!(newcomers.give(GAP).is_empty());
    }

    #[test]
    fn who_does_not_ask_any_more_is_left_to_broadcasts() {
        let mut newcomers = Newcomers::new(&MembershipSettings::default(), 0);
        newcomers.asked_by(MemberIndex(1), true, 0);
        newcomers.asked_by(MemberIndex(2), true, 0);
        newcomers.asked_by(MemberIndex(2), false, TERM / 2);
        newcomers.hear(MemberIndex(3), TERM);
        newcomers.hear(MemberIndex(4), TERM);
        newcomers.forget(MemberIndex(3));
        assert_eq!(newcomers.give(TERM + GAP), [(MemberIndex(2), [MemberIndex(4)].to_vec())]);
    }

    #[test]
    fn many_at_once_are_told_at_once() {
        let mut newcomers = Newcomers::new(&MembershipSettings::default(), 0);
        (0..2 * NEWCOMERS_MAX as u32).for_each(|i| newcomers.asked_by(MemberIndex(i), true, 0));
        (0..2 * NEWCOMER_NEWS_MAX as u32).for_each(|i| newcomers.hear(MemberIndex(1_000 + i), 1));
        let told = newcomers.give(1);
        assert_eq!(told.len(), NEWCOMERS_MAX);
        assert!(told.iter().all(|(_, news)| news.len() == NEWCOMER_NEWS_MAX));
    }

    #[test]
    fn who_makes_up_members_does_not_make_a_teacher_talk_without_end() {
        let settings = MembershipSettings { sync_frames: 100, ..MembershipSettings::default() };
        let mut newcomers = Newcomers::new(&settings, 0);
        (0..10).for_each(|i| newcomers.asked_by(MemberIndex(i), true, 0));
        let mut control_frames = 0;
        for i in 0..1_000 {
            newcomers.hear(MemberIndex(100 + i), 0);
            control_frames += newcomers.give(GAP).len();
        }
        assert_eq!(control_frames, 50);
    }
}
