//! One function a route.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use octick::socket::bounds;
use octick::{Handle, MeshError, MeshView};

use super::guard;
use super::refusal::Refusal;
use super::view::{self, Done, Join, Nothing};

/// The longest body: an address fits ten times.
const BODY_BYTES: usize = 4_096;
/// Members that an error names at most.
const CANDIDATES: usize = 8;

/// What routes work with.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) node: Arc<Handle>,
    /// Whether it was told where to begin.
    pub(super) seeded: bool,
    /// Told when the node should end.
    pub(super) leave: Sender<()>,
}

type Answer<T> = Result<Json<T>, Refusal>;

/// All routes.
pub(super) fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/members", get(members))
        .route("/members/{id}/leave", post(force_leave))
        .route("/join", post(join))
        .route("/leave", post(leave));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(guard::guard))
        .with_state(shared)
}

async fn members(State(shared): State<Shared>) -> Answer<view::Members> {
    with(shared, |shared| Ok(Json(view::Members::of(&shared.node, &mesh(&shared.node)?)))).await
}

async fn join(State(shared): State<Shared>, Body(join): Body<Join>) -> Answer<Done> {
    with(shared, move |shared| {
        let address = resolve(&join.address, shared.node.local_addr())?;
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
    Path(name): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<Done> {
    with(shared, move |shared| {
        let mesh = mesh(&shared.node)?;
        let member = find(&mesh, &name)?;
        if member.this_node {
            let message = format!("{} is the node that was asked", member.id);
            let help = "make it leave: octick leave, or POST /api/v1/leave";
            return Err(Refusal::new(StatusCode::CONFLICT, "own_name", message, help));
        }
        let id = member.id;
        if !shared.node.force_leave(id).map_err(unavailable)? {
            return Err(unknown(&mesh, &name));
        }
        Ok(Json(Done { done: id.to_string() }))
    })
    .await
}

async fn health(State(shared): State<Shared>) -> Answer<&'static str> {
    match shared.node.is_running() {
        true => Ok(Json("the node runs")),
        false => Err(unavailable(MeshError::Gone)),
    }
}

/// Ready is who runs and, if it has been told where to begin, has met somebody.
async fn ready(State(shared): State<Shared>) -> Answer<&'static str> {
    with(shared, |shared| match shared.node.mesh() {
        Ok(mesh) if mesh.alone && shared.seeded => {
            let help = "see that a seed of membership.seeds runs, or: octick join ADDRESS";
            let message = "no seed answers; this node works alone and keeps trying";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "alone", message, help))
        }
        Ok(_) | Err(MeshError::NoMembership) => Ok(Json("the node is ready")),
        Err(error) => Err(unavailable(error)),
    })
    .await
}

async fn nowhere(request: Request) -> Refusal {
    let message = format!("there is nothing at {}", request.uri().path());
    let help = "try GET /api/v1/members, POST /api/v1/join, POST /api/v1/leave, GET /healthz or GET /readyz";
    Refusal::new(StatusCode::NOT_FOUND, "no_such_path", message, help)
}

async fn otherwise(request: Request) -> Refusal {
    let message = format!("{} does not answer {}", request.uri().path(), request.method());
    let help = "use GET to read and POST to change";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message, help)
}

/// Does what may wait for the node or for a name server on a thread that may block.
async fn with<T: Send + 'static>(
    shared: Shared,
    work: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(move || work(&shared)).await;
    done.unwrap_or_else(|_| {
        let message = "the node failed while it answered";
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", message, "report it, with the node's log"))
    })
}

fn mesh(node: &Handle) -> Result<MeshView, Refusal> {
    node.mesh().map_err(unavailable)
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

/// The one member that `name` means: its id, or as many of its first digits as tell it from others.
fn find<'a>(mesh: &'a MeshView, name: &str) -> Result<&'a octick::MemberView, Refusal> {
    let wanted = name.to_ascii_lowercase();
    if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let message = format!("{name:?} is no member's name");
        let help = "give the id of a member, 32 hex digits, or its first ones; see: octick members";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_name", message, help));
    }
    let meant: Vec<_> =
        mesh.members.iter().filter(|member| member.id.to_string().starts_with(&wanted)).collect();
    match meant[..] {
        [member] => Ok(member),
        [] => Err(unknown(mesh, name)),
        _ => {
            let message = format!("{name} may be {} members", meant.len());
            let help = "give more digits";
            Err(Refusal::new(StatusCode::CONFLICT, "ambiguous", message, help)
                .with_candidates(named(meant.into_iter())))
        }
    }
}

/// Nobody goes by that name; those with the most digits in common come first.
fn unknown(mesh: &MeshView, name: &str) -> Refusal {
    let wanted = name.to_ascii_lowercase();
    let common =
        |id: String| id.bytes().zip(wanted.bytes()).take_while(|(digit, wanted)| digit == wanted).count();
    let mut near: Vec<_> = mesh.members.iter().filter(|member| !member.this_node).collect();
    near.sort_by_key(|member| (std::cmp::Reverse(common(member.id.to_string())), member.id.to_string()));
    let message = format!("no member goes by {name}");
    Refusal::new(StatusCode::NOT_FOUND, "unknown_member", message, "see who there is: octick members")
        .with_candidates(named(near.into_iter()))
}

fn named<'a>(members: impl Iterator<Item = &'a octick::MemberView>) -> Vec<String> {
    let name =
        |member: &octick::MemberView| format!("{} ({})", member.id, view::State::from(member.state).name());
    members.take(CANDIDATES).map(name).collect()
}

/// The first address of a name that this node's socket can send to.
fn resolve(address: &str, listen: SocketAddr) -> Result<SocketAddr, Refusal> {
    let refuse = |why: String| {
        let help = "give the address that a member listens on, host:port";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_address", format!("address {address:?}: {why}"), help)
    };
    let found: Vec<SocketAddr> =
        address.to_socket_addrs().map_err(|error| refuse(error.to_string()))?.collect();
    let usable = |to: &&SocketAddr| bounds::reaches(listen, **to) && to.port() != 0;
    let to = found.iter().find(usable).copied();
    to.ok_or_else(|| refuse(format!("no address of it can be reached from {listen}")))
}

/// A body of JSON; what is wrong with it is answered like everything else.
struct Body<T>(T);

impl<S: Send + Sync, T> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Json(body) = Json::from_request(request, state).await.map_err(|error| {
            let help = "see docs/operating.md for what each request takes";
            Refusal::new(error.status(), "bad_body", error.body_text(), help)
        })?;
        Ok(Self(body))
    }
}
