//! Asking for what is missing: whoever said that it has it, one after the other, until one sends it.

use alloc::collections::VecDeque;

use crate::control::dissemination::spread::action::SpreadAction;
use crate::control::dissemination::spread::machine::Spread;
use crate::control::dissemination::spread::settings::SpreadSettings;
use crate::control::dissemination::spread::updates::{Ordinal, State};
use crate::control::id::MemberIndex;
use crate::control::message::gossip::PULL_MAX;
use crate::time::micros;

impl Spread {
    /// Asks for what is due.
    pub(in crate::control) fn pull(
        &mut self,
        now: u64,
        spread_settings: &SpreadSettings,
        actions: &mut VecDeque<SpreadAction>,
    ) {
        while let Some(ordinal) = self.pulls.take(now) {
            let Some(update) = self.updates.get(ordinal) else { continue };
            let State::Missing(left) = update.state else { continue };
            // Whoever was asked last had its time.
            self.links.breaks_its_word(update.asked_last);
            let holder = if left == 0 { self.next_unasked(ordinal) } else { self.next_holder(ordinal) };
            let Some(update) = self.updates.get(ordinal) else { continue };
            let Some(holder) = holder else {
                assert!(update.has & !update.asked == 0, "{:?} is given up before all were asked", update.id);
                update.state = State::GivenUp;
                self.counts.given_up += 1;
                self.pulls.found();
                continue;
            };
            update.state = State::Missing(left.saturating_sub(1));
            self.pulls.asks.push((holder, update.id));
            self.pulls.ask_again(now + micros(spread_settings.pull_timeout), ordinal);
        }
        self.counts.pulls += self.pulls.asks.len() as u32;
        self.pulls.asks.sort_unstable();
        for asks in self.pulls.asks.chunk_by(|a, b| a.0 == b.0) {
            for part in asks.chunks(PULL_MAX) {
                debug_assert!(part.is_sorted_by(|a, b| a.1 < b.1), "an update is asked for once");
                let ids = self.lists.fill(part.iter().map(|(_, id)| *id));
                actions.push_back(SpreadAction::Pull { to: part[0].0, ids });
            }
        }
        self.pulls.asks.clear();
    }

    /// Whom to ask next: who was not asked in this turn, then all neighbours that have it again.
    fn next_holder(&mut self, ordinal: Ordinal) -> Option<MemberIndex> {
        let unasked = self.next_unasked(ordinal);
        if unasked.is_some() {
            return unasked;
        }
        let update = self.updates.get(ordinal)?;
        update.asked = 0;
        let (bit, place) = self.links.draw(update.has, &mut self.random)?;
        update.ask(bit);
        Some(place)
    }

    /// Who has it and was not asked in this turn: a neighbour, then whoever else said so last. Nobody who says so goes unasked,
    /// though it be after the last of the set number of pulls was spent on those who said so earlier.
    fn next_unasked(&mut self, ordinal: Ordinal) -> Option<MemberIndex> {
        let update = self.updates.get(ordinal)?;
        if let Some((bit, place)) = self.links.draw(update.has & !update.asked, &mut self.random) {
            update.ask(bit);
            return Some(place);
        }
        let outsider = update.outsider.take()?;
        update.ask(0);
        Some(outsider)
    }
}
