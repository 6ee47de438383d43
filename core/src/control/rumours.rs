//! News on its way: what rides in the room that letters have left.
//!
//! A rumour names a member; what is said of it is looked up when a letter leaves, so it is never out of date, and there
//! is at most one a member. The one told least goes first, and each is told about log2(n) times (Demers et al., 1987;
//! SWIM, section 4.1). Messages of other machines ride beside them: each kind of passenger has half of the room to
//! itself, and takes what the other leaves.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use super::members::{Members, Place};
use super::message::Note;
use crate::limits::LETTER_MAX;
use crate::wire::letter::HEAD_LEN;
use crate::wire::{Letter, Message};

/// Rumours on their way at once; the most often told gives way.
pub const RUMOURS_MAX: usize = 1 << 16;
/// Messages of other machines on their way at once; a further one is refused.
pub const PASSENGERS_MAX: usize = 256;
/// Longest message of another machine.
pub const PASSENGER_MAX: usize = 400;

/// What is waiting to be told.
#[derive(Debug, Default)]
pub struct Rumours {
    /// By how often each was told, then by age.
    waiting: BTreeMap<u64, Place>,
    passengers: VecDeque<Passenger>,
    next: u64,
    /// Which kind has its half first in the next letter.
    turn: bool,
}

#[derive(Debug)]
struct Passenger {
    kind: u8,
    body: Box<[u8]>,
    left: u32,
}

/// Bits of a key below the number of times told; zero is nobody's key.
const ORDER_BITS: u32 = 48;

impl Rumours {
    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.passengers.is_empty()
    }

    /// How many rumours wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What is known of a member is news, whether it was before or not.
    pub fn spread(&mut self, members: &mut Members, place: Place) {
        self.stop(members, place);
        if self.waiting.len() == RUMOURS_MAX
            && let Some((_, stale)) = self.waiting.pop_last()
        {
            members.get_mut(stale).rumour = 0;
        }
        self.put(members, place, 0);
    }

    /// What is known of a member is no news any more.
    pub fn stop(&mut self, members: &mut Members, place: Place) {
        let key = core::mem::take(&mut members.get_mut(place).rumour);
        if key != 0 {
            self.waiting.remove(&key);
        }
    }

    /// Gives another machine's message a ride to `times` members. Returns whether there is room.
    #[must_use]
    pub fn carry(&mut self, message: Message<'_>, times: u32) -> bool {
        let room = self.passengers.len() < PASSENGERS_MAX && message.body.len() <= PASSENGER_MAX;
        if room {
            let body = message.body.into();
            self.passengers.push_back(Passenger { kind: message.kind, body, left: times.max(1) });
        }
        room
    }

    /// Fills a letter. `say` writes what is known of a member, and says whether that fitted.
    pub fn fill(
        &mut self,
        letter: &mut Letter,
        members: &mut Members,
        mut say: impl FnMut(&Members, Place, &mut Letter) -> bool,
    ) {
        let half = letter.len() + (LETTER_MAX - letter.len()) / 2;
        self.turn = !self.turn;
        if self.turn {
            self.board(letter, half);
            self.tell(letter, LETTER_MAX, members, &mut say);
            self.board(letter, LETTER_MAX);
        } else {
            self.tell(letter, half, members, &mut say);
            self.board(letter, LETTER_MAX);
            self.tell(letter, LETTER_MAX, members, &mut say);
        }
    }

    /// Tells rumours until the letter is `full`; each once.
    fn tell(
        &mut self,
        letter: &mut Letter,
        full: usize,
        members: &mut Members,
        say: &mut impl FnMut(&Members, Place, &mut Letter) -> bool,
    ) {
        // About log2(n), and a little more where that is little.
        let times_max = u64::from((members.live().len() + 1).ilog2()) + 4;
        let last = self.next;
        let mut from = 0;
        while letter.len() + HEAD_LEN < full {
            let Some((&key, &place)) = self.waiting.range(from..).next() else { break };
            from = key + 1;
            if key & ((1 << ORDER_BITS) - 1) > last {
                continue; // told in this letter already
            }
            if !say(members, place, letter) {
                break;
            }
            self.waiting.remove(&key);
            members.get_mut(place).rumour = 0;
            let times = (key >> ORDER_BITS) + 1;
            if times < times_max {
                self.put(members, place, times);
            }
        }
    }

    /// Lets other machines' messages on until the letter is `full`.
    fn board(&mut self, letter: &mut Letter, full: usize) {
        for _ in 0..self.passengers.len() {
            let Some(mut next) = self.passengers.pop_front() else { break };
            let fits = letter.len() + HEAD_LEN + next.body.len().next_multiple_of(4) <= full;
            let note = Note::Other(Message { kind: next.kind, body: &next.body });
            if !fits || !note.write(letter) {
                self.passengers.push_front(next);
                break;
            }
            next.left -= 1;
            if next.left > 0 {
                self.passengers.push_back(next);
            }
        }
    }

    fn put(&mut self, members: &mut Members, place: Place, times: u64) {
        self.next += 1;
        let key = times << ORDER_BITS | self.next;
        members.get_mut(place).rumour = key;
        self.waiting.insert(key, place);
    }
}
