//! The commands' side of the API: one request, one connection.

use std::fmt;
use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Address;
use super::refusal::{Envelope, Refused};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer: some 100,000 members.
const ANSWER_BYTES: usize = 64 << 20;

/// Asks the node whose API is at `admin`.
///
/// # Errors
/// [`CallError`].
pub fn get<T: DeserializeOwned>(admin: &Address, path: &str) -> Result<T, CallError> {
    call(admin, Method::GET, path, Body::empty())
}

/// Has the node whose API is at `admin` do something.
///
/// # Errors
/// [`CallError`].
pub fn post<T: DeserializeOwned>(admin: &Address, path: &str, body: &impl Serialize) -> Result<T, CallError> {
    let body = serde_json::to_vec(body).expect("a request is plain data");
    call(admin, Method::POST, path, Body::from(body))
}

fn call<T: DeserializeOwned>(
    admin: &Address,
    method: Method,
    path: &str,
    body: Body,
) -> Result<T, CallError> {
    let broken = |why: &dyn fmt::Display| CallError::Broken { admin: admin.clone(), why: why.to_string() };
    let silent = |why: String| CallError::Silent { admin: admin.clone(), why };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken(&error))?;
    let exchange = async {
        let stream = connect(admin).await.map_err(|error| silent(error.to_string()))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = admin.token() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(body).map_err(|error| broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await;
        Ok((status, body.map_err(|error| broken(&error))?))
    };
    let (status, body) = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
        .map_err(|_| silent(format!("no answer within {} s", PATIENCE.as_secs())))??;
    let foreign = || broken(&format_args!("it answers {status}, and not in the words of this API"));
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| foreign());
    }
    let envelope: Envelope = serde_json::from_slice(&body).map_err(|_| foreign())?;
    Err(CallError::Refused(envelope.error))
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl Stream for UnixStream {}
impl Stream for TcpStream {}

async fn connect(admin: &Address) -> io::Result<Box<dyn Stream>> {
    match admin {
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Address::Tcp { found, .. } => Ok(Box::new(TcpStream::connect(&found[..]).await?)),
    }
}

/// Why a node did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nobody listens there, or nobody answers.
    Silent {
        /// Where.
        admin: Address,
        /// What the system says.
        why: String,
    },
    /// Somebody answers who is no node, perhaps.
    Broken {
        /// Where.
        admin: Address,
        /// What was odd.
        why: String,
    },
    /// The node says why not.
    Refused(Refused),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { admin, why } => write!(
                f,
                "no node answers at {admin} ({why}): start one with admin.enabled = true, or say where it is: --admin PATH or \
                 HOST:PORT, or --config FILE"
            ),
            Self::Broken { admin, why } => {
                write!(f, "{admin}: {why}: is it the admin API of a node of this release?")
            }
            Self::Refused(refused) => {
                write!(f, "{refused}")?;
                match &refused.candidates[..] {
                    [] => Ok(()),
                    candidates => write!(f, "; members: {}", candidates.join(", ")),
                }
            }
        }
    }
}

impl std::error::Error for CallError {}
