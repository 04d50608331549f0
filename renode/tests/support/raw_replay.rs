//! A server that plays Renode's side of a recorded conversation over TCP: it checks what the client sends, byte by byte,
//! answers what Renode answered, and injects faults.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::transcript::{Direction, Line};

/// What the server does next on a connection. After the last step it expects the end.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads this many bytes, which must be these.
    Expect(Vec<u8>),
    /// Sends bytes: an answer, half of one, or garbage.
    Send(Vec<u8>),
    /// Waits until the test says so.
    Hold(Arc<Notify>),
    /// Tells the test that it came here.
    Tell(Arc<Notify>),
    /// Checks that the client has neither closed nor sent anything, although it had the time to.
    Quiet,
    /// Closes the connection.
    Close,
    /// Ends the connection as the kernel does for a process that died with unread data.
    Reset,
}

/// A running server.
pub struct RawReplay {
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

impl RawReplay {
    /// Serves as many connections as there are scripts, at the same time, in the order in which they come.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let server = tokio::spawn(async move {
            let mut connections = Vec::new();
            for script in scripts {
                let (stream, _) = listener.accept().await.expect("accept");
                stream.set_nodelay(true).expect("nodelay");
                connections.push(tokio::spawn(serve(stream, script)));
            }
            for connection in connections {
                connection.await.expect("a connection went as recorded");
            }
        });
        Self { address, server }
    }

    /// Waits until every script is through.
    ///
    /// # Panics
    /// Where the client did not do what was recorded.
    pub async fn finish(self) {
        // Generous: only a failing test waits for it.
        tokio::time::timeout(Duration::from_secs(20), self.server)
            .await
            .expect("client did all that was recorded")
            .expect("conversation went as recorded");
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Step>) {
    for step in script {
        match step {
            Step::Expect(bytes) => {
                let mut got = vec![0; bytes.len()];
                stream.read_exact(&mut got).await.unwrap_or_else(|error| panic!("{error}, not {}", show(&bytes)));
                assert_eq!(show(&got), show(&bytes), "what the client sent");
            }
            Step::Send(bytes) => stream.write_all(&bytes).await.expect("send"),
            Step::Hold(until) => until.notified().await,
            Step::Tell(here) => here.notify_one(),
            Step::Quiet => {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                let error = stream.try_read(&mut [0]).expect_err("neither end nor bytes");
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            }
            Step::Close => return,
            Step::Reset => {
                // A linger of zero makes a reset of the close.
                stream.set_zero_linger().expect("linger");
                return;
            }
        }
    }
    let mut rest = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(show(&rest), "", "more than was recorded");
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Renode's side of one connection.
pub fn script<'a>(lines: impl IntoIterator<Item = &'a Line>, connection: u32) -> Vec<Step> {
    lines
        .into_iter()
        .filter(|line| line.connection == Some(connection))
        .filter_map(|line| match (line.direction, &line.bytes, line.event.as_deref()) {
            (Direction::Out, Some(bytes), _) => Some(Step::Expect(bytes.clone())),
            (Direction::In, Some(bytes), _) => Some(Step::Send(bytes.clone())),
            (Direction::Event, _, Some("closed by server")) => Some(Step::Close),
            (Direction::Event, _, Some("reset by server")) => Some(Step::Reset),
            _ => None,
        })
        .collect()
}

/// The lines of one case of a recording that has several, each with its own Renode.
pub fn case(lines: &[Line], name: &str) -> Vec<Line> {
    let is_start = |line: &Line| line.event.as_deref().is_some_and(|event| event.starts_with("case "));
    let begin = lines.iter().position(|line| line.event.as_deref() == Some(&format!("case {name}"))).expect("case");
    let rest = &lines[begin + 1..];
    rest[..rest.iter().position(is_start).unwrap_or(rest.len())].to_vec()
}

/// The lines without the requests of these notes and their answers.
pub fn without(lines: &[Line], notes: &[&str]) -> Vec<Line> {
    let mut dropping = false;
    let mut found = 0;
    let kept = lines
        .iter()
        .filter(|line| {
            if line.direction == Direction::Out {
                dropping = line.note.as_deref().is_some_and(|note| notes.contains(&note));
                found += usize::from(dropping);
            }
            !(dropping && line.direction != Direction::Event)
        })
        .cloned()
        .collect();
    assert_eq!(found, notes.len(), "every note is in the recording once");
    kept
}
