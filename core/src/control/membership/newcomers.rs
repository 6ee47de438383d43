//! Lessons: who was asked by newcomers tells them who came after them.
//!
//! Whoever comes asks one member for everybody. While others come, too, that member learns of all of them, and those
//! that came before would hear of each by rumour, some ten times. So it tells them itself: each once, many in a letter.
//! Rumours and comparisons go on beside, and find what a lost lesson leaves out.

use alloc::vec::Vec;

use crate::control::membership::settings::{Budget, MS, S, Settings};
use crate::control::membership::table::Place;

/// From the first thing to tell until it is told: others will come meanwhile.
const GAP: u64 = 40 * MS;
/// Things to tell that are not waited for: they fill a letter.
const LETTER: usize = 7;
/// Things to tell at once.
const NEWS_MAX: usize = 24;
/// Newcomers that are told at once; further ones hear rumours.
const PUPILS_MAX: usize = 256;
/// How long after its last question a newcomer is told.
pub(in crate::control) const TERM: u64 = S;

/// Whom a node teaches, and what it has not told them yet.
#[derive(Debug)]
pub(in crate::control) struct Lessons {
    pupils: Vec<Pupil>,
    news: Vec<Place>,
    due: u64,
    /// Letters: half of what answers may take, so that newcomers who ask are not kept waiting by those who came before.
    budget: Budget,
}

#[derive(Clone, Copy, Debug)]
struct Pupil {
    place: Place,
    until: u64,
    /// What it was told of the news in its first answer.
    told: usize,
}

impl Lessons {
    /// Nobody to teach yet.
    pub(in crate::control) fn new(settings: &Settings, now: u64) -> Self {
        let budget = Budget::new(settings.sync_letters.div_ceil(2), now);
        Self { pupils: Vec::new(), news: Vec::new(), due: 0, budget }
    }

    /// A member asks: as one that knows nobody if `new`.
    pub(in crate::control) fn asked_by(&mut self, place: Place, new: bool, now: u64) {
        let until = now + TERM;
        if let Some(pupil) = self.pupils.iter_mut().find(|pupil| pupil.place == place) {
            pupil.until = until;
        } else if new && self.pupils.len() < PUPILS_MAX {
            self.pupils.push(Pupil { place, until, told: self.news.len() });
        }
    }

    /// There is something new to say of a member.
    pub(in crate::control) fn hear(&mut self, place: Place, now: u64) {
        if self.pupils.is_empty() || self.news.contains(&place) || self.news.len() == NEWS_MAX {
            return;
        }
        if self.news.is_empty() {
            self.due = now + GAP;
        }
        self.news.push(place);
        if self.news.len() >= LETTER {
            self.due = now;
        }
    }

    /// When [`Lessons::give`] has something to do.
    pub(in crate::control) fn next_due(&self) -> u64 {
        if self.news.is_empty() { u64::MAX } else { self.due }
    }

    /// Who is to be told of whom now, as far as the budget goes; the others hear rumours.
    pub(in crate::control) fn give(&mut self, now: u64) -> Vec<(Place, Vec<Place>)> {
        if now < self.next_due() {
            return Vec::new();
        }
        let news = core::mem::take(&mut self.news);
        self.pupils.retain(|pupil| now < pupil.until);
        let budget = &mut self.budget;
        let lesson = |pupil: &mut Pupil| {
            let told = core::mem::take(&mut pupil.told);
            let place = pupil.place;
            let news: Vec<Place> = news[told..].iter().copied().filter(|other| *other != place).collect();
            let letters = news.len().div_ceil(LETTER) as u64;
            (letters > 0 && budget.take(letters, now)).then_some((place, news))
        };
        self.pupils.iter_mut().filter_map(lesson).collect()
    }

    /// Forgets a place that is given to another member.
    pub(in crate::control) fn forget(&mut self, place: Place) {
        self.pupils.retain(|pupil| pupil.place != place);
        if let Some(at) = self.news.iter().position(|other| *other == place) {
            self.news.remove(at);
            self.pupils.iter_mut().for_each(|pupil| pupil.told -= usize::from(at < pupil.told));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_newcomer_is_told_of_those_after_it_and_of_nobody_twice() {
        let mut lessons = Lessons::new(&Settings::default(), 0);
        lessons.hear(Place(1), 0);
        assert_eq!(lessons.next_due(), u64::MAX, "there is nobody to tell");
        lessons.asked_by(Place(1), true, 0);
        lessons.hear(Place(2), 0);
        lessons.asked_by(Place(2), true, 0);
        lessons.hear(Place(3), 5);
        lessons.hear(Place(3), 6);
        lessons.asked_by(Place(4), false, 7);
        assert!(lessons.give(GAP - 1).is_empty());
        let told = lessons.give(GAP);
        assert_eq!(told, [(Place(1), [2, 3].map(Place).to_vec()), (Place(2), [Place(3)].to_vec())]);
        assert!(lessons.give(GAP).is_empty());
    }

    #[test]
    fn who_does_not_ask_any_more_is_left_to_rumours() {
        let mut lessons = Lessons::new(&Settings::default(), 0);
        lessons.asked_by(Place(1), true, 0);
        lessons.asked_by(Place(2), true, 0);
        lessons.asked_by(Place(2), false, TERM / 2);
        lessons.hear(Place(3), TERM);
        lessons.hear(Place(4), TERM);
        lessons.forget(Place(3));
        assert_eq!(lessons.give(TERM + GAP), [(Place(2), [Place(4)].to_vec())]);
    }

    #[test]
    fn many_at_once_are_told_at_once() {
        let mut lessons = Lessons::new(&Settings::default(), 0);
        (0..2 * PUPILS_MAX as u32).for_each(|i| lessons.asked_by(Place(i), true, 0));
        (0..2 * NEWS_MAX as u32).for_each(|i| lessons.hear(Place(1_000 + i), 1));
        let told = lessons.give(1);
        assert_eq!(told.len(), PUPILS_MAX);
        assert!(told.iter().all(|(_, news)| news.len() == NEWS_MAX));
    }

    #[test]
    fn who_makes_up_members_does_not_make_a_teacher_talk_without_end() {
        let settings = Settings { sync_letters: 100, ..Settings::default() };
        let mut lessons = Lessons::new(&settings, 0);
        (0..10).for_each(|i| lessons.asked_by(Place(i), true, 0));
        let mut letters = 0;
        for i in 0..1_000 {
            lessons.hear(Place(100 + i), 0);
            letters += lessons.give(GAP).len();
        }
        assert_eq!(letters, 50);
    }
}
