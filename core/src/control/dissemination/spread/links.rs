//! The neighbours of one node, each with a slot whose bit stands for it in sets, and what it may still ask and say.

use alloc::vec::Vec;

use crate::control::id::MemberIndex;
use crate::limits::BROKEN_MAX;
pub use crate::limits::LINKS_MAX;
use crate::random::Random;
use crate::time::S;

/// The neighbours.
#[derive(Debug, Default)]
pub(in crate::control) struct Links {
    links: Vec<Link>,
    /// Bits of slots that are taken.
    taken: u32,
    /// What those who are no neighbours were served, and announced, in this second, together.
    outsiders: Second,
    second: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    place: MemberIndex,
    in_second: Second,
    /// Announcements that came to nothing, since one did not.
    broken: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Updates served to whoever asked.
    served: u16,
    /// Updates sent because an offer, or a session, showed that they are lacking.
    pushed: u16,
    /// Updates announced that nobody had announced before.
    missed: u16,
}

impl Links {
    pub(in crate::control) fn add(&mut self, place: MemberIndex) -> bool {
        if self.bit(place) != 0 {
            return true;
        }
        let slot = (!self.taken).trailing_zeros() as usize;
        if slot >= LINKS_MAX {
            return false;
        }
        let link = Link { place, in_second: Second::default(), broken: 0 };
        if slot < self.links.len() {
            self.links[slot] = link;
        } else {
            self.links.push(link);
        }
        self.taken |= 1 << slot;
        assert!(self.links.len() <= LINKS_MAX && self.bit(place) == 1 << slot, "{place:?} has slot {slot}");
        true
    }

    /// Returns the bit that stands for nobody now, or zero.
    pub(in crate::control) fn remove(&mut self, place: MemberIndex) -> u32 {
        let bit = self.bit(place);
        assert!(bit.count_ones() <= 1, "a neighbour has one slot");
        self.taken &= !bit;
        bit
    }

    /// The bit of a neighbour; zero of anybody else.
    pub(in crate::control) fn bit(&self, place: MemberIndex) -> u32 {
        self.iter().find(|(_, other)| *other == place).map_or(0, |(bit, _)| bit)
    }

    pub(in crate::control) fn place(&self, bit: u32) -> MemberIndex {
        assert!(bit.is_power_of_two() && bit & self.taken != 0, "nobody has {bit:#x}");
        self.links[bit.trailing_zeros() as usize].place
    }

    /// Those of a set of slots that are taken.
    pub(in crate::control) fn known(&self, set: u32) -> u32 {
        set & self.taken
    }

    /// The neighbours of a set of taken slots.
    pub(in crate::control) fn places(&self, set: u32) -> impl Iterator<Item = MemberIndex> {
        self.iter().filter(move |(bit, _)| set & bit != 0).map(|(_, place)| place)
    }

    pub(in crate::control) fn iter(&self) -> impl Iterator<Item = (u32, MemberIndex)> {
        let links = self.links.iter().enumerate().map(|(slot, link)| (1 << slot, link.place));
        links.filter(|(bit, _)| self.taken & bit != 0)
    }

    /// Any neighbour of a set, each as likely as the next.
    pub(in crate::control) fn draw(&self, set: u32, random: &mut Random) -> Option<(u32, MemberIndex)> {
        let mut set = set & self.taken;
        if set == 0 {
            return None;
        }
        for _ in 0..random.index(set.count_ones() as usize) {
            set &= set - 1;
        }
        assert!(set != 0, "one of them was drawn");
        let bit = set & set.wrapping_neg();
        Some((bit, self.place(bit)))
    }

    /// Whether a neighbour, or anybody else, may be served another update in this second.
    pub(in crate::control) fn may_ask(&mut self, bit: u32, most: u16, now: u64) -> bool {
        let served = &mut self.in_second(bit, now).served;
        let may = *served < most;
        *served += u16::from(may);
        may
    }

    /// Whether a neighbour, or anybody else, may be sent another update in this second because its offer, or a session, showed that
    /// it lacks it.
    pub(in crate::control) fn may_be_pushed(&mut self, bit: u32, most: u16, now: u64) -> bool {
        let pushed = &mut self.in_second(bit, now).pushed;
        let may = *pushed < most;
        *pushed += u16::from(may);
        may
    }

    /// Whether a neighbour, or anybody else, may be the first to announce another update in this second.
    pub(in crate::control) fn may_be_first(&mut self, bit: u32, most: usize, now: u64) -> bool {
        let missed = &mut self.in_second(bit, now).missed;
        let may = usize::from(*missed) < most.min(usize::from(u16::MAX));
        *missed += u16::from(may);
        may
    }

    fn in_second(&mut self, bit: u32, now: u64) -> &mut Second {
        let second = (now / S) as u32;
        if self.second != second {
            self.second = second;
            self.outsiders = Second::default();
            self.links.iter_mut().for_each(|link| link.in_second = Second::default());
        }
        match bit {
            0 => &mut self.outsiders,
            bit => &mut self.links[bit.trailing_zeros() as usize].in_second,
        }
    }

    /// Whether what a neighbour announces is believed. Of others, nothing is remembered.
    pub(in crate::control) fn may_announce(&self, bit: u32) -> bool {
        bit == 0 || self.links[bit.trailing_zeros() as usize].broken < BROKEN_MAX
    }

    pub(in crate::control) fn keeps_its_word(&mut self, bit: u32) {
        if bit != 0 {
            self.links[bit.trailing_zeros() as usize].broken = 0;
        }
    }

    pub(in crate::control) fn breaks_its_word(&mut self, bit: u32) {
        if bit != 0 {
            let broken = &mut self.links[bit.trailing_zeros() as usize].broken;
            *broken = broken.saturating_add(1);
        }
    }

    pub(in crate::control) fn memory(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }
}
