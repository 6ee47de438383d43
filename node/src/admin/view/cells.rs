//! What stands in slots, and who speaks for them: the answer to `GET /api/v1/cells/{range}`.

use std::fmt;
use std::str::FromStr;

use octick::{Handle, MeshView, Slot, Version};
use serde::{Deserialize, Serialize};

use super::State;
use crate::log::rfc3339;

/// Slots that one request may ask about.
pub(in crate::admin) const CELLS_MAX: u32 = 1_024;

/// Slots `first..end`, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first slot.
    pub first: u32,
    /// The slot after the last.
    pub end: u32,
}

impl Range {
    /// How many slots it has.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> u32 {
        self.end - self.first
    }

    /// The same in pieces that one request may ask about.
    pub fn pieces(self) -> impl Iterator<Item = Self> {
        let ends = move |first: u32| self.end.min(first.saturating_add(CELLS_MAX));
        (self.first..self.end).step_by(CELLS_MAX as usize).map(move |first| Self { first, end: ends(first) })
    }
}

impl FromStr for Range {
    type Err = String;

    /// Reads `7`, `0..16` (without 16) or `0-15` (with 15).
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u32>().ok();
        let range = match (text.split_once(".."), text.split_once('-')) {
            (Some((first, end)), _) => number(first).zip(number(end)),
            (None, Some((first, last))) => {
                number(first).zip(number(last).and_then(|last| last.checked_add(1)))
            }
            (None, None) => number(text).and_then(|slot| Some((slot, slot.checked_add(1)?))),
        };
        let range = range.filter(|(first, end)| first < end).map(|(first, end)| Self { first, end });
        range.ok_or_else(|| format!("\"{text}\" is no slot and no range of slots; want 7, 0..16 or 0-15"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.end)
    }
}

/// The answer to `GET /api/v1/cells/{range}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// Slots of each table.
    pub slots: u32,
    /// By slot, and within a slot by table.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its slot.
    pub slot: u32,
    /// `cells8`, `cells4` or `rows`.
    pub table: String,
    /// What was written; nothing if nothing ever was.
    pub value: Option<u64>,
    /// The order of writes: microseconds since 1970 above eleven bits of the origin's id.
    pub version: Option<u64>,
    /// The time in the version, RFC 3339.
    pub written: Option<String>,
    /// How long ago that was by the clock of the node that answers, microseconds.
    pub age_micros: Option<i64>,
    /// Who speaks for the slot, if anybody does.
    pub owner: Option<Owner>,
}

/// Who speaks for a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// 32 hex digits.
    pub id: String,
    /// The first eight of them.
    pub short: String,
    /// What people call it, if the mesh's authority gave it a name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is believed to be; nothing for a peer that is listed and no member: nobody watches it.
    pub state: Option<State>,
    /// Whether it is the node that answers.
    pub this_node: bool,
}

impl Owner {
    /// Who speaks for `slot`, and what `mesh` believes of it.
    fn of(node: &Handle, mesh: Option<&MeshView>, slot: Slot) -> Option<Self> {
        let id = node.owner_of(slot)?;
        let on_record = mesh.and_then(|mesh| mesh.members.iter().find(|member| member.id == id));
        Some(Self {
            id: id.to_string(),
            short: id.short().to_string(),
            name: on_record.and_then(octick::MemberView::name).map(Into::into),
            state: on_record.map(|member| State::from(member.state)),
            this_node: id == node.id(),
        })
    }
}

impl Cells {
    /// What `node` answers about the slots of `range`, which its tables have.
    pub(in crate::admin) fn of(node: &Handle, mesh: Option<&MeshView>, range: Range) -> Self {
        let (reader, now) = (node.reader(), octick::clock::wall_micros());
        let layout = reader.layout();
        let mut cells = Vec::new();
        for slot in (range.first..range.end).map(Slot) {
            let owner = Owner::of(node, mesh, slot);
            let mut cell = |table: &str, has: bool, found: Option<(Version, u64)>| {
                if has {
                    cells.push(Cell::new(slot, table, found, owner.clone(), now));
                }
            };
            cell("cells8", layout.cells8, reader.cell8(slot).map(|cell| (cell.version, cell.value)));
            cell("cells4", layout.cells4, reader.cell4(slot).map(|cell| (cell.version, cell.value.into())));
            cell("rows", layout.rows, reader.row(slot).map(|cell| (cell.version, cell.value)));
        }
        Self { slots: layout.slots, cells }
    }
}

impl Cell {
    fn new(slot: Slot, table: &str, found: Option<(Version, u64)>, owner: Option<Owner>, now: u64) -> Self {
        let micros = found.map(|(version, _)| version.micros());
        let written = |micros| rfc3339(std::time::UNIX_EPOCH + std::time::Duration::from_micros(micros));
        Self {
            slot: slot.0,
            table: table.into(),
            value: found.map(|(_, value)| value),
            version: found.map(|(version, _)| version.0),
            written: micros.map(written),
            age_micros: micros.map(|micros| now as i64 - micros as i64),
            owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_nonsense_is_refused() {
        for (text, first, end) in
            [("7", 7, 8), ("0..16", 0, 16), ("0-15", 0, 16), ("0..4294967295", 0, u32::MAX)]
        {
            assert_eq!(text.parse::<Range>(), Ok(Range { first, end }), "{text}");
        }
        for text in
            ["", "x", "-1", "5..5", "6..5", "6-5", "1..", "..1", "4294967295", "0-4294967295", "1..2..3"]
        {
            let why = text.parse::<Range>().unwrap_err();
            assert!(why.starts_with(&format!("\"{text}\" is no slot")), "{why}");
        }
    }

    #[test]
    fn pieces_are_the_whole() {
        let pieces: Vec<Range> = Range { first: 5, end: 2_060 }.pieces().collect();
        assert_eq!(
            pieces.iter().map(|piece| (piece.first, piece.end)).collect::<Vec<_>>(),
            [(5, 1_029), (1_029, 2_053), (2_053, 2_060)]
        );
        let last = Range { first: u32::MAX - 1, end: u32::MAX };
        assert_eq!(last.pieces().collect::<Vec<_>>(), [last]);
    }
}
