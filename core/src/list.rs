//! A list that lies where its owner lies: at most `N` items, and no memory of its own.
//!
//! For what is bounded by the protocol and short-lived: the entries of one message, the candidates of one choice. In go items,
//! out comes a slice of them. What can never happen: an allocation, or an item beyond `N` (a bug of whoever fills it: panic).

use core::fmt;
use core::ops::{Deref, DerefMut};

/// At most `N` items.
#[derive(Clone, Copy)]
pub struct List<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// No items.
    pub fn new() -> Self {
        Self { items: [T::default(); N], len: 0 }
    }

    /// Adds an item.
    ///
    /// # Panics
    /// When there are `N` already.
    pub fn push(&mut self, item: T) {
        assert!(self.len < N, "a list of {N} is full");
        self.items[self.len] = item;
        self.len += 1;
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items[..self.len]
    }
}

impl<T, const N: usize> DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..self.len]
    }
}

/// Panics beyond `N`, as [`List::push`].
impl<T: Copy + Default, const N: usize> Extend<T> for List<T, N> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

/// Panics beyond `N`, as [`List::push`].
impl<T: Copy + Default, const N: usize> FromIterator<T> for List<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::new();
        list.extend(items);
        list
    }
}

impl<T: PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, const N: usize> Eq for List<T, N> {}

impl<T: fmt::Debug, const N: usize> fmt::Debug for List<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn it_holds_what_a_vector_holds() {
        let (mut list, mut twin) = (List::<u32, 8>::new(), Vec::new());
        assert!(list.is_empty());
        for item in 0..8 {
            list.push(item);
            twin.push(item);
            assert_eq!((&*list, format!("{list:?}")), (&*twin, format!("{twin:?}")));
        }
        list.reverse();
        assert_eq!(list, (0..8).rev().collect());
        assert_ne!(list, (0..7).collect());
    }

    #[test]
    #[should_panic(expected = "a list of 2 is full")]
    fn one_too_many_is_a_bug() {
        let _ = (0..3).collect::<List<u8, 2>>();
    }
}
