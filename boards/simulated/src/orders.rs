//! Gives a board its commands: over its control socket, or from the process that it runs in.

use crate::{
    bench::Bench,
    control::{self, Answer, Command, LINE_MAX, Status},
    desk::{Request, What},
    faults::PlannedFault,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::{mpsc::UnboundedSender, oneshot},
};

/// The way to a board's desk. Clones lead to the same.
#[derive(Debug, Clone)]
pub struct Orders {
    bench: Bench,
    desk: UnboundedSender<Request>,
}

impl Orders {
    /// The way to the desk that hears the other end of `desk`.
    pub fn new(bench: Bench, desk: UnboundedSender<Request>) -> Self {
        Self { bench, desk }
    }

    /// Takes the commands of one who has connected, until they leave.
    pub async fn take(self, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read);
        loop {
            let mut text = Vec::new();
            let Ok(1..) = (&mut lines).take(LINE_MAX).read_until(b'\n', &mut text).await else { return };
            let done = match serde_json::from_slice(&text) {
                Ok(command) => self.give(command).await,
                Err(error) => Err(format!("that is no command: {error}")),
            };
            let answer = done.map_or_else(|reason| Answer::Refused { reason }, Answer::Done);
            if write.write_all(&control::line(&answer)).await.is_err() || !text.ends_with(b"\n") {
                return;
            }
        }
    }

    /// Gives a command, and waits until it is done.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn give(&self, command: Command) -> Result<Status, String> {
        let what = match command {
            Command::Fault { times: 0, .. } => return Err("a fault is shown once at least".to_owned()),
            Command::Fault { fault, times } => What::Fault(PlannedFault { fault, times }),
            Command::PowerCycle => What::PowerCycle,
            Command::Unplug => What::Unplug,
            Command::Plug => What::Plug,
            Command::Status => What::Status,
            Command::Swap { with } => return self.swap(&with).await,
            Command::Move { to } => return self.move_to(to).await,
        };
        self.ask(what).await
    }

    async fn ask(&self, what: What) -> Result<Status, String> {
        let stopped = || "the board was stopped".to_owned();
        let (reply, answer) = oneshot::channel();
        self.desk.send(Request { what, reply }).map_err(|_| stopped())?;
        match answer.await.map_err(|_| stopped())? {
            Answer::Done(status) => Ok(status),
            Answer::Refused { reason } => Err(reason),
        }
    }

    /// Exchanges places with another board, of this process or another one.
    async fn swap(&self, with: &str) -> Result<Status, String> {
        let lock = self.bench.lock().await.map_err(text)?;
        // Before anything moves.
        let other = control::send(&self.bench, with, &Command::Status).await.map_err(text)?;
        let Status { place: own, .. } = self.ask(What::Status).await?;
        if own == other.place {
            return Err(format!("the board stands at {with} already"));
        }
        self.ask(What::Leave).await?;
        let moved = control::send(&self.bench, with, &Command::Move { to: own.clone() }).await;
        let place = if moved.is_ok() { with.to_owned() } else { own };
        let status = self.ask(What::Enter(place, Some(lock))).await?;
        moved.map(|_| status).map_err(text)
    }

    /// The other board's half of a swap. Who asks for it holds the folder's lock; otherwise it is held here.
    async fn move_to(&self, to: String) -> Result<Status, String> {
        let lock = self.bench.try_lock().map_err(text)?;
        let Status { place: own, .. } = self.ask(What::Leave).await?;
        match self.ask(What::Enter(to, lock)).await {
            Ok(status) => Ok(status),
            Err(reason) => {
                let lock = self.bench.try_lock().map_err(text)?;
                self.ask(What::Enter(own, lock)).await?;
                Err(reason)
            }
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
