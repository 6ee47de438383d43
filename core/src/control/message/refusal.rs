//! Why a control frame, or a part of it, was not handled. The list numbers the counters and names the metrics.

use core::fmt;

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident = $metric:literal,)+) => {
        /// Why a control frame, or a part of it, was not handled. Nothing but a counter has changed by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Refusal {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Refusal {
            /// Every reason, in the order of the counters.
            pub const ALL: [Self; [$($metric),+].len()] = [$(Self::$name),+];

            /// Its name in reports.
            pub const fn metric(self) -> &'static str {
                match self { $(Self::$name => $metric,)+ }
            }

            /// What it means, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

refusals! {
    /// The origin is unknown and does not announce itself first.
    Stranger = "stranger",
    /// A stranger that has not shown that it receives what is sent to its address; it was asked to.
    Unproven = "unproven",
    /// More strangers, or questions, than may be looked at in a second.
    Budget = "budget",
    /// An announcement that breaks a rule, or that its member did not sign for this mesh.
    Unsound = "unsound",
    /// An announcement so old that who is gone since may be forgotten.
    Stale = "stale",
    /// A control frame of an earlier incarnation of its origin.
    OldIncarnation = "old_incarnation",
    /// A control frame of a later incarnation of its origin than is known, without its announcement.
    UnknownIncarnation = "unknown_incarnation",
    /// A control frame whose number was seen before, or is too old to tell.
    Duplicate = "duplicate",
    /// A message whose body is not what its kind requires; what came before it was handled.
    Malformed = "malformed",
    /// A message of a kind that this node does not know; the others were handled.
    Kind = "kind",
    /// An answer that nobody here asked for.
    Unasked = "unasked",
    /// An accusation of a member that nobody here has heard of, or of a word of it that nobody has heard.
    Unheard = "unheard",
    /// A member for whom there is no room on record.
    Full = "full",
    /// A message of a session that breaks its rules, or that no session waits for.
    Session = "session",
    /// A control frame in this node's own name.
    Own = "own",
}

/// How often each was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    counts: [u64; Refusal::ALL.len()],
}

impl Refusals {
    /// How often `refusal` was counted.
    pub fn get(&self, refusal: Refusal) -> u64 {
        self.counts[refusal as usize]
    }

    pub(in crate::control) fn count(&mut self, refusal: Refusal) {
        self.counts[refusal as usize] += 1;
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning().trim_start())
    }
}

impl core::error::Error for Refusal {}
