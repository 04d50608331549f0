//! The task that owns the connection: one request at a time, frames written whole, every reply read, also where the
//! caller has gone.
//!
//! Renode makes this necessary: half a frame left behind poisons the next client's handshake, and the reply of a RunFor
//! whose client left goes to the next client.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::codec::{self, Command, Response};
use super::{Event, ExternalControlError};

/// What a request got: its data, and the events that came before.
#[derive(Debug)]
pub(super) struct Reply {
    pub data: Option<Bytes>,
    pub events: Events,
}

/// Events of a RunFor. Those that nobody takes go to the next RunFor: its caller has gone, or it failed after them.
#[derive(Debug, Default)]
pub(super) struct Events {
    list: Vec<Event>,
    kept: Arc<Mutex<Vec<Event>>>,
}

impl Events {
    pub(super) fn take(mut self) -> Vec<Event> {
        std::mem::take(&mut self.list)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.list.is_empty() {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).splice(0..0, self.list.drain(..));
        }
    }
}

enum Message {
    Request { command: Command, frame: Bytes, reply: oneshot::Sender<Result<Reply, ExternalControlError>> },
    Close { closed: oneshot::Sender<()> },
}

/// Handle to the task.
#[derive(Clone, Debug)]
pub(super) struct Client {
    messages: mpsc::Sender<Message>,
    /// Why the connection ended, once it has.
    reason: Arc<OnceLock<String>>,
}

impl Client {
    /// Shakes hands and starts the task.
    pub(super) async fn start(
        mut stream: TcpStream,
        handshake: Bytes,
        patience: Duration,
    ) -> Result<Self, ExternalControlError> {
        let mut buffer = BytesMut::new();
        stream.set_nodelay(true)?;
        tokio::time::timeout(patience, shake_hands(&mut stream, &mut buffer, &handshake))
            .await
            .map_err(|_| ExternalControlError::Silent { patience })??;
        let (messages, inbox) = mpsc::channel(16);
        let reason = Arc::new(OnceLock::new());
        let task = Task { stream, buffer, kept: Arc::default() };
        tokio::spawn(task.run(inbox, Arc::clone(&reason)));
        Ok(Self { messages, reason })
    }

    /// Sends a request and waits for its reply. Dropping this future before its turn withdraws the request; later it
    /// only drops the reply.
    pub(super) async fn request(&self, command: Command, data: &[u8]) -> Result<Reply, ExternalControlError> {
        let (reply, answer) = oneshot::channel();
        let frame = codec::request(command, data);
        self.messages.send(Message::Request { command, frame, reply }).await.map_err(|_| self.dead())?;
        answer.await.map_err(|_| self.dead())?
    }

    /// Closes the connection after everything asked before; returns when it is closed.
    pub(super) async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.messages.send(Message::Close { closed }).await.is_ok() {
            // An error says that the task has ended, and the connection with it.
            let _ = wait.await;
        }
    }

    fn dead(&self) -> ExternalControlError {
        let reason = self.reason.get().map_or("its task was cancelled with the runtime", String::as_str);
        ExternalControlError::Dead { reason: reason.to_owned() }
    }
}

/// Sends the handshake and skips what Renode still had for the client before: replies and events of its RunFor.
async fn shake_hands(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    handshake: &[u8],
) -> Result<(), ExternalControlError> {
    let during = "the handshake";
    stream.write_all(handshake).await.map_err(|error| failed(error, during))?;
    loop {
        match receive(stream, buffer, during).await? {
            Response::Handshake => return Ok(()),
            Response::FatalError { message } => return Err(ExternalControlError::Fatal { message }),
            stale if is_of_a_run(&stale) => tracing::warn!(?stale, "answer to a client before this one"),
            other => return Err(ExternalControlError::Protocol(format!("{other:?} to the handshake"))),
        }
    }
}

/// A reset by a process that died is told as what it is: a closed connection.
fn failed(error: std::io::Error, during: &str) -> ExternalControlError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset => ExternalControlError::Closed { during: during.to_owned() },
        _ => ExternalControlError::Io(error),
    }
}

async fn receive(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    during: &str,
) -> Result<Response, ExternalControlError> {
    loop {
        if let Some(response) = codec::response(buffer).map_err(ExternalControlError::Protocol)? {
            return Ok(response);
        }
        if stream.read_buf(buffer).await.map_err(|error| failed(error, during))? == 0 {
            return Err(ExternalControlError::Closed { during: during.to_owned() });
        }
    }
}

/// An event, or the end of a RunFor.
fn is_of_a_run(response: &Response) -> bool {
    let run = Command::RunFor.number();
    match response {
        Response::AsyncEvent { .. } => true,
        Response::Success { command } | Response::CommandFailed { command, .. } => *command == run,
        _ => false,
    }
}

/// What is under way when nothing is.
const IDLE: &str = "no command";

struct Task {
    stream: TcpStream,
    buffer: BytesMut,
    kept: Arc<Mutex<Vec<Event>>>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, reason: Arc<OnceLock<String>>) {
        let end = self.serve(&mut inbox).await;
        let (why, closed) = match end {
            Ok(closed) => ("it was closed by its owner".to_owned(), closed),
            Err(why) => (why, None),
        };
        // Set before the inbox goes, so that whoever finds it gone finds the reason.
        let _ = reason.set(why);
        let _ = self.stream.shutdown().await;
        drop(self.stream);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Serves until it is closed (by whom to tell) or until the connection ends (why).
    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Message>) -> Result<Option<oneshot::Sender<()>>, String> {
        loop {
            self.skip_unasked()?;
            let message = tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.buffer) => match read {
                    Ok(0) => return Err(describe(&ExternalControlError::Closed { during: IDLE.to_owned() })),
                    Ok(_) => continue,
                    Err(error) => return Err(describe(&failed(error, IDLE))),
                },
                // Not in the middle of a frame that nobody asked for.
                message = inbox.recv(), if self.buffer.is_empty() => message,
            };
            match message {
                None => return Ok(None),
                Some(Message::Close { closed }) => return Ok(Some(closed)),
                Some(Message::Request { reply, .. }) if reply.is_closed() => {}
                Some(Message::Request { command, frame, reply }) => {
                    let result = self.ask(command, frame).await;
                    let end = match &result {
                        Ok(_) | Err(ExternalControlError::CommandFailed { .. }) => None,
                        Err(error) => Some(describe(error)),
                    };
                    // Where the caller has gone, dropping the reply keeps its events.
                    let _ = reply.send(result);
                    if let Some(end) = end {
                        return Err(end);
                    }
                }
            }
        }
    }

    /// Drops what came while nothing was asked, but for an end.
    fn skip_unasked(&mut self) -> Result<(), String> {
        while let Some(response) = codec::response(&mut self.buffer)? {
            match response {
                Response::FatalError { message } => return Err(describe(&ExternalControlError::Fatal { message })),
                stale if is_of_a_run(&stale) => tracing::warn!(?stale, "answer to a client before this one"),
                other => return Err(format!("{other:?} came unasked")),
            }
        }
        Ok(())
    }

    async fn ask(&mut self, command: Command, mut frame: Bytes) -> Result<Reply, ExternalControlError> {
        let during = command.to_string();
        while frame.has_remaining() {
            self.stream.write_buf(&mut frame).await.map_err(|error| failed(error, &during))?;
        }
        let mut events = Events { list: Vec::new(), kept: Arc::clone(&self.kept) };
        loop {
            let response = receive(&mut self.stream, &mut self.buffer, &during).await?;
            let (answered, result) = match response {
                Response::Success { command } => (command, Ok(None)),
                Response::SuccessWithData { command, data } => (command, Ok(Some(data))),
                Response::CommandFailed { command, message } => (command, Err(message)),
                Response::InvalidCommand { command: number } => {
                    return Err(ExternalControlError::Protocol(format!("command {number} is unknown to renode")));
                }
                Response::FatalError { message } => return Err(ExternalControlError::Fatal { message }),
                Response::Handshake => {
                    return Err(ExternalControlError::Protocol("a second handshake".to_owned()));
                }
                Response::AsyncEvent { command: source, descriptor, data } if command == Command::RunFor => {
                    events.list.extend(Event::read(source, descriptor, &data));
                    continue;
                }
                stale @ Response::AsyncEvent { .. } => {
                    tracing::warn!(?stale, "event of a client before this one");
                    continue;
                }
            };
            if answered != command.number() {
                if answered == Command::RunFor.number() {
                    tracing::warn!("end of a RunFor of a client before this one");
                    continue;
                }
                return Err(ExternalControlError::Protocol(format!("answer to command {answered}, not to {command}")));
            }
            return match result {
                Ok(data) => {
                    if command == Command::RunFor {
                        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                        events.list.splice(0..0, kept.drain(..));
                    }
                    Ok(Reply { data, events })
                }
                Err(message) => Err(ExternalControlError::CommandFailed { command, message }),
            };
        }
    }
}

/// An error with its sources, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
