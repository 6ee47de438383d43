//! Comparing tables with others, range by range: how a node finds what it missed and nobody repeats by itself.
//!
//! **In words**: a hash tree of three levels over the tables: ranges of 8 KiB, sections of 32 ranges, a root. Two nodes at
//! rest compare roots and are done. Where roots differ they go down, and whoever owns the cells of a range that
//! differs is asked to send them again. Departures: (1) hashes are made a few ranges at a time, so that no merge
//! waits; (2) a range in which something was merged since it was hashed is *busy* and compared another time: what is on its
//! way by itself need not be asked for; (3) a section with a busy range differs from everything.
//!
//! ```text
//! asker          Root ──────────────────>  answerer: same? silence
//!                <────────────── Sections
//!                AskRanges ─────────────>
//!                <──────────────── Ranges
//!                Refresh ───> owners of what differs, who send it to everybody
//! ```

use alloc::vec::Vec;

use octick_crypto::Hash;

pub use crate::limits::AUDIT_RUNS_MAX;
use crate::limits::{AUDIT_ASKED_MAX, AUDIT_REFRESHED_MAX, AUDIT_SECTIONS_MAX, SLOTS_MAX};
use crate::list::List;
use crate::stamp::{Run, Slot};
use crate::state::{State, TableKind};
use crate::wire::control_frame::BODY_MAX;

/// Ranges in a section.
const SECTION: usize = 32;
/// Ranges hashed in one step, some 40 microseconds, and between two steps.
const STEP: usize = 8;
const STEP_GAP: u64 = 1_000;
/// Between two passes over the tables, microseconds; what a pass took counts 20 times as well.
const PASS_GAP: u64 = 2_000_000;
/// Between two comparisons of a node that has something to find, and of one at rest.
const GAP: (u64, u64) = (500_000, 10_000_000);
/// How long an answer is expected.
const PATIENCE: u64 = 2_000_000;
/// Least time between two requests to send a range again that this node heeds.
const REFRESH_GAP: u64 = 2_000_000;

/// A busy section's hash.
const BUSY: u64 = u64::MAX;

const _: () = {
    // All ranges of a section can differ at once, and one request then names them all.
    assert!(SECTION <= AUDIT_RUNS_MAX && AUDIT_ASKED_MAX <= AUDIT_SECTIONS_MAX);
    // Sections are counted in 16 bits; tables of cells of eight bytes have the most.
    assert!((SLOTS_MAX / TableKind::Cells8.range_len()).div_ceil(SECTION as u32) <= u16::MAX as u32);
    // Every message fits a control frame: a head of four bytes, then words of eight.
    assert!(4 + 8 * AUDIT_SECTIONS_MAX <= BODY_MAX && 4 + 8 * AUDIT_RUNS_MAX <= BODY_MAX);
    // A step ends before the next is due, and an answer is expected longer than a hurried node waits to ask again.
    assert!(STEP_GAP < PASS_GAP && GAP.0 < GAP.1 && GAP.0 < PATIENCE);
};

/// What nodes say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack while it is read or written, and takes no memory"
)]
pub enum AuditMsg {
    /// Is this your root?
    Root(u64),
    /// It is not: these are my sections, of one table, from number `first` on.
    Sections {
        /// Which table.
        table: TableKind,
        /// The number of the first.
        first: u16,
        /// Their hashes; all bits set for a busy one, zero where nothing was written.
        hashes: List<u64, AUDIT_SECTIONS_MAX>,
    },
    /// Show me the ranges of these sections.
    AskRanges {
        /// Which table.
        table: TableKind,
        /// The numbers of the sections.
        sections: List<u16, AUDIT_ASKED_MAX>,
    },
    /// These are the ranges of a section.
    Ranges {
        /// Which table.
        table: TableKind,
        /// The number of the section.
        section: u16,
        /// Their hashes, as those of sections.
        hashes: List<u64, SECTION>,
    },
    /// Send these cells again, as far as they are yours.
    Refresh {
        /// Of which table.
        table: TableKind,
        /// Which slots.
        runs: List<Run, AUDIT_RUNS_MAX>,
    },
}

/// What is answered to one message: the sections of each table, or the ranges that were asked for.
pub type Replies = List<AuditMsg, AUDIT_ASKED_MAX>;

const _: () =
    assert!(TableKind::ALL.len() <= AUDIT_ASKED_MAX, "there is room for the sections of every table");

impl Default for AuditMsg {
    fn default() -> Self {
        Self::Root(0)
    }
}

impl AuditMsg {
    /// Appends the body.
    pub fn encode<const N: usize>(&self, out: &mut List<u8, N>) {
        let start = out.len();
        match self {
            Self::Root(root) => {
                out.extend([0; 4]);
                put_words(out, &[*root]);
            }
            Self::Sections { table, first, hashes } => {
                out.extend([1, *table as u8]);
                out.extend(first.to_le_bytes());
                put_words(out, hashes);
            }
            Self::AskRanges { table, sections } => {
                out.extend([2, *table as u8]);
                sections.iter().for_each(|section| out.extend(section.to_le_bytes()));
            }
            Self::Ranges { table, section, hashes } => {
                out.extend([3, *table as u8]);
                out.extend(section.to_le_bytes());
                put_words(out, hashes);
            }
            Self::Refresh { table, runs } => {
                out.extend([4, *table as u8, 0, 0]);
                for run in runs.iter() {
                    out.extend(run.first.0.to_le_bytes());
                    out.extend(run.len.to_le_bytes());
                }
            }
        }
        assert!(
            out.len() - start <= BODY_MAX,
            "a message of {} bytes fits no control frame",
            out.len() - start
        );
        debug_assert_eq!(Self::decode(&out[start..]).as_ref(), Some(self), "what is said can be understood");
    }

    /// Reads a body; nothing if it is none.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (&[op, table], rest) = body.split_first_chunk()?;
        let table = *TableKind::ALL.get(usize::from(table))?;
        if op == 2 {
            let (sections, odd) = rest.as_chunks();
            if !odd.is_empty() || !(1..=AUDIT_ASKED_MAX).contains(&sections.len()) {
                return None;
            }
            let sections = sections.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
            return Some(Self::AskRanges { table, sections });
        }
        let (number, rest) = rest.split_first_chunk()?;
        let number = u16::from_le_bytes(*number);
        let (words, odd) = rest.as_chunks();
        let most = match op {
            0 => 1,
            1 => AUDIT_SECTIONS_MAX,
            3 => SECTION,
            4 => AUDIT_RUNS_MAX,
            _ => return None,
        };
        if !odd.is_empty() || !(1..=most).contains(&words.len()) {
            return None;
        }
        let hashes = words.iter().map(|bytes| u64::from_le_bytes(*bytes));
        Some(match op {
            0 => Self::Root(u64::from_le_bytes(words[0])),
            1 => Self::Sections { table, first: number, hashes: hashes.collect() },
            3 => Self::Ranges { table, section: number, hashes: hashes.collect() },
            _ => {
                let run = |bytes: &[u8; 8]| {
                    let [a, b, c, d, e, f, g, h] = *bytes;
                    Run {
                        first: Slot(u32::from_le_bytes([a, b, c, d])),
                        len: u32::from_le_bytes([e, f, g, h]),
                    }
                };
                Self::Refresh { table, runs: words.iter().map(run).collect() }
            }
        })
    }
}

/// What is to be done about a message, besides what is replied to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "as of a message")]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// These cells differ: whoever owns them should send them again.
    Differ(TableKind, List<Run, SECTION>),
    /// Send these cells again.
    Repeat(TableKind, List<Run, AUDIT_RUNS_MAX>),
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Comparisons that this node began.
    pub begun: u64,
    /// Comparisons that found nothing.
    pub equal: u64,
    /// Ranges that differed.
    pub ranges: u64,
    /// Ranges that others asked this node to send again, and that it did.
    pub repeated: u64,
}

/// One node's comparing.
#[derive(Debug)]
pub struct Audit {
    next_at: u64,
    gap: u64,
    /// Where the pass that is under way goes on, and since when it is; and when the next begins.
    pass: Option<(usize, usize, u64)>,
    pass_at: u64,
    /// Until when the root that was sent may be answered: silence means that it is the same.
    open_until: u64,
    /// The table and section with which the next comparison of parts begins.
    turn: usize,
    /// Hashes of one table's sections, while the root is made; empty between.
    sections: Vec<u64>,
    /// Ranges that were sent again, and when.
    repeated: Vec<(TableKind, u32, u64)>,
    /// What was found.
    pub counts: Counts,
}

impl Audit {
    /// A node that compares for the first time soon.
    pub fn new(now: u64) -> Self {
        Self {
            next_at: now + GAP.0,
            gap: GAP.0,
            pass: None,
            pass_at: now,
            open_until: 0,
            turn: 0,
            sections: Vec::new(),
            repeated: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// There is something to find: this node has come, or come back.
    pub fn hurry(&mut self, now: u64) {
        self.gap = GAP.0;
        self.next_at = self.next_at.min(now + GAP.0);
        self.pass_at = self.pass_at.min(now);
    }

    /// When [`Audit::tick`] has something to do.
    pub fn next_due(&self) -> u64 {
        self.next_at.min(self.pass_at)
    }

    /// Hashes a little, and says what to ask somebody, if it is time.
    pub fn tick(&mut self, now: u64, state: &mut State) -> Option<AuditMsg> {
        if now >= self.pass_at {
            self.step(now, state);
        }
        if now < self.next_at {
            return None;
        }
        if self.open_until > 0 {
            // Nobody said that the last one differed.
            self.counts.equal += 1;
            self.gap = (self.gap * 2).min(GAP.1);
        }
        assert!((GAP.0..=GAP.1).contains(&self.gap), "a gap of {} us", self.gap);
        self.next_at = now + self.gap;
        self.open_until = now + PATIENCE;
        self.counts.begun += 1;
        assert!(self.counts.equal < self.counts.begun, "the one that begins now has found nothing yet");
        Some(AuditMsg::Root(self.root(state)))
    }

    fn step(&mut self, now: u64, state: &mut State) {
        let (first, mut from, since) = self.pass.take().unwrap_or((0, 0, now));
        for (table, kind) in TableKind::ALL.into_iter().enumerate().skip(first) {
            let fresh = state.freshen(kind, from, STEP);
            assert!(fresh > from || fresh == state.ranges(kind), "a step goes forward, or to the end");
            from = fresh;
            if from < state.ranges(kind) {
                (self.pass, self.pass_at) = (Some((table, from, since)), now + STEP_GAP);
                return;
            }
            from = 0;
        }
        self.pass_at = now + PASS_GAP.max(20 * now.saturating_sub(since));
        assert!(self.pass.is_none(), "a pass that has ended has no place to go on");
    }

    /// A message came. What is to be said to whoever sent it goes into `replies`.
    pub fn handle(&mut self, now: u64, state: &State, message: &AuditMsg, replies: &mut Replies) -> Answer {
        match message {
            AuditMsg::Root(theirs) => {
                if *theirs != self.root(state) {
                    self.show_sections(state, replies);
                }
                Answer::Nothing
            }
            AuditMsg::Sections { table, first, hashes } => {
                if now < self.open_until {
                    replies.extend(self.find_sections(state, *table, *first, hashes));
                }
                Answer::Nothing
            }
            AuditMsg::AskRanges { table, sections } => {
                let show = |section: &u16| {
                    let hashes = ranges_of(state, *table, usize::from(*section));
                    (!hashes.is_empty()).then_some(AuditMsg::Ranges {
                        table: *table,
                        section: *section,
                        hashes,
                    })
                };
                replies.extend(sections.iter().filter_map(show));
                Answer::Nothing
            }
            AuditMsg::Ranges { table, section, hashes } => {
                self.find_ranges(now, state, *table, *section, hashes)
            }
            AuditMsg::Refresh { table, runs } => self.repeat(now, *table, runs),
        }
    }

    /// The sections of one table: another one each time, and another part of a large one.
    fn show_sections(&mut self, state: &State, replies: &mut Replies) {
        let parts = TableKind::ALL.iter().flat_map(|table| {
            let sections = sections_of(state, *table);
            (0..sections).step_by(AUDIT_SECTIONS_MAX).map(move |first| (*table, first))
        });
        let count = parts.clone().count();
        self.turn += 1;
        // Small tables go together.
        let shown = if count <= TableKind::ALL.len() { count } else { 1 };
        let shown = parts.cycle().skip(self.turn % count.max(1)).take(shown);
        replies.extend(shown.map(|(table, first)| {
            let last = sections_of(state, table).min(first + AUDIT_SECTIONS_MAX);
            let hashes = (first..last).map(|i| section_hash(state, table, i)).collect();
            AuditMsg::Sections { table, first: first as u16, hashes }
        }));
    }

    /// Asks for the ranges of sections that differ: another part of them each time.
    fn find_sections(
        &mut self,
        state: &State,
        table: TableKind,
        first: u16,
        theirs: &[u64],
    ) -> Option<AuditMsg> {
        let ours = |i: usize| section_hash(state, table, usize::from(first) + i);
        let differ = |i: &usize| theirs[*i] == BUSY || ours(*i) != theirs[*i];
        let count = sections_of(state, table).saturating_sub(usize::from(first)).min(theirs.len());
        let differing: List<u16, AUDIT_SECTIONS_MAX> =
            (0..count).filter(differ).map(|i| first + i as u16).collect();
        if differing.is_empty() {
            return None;
        }
        self.turn += 1;
        let begin = self.turn * AUDIT_ASKED_MAX % differing.len();
        let sections = differing
            .iter()
            .cycle()
            .skip(begin)
            .take(AUDIT_ASKED_MAX.min(differing.len()))
            .copied()
            .collect();
        debug_assert!(count <= theirs.len() && differing.len() <= count, "only what both have is compared");
        Some(AuditMsg::AskRanges { table, sections })
    }

    fn find_ranges(
        &mut self,
        now: u64,
        state: &State,
        table: TableKind,
        section: u16,
        theirs: &[u64],
    ) -> Answer {
        if now >= self.open_until {
            return Answer::Nothing;
        }
        let ours = ranges_of(state, table, usize::from(section));
        let pairs = ours.iter().zip(theirs).enumerate();
        let differing =
            pairs.filter(|(_, (ours, theirs))| ours != theirs && **ours != BUSY && **theirs != BUSY);
        let range_len = table.range_len();
        let run = |i: usize| {
            let first = (usize::from(section) * SECTION + i) as u32 * range_len;
            Run { first: Slot(first), len: range_len }
        };
        let runs: List<Run, SECTION> = differing.map(|(i, _)| run(i)).collect();
        if runs.is_empty() {
            return Answer::Nothing;
        }
        assert!(runs.len() <= SECTION, "{} ranges of a section differ", runs.len());
        self.counts.ranges += runs.len() as u64;
        // There may be more of it.
        self.gap = GAP.0;
        self.next_at = self.next_at.min(now + GAP.0);
        Answer::Differ(table, runs)
    }

    /// One hash of all tables.
    fn root(&mut self, state: &State) -> u64 {
        let mut root = blake3::Hasher::new();
        for table in TableKind::ALL {
            let sections = 0..sections_of(state, table);
            self.sections.extend(sections.map(|section| section_hash(state, table, section)));
            let used = &self.sections[..used_of(&self.sections)];
            root.update(&[table as u8]);
            root.update(&(used.len() as u32).to_le_bytes());
            used.iter().for_each(|hash| _ = root.update(&hash.to_le_bytes()));
            self.sections.clear();
        }
        short(Hash(*root.finalize().as_bytes()))
    }

    /// Heeds a request, unless the like was heeded only just.
    fn repeat(&mut self, now: u64, table: TableKind, runs: &[Run]) -> Answer {
        self.repeated.retain(|(.., at)| now < at + REFRESH_GAP);
        let mut heeded = List::new();
        for run in runs {
            let key = (table, run.first.0 / table.range_len());
            let known = self.repeated.iter().any(|(table, range, _)| (*table, *range) == key);
            if !known && self.repeated.len() < AUDIT_REFRESHED_MAX && run.len <= table.range_len() {
                self.repeated.push((key.0, key.1, now));
                heeded.push(*run);
            }
        }
        assert!(heeded.len() <= self.repeated.len() && self.repeated.len() <= AUDIT_REFRESHED_MAX);
        self.counts.repeated += heeded.len() as u64;
        if heeded.is_empty() { Answer::Nothing } else { Answer::Repeat(table, heeded) }
    }
}

fn short(hash: Hash) -> u64 {
    let word = u64::from_le_bytes(*hash.0.first_chunk().expect("a hash has eight bytes"));
    if hash.0 == [0; 32] { 0 } else { word.clamp(1, BUSY - 1) }
}

fn put_words<const N: usize>(out: &mut List<u8, N>, words: &[u64]) {
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
}

fn sections_of(state: &State, table: TableKind) -> usize {
    state.ranges(table).div_ceil(SECTION)
}

fn ranges_of(state: &State, table: TableKind, section: usize) -> List<u64, SECTION> {
    let ranges = section * SECTION..state.ranges(table).min((section + 1) * SECTION);
    ranges.map(|range| state.range_hash(table, range).map_or(BUSY, short)).collect()
}

fn section_hash(state: &State, table: TableKind, section: usize) -> u64 {
    let hashes = ranges_of(state, table, section);
    // Tables of different length agree where nothing is written.
    let used = &hashes[..used_of(&hashes)];
    if used.is_empty() {
        return 0;
    }
    if used.contains(&BUSY) {
        return BUSY;
    }
    let mut bytes = List::<u8, { SECTION * 8 }>::new();
    put_words(&mut bytes, used);
    short(Hash::of(&bytes))
}

/// How many hashes there are up to the last of something that was written.
fn used_of(hashes: &[u64]) -> usize {
    hashes.iter().rposition(|hash| *hash != 0).map_or(0, |last| last + 1)
}
