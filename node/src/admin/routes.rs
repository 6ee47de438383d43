//! One function a route.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use octick::admission::SignedDecision;
use octick::{Appended, Expelled, Handle, MeshError, MeshView, NotReady, Partition, Rights};
use octick_core::limits::DECISION_MAX;

use super::body::Body;
use super::facts::Facts;
use super::refusal::Refusal;
use super::token::Token;
use super::view::{self, DECISIONS_AT_ONCE, Decide, Done, ForceLeave, Join, Nothing, Removed};
use super::{find, guard};
use crate::authority::words::unhex;

/// The longest body: an address fits ten times.
const BODY_BYTES: usize = 4_096;
/// The longest body of decisions: [`DECISIONS_AT_ONCE`] of the longest, in hex digits, and as much again.
const DECISIONS_BYTES: usize = 4 * DECISION_MAX * DECISIONS_AT_ONCE;

/// What routes work with.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) node: Arc<Handle>,
    pub(super) facts: Arc<Facts>,
    /// Told when the node should end.
    pub(super) leave: Sender<()>,
}

type Answer<T> = Result<Json<T>, Refusal>;

/// All routes; with a token, only for whoever shows it.
pub(super) fn router(shared: Shared, token: Option<Token>) -> Router {
    let api = Router::new()
        .route("/info", get(info))
        .route("/cells/{range}", get(cells))
        .route("/counters", get(counters))
        .route("/members", get(members))
        .route("/members/{id}/leave", post(force_leave))
        .route("/members/leave", post(force_leave_all))
        .route("/join", post(join))
        .route("/leave", post(leave))
        .route("/decisions", post(decide).layer(DefaultBodyLimit::max(DECISIONS_BYTES)));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(token.map(Arc::new), guard::guard))
        .with_state(shared)
}

async fn members(State(shared): State<Shared>) -> Answer<view::Members> {
    with(shared, |shared| Ok(Json(view::Members::of(&shared.node, &mesh(&shared.node)?)))).await
}

async fn info(State(shared): State<Shared>) -> Answer<view::Info> {
    with(shared, |shared| {
        let mesh = mesh_if_any(&shared.node)?;
        Ok(Json(view::Info::of(&shared.node, &shared.facts, mesh.as_ref())))
    })
    .await
}

async fn cells(
    State(shared): State<Shared>,
    range: Result<Path<String>, PathRejection>,
) -> Answer<view::Cells> {
    let bad = |message: String| {
        let help = "name a slot or a range of slots, as in 7 or 0..16 (here: /api/v1/cells/0..16)";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_range", message, help)
    };
    let Path(range) = range.map_err(|rejection| bad(rejection.body_text()))?;
    let range: view::Range = range.parse().map_err(bad)?;
    with(shared, move |shared| {
        let slots = shared.node.reader().layout().slots;
        if range.len() > view::CELLS_MAX {
            return Err(bad(format!(
                "{range} is {} slots; one request has at most {}",
                range.len(),
                view::CELLS_MAX
            )));
        }
        if range.end > slots {
            return Err(bad(format!(
                "slot {} is not in this node's tables: their last is {}",
                range.end - 1,
                slots - 1
            )));
        }
        let mesh = mesh_if_any(&shared.node)?;
        Ok(Json(view::Cells::of(&shared.node, mesh.as_ref(), range)))
    })
    .await
}

async fn counters(State(shared): State<Shared>) -> Answer<view::Counters> {
    with(shared, |shared| Ok(Json(view::Counters::of(&shared.node, &shared.facts)))).await
}

async fn join(State(shared): State<Shared>, Body(join): Body<Join>) -> Answer<Done> {
    let listen = shared.node.local_addr();
    // Nothing holds the node while a name server is asked.
    let address = blocking(move || find::address(&join.address, listen)).await?;
    with(shared, move |shared| {
        if find::is_own(&shared.node, &mesh(&shared.node)?, address) {
            let message = format!("{address} is this node itself");
            let help = "give the address that a member of the other mesh listens on, host:port";
            return Err(Refusal::new(StatusCode::CONFLICT, "own_address", message, help));
        }
        shared.node.join(address).map_err(unavailable)?;
        Ok(Json(Done { done: address.to_string() }))
    })
    .await
}

async fn leave(State(shared): State<Shared>, Body(Nothing {}): Body<Nothing>) -> Answer<Done> {
    with(shared, |shared| {
        mesh(&shared.node)?;
        // The node says goodbye on its way out; if it is on its way already, nobody listens any more.
        let _ = shared.leave.send(());
        Ok(Json(Done { done: shared.node.id().to_string() }))
    })
    .await
}

async fn force_leave(
    State(shared): State<Shared>,
    name: Result<Path<String>, PathRejection>,
    Body(ForceLeave { prune, state }): Body<ForceLeave>,
) -> Answer<Removed> {
    if state.is_some() {
        let help =
            "leave the state out, or the member: POST /api/v1/members/leave with {\"state\": \"failed\"}";
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "member_and_state",
            "both a member and a state are given",
            help,
        ));
    }
    let Path(name) = name.map_err(|rejection| {
        let help = "give a member's name, its id, 32 hex digits, or the first of them; see: octick members";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_name", rejection.body_text(), help)
    })?;
    with(shared, move |shared| {
        let mesh = mesh(&shared.node)?;
        let member = find::member(&mesh, &name)?;
        if member.this_node {
            let message = format!("{} is the node that was asked", member.id);
            let help = "make it leave: octick leave, or POST /api/v1/leave";
            return Err(Refusal::new(StatusCode::CONFLICT, "own_name", message, help));
        }
        let (id, mut removed) = (member.id, Removed::default());
        match shared.node.force_leave(id, prune).map_err(unavailable)? {
            Expelled::Left => removed.left.push(id.to_string()),
            Expelled::Suspected => removed.suspected.push(id.to_string()),
            Expelled::Unknown | Expelled::Itself => return Err(find::unknown(&mesh, &name)),
        }
        Ok(Json(removed))
    })
    .await
}

async fn force_leave_all(
    State(shared): State<Shared>,
    Body(ForceLeave { prune, state }): Body<ForceLeave>,
) -> Answer<Removed> {
    if state != Some(view::State::Failed) {
        let message = "members are made to leave by their state only if that is failed";
        let help = "say {\"state\": \"failed\"}, or name a member: POST /api/v1/members/ID/leave";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_state", message, help));
    }
    with(shared, move |shared| {
        let left = shared.node.force_leave_failed(prune).map_err(unavailable)?;
        Ok(Json(Removed { left: left.iter().map(ToString::to_string).collect(), suspected: Vec::new() }))
    })
    .await
}

async fn decide(
    State(shared): State<Shared>,
    Body(Decide { decisions }): Body<Decide>,
) -> Answer<view::Decided> {
    let bad = |message: String| {
        let help = "give them as octick decide does: hex digits, in their order, of the authority's file";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_decision", message, help)
    };
    if decisions.len() > DECISIONS_AT_ONCE {
        return Err(bad(format!(
            "{} decisions; one request has at most {DECISIONS_AT_ONCE}",
            decisions.len()
        )));
    }
    let read = |(i, digits): (usize, &String)| {
        let bytes =
            unhex(digits).ok_or_else(|| bad(format!("decisions[{i}]: want hex digits, two a byte")))?;
        SignedDecision::read(&bytes).map_err(|why| bad(format!("decisions[{i}]: {why}")))
    };
    let decisions = decisions.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    with(shared, move |shared| {
        if !mesh(&shared.node)?.admission.has_authority {
            let help = "name the mesh's authority in its configuration, [admission], and start it again";
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "no_authority",
                "this node knows of no authority",
                help,
            ));
        }
        let mut decided = Vec::with_capacity(decisions.len());
        for signed in decisions {
            let (number, says) = (signed.number(), signed.decision().to_string());
            let appended = shared.node.decide(signed).map_err(unavailable)?;
            decided.push(view::Outcome { number, says, became: became(appended).into() });
            if !matches!(appended, Appended::New | Appended::Known) {
                break;
            }
        }
        let known = mesh(&shared.node)?.admission.decisions;
        Ok(Json(view::Decided { known, decided }))
    })
    .await
}

fn became(appended: Appended) -> &'static str {
    match appended {
        Appended::New => "new",
        Appended::Known => "known",
        Appended::Gap => "gap",
        Appended::Contradiction => "contradiction",
        Appended::Unsigned => "unsigned",
        Appended::Full => "full",
    }
}

async fn health(State(shared): State<Shared>) -> Answer<&'static str> {
    match shared.node.is_running() {
        true => Ok(Json("the node runs")),
        false => Err(unavailable(MeshError::Gone)),
    }
}

/// Ready is what the library calls ready: it has met its mesh, has learnt who is there, and reaches a quorum.
async fn ready(State(shared): State<Shared>) -> Answer<&'static str> {
    with(shared, |shared| match unready(shared)? {
        None => Ok(Json("the node is ready")),
        Some((code, message, help)) => {
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message, help))
        }
    })
    .await
}

/// What stands in the way, and what to do about it.
fn unready(shared: &Shared) -> Result<Option<(&'static str, String, &'static str)>, Refusal> {
    let Some(mesh) = mesh_if_any(&shared.node)? else { return Ok(None) };
    if let Rights::Denied(denied) = mesh.admission.rights {
        let message = format!("this node is no member of its mesh: {denied}");
        return Ok(Some((
            "no_member",
            message,
            "ask the mesh's authority for a credential; see: octick info",
        )));
    }
    let ready = shared.node.ready(Duration::ZERO);
    // Seeds that are names are looked up beside the library, which knows of none before one has resolved.
    // So are addresses that it remembers: until one answers it does not know who is there.
    let is_unmet = (shared.facts.seeded || mesh.partition == Partition::Joining) && mesh.live().count() < 2;
    Ok(Some(match ready {
        Ok(()) if !is_unmet => return Ok(None),
        Err(NotReady::Gone) => return Err(unavailable(MeshError::Gone)),
        Err(NotReady::Partitioned { reachable, required }) => (
            "partitioned",
            format!("{reachable} members are reachable, {required} are required for a quorum"),
            "see who is missing: octick members; one that will not come back: octick force-leave ID",
        ),
        Ok(()) | Err(NotReady::NoSeedAnswers { .. }) if mesh.alone => (
            "alone",
            "no seed answers; this node works alone and keeps trying".into(),
            "see that a seed of membership.seeds runs, or: octick join ADDRESS",
        ),
        Ok(()) | Err(NotReady::NoSeedAnswers { .. }) => (
            "not_joined",
            "this node has met no member of its mesh yet".into(),
            "ask again in a moment; see that a seed of membership.seeds runs",
        ),
        Err(_) => (
            "not_settled",
            "this node has met its mesh, and still learns who is there".into(),
            "ask again in a moment",
        ),
    }))
}

async fn nowhere(request: Request) -> Refusal {
    let message = format!("there is nothing at {}", request.uri().path());
    let help = "try GET /api/v1/info, /api/v1/members, /api/v1/cells/0..16, /api/v1/counters, /healthz or /readyz; \
                POST /api/v1/join, /api/v1/leave or /api/v1/decisions";
    Refusal::new(StatusCode::NOT_FOUND, "no_such_path", message, help)
}

async fn otherwise(request: Request) -> Refusal {
    let message = format!("{} does not answer {}", request.uri().path(), request.method());
    let help = "use a method that the header Allow names: GET to read, POST to change";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message, help)
}

/// Does what may wait for the node or for a name server on a thread that may block.
async fn with<T: Send + 'static>(
    shared: Shared,
    work: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    blocking(move || work(&shared)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "the node failed while it answered";
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", message, "report it, with the node's log"))
    })
}

fn mesh(node: &Handle) -> Result<MeshView, Refusal> {
    node.mesh().map_err(unavailable)
}

/// Nothing for a node without membership.
fn mesh_if_any(node: &Handle) -> Result<Option<MeshView>, Refusal> {
    match node.mesh() {
        Ok(mesh) => Ok(Some(mesh)),
        Err(MeshError::NoMembership) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

fn unavailable(error: MeshError) -> Refusal {
    match error {
        MeshError::NoMembership => {
            let help = "set membership.enabled = true in its configuration and start it again";
            Refusal::new(StatusCode::CONFLICT, "no_membership", error.to_string(), help)
        }
        MeshError::Gone => {
            let help = "see its last words on standard error, and start it again";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ended", error.to_string(), help)
        }
    }
}
