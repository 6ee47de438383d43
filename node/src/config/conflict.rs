//! What a check of the configuration says when it does not hold: which key, and both sides.

/// Two values that contradict each other, or one that contradicts a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key to look at first, as in `peers[2].runs[0].first`.
    pub key: String,
    /// Both sides, with their values.
    pub message: String,
}

/// What a check comes to.
pub(super) type Checked<T = ()> = Result<T, Conflict>;

impl From<octick::ConfigError> for Conflict {
    fn from(error: octick::ConfigError) -> Self {
        Self { key: error.key, message: error.message }
    }
}

/// Refuses with `message` unless the relation holds.
pub(super) fn require(holds: bool, key: &str, message: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Conflict { key: key.into(), message: message() }) }
}
