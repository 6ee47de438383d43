//! The body of a request: a JSON object, declared as JSON, with the fields that the request takes and no others.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;

/// What came as JSON; what is wrong with it is answered like everything else.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Json(value) = Json::<Value>::from_request(request, state).await.map_err(refuse)?;
        // A struct would be taken from a list as well, and an empty one from an empty list.
        if !value.is_object() {
            return Err(bad_body(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the body is {value}, not an object"),
            ));
        }
        serde_json::from_value(value).map(Self).map_err(|error| {
            bad_body(StatusCode::UNPROCESSABLE_ENTITY, format!("the body does not fit: {error}"))
        })
    }
}

fn refuse(rejection: JsonRejection) -> Refusal {
    if let JsonRejection::MissingJsonContentType(_) = rejection {
        let help = "send JSON, and say so: curl -H 'Content-Type: application/json' -d '{}' ...";
        return Refusal::new(
            rejection.status(),
            "not_json",
            "the body is not declared as application/json",
            help,
        );
    }
    bad_body(rejection.status(), rejection.body_text())
}

fn bad_body(status: StatusCode, message: String) -> Refusal {
    let help = "send an object as in {\"address\": \"host:port\"} to join, and {} to leave";
    Refusal::new(status, "bad_body", message, help)
}
