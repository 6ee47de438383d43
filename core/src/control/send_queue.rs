//! Letters in the making: what several machines have to say to one address shares a letter, and so a signature.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;

use crate::control::membership::table::Place;
use crate::control::message::membership::Note;
use crate::wire::Letter;

/// Letters that wait to be taken; a further one is counted as dropped. A megabyte.
pub const MAIL_MAX: usize = 1_024;
/// Letters, from the last one back, in which room for a further note is looked for.
const OPEN_MAX: usize = 16;

/// Letters on their way out.
#[derive(Debug, Default)]
pub struct Mail {
    letters: VecDeque<Addressed>,
    dropped: u64,
}

/// A letter and where it goes.
#[derive(Debug)]
pub struct Addressed {
    /// Where to.
    pub to: SocketAddr,
    /// Which member that is, if it is one; what room is left may then be filled with news.
    pub member: Option<Place>,
    /// What it says.
    pub letter: Box<Letter>,
}

impl Mail {
    /// Adds a note to what goes to an address.
    pub fn write(&mut self, to: SocketAddr, member: Option<Place>, note: &Note<'_>) {
        let open = self.letters.iter_mut().rev().take(OPEN_MAX).find(|sent| sent.to == to);
        if let Some(sent) = open {
            sent.member = member.or(sent.member);
            if note.write(&mut sent.letter) {
                return;
            }
        }
        if let Some(mut letter) = self.open(to, member) {
            let fits = note.write(&mut letter.letter);
            debug_assert!(fits, "a note fits an empty letter");
            self.letters.push_back(letter);
        }
    }

    /// Begins a letter that news may fill, and that is not sent if there is none.
    pub fn blank(&mut self, to: SocketAddr, member: Place) {
        if let Some(letter) = self.open(to, Some(member)) {
            self.letters.push_back(letter);
        }
    }

    /// The next letter to be sent.
    pub fn take(&mut self) -> Option<Addressed> {
        self.letters.pop_front()
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Letters that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets that letters go to the member at a place.
    pub fn forget(&mut self, place: Place) {
        self.letters.iter_mut().filter(|sent| sent.member == Some(place)).for_each(|sent| sent.member = None);
    }

    fn open(&mut self, to: SocketAddr, member: Option<Place>) -> Option<Addressed> {
        if self.letters.len() == MAIL_MAX {
            self.dropped += 1;
            return None;
        }
        Some(Addressed { to, member, letter: Box::new(Letter::new()) })
    }
}
