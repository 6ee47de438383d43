//! Who is here, but not long enough to count.
//!
//! A member counts (for quorums, as a witness, for seats) once it has been here for [`PROBATION_SECS`] without being believed gone,
//! and has answered this node after that; from then on it counts until it leaves, is made to leave, or is revoked. So
//! whoever joins and falls silent counts for nothing, however many they are. Two members of a mesh may differ by who is on probation just
//! now: as long as that is less than a third of all, any two quorums still have a member in common.
//!
//! Somebody has to be first: a node takes the mesh as it finds it. Whoever it hears of in the same time after it has met its first
//! member counts at once, there or missed. So a mesh that starts counts its founders, and a node that starts again counts whom
//! the others count. Later it takes another's word that somebody is missed who was not here for one member only, so that members who
//! lie lower nobody's quorum by more than their own number.
//!
//! In come members that came, went or answered, and time; out come members to ask. What can never happen: a member that
//! begins to count because time passed alone.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::control::id::MemberIndex;
use crate::limits::PROBATION_SECS;
use crate::time::S;

/// How long a member has to be here before it counts, microseconds.
const TERM: u64 = PROBATION_SECS * S;
/// Between two questions to a member whose time is over: what it takes to find one silent.
const AGAIN: u64 = 2 * S;
const _: () = assert!(AGAIN < TERM);

/// The members on probation.
#[derive(Debug, Default)]
pub(super) struct Probation {
    /// When this node met its first member.
    met_at: Option<u64>,
    /// Since when each is here, and when it is to be asked.
    on: BTreeMap<MemberIndex, (u64, u64)>,
    /// Who is to be asked, and when.
    due: BTreeSet<(u64, MemberIndex)>,
    /// Whose word was taken for somebody who was not here.
    vouched: BTreeSet<MemberIndex>,
}

impl Probation {
    /// Another member is there.
    pub(super) fn meet(&mut self, now: u64) {
        self.met_at.get_or_insert(now);
    }

    /// Whether this node is itself so new that it takes the mesh as it finds it.
    pub(super) fn is_new_itself(&self, now: u64) -> bool {
        self.met_at.is_none_or(|met_at| now < met_at + TERM)
    }

    /// A member has come, or goes on.
    pub(super) fn begin(&mut self, place: MemberIndex, now: u64) {
        if self.on.contains_key(&place) {
            return;
        }
        self.on.insert(place, (now, now + TERM));
        self.due.insert((now + TERM, place));
        self.assert_sound();
    }

    /// A member is gone, or counts.
    pub(super) fn end(&mut self, place: MemberIndex) {
        if let Some((_, ask_at)) = self.on.remove(&place) {
            self.due.remove(&(ask_at, place));
        }
        self.assert_sound();
    }

    /// Whether a member on probation was here long enough.
    pub(super) fn is_over(&self, place: MemberIndex, now: u64) -> bool {
        self.on.get(&place).is_some_and(|(since, _)| now >= since + TERM)
    }

    /// A member that was here long enough and is to be asked now; again later, if it does not answer.
    pub(super) fn take_due(&mut self, now: u64) -> Option<MemberIndex> {
        let (at, place) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, place));
        assert!(self.is_over(place, now), "{place:?} is asked before its time is over");
        self.due.insert((now + AGAIN, place));
        self.on.get_mut(&place).expect("who is due is on probation").1 = now + AGAIN;
        self.assert_sound();
        Some(place)
    }

    /// Takes a member's word that somebody is missed who was not here: once.
    pub(super) fn take_word_of(&mut self, teller: MemberIndex) -> bool {
        self.vouched.insert(teller)
    }

    /// A place is given to another member.
    pub(super) fn forget(&mut self, place: MemberIndex) {
        self.end(place);
        self.vouched.remove(&place);
    }

    fn assert_sound(&self) {
        assert!(self.on.len() == self.due.len(), "{} on probation, {} due", self.on.len(), self.due.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIndex = MemberIndex(1);
    const B: MemberIndex = MemberIndex(2);

    #[test]
    fn a_member_is_asked_when_its_time_is_over_and_again_until_it_answers() {
        let mut probation = Probation::default();
        probation.begin(A, 5);
        probation.begin(A, 9);
        assert_eq!((probation.is_over(A, 4 + TERM), probation.take_due(4 + TERM)), (false, None));
        assert_eq!((probation.is_over(A, 5 + TERM), probation.take_due(5 + TERM)), (true, Some(A)));
        assert_eq!(
            (probation.take_due(4 + TERM + AGAIN), probation.take_due(5 + TERM + AGAIN)),
            (None, Some(A))
        );
        probation.end(A);
        assert_eq!((probation.is_over(A, u64::MAX), probation.take_due(u64::MAX)), (false, None));
    }

    #[test]
    fn a_node_is_new_itself_for_a_while_after_it_has_met_somebody() {
        let mut probation = Probation::default();
        assert!(probation.is_new_itself(u64::MAX), "it has met nobody");
        probation.meet(100);
        probation.meet(100 + TERM);
        assert!(probation.is_new_itself(99 + TERM) && !probation.is_new_itself(100 + TERM));
    }

    #[test]
    fn a_members_word_is_taken_once_and_a_forgotten_ones_no_more_than_that() {
        let mut probation = Probation::default();
        assert!(probation.take_word_of(A) && !probation.take_word_of(A) && probation.take_word_of(B));
        probation.begin(A, 0);
        probation.forget(A);
        assert!(!probation.is_over(A, u64::MAX) && probation.take_word_of(A), "another has its place");
    }
}
