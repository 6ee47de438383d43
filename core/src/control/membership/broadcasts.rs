//! News on its way: what rides in the room that control frames have left.
//!
//! A broadcast names a member; what is said of it is looked up when a control frame leaves, so it is never out of date, and there
//! is at most one a member. The one told least goes first, and each is told about log2(n) times (Demers et al., 1987;
//! SWIM, section 4.1).

use alloc::collections::BTreeMap;

use crate::control::id::MemberIndex;
use crate::control::membership::table::Members;
pub use crate::limits::BROADCASTS_MAX;
use crate::wire::ControlFrame;

/// What is waiting to be told.
#[derive(Debug, Default)]
pub struct BroadcastQueue {
    /// By how often each was told, then by age.
    waiting: BTreeMap<u64, MemberIndex>,
    next: u64,
}

/// Bits of a key below the number of times told; zero is nobody's key.
const ORDER_BITS: u32 = 48;
/// How often a member is told of that others tell of as well.
const MENTIONS: u64 = 3;

/// How often news is told: about log2(n), and a little more where that is little.
fn times_max(members: &Members) -> u64 {
    let times = u64::from((members.live().len() + 1).ilog2()) + 4;
    assert!(MENTIONS < times && times < 1 << (u64::BITS - ORDER_BITS), "told {times} times");
    times
}

impl BroadcastQueue {
    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many broadcasts wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is news of a member.
    pub fn tells_of(&self, members: &Members, place: MemberIndex) -> bool {
        members.get(place).broadcast != 0
    }

    /// What is known of a member is news, whether it was before or not.
    pub fn spread(&mut self, members: &mut Members, place: MemberIndex) {
        self.begin(members, place, 0);
    }

    /// The same, and others know it, too: it is told but three times.
    pub fn mention(&mut self, members: &mut Members, place: MemberIndex) {
        let told = times_max(members).saturating_sub(MENTIONS);
        self.begin(members, place, told);
    }

    fn begin(&mut self, members: &mut Members, place: MemberIndex, told: u64) {
        self.stop(members, place);
        if self.waiting.len() == BROADCASTS_MAX
            && let Some((_, stale)) = self.waiting.pop_last()
        {
            members.get_mut(stale).broadcast = 0;
        }
        self.put(members, place, told);
    }

    /// What is known of a member is no news any more.
    pub fn stop(&mut self, members: &mut Members, place: MemberIndex) {
        let key = core::mem::take(&mut members.get_mut(place).broadcast);
        if key != 0 {
            let stopped = self.waiting.remove(&key);
            assert!(stopped == Some(place), "a broadcast of {place:?} was {stopped:?}'s");
        }
    }

    /// Fills a control frame, each broadcast once. `say` writes what is known of a member, and says whether that fitted.
    pub fn fill(
        &mut self,
        control_frame: &mut ControlFrame,
        members: &mut Members,
        mut say: impl FnMut(&Members, MemberIndex, &mut ControlFrame) -> bool,
    ) {
        let times_max = times_max(members);
        let last = self.next;
        let mut from = 0;
        while control_frame.room() > 0 {
            let Some((&key, &place)) = self.waiting.range(from..).next() else { break };
            from = key + 1;
            if key & ((1 << ORDER_BITS) - 1) > last {
                continue; // told in this control frame already
            }
            if !say(members, place, control_frame) {
                break;
            }
            self.waiting.remove(&key);
            members.get_mut(place).broadcast = 0;
            let times = (key >> ORDER_BITS) + 1;
            if times < times_max {
                self.put(members, place, times);
            }
        }
    }

    fn put(&mut self, members: &mut Members, place: MemberIndex, times: u64) {
        self.next += 1;
        assert!(self.next >> ORDER_BITS == 0 && members.get(place).broadcast == 0, "one broadcast a member");
        let key = times << ORDER_BITS | self.next;
        members.get_mut(place).broadcast = key;
        self.waiting.insert(key, place);
        assert!(self.waiting.len() <= BROADCASTS_MAX, "{} broadcasts", self.waiting.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::membership::samples;
    use alloc::vec::Vec;

    /// Fills a control frame with broadcasts of 100 bytes, and says of whom they were.
    fn fill(
        broadcasts: &mut BroadcastQueue,
        members: &mut Members,
        said: &mut Vec<MemberIndex>,
    ) -> ControlFrame {
        let mut control_frame = ControlFrame::new();
        broadcasts.fill(&mut control_frame, members, |_, place, control_frame| {
            let fits = control_frame.push(0xF7, &[0; 100]);
            if fits {
                said.push(place);
            }
            fits
        });
        control_frame
    }

    #[test]
    fn each_rumour_is_told_often_enough_and_then_no_more() {
        let mut members = samples::members(30, 256, 0);
        let mut broadcasts = BroadcastQueue::default();
        (1..31).for_each(|place| broadcasts.spread(&mut members, MemberIndex(place)));
        let mut told = Vec::new();
        let mut control_frames = 0;
        while !broadcasts.is_empty() {
            let mut said = Vec::new();
            fill(&mut broadcasts, &mut members, &mut said);
            control_frames += 1;
            assert!(
                said.len() == 8 || broadcasts.is_empty() || broadcasts.len() < 8,
                "a control frame is filled"
            );
            let before = said.len();
            said.sort();
            said.dedup();
            assert_eq!(said.len(), before, "nothing is told twice in a control frame");
            told.extend(said);
        }
        for place in 1..31 {
            assert_eq!(told.iter().filter(|told| **told == MemberIndex(place)).count(), 8, "log2(31) and 4");
        }
        assert!(control_frames >= 30);
    }

    #[test]
    fn the_newest_news_goes_first_and_replaces_what_was_said_of_the_same_member() {
        let mut members = samples::members(30, 256, 0);
        let mut broadcasts = BroadcastQueue::default();
        (1..20).for_each(|place| broadcasts.spread(&mut members, MemberIndex(place)));
        let mut said = Vec::new();
        (0..3).for_each(|_| {
            fill(&mut broadcasts, &mut members, &mut said);
        });
        broadcasts.spread(&mut members, MemberIndex(1));
        assert_eq!(broadcasts.len(), 19);
        said.clear();
        fill(&mut broadcasts, &mut members, &mut said);
        assert_eq!(said[0], MemberIndex(1), "told least");
        (1..20).for_each(|place| broadcasts.stop(&mut members, MemberIndex(place)));
        assert!(broadcasts.is_empty());
    }

    #[test]
    fn whom_others_tell_of_as_well_is_told_of_three_times() {
        let mut members = samples::members(30, 256, 0);
        let mut broadcasts = BroadcastQueue::default();
        broadcasts.mention(&mut members, MemberIndex(4));
        assert!(
            broadcasts.tells_of(&members, MemberIndex(4)) && !broadcasts.tells_of(&members, MemberIndex(5))
        );
        let mut said = Vec::new();
        (0..10).for_each(|_| _ = fill(&mut broadcasts, &mut members, &mut said));
        assert_eq!(said, [MemberIndex(4); 3]);
        assert!(!broadcasts.tells_of(&members, MemberIndex(4)));
    }

    #[test]
    fn where_there_is_no_more_room_what_was_told_most_gives_way() {
        let mut members = samples::members(250, 512, 0);
        let mut broadcasts = BroadcastQueue::default();
        broadcasts.spread(&mut members, MemberIndex(1));
        let mut said = Vec::new();
        fill(&mut broadcasts, &mut members, &mut said);
        (2..=250).for_each(|place| broadcasts.spread(&mut members, MemberIndex(place)));
        // As if as many waited as may: keys are found by their place, and the place by its key.
        let others = BROADCASTS_MAX - broadcasts.len();
        (0..others as u64).for_each(|i| _ = broadcasts.waiting.insert(i << 1 | 1 << 40, MemberIndex(0)));
        assert_eq!(broadcasts.len(), BROADCASTS_MAX);
        broadcasts.stop(&mut members, MemberIndex(2));
        broadcasts.waiting.insert(1 << 41, MemberIndex(0));
        broadcasts.spread(&mut members, MemberIndex(2));
        assert_eq!(broadcasts.len(), BROADCASTS_MAX);
        assert!(!broadcasts.tells_of(&members, MemberIndex(1)), "it was told once already");
        assert!((2..=250).all(|place| broadcasts.tells_of(&members, MemberIndex(place))));
    }

    #[test]
    fn a_control_frame_with_no_room_for_a_word_is_left_as_it_is() {
        let mut members = samples::members(30, 256, 0);
        let mut broadcasts = BroadcastQueue::default();
        broadcasts.spread(&mut members, MemberIndex(1));
        let mut control_frame = ControlFrame::new();
        while control_frame.room() >= 100 {
            assert!(control_frame.push(0xF7, &[0; 60]));
        }
        let before = control_frame.len();
        broadcasts.fill(&mut control_frame, &mut members, |_, _, frame| frame.push(0xF7, &[0; 100]));
        assert_eq!((control_frame.len(), broadcasts.len()), (before, 1), "it is told another time");
    }
}
