//! Any datagram: refused at a byte of its own, or a frame whose parts tile it.

use octick_core::limits::{FRAME_MAX, FRAME_MIN};
use octick_core::wire::dump::{self, claimed_len};
use octick_core::wire::{Entries, Frame};

/// Parses `data` as a datagram, and looks at all that it offers.
pub fn run(data: &[u8]) {
    match Frame::parse(data) {
        Ok(frame) => look_around(&frame, data),
        Err(damage) => {
            assert!(damage.at <= data.len(), "{damage} of {} bytes", data.len());
            assert!(damage.to_string().starts_with("at byte"));
        }
    }
}

fn look_around(frame: &Frame<'_>, data: &[u8]) {
    assert!((FRAME_MIN..=FRAME_MAX).contains(&data.len()));
    assert_eq!(claimed_len(data), Some(data.len()), "a frame is as long as its header says");
    assert_eq!([frame.signed_part(), frame.signature(), frame.path().as_flattened()].concat(), data);
    let header = frame.header();
    assert!(header.train_index() < header.train_len() && header.version().is_of(header.origin()));

    let rising = match frame.entries() {
        Entries::Block8(blocks) => blocks.is_sorted_by(|a, b| a.index.get() < b.index.get()),
        Entries::Block16(blocks) => blocks.is_sorted_by(|a, b| a.index.get() < b.index.get()),
        Entries::Rows(rows) => rows.slots.is_sorted_by(|a, b| a.get() < b.get()),
        Entries::Control(mut messages) => messages.all(|message| message.kind != 0),
        Entries::Stats(stats) => stats.is_sorted_by(|a, b| a.id.get() < b.id.get()),
    };
    assert!(rising, "entries rise strictly");

    let again = Frame::reopen(data);
    assert!(std::ptr::eq(again.header(), header) && std::ptr::eq(again.signature(), frame.signature()));
    let entries = match frame.entries() {
        Entries::Control(messages) => messages.count(),
        _ => header.count(),
    };
    assert_eq!(dump::entries(frame).len(), entries);
    let lines: Vec<String> = dump::entries(frame).map(|entry| entry.to_string()).collect();
    assert!(!dump::Line(*frame).to_string().contains('\n') && lines.iter().all(|line| !line.contains('\n')));
}
