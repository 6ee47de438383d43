//! Why the body of a message is not what its kind requires.

use core::fmt;

/// A body that is not what its kind requires. Nothing was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A kind that this node does not know.
    Kind,
    /// Not a whole number of entries, or bytes after the last field.
    Length,
    /// More entries than such a message may carry, or none where one is needed.
    Count,
    /// A field has a value that means nothing.
    Value,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "no kind of message that is known here",
            Self::Length => "the body is not a whole number of entries",
            Self::Count => "more entries than the message may carry, or none",
            Self::Value => "a field has a value that means nothing",
        })
    }
}

impl core::error::Error for Malformed {}
