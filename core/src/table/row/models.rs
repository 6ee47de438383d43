//! A row that is read while it is merged, in every interleaving. The rows have two cells, not eight: one for the entry to
//! touch and one to leave alone are all that the protocol can tell apart.

use alloc::sync::Arc;

use loom::thread;
use zerocopy::byteorder::little_endian::U64;

use super::*;
use crate::sync::model_within;
use crate::table::arch::portable::merge_row;

type Pair = Row<u64, 2>;

/// An entry for a row of two: mask, version, value.
type Entry = (u16, u64, u64);

fn merge(row: &Pair, &(mask, version, value): &Entry) {
    merge_row(row, mask, version, &[U64::new(value); 2], &mut Default::default());
}

/// Merges `before`, then `beside` beside `look`, which is shown the row and how it stood before, and after each entry.
fn beside_the_writer(
    before: &'static [Entry],
    beside: &'static [Entry],
    look: fn(&Pair, &[[(u64, u64); 2]]),
) {
    let preemptions = if beside.len() == 1 { 3 } else { 2 };
    let mut stood = alloc::vec![[(0, 0); 2]];
    for &(mask, version, value) in before.iter().chain(beside) {
        let mut next = *stood.last().unwrap();
        for (lane, cell) in next.iter_mut().enumerate() {
            if mask >> lane & 1 == 1 && *cell < (version, value) {
                *cell = (version, value);
            }
        }
        stood.push(next);
    }
    stood.drain(..before.len());
    model_within(preemptions, move || {
        let row = Arc::new(Pair::new_zeroed());
        before.iter().for_each(|entry| merge(&row, entry));
        let theirs = row.clone();
        let writer = thread::spawn(move || beside.iter().for_each(|entry| merge(&theirs, entry)));
        look(&row, &stood);
        writer.join().unwrap();
    });
}

fn snapshot(row: &Pair, stood: &[[(u64, u64); 2]]) {
    let (versions, values) = row.read();
    let seen = [(versions[0], values[0]), (versions[1], values[1])];
    assert!(stood.contains(&seen), "{seen:?} at no moment; it stood as {stood:?}");
}

fn one_cell(row: &Pair, stood: &[[(u64, u64); 2]]) {
    let seen = row.read_cell(0);
    std::eprintln!("{seen:?}");
    assert!(stood.iter().any(|row| row[0] == seen), "{seen:?} at no moment; it stood as {stood:?}");
}

#[test]
fn a_row_is_read_as_it_stood_before_an_entry_or_after_it() {
    beside_the_writer(&[(0b11, 2, 20)], &[(0b11, 4, 40)], snapshot);
}

#[test]
fn cells_that_an_entry_leaves_alone_are_read_beside_those_that_it_wins() {
    beside_the_writer(&[(0b10, 2, 20)], &[(0b01, 4, 40)], snapshot);
}

#[test]
fn cells_of_two_entries_are_read_as_they_stood_together() {
    beside_the_writer(&[], &[(0b01, 2, 20), (0b10, 4, 40)], snapshot);
}

#[test]
fn a_cell_is_read_with_the_value_of_its_version() {
    beside_the_writer(&[], &[(0b01, 2, 20), (0b01, 4, 40)], one_cell);
}

/// What a later entry puts back as it was must not come apart from the value that an earlier one gave it.
#[test]
fn a_cell_that_a_later_entry_leaves_alone_is_read_with_its_value() {
    beside_the_writer(&[], &[(0b01, 2, 20), (0b10, 4, 40)], one_cell);
}

#[test]
fn a_second_look_never_goes_back() {
    beside_the_writer(&[], &[(0b01, 2, 20)], |row, _| {
        let (first, second) = (row.read_cell(0), row.read_cell(0));
        assert!(first <= second, "{second:?} after {first:?}");
    });
}
