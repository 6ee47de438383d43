//! Whose tables are kept: those of the busiest signers, in memory of a fixed size.
//!
//! Every signature bumps its key's count; counts are halved now and then, so that they tell of the present. The
//! busiest key without a table gets one if there is room, or if its count is well above that of the least busy key
//! with one. A table is filled in small steps between batches, and used only when it is whole.

use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

use super::arch::Arena;
use super::digits::KEY;
use super::entry::{Entry, Form};
use super::point::Point;
use super::table::{Filler, KEY_TABLE_BYTES};
use crate::{NodeId, PublicKey};

/// Counts are halved after this many signatures.
const HALVING: u32 = 1 << 16;
/// Windows filled in one step: about 30 microseconds.
const WINDOWS_A_STEP: usize = 2;
const _: () = assert!(KEY.count().is_multiple_of(WINDOWS_A_STEP), "a table is whole after whole steps");
/// Keys counted, for each table that fits.
const COUNTED_A_TABLE: usize = 4;

/// The tables of keys, and who is next.
pub(super) struct Cache {
    arena: Arena,
    tables_max: usize,
    /// A key seen fewer times than this may never come again.
    table_after: u32,
    /// Places in the arena that hold nothing.
    free: Vec<u32>,
    signers: HashMap<NodeId, Signer, BuildHasherDefault<FirstBytes>>,
    counted: u32,
    /// Whether a key that has no table was seen since the last look for one to build.
    wanted: bool,
    filler: Filler,
    building: Option<Building>,
}

struct Signer {
    /// The whole key: an id is a short hash, and two keys with one id can be made.
    key: [u8; 32],
    count: u32,
    place: Option<u32>,
}

struct Building {
    id: NodeId,
    place: u32,
    window: usize,
}

impl Cache {
    /// Room for as many tables as fit into `bytes`, written in `form`.
    pub(super) fn new(bytes: usize, table_after: u32, form: Form) -> Self {
        let tables_max = bytes / KEY_TABLE_BYTES;
        Self {
            arena: Arena::new(tables_max * KEY.table()),
            tables_max,
            table_after,
            free: (0..tables_max as u32).rev().collect(),
            signers: HashMap::with_capacity_and_hasher(
                tables_max * COUNTED_A_TABLE,
                BuildHasherDefault::default(),
            ),
            counted: 0,
            wanted: false,
            filler: Filler::new(KEY, form, WINDOWS_A_STEP),
            building: None,
        }
    }

    /// Counts a signature by `key`, and says where its table is, if it has one.
    #[inline]
    pub(super) fn count(&mut self, key: &PublicKey) -> Option<u32> {
        self.counted += 1;
        if self.counted >= HALVING {
            self.halve();
        }
        let room = self.signers.len() < self.tables_max * COUNTED_A_TABLE;
        match self.signers.get_mut(&key.id()) {
            Some(signer) if signer.key == *key.as_bytes() => {
                signer.count = signer.count.saturating_add(1);
                self.wanted |= signer.place.is_none();
                signer.place
            }
            // A second key with the same id does without.
            Some(_) => None,
            None if room => {
                let signer = Signer { key: *key.as_bytes(), count: 1, place: None };
                self.signers.insert(key.id(), signer);
                None
            }
            None => None,
        }
    }

    /// The table at a place that [`count`](Self::count) named. Valid until the next [`build_step`](Self::build_step).
    #[inline]
    pub(super) fn table(&self, place: u32) -> &[Entry] {
        let at = place as usize * KEY.table();
        &self.arena.entries()[at..at + KEY.table()]
    }

    /// How many keys have a whole table.
    pub(super) fn tables(&self) -> usize {
        self.tables_max - self.free.len() - usize::from(self.building.is_some())
    }

    /// The tables' memory.
    pub(super) fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Works on a table for some 30 microseconds. False when nobody waits for one.
    pub(super) fn build_step(&mut self) -> bool {
        if self.building.is_none() {
            self.building = self.choose();
        }
        let Some(building) = &mut self.building else { return false };
        let at = building.place as usize * KEY.table() + building.window * KEY.entries();
        let entries = &mut self.arena.entries_mut()[at..at + WINDOWS_A_STEP * KEY.entries()];
        self.filler.fill(entries);
        building.window += WINDOWS_A_STEP;
        if building.window == KEY.count() {
            match self.signers.get_mut(&building.id) {
                Some(signer) => signer.place = Some(building.place),
                // Forgotten in the meantime.
                None => self.free.push(building.place),
            }
            self.building = None;
        }
        true
    }

    /// The next table to build, and where: the least busy key's if there is no other place.
    fn choose(&mut self) -> Option<Building> {
        if !core::mem::take(&mut self.wanted) {
            return None;
        }
        let without = self.signers.iter().filter(|(_, signer)| signer.place.is_none());
        let (&id, best) = without.max_by_key(|(_, signer)| signer.count)?;
        let (count, key) = (best.count, best.key);
        if count < self.table_after {
            return None;
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None => self.evict(count)?,
        };
        // There may be more of them.
        self.wanted = true;
        let point = Point::decode_negated(&key).expect("an admitted key is a point");
        self.filler.begin(point);
        Some(Building { id, place, window: 0 })
    }

    /// Takes the least busy key's place, if `count` is well above its count: twice, or two keys could take turns.
    fn evict(&mut self, count: u32) -> Option<u32> {
        let with = self.signers.values_mut().filter(|signer| signer.place.is_some());
        let least = with.min_by_key(|signer| signer.count)?;
        if count / 2 <= least.count {
            return None;
        }
        least.place.take()
    }

    #[cold]
    fn halve(&mut self) {
        self.counted = 0;
        self.signers.retain(|_, signer| {
            signer.count /= 2;
            signer.count > 0 || signer.place.is_some()
        });
    }
}

/// Hashes an id by its first bytes: it is a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    /// The length of an array, of which all have the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
