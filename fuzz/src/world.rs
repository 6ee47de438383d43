//! A small mesh for the fuzzer: who is in it, what they own, and how their frames are made.

use std::sync::OnceLock;

use octick_core::data::{Directory, Origin, Run};
use octick_core::stamp::{Incarnation, Seq, Slot, Version};
use octick_core::wire::{Block8, Block16, ControlFrame, Kind, Sealer, Stamp, Stat};
use octick_crypto::{Identity, MeshKeys};

use crate::cursor::Cursor;

/// Slots in each table. Some runs reach past them.
pub const SLOTS: u32 = 512;
/// The time at which everything begins, microseconds.
pub const NOW: u64 = 1_700_000_000_000_000;
/// How far ahead of it a version may lie, microseconds.
pub const SKEW: u64 = 1_000_000;

/// Who takes part.
pub struct World {
    /// The node under test, two honest nodes, a revoked one, one without slots, and last a stranger.
    pub people: [Identity; 6],
    /// The hash keys of this mesh.
    pub mesh: MeshKeys,
    /// Those of another.
    pub other_mesh: MeshKeys,
    /// Everybody but the stranger.
    pub directory: Directory,
}

/// Slots that each of the people speaks for, as (first, length).
const RUNS: [&[(u32, u32)]; 5] =
    [&[(0, 64)], &[(64, 64), (256, 32)], &[(128, 128), (480, 64)], &[(64, 128)], &[]];
/// Who was revoked.
const REVOKED: usize = 3;

impl World {
    /// The one that all inputs share.
    pub fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(Self::make)
    }

    fn make() -> Self {
        let people: [Identity; 6] = std::array::from_fn(|i| Identity::from_seed(&[i as u8 + 1; 32]));
        let origins = people.iter().zip(RUNS).enumerate().map(|(i, (person, runs))| Origin {
            key: person.public().clone(),
            runs: runs.iter().map(|&(first, len)| Run { first: Slot(first), len }).collect(),
            revoked: i == REVOKED,
        });
        let directory = Directory::new(origins.collect(), [3, 5]).expect("the runs keep their rules");
        Self { people, mesh: MeshKeys::derive("fuzz"), other_mesh: MeshKeys::derive("elsewhere"), directory }
    }

    /// The runs of the node under test.
    pub fn own_runs() -> Vec<Run> {
        RUNS[0].iter().map(|&(first, len)| Run { first: Slot(first), len }).collect()
    }

    /// Whether the person at `who` speaks for all slots from `first` to `last`: one run holds both.
    pub fn owns(who: usize, first: u64, last: u64) -> bool {
        let holds = |&(from, len): &(u32, u32)| {
            u64::from(from) <= first && first <= last && last < u64::from(from) + u64::from(len)
        };
        who != REVOKED && RUNS[who].iter().any(holds)
    }

    /// Whether the person at `who` may not speak any more.
    pub fn is_revoked(who: usize) -> bool {
        who == REVOKED
    }
}

/// Adds a frame to `train`, whose kind and entries come from `input`. They need not keep the order of the wire. A control frame that is
/// `alone` in its train may name a recipient.
pub fn draw_frame(input: &mut Cursor<'_>, train: &mut Sealer, alone: bool) -> Kind {
    let kind = Kind::ALL[usize::from(input.u8()) % Kind::ALL.len()];
    let count = 1 + usize::from(input.u8()) % kind.count_max();
    let mut index = u32::from(input.u8());
    if index == 0xFF {
        index = input.u32();
    }
    train.frame(kind, |draft| {
        let (mut rows, mut control_frame) = (Vec::new(), ControlFrame::new());
        if kind == Kind::Control && alone {
            let named = [None, Some(0), Some(1), None][index as usize & 3];
            control_frame.address(named.map(|who: usize| World::get().people[who].id()));
        }
        for _ in 0..count {
            let (step, age, value) = (input.u8(), input.u8(), u64::from(input.u8()));
            // A step of zero breaks the order; large ages and whole words come behind marks.
            let age = if age == 0xFF { input.u16() } else { age.into() };
            let value = if value == 0xFF { input.u64() } else { value };
            match kind {
                Kind::Block8 => {
                    let block = Block8::new(index, step ^ age as u8, age, [value; 8]);
                    draft.block8(&block).expect("count is at most the most");
                }
                Kind::Block16 => {
                    let block = Block16::new(index, age ^ 0x0101, age, [value as u32; 16]);
                    draft.block16(&block).expect("count is at most the most");
                }
                Kind::Rows => rows.push((index, u32::from(age) << (step & 15), value)),
                Kind::StatsQuery | Kind::StatsReply => {
                    draft.stat(&Stat::new(index, value)).expect("count is at most the most");
                }
                Kind::Control => {}
            }
            if kind == Kind::Control
                && !control_frame.push(step | 1, &value.to_le_bytes()[..usize::from(step & 7)])
            {
                break;
            }
            index = index.wrapping_add(u32::from(step & 7));
        }
        match kind {
            Kind::Rows => drop(draft.rows(&rows)),
            Kind::Control => draft.control_frame(&control_frame),
            _ => {}
        }
    });
    kind
}

/// Where and when a train stands, from `input`: few lives, few numbers, times near [`NOW`] or far from it.
pub fn draw_stamp(input: &mut Cursor<'_>, identity: &Identity) -> Stamp {
    let incarnation = Incarnation(u32::from(input.u8() % 4));
    let seq = match input.u8() {
        0xFF => input.u64() % (Seq::MAX.0 - 64),
        far if far >= 0xF0 => u64::from(far - 0xF0) * 100,
        near => u64::from(near),
    };
    let micros = match input.u8() {
        0xFF => input.u64() % (1 << 52),
        0xFE => NOW + SKEW + u64::from(input.u8() % 3),
        near => NOW + u64::from(near),
    };
    let micros = micros.max(Version::MIN_WIRE.micros());
    Stamp { incarnation, first_seq: Seq(seq), version: Version::new(micros, identity.id()) }
}
