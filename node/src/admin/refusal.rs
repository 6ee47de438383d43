//! What the API answers when it does not do what was asked: what was wrong, and what to do about it.

use std::fmt;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// The body of every answer that is no success, under the key `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// For programs; stable.
    pub code: String,
    /// What was wrong, with the values at hand.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Members that may have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.help)
    }
}

/// The envelope.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) error: Refused,
}

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    refused: Refused,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let refused =
            Refused { code: code.into(), message: message.into(), help: help.into(), candidates: Vec::new() };
        Self { status, refused }
    }

    pub(super) fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.refused.candidates = candidates;
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(Envelope { error: self.refused })).into_response()
    }
}
