//! What happened: a hash of every event, and a line for each that people would ask about.
//!
//! ```text
//!   12.345678 !    17    3     seconds, what, who, about whom
//! ```

use std::collections::VecDeque;
use std::fmt;

/// Lines that are kept: the last ones, for a fault shows at the end.
const LINES_MAX: usize = 4_096;

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $name:ident = $sign:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Mark {
            $($(#[doc = $doc])+ $name = $sign,)+
        }

        impl Mark {
            /// Every mark and what it means.
            pub const LEGEND: &[(Self, &str)] = &[$((Self::$name, concat!($($doc),+)),)+];
        }
    };
}

marks! {
    /// A node starts; about whom: its life.
    Start = b'+',
    /// A node crashes.
    Crash = b'x',
    /// A node says goodbye, and ends.
    Leave = b'-',
    /// An operator at a node has another leave.
    ForceLeave = b'f',
    /// A node stops, as by SIGSTOP; about whom: for how many milliseconds.
    Stop = b'z',
    /// Links are cut.
    Cut = b'|',
    /// Links are mended.
    Heal = b'=',
    /// A node suspects another.
    Suspect = b'?',
    /// A node declares another dead.
    Dead = b'!',
    /// A node learns that another, which it held for gone, is there.
    Back = b'^',
    /// A node finds its key in use elsewhere.
    Conflict = b'&',
    /// A node is cut off from most others, or no longer; about whom: how many it reaches.
    Partition = b'%',
    /// A node refuses a packet that its origin did not sign; about whom: who sent it.
    Forged = b'F',
    /// Something that must never happen has.
    Fault = b'X',
}

/// The hash and the lines of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    lines: VecDeque<Line>,
    left_out: u64,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    at: u64,
    mark: Mark,
    node: u32,
    about: u32,
}

impl Trace {
    /// Takes an event into the hash.
    #[inline]
    pub fn event(&mut self, at: u64, node: u32, what: u64) {
        let word = at.rotate_left(20) ^ u64::from(node) << 40 ^ what;
        self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    /// Adds a line.
    pub fn mark(&mut self, at: u64, mark: Mark, node: u32, about: u32) {
        self.event(at, node, u64::from(about) << 8 | mark as u64);
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(Line { at, mark, node, about });
    }

    /// A hash of everything that happened: equal runs, equal hashes.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mark, meaning) in Mark::LEGEND {
            writeln!(f, "# {} {}", *mark as u8 as char, meaning.trim())?;
        }
        if self.left_out > 0 {
            writeln!(f, "# {} earlier lines are left out", self.left_out)?;
        }
        for Line { at, mark, node, about } in &self.lines {
            let (s, micros) = (at / crate::S, at % crate::S);
            writeln!(f, "{s:5}.{micros:06} {} {node:6} {about:6}", *mark as u8 as char)?;
        }
        Ok(())
    }
}
