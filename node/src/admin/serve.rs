//! Connections: so many at a time, so long each.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use octick::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::routes::{Shared, router};

/// Connections at a time; the next ones wait in the kernel.
const CONNECTIONS: usize = 32;
/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last, whatever happens on it.
const WHOLE: Duration = Duration::from_secs(30);
/// Threads that may wait for the node or a name server at a time.
const WAITERS: usize = 4;
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;

/// The server, until it is dropped.
pub struct Admin {
    local: SocketAddr,
    leave: mpsc::Receiver<()>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Takes the port and serves `node` on a thread of its own. A node that is `seeded` is ready once it has met somebody.
    ///
    /// # Errors
    /// The port, or the thread, could not be had.
    pub fn start(listen: SocketAddr, node: Arc<Handle>, seeded: bool) -> Result<Self, AdminError> {
        let refused = |error| AdminError { listen, error };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let (stop, stopped) = oneshot::channel();
        let (asked, leave) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WAITERS)
            .thread_name("octick-admin-wait")
            .build()
            .map_err(refused)?;
        let thread = thread::Builder::new().name("octick-admin".into()).spawn(move || {
            let routes = router(Shared { node, seeded, leave: asked });
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, routes) => {}
                    _ = stopped => {}
                }
            });
            // Requests that wait for the node do not hold it up.
            runtime.shutdown_background();
        });
        let thread = Some(thread.map_err(refused)?);
        Ok(Self { local, leave, stop: Some(stop), thread })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
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

async fn accept(listener: TcpListener, routes: Router) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await.expect("nobody closes it");
        let Ok((stream, _)) = listener.accept().await else {
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

/// Why there is no admin API.
#[derive(Debug)]
pub struct AdminError {
    listen: SocketAddr,
    error: io::Error,
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listen, error } = self;
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "admin.listen = \"{listen}\" is taken, by another node perhaps: give each node of a machine another port"
            ),
            _ => write!(f, "admin.listen = \"{listen}\": {error}"),
        }
    }
}

impl std::error::Error for AdminError {}
