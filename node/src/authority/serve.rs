//! `octick authority serve`: lets nodes in that show a token.
//!
//! One route over HTTP. What strangers can cost is bounded: so many connections, so long each, so many bytes and requests. They learn nothing:
//! a token that is wrong, used or over gets one and the same answer. A credential is recorded, and its token used up, in one step before it is sent.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use octick_core::token_bucket::TokenBucket;
use octick_crypto::Identity;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::enrolment::{Answer, PATH, Request};
use super::folder::Folder;
use super::issue::now;
use super::signers::SignWith;
use super::store::{self, Store};
use crate::failure::Failure;
use crate::output::say;

/// Connections at a time; the next ones wait in the kernel.
const CONNECTIONS: usize = 32;
/// How long a connection may last, whatever happens on it.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// Bytes of a request: its three fields take 300.
const BODY_BYTES: usize = 1 << 10;
/// Requests a second, of everybody together: each reads the register once.
const REQUESTS_PER_SEC: u32 = 20;
/// Threads that may wait for the disk at a time.
const WAITERS: usize = 4;

/// Lets nodes in that show a token of `octick authority invite`, until it is stopped
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// TCP address to listen on
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    sign_with: SignWith,
}

/// What all requests share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    sign_with: SignWith,
    budget: Mutex<TokenBucket>,
    began: Instant,
}

/// Why nobody was let in.
enum Refused {
    /// The token is wrong, used or over.
    Token,
    /// The token is good, and there is no room, say; it remains good.
    Issue(Failure),
    /// The authority cannot sign or write now.
    Authority(Failure),
}

impl Serve {
    /// Serves until SIGINT or SIGTERM; the process may also be killed at any time.
    ///
    /// # Errors
    /// There is no authority, its keys are not there, or the address cannot be had.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let Self { listen, folder, sign_with } = self;
        // What would refuse every node is said now.
        sign_with.signers(&folder.dir, &store::read(&folder.dir)?)?;
        let budget = Mutex::new(TokenBucket::new(REQUESTS_PER_SEC, 0));
        let shared = Arc::new(Shared { dir: folder.dir, sign_with, budget, began: Instant::now() });
        let ended = end()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WAITERS)
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind(listen).await;
            let listener = listener.map_err(|error| Failure::new(format!("--listen {listen}: {error}")))?;
            say(format_args!("listening on {}", listener.local_addr()?))?;
            let routes = Router::new().route(PATH, post(enrol)).with_state(shared);
            tokio::select! {
                () = serve(listener, routes.layer(DefaultBodyLimit::max(BODY_BYTES))) => {}
                _ = ended => say("stopped")?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Told of the first SIGINT or SIGTERM. What was recorded was also written: nothing is cut short but connections.
fn end() -> Result<oneshot::Receiver<()>, Failure> {
    let (tell, ended) = oneshot::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("octick-signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            // Nobody listens any more who is ending already.
            let _ = tell.send(());
        }
    })?;
    Ok(ended)
}

async fn serve(listener: TcpListener, routes: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await.expect("nobody closes it");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: others may give some back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let routes = routes.clone();
        tokio::spawn(async move {
            // Whatever ended it concerns only whoever was at its other end.
            let _ = tokio::time::timeout(WHOLE, exchange(stream, routes)).await;
            drop(place);
        });
    }
}

async fn exchange(stream: TcpStream, routes: Router) -> Result<(), hyper::Error> {
    let service = TowerToHyperService::new(routes);
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(WHOLE).max_buf_size(HEAD_BYTES).keep_alive(false);
    connection.serve_connection(TokioIo::new(stream), service).await
}

async fn enrol(State(shared): State<Arc<Shared>>, Json(request): Json<Request>) -> Response {
    let elapsed = shared.began.elapsed().as_micros() as u64;
    if !shared.budget.lock().expect("nobody panics with it").take(1, elapsed) {
        return refusal(StatusCode::TOO_MANY_REQUESTS, "busy", "too many nodes ask at once", "try again");
    }
    let done = tokio::task::spawn_blocking(move || shared.enrol(&request)).await.expect("it does not panic");
    match done {
        Ok(answer) => Json(answer).into_response(),
        Err(Refused::Token) => refusal(
            StatusCode::FORBIDDEN,
            "no_such_token",
            "the token lets nobody in: it is wrong, was used, or is over",
            "ask for another: octick authority invite",
        ),
        Err(Refused::Issue(why)) => {
            let help = "the token can be used again when that has changed";
            refusal(StatusCode::CONFLICT, "no_credential", &why.to_string(), help)
        }
        Err(Refused::Authority(why)) => {
            // It concerns the operator, not whoever asks. Nobody reading it is no reason to stop.
            let _ = say(format_args!("a node with a good token was not let in: {why}"));
            let help = "its operator sees why";
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "no_authority", "the authority cannot sign now", help)
        }
    }
}

fn refusal(status: StatusCode, code: &str, message: &str, help: &str) -> Response {
    let error = json!({"code": code, "message": message, "help": help});
    (status, Json(json!({ "error": error }))).into_response()
}

impl Shared {
    /// Issues what the token's invitation says, and uses it up.
    fn enrol(&self, request: &Request) -> Result<Answer, Refused> {
        let now = now().map_err(Refused::Authority)?;
        // Others wait here, so that a token that is used twice is looked for after it was taken out.
        let (store, mut register) = Store::open(&self.dir).map_err(Refused::Authority)?;
        let of_token = |invite: &&super::invited::Invite| invite.token.id().to_string() == request.token;
        let invite = register.invites.iter().find(of_token).filter(|invite| now < invite.until).cloned();
        let invite = invite.ok_or(Refused::Token)?;
        let node = request.proven(&invite.token).ok_or(Refused::Token)?;
        let wish = invite.wish(node, now).map_err(Refused::Issue)?;
        let signers = self.sign_with.signers(&self.dir, &register).map_err(Refused::Authority)?;
        let signers: Vec<&Identity> = signers.iter().collect();
        let credential = register.issue(&wish, &signers).map_err(Refused::Issue)?;
        register.invites.retain(|other| other.token != invite.token);
        store.save(&register).map_err(Refused::Authority)?;
        let grant = credential.grant();
        let _ = say(format_args!("{}  {}  serial {}", grant.name, grant.member, grant.serial));
        Ok(Answer::new(&register, &credential))
    }
}
