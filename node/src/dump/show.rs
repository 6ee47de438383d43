//! How a piece is shown: lines of text, or one JSON object.

use std::io::{self, Write};
use std::net::SocketAddr;

use octick_core::wire::dump::{Entry, Line, Time, entries};
use octick_core::wire::{Damage, Frame, Message};
use serde_json::{Value, json};

use super::split::Piece;

/// Where a piece was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The piece's first byte in the file.
    pub(super) at: usize,
    /// The packet that carried it, if the file is a capture.
    pub(super) packet: Option<Carrier>,
}

/// The packet of a capture that carried a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carrier {
    /// Counts from 1, as other tools do.
    pub(super) number: u64,
    pub(super) micros: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// One line for the frame and one, indented, for each entry; or one that says what is wrong.
pub(super) fn text(out: &mut impl Write, place: Place, piece: &Piece<'_>) -> io::Result<()> {
    match place.packet {
        Some(Carrier { number, from, to, .. }) => write!(out, "#{number} {from} > {to}  ")?,
        None => write!(out, "@{}  ", place.at)?,
    }
    match &piece.frame {
        Ok(frame) => {
            writeln!(out, "{}", Line(*frame))?;
            entries(frame).try_for_each(|entry| writeln!(out, "  {entry}"))
        }
        Err(Damage { reject, at }) => {
            let (name, len, file_at) = (reject.metric(), piece.len, place.at + at);
            writeln!(out, "DAMAGED at byte {at} of {len} (byte {file_at} of the file), {name}: {reject}")
        }
    }
}

/// One JSON object on a line.
pub(super) fn json(out: &mut impl Write, place: Place, piece: &Piece<'_>) -> io::Result<()> {
    let mut object = json!({ "at": place.at, "len": piece.len });
    if let Some(Carrier { number, micros, from, to }) = place.packet {
        object["packet"] = json!({
            "number": number, "micros": micros, "from": from.to_string(), "to": to.to_string(),
        });
    }
    match &piece.frame {
        Ok(frame) => object["frame"] = frame_json(frame),
        Err(Damage { reject, at }) => {
            object["damage"] = json!({ "at": at, "reject": reject.metric(), "meaning": reject.to_string() });
        }
    }
    writeln!(out, "{object}")
}

fn frame_json(frame: &Frame<'_>) -> Value {
    let header = frame.header();
    json!({
        "kind": frame.kind().name(),
        "origin": header.origin().to_string(),
        "incarnation": header.incarnation().0,
        "seq": header.seq().0,
        "train_index": header.train_index(),
        "train_len": header.train_len(),
        "version": header.version().0,
        "time": Time(header.version()).to_string(),
        "entries": entries(frame).map(|entry| entry_json(&entry)).collect::<Vec<_>>(),
    })
}

fn entry_json(entry: &Entry<'_>) -> Value {
    let cells =
        || entry.cells().map(|(slot, value)| json!({ "slot": slot, "value": value })).collect::<Vec<_>>();
    match entry {
        Entry::Block8(block) => {
            json!({ "block": block.index.get(), "age_micros": entry.age_micros(), "cells": cells() })
        }
        Entry::Block16(block) => {
            json!({ "block": block.index.get(), "age_micros": entry.age_micros(), "cells": cells() })
        }
        Entry::Row { slot, age_micros, value } => {
            json!({ "slot": slot, "age_micros": age_micros, "value": value })
        }
        Entry::Stat(stat) => json!({ "stat": stat.id.get(), "value": stat.value.get() }),
        Entry::Message(Message { kind, body }) => {
            let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "message": kind, "body": hex })
        }
    }
}
