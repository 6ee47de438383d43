//! Connections: so many at a time, so long each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use octick::Handle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, oneshot};

use super::facts::Facts;
use super::routes::{Shared, router};
use super::token::Token;
use super::{Address, unix};
use crate::config::Settings;

/// Connections at a time; the next ones wait in the kernel.
const CONNECTIONS: usize = 32;
/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last, whatever happens on it.
const WHOLE: Duration = Duration::from_secs(30);
/// Threads that may wait for the node or a name server at a time.
const WAITERS: usize = 4;
/// How long an address may be taken by somebody who is about to end.
const TAKEN: Duration = Duration::from_secs(1);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;

/// The server, until it is dropped.
pub struct Admin {
    addresses: Vec<Address>,
    leave: mpsc::Receiver<()>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removes the socket's file when the thread has ended.
    _bound: unix::Bound,
}

impl Admin {
    /// Takes the socket, and the port if one is wanted, and serves `node`, which `settings` describe, on a thread of its own.
    ///
    /// # Errors
    /// The socket, the port or the thread could not be had.
    pub fn start(settings: &Settings, node: Arc<Handle>) -> Result<Self, AdminError> {
        let facts = Arc::new(Facts::of(settings));
        let settings = &settings.admin;
        let path = &settings.socket;
        let token = settings.listen.map(|_| Token::read_or_create(&settings.token_file)).transpose();
        let token = token.map_err(|why| AdminError::Token(why.to_string()))?;
        let refused = |error| AdminError::Socket { path: path.clone(), error };
        let (listener, bound) = patiently(|| unix::listen(path)).map_err(refused)?;
        let mut addresses = vec![Address::unix(path)];
        let tcp = settings
            .listen
            .map(|listen| patiently(|| bind(listen)).map_err(|error| AdminError::Port { listen, error }));
        let tcp = tcp.transpose()?;
        if let Some((_, local)) = &tcp {
            addresses.push((*local).into());
        }
        let tcp = tcp.map(|(listener, _)| listener);
        let (stop, stopped) = oneshot::channel();
        let (asked, leave) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WAITERS)
            .thread_name("octick-admin-wait")
            .build()
            .map_err(refused)?;
        let thread = thread::Builder::new().name("octick-admin".into()).spawn(move || {
            let shared = Shared { node, facts, leave: asked };
            let routes = Routes { unix: router(shared.clone(), None), tcp: router(shared, token) };
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, tcp, routes) => {}
                    _ = stopped => {}
                }
            });
            // Requests that wait for the node do not hold it up.
            runtime.shutdown_background();
        });
        let thread = Some(thread.map_err(refused)?);
        Ok(Self { addresses, leave, stop: Some(stop), thread, _bound: bound })
    }

    /// Where it listens: its Unix socket, then its TCP address, if it has one.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Whether somebody asked the node to leave since the last call.
    pub fn asked_to_leave(&self) -> bool {
        self.leave.try_recv().is_ok()
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was told on its way.
            drop(thread.join());
        }
    }
}

/// Tries again for a second while the address is taken: a process that was killed a moment ago may still hold it.
fn patiently<T>(mut take: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let began = Instant::now();
    loop {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < TAKEN => {
                thread::sleep(TAKEN / 50);
            }
            done => return done,
        }
    }
}

fn bind(listen: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// What is served where.
struct Routes {
    unix: Router,
    /// They ask for the token.
    tcp: Router,
}

async fn serve(unix: std::os::unix::net::UnixListener, tcp: Option<std::net::TcpListener>, routes: Routes) {
    let Ok(unix) = UnixListener::from_std(unix) else { return };
    let Ok(tcp) = tcp.map(TcpListener::from_std).transpose() else { return };
    let local = async || unix.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>);
    // Each has connections of its own: whoever reaches the port keeps nobody from the socket.
    tokio::join!(serve_at(local, &routes.unix), serve_at(async || accept(tcp.as_ref()).await, &routes.tcp));
}

/// Serves whoever is accepted, so many at a time.
async fn serve_at(mut accept: impl AsyncFnMut() -> io::Result<Box<dyn Stream>>, routes: &Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await.expect("nobody closes it");
        let Ok(stream) = accept().await else {
            // Out of descriptors, say: others may give some back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever ended it concerns only whoever was at its other end.
            let _ = tokio::time::timeout(WHOLE, connection).await;
            drop(place);
        });
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Never ends without a listener.
async fn accept(tcp: Option<&TcpListener>) -> io::Result<Box<dyn Stream>> {
    match tcp {
        Some(tcp) => Ok(Box::new(tcp.accept().await?.0)),
        None => std::future::pending().await,
    }
}

/// Why there is no admin API.
#[derive(Debug)]
pub enum AdminError {
    /// The Unix socket could not be had.
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The TCP port could not be had.
    Port {
        /// Where.
        listen: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The token for the port could not be had: in words.
    Token(String),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { path, error } => write!(f, "{}", why_no_socket(path, error)),
            Self::Port { listen, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "admin.listen = \"{listen}\" is taken, by another node perhaps: give each node of a machine another port"
            ),
            Self::Port { listen, error } => write!(f, "admin.listen = \"{listen}\": {error}"),
            Self::Token(why) => f.write_str(why),
        }
    }
}

fn why_no_socket(path: &Path, error: &io::Error) -> String {
    let at = Address::unix(path);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "a node answers at {at} already: stop it (octick leave --admin {at}), or give each node a key_file or an \
             admin.socket of its own"
        ),
        io::ErrorKind::AlreadyExists => {
            format!("{at} is there and is no socket: move it away, or name another admin.socket")
        }
        io::ErrorKind::InvalidInput => {
            format!(
                "admin.socket = \"{at}\" is longer than the 107 bytes that a socket's path may have: name a shorter one"
            )
        }
        _ => format!(
            "admin.socket = \"{at}\": {error}: name a path that this user may write, or set admin.enabled = false"
        ),
    }
}

impl std::error::Error for AdminError {}
