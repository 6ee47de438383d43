//! Which choice of an operator contradicts a bound, or another choice.

use core::fmt;

/// A choice that is too small or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Which choice.
    pub key: &'static str,
    /// As chosen. Times are microseconds.
    pub value: u64,
    /// The least it may be.
    pub least: u64,
    /// The most it may be.
    pub most: u64,
}

impl Contradiction {
    /// The first of the choices (key, value, least, most) that is outside its bounds.
    pub(crate) fn first(choices: &[(&'static str, u64, u64, u64)]) -> Result<(), Self> {
        let outside = |(_, value, least, most): &&(_, u64, u64, u64)| value < least || value > most;
        match choices.iter().find(outside) {
            Some(&(key, value, least, most)) => Err(Self { key, value, least, most }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, least, most } = self;
        write!(f, "{key} = {value} is not in {least} to {most}")
    }
}

impl core::error::Error for Contradiction {}
