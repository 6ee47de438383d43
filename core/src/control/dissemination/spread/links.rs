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

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIndex = MemberIndex(7);
    const B: MemberIndex = MemberIndex(9);
    const C: MemberIndex = MemberIndex(11);

    /// The neighbours A, B and C, and their bits.
    fn three() -> (Links, [u32; 3]) {
        let mut links = Links::default();
        [A, B, C].iter().for_each(|place| assert!(links.add(*place)));
        let bits = [A, B, C].map(|place| links.bit(place));
        (links, bits)
    }

    #[test]
    fn each_neighbour_has_a_bit_of_its_own_that_stands_for_another_once_it_is_gone() {
        let (mut links, [a, b, c]) = three();
        assert!(links.add(B), "it is one already");
        assert_eq!([a, b, c].map(u32::count_ones), [1; 3]);
        assert_eq!((a | b | c).count_ones(), 3);
        assert_eq!([a, b, c].map(|bit| links.place(bit)), [A, B, C]);
        assert_eq!(links.remove(B), b);
        assert_eq!((links.remove(B), links.bit(B)), (0, 0));
        assert_eq!((links.known(a | b), links.known(u32::MAX)), (a, a | c));
        assert_eq!(links.places(a | b).collect::<Vec<_>>(), [A]);
        assert_eq!(links.iter().collect::<Vec<_>>(), [(a, A), (c, C)]);
        let new = MemberIndex(1);
        assert!(links.add(new));
        assert_eq!((links.bit(new), links.place(b)), (b, new));
        assert_eq!(links.places(u32::MAX).collect::<Vec<_>>(), [A, new, C]);
    }

    #[test]
    fn any_of_a_set_is_drawn_as_often_as_the_next_and_nobody_else() {
        let (mut links, [a, b, c]) = three();
        links.add(MemberIndex(1));
        links.remove(MemberIndex(1));
        let (mut random, mut drawn) = (Random::new(3), [0; 3]);
        for _ in 0..3_000 {
            let (bit, place) = links.draw(u32::MAX, &mut random).unwrap();
            let i = [a, b, c].iter().position(|of| *of == bit).expect("a neighbour");
            assert_eq!(place, [A, B, C][i]);
            drawn[i] += 1;
        }
        assert!(drawn.iter().all(|count| (900..1_100).contains(count)), "{drawn:?}");
        assert!((0..100).all(|_| links.draw(b | c, &mut random).unwrap().1 != A));
        assert_eq!(links.draw(0, &mut random), None);
        assert_eq!(links.draw(!(a | b | c), &mut random), None);
    }

    #[test]
    fn what_is_served_and_announced_in_a_second_is_counted_a_neighbour_and_of_all_others_together() {
        let (mut links, [a, b, _]) = three();
        for bit in [a, b, 0] {
            assert_eq!([1, 2, 3].map(|at| links.may_ask(bit, 2, 5 * S + at)), [true, true, false]);
            assert_eq!([1, 2, 3].map(|at| links.may_be_first(bit, 2, 5 * S + at)), [true, true, false]);
        }
        assert!(!links.may_ask(a, 2, 6 * S - 1));
        for bit in [a, b, 0] {
            assert!(links.may_ask(bit, 1, 6 * S) && !links.may_ask(bit, 1, 6 * S), "a second later");
            assert!(links.may_be_first(bit, 1, 6 * S) && !links.may_be_first(bit, 1, 6 * S));
        }
        links.remove(A);
        links.add(MemberIndex(1));
        assert!(links.may_ask(a, 1, 6 * S), "another in its place begins anew");
    }

    #[test]
    fn who_breaks_its_word_too_often_is_believed_again_once_it_keeps_it_and_outsiders_always_are() {
        let (mut links, [a, b, _]) = three();
        for _ in 0..BROKEN_MAX {
            assert!(links.may_announce(a));
            links.breaks_its_word(a);
            links.breaks_its_word(0);
        }
        assert!(!links.may_announce(a) && links.may_announce(b) && links.may_announce(0));
        (0..1_000).for_each(|_| links.breaks_its_word(a));
        links.keeps_its_word(0);
        assert!(!links.may_announce(a));
        links.keeps_its_word(a);
        assert!(links.may_announce(a));
    }
}
