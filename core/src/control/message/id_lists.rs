//! Lists of update ids that are used again and again.
//!
//! A list is filled, from a message or for one, and given back when it was read. In go lists that are done with; out come lists
//! with room for the longest message. What can never happen: more memory kept than was reserved, and an allocation while no
//! more lists are in use than that. Where nothing was reserved, lists are vectors like any other.

use alloc::vec::Vec;

use crate::control::id::UpdateId;
use crate::limits::{ID_LISTS_MAX, OFFER_MAX};

/// Lists that are not in use.
#[derive(Debug, Default)]
pub struct IdLists {
    /// As many as were reserved, less those in use; its capacity says how many are kept.
    spare: Vec<Vec<UpdateId>>,
}

impl IdLists {
    /// Takes the memory for [`ID_LISTS_MAX`] lists.
    pub fn reserve(&mut self) {
        self.spare.resize_with(ID_LISTS_MAX, || Vec::with_capacity(OFFER_MAX));
    }

    /// A list of these.
    pub fn fill(&mut self, ids: impl IntoIterator<Item = UpdateId>) -> Vec<UpdateId> {
        let mut list = self.spare.pop().unwrap_or_default();
        list.extend(ids);
        list
    }

    /// Takes a list that was read.
    pub fn give_back(&mut self, mut list: Vec<UpdateId>) {
        if self.spare.len() < self.spare.capacity() {
            list.clear();
            self.spare.push(list);
        }
    }

    /// Bytes of memory that spare lists take.
    pub fn memory(&self) -> usize {
        let lists: usize = self.spare.iter().map(|list| list.capacity() * UpdateId::LEN).sum();
        lists + self.spare.capacity() * size_of::<Vec<UpdateId>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_list_comes_back_empty_and_in_the_same_memory() {
        let mut lists = IdLists::default();
        lists.reserve();
        let list = lists.fill([1, 2, 3].map(UpdateId));
        assert_eq!(list, [1, 2, 3].map(UpdateId));
        let place = list.as_ptr();
        lists.give_back(list);
        let again = lists.fill([UpdateId(4)]);
        assert_eq!((again.as_ptr(), &*again), (place, &[UpdateId(4)][..]));
    }

    #[test]
    fn no_more_is_kept_than_was_reserved() {
        let mut lists = IdLists::default();
        lists.give_back(vec![UpdateId(0); OFFER_MAX]);
        assert_eq!(lists.memory(), 0);
        lists.reserve();
        let reserved = lists.memory();
        (0..2 * ID_LISTS_MAX).for_each(|_| lists.give_back(vec![UpdateId(0); OFFER_MAX]));
        assert_eq!(lists.memory(), reserved);
    }
}
