//! The connection to the robot server, owned by a task.
//!
//! As seen with Renode 1.16.1: a connection takes 101 requests and is then closed, the last one unanswered; an idle one
//! is closed after 15 s; requests are served one at a time, also over several connections. A GET, a POST without a
//! length, or a TCP reset while a keyword runs end the process. So a call that was sent is always seen through, whether
//! or not its caller still waits.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::RobotError;

/// Requests on one connection, below the 101 that Renode takes.
const REQUESTS: u32 = 100;
/// Rest of a connection, below the 15 s after which Renode closes it.
const IDLE: Duration = Duration::from_secs(10);

/// One call: a body to post, and where the answer goes.
pub(super) struct Call {
    pub(super) body: String,
    /// What is being done, for messages.
    pub(super) what: String,
    pub(super) after: Option<After>,
    pub(super) reply: oneshot::Sender<Result<Bytes, RobotError>>,
}

/// A second call that must follow the first where its answer asks for it, even when the caller is gone.
pub(super) struct After {
    pub(super) when: fn(&[u8]) -> bool,
    pub(super) body: String,
}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    requests: u32,
    last_used: Instant,
}

/// An answer, and whether Renode goes on with this connection.
type Answer = (Result<Bytes, RobotError>, bool);

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        Self::on(TcpStream::connect(address).await?).await
    }

    async fn on(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // It ends with the sender, or with the socket.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "connection to the robot server");
            }
        });
        Ok(Self { sender, requests: 0, last_used: Instant::now() })
    }

    fn is_fresh(&self) -> bool {
        self.requests < REQUESTS && self.last_used.elapsed() < IDLE && !self.sender.is_closed()
    }

    /// `None`: the connection was closed meanwhile and nothing was sent.
    async fn post(&mut self, address: SocketAddr, body: Bytes, what: &str) -> Option<Answer> {
        let closed = || RobotError::Closed { during: what.to_owned() };
        self.sender.ready().await.ok()?;
        let request = Request::post("/")
            .header(HOST, address.to_string())
            .header(CONTENT_TYPE, "text/xml")
            .body(Full::new(body))
            .expect("these headers are valid");
        self.requests += 1;
        let response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                if error.take_message().is_some() {
                    return None;
                }
                tracing::debug!(error = %error.into_error(), "no answer of the robot server");
                return Some((Err(closed()), false));
            }
        };
        let status = response.status();
        let keep =
            !response.headers().get("connection").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        // Also the body of an error is read: a socket with unread data is reset when it is closed.
        let body = match response.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Some((Err(closed()), false)),
        };
        self.last_used = Instant::now();
        if status == StatusCode::OK {
            Some((Ok(body), keep))
        } else {
            Some((Err(RobotError::Http(status.as_u16())), false))
        }
    }
}

/// Connects, and gives the task that serves the calls.
pub(super) async fn connect(address: SocketAddr) -> io::Result<mpsc::Sender<Call>> {
    let connection = Connection::open(address).await?;
    let (sender, calls) = mpsc::channel(16);
    tokio::spawn(serve(address, connection, calls));
    Ok(sender)
}

/// Serves one call at a time until every handle is gone.
async fn serve(address: SocketAddr, first: Connection, mut calls: mpsc::Receiver<Call>) {
    let mut connection = Some(first);
    while let Some(Call { body, what, after, reply }) = calls.recv().await {
        if reply.is_closed() {
            // Its caller went away before it was sent.
            continue;
        }
        let answer = post(&mut connection, address, body, &what).await;
        if let (Ok(answer), Some(After { when, body })) = (&answer, after)
            && when(answer)
            && let Err(error) = post(&mut connection, address, body, &what).await
        {
            tracing::debug!(%error, %what, "the call after");
        }
        let _ = reply.send(answer);
    }
}

async fn post(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    body: String,
    what: &str,
) -> Result<Bytes, RobotError> {
    let body = Bytes::from(body);
    // Twice: a connection that looked fresh may have been closed meanwhile.
    for _ in 0..2 {
        if !connection.as_ref().is_some_and(Connection::is_fresh) {
            *connection = None;
        }
        let live = match connection {
            Some(live) => live,
            None => connection.insert(Connection::open(address).await?),
        };
        match live.post(address, body.clone(), what).await {
            Some((answer, keep)) => {
                if !keep {
                    *connection = None;
                }
                return answer;
            }
            None => *connection = None,
        }
    }
    Err(RobotError::Closed { during: what.to_owned() })
}
