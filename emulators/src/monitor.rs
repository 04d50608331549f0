//! QEMU's monitor (QMP): what QEMU says of itself and of the guest while a job runs. It is only listened to, beside the
//! job, which never waits for it: QEMU is ended by a signal, which takes 1 ms less than its `quit`.

use futures::StreamExt;
use qapi::{futures::QmpStreamTokio, qmp};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::UnixStream, task::JoinHandle, time::timeout};

/// More lines than this are not kept.
const MOST_LINES: usize = 200;

/// A conversation with one QEMU's monitor. It ends with QEMU, or when this is dropped.
#[derive(Debug)]
pub struct Monitor {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<String>,
    words: LastWords,
}

/// What tells one end of QEMU from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastWords {
    /// It greeted: it is QEMU, and its command line was right.
    pub greeted: bool,
    /// The guest asked for a reset; QEMU ends instead.
    pub guest_reset: bool,
}

impl Monitor {
    /// Listens at `socket`.
    pub fn listen(socket: UnixStream) -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let task = tokio::spawn({
            let heard = heard.clone();
            async move {
                if let Err(error) = converse(socket, &heard).await {
                    tracing::debug!(%error, "QMP");
                    note(&heard, format!("the monitor failed: {error}"));
                }
            }
        });
        Self { heard, task }
    }

    /// What QEMU said so far, a line each.
    pub fn log(&self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    /// Waits, once QEMU has ended, until its last words are heard; says what they tell.
    pub async fn last_words(&mut self) -> LastWords {
        let _ = timeout(Duration::from_secs(1), &mut self.task).await;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).words
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(heard: &Mutex<Heard>, line: String) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    if heard.lines.len() < MOST_LINES {
        heard.lines.push(format!("QMP: {line}"));
    }
}

async fn converse(socket: UnixStream, heard: &Mutex<Heard>) -> std::io::Result<()> {
    let (read, write) = socket.into_split();
    let greeted = QmpStreamTokio::open_split(read, write).await?;
    heard.lock().unwrap_or_else(PoisonError::into_inner).words.greeted = true;
    let version = &greeted.capabilities.QMP.version;
    let numbers = &version.qemu;
    note(heard, format!("QEMU {}.{}.{} {}", numbers.major, numbers.minor, numbers.micro, version.package.trim()));
    // The service is kept: without it the events end.
    let (_service, mut events) = greeted.negotiate().await?.into_parts();
    while let Some(event) = events.next().await {
        match event? {
            qmp::Event::SHUTDOWN { data, .. } => {
                note(
                    heard,
                    format!("shutdown, {:?}, by the {}", data.reason, if data.guest { "guest" } else { "host" }),
                );
                let reset = data.guest && matches!(data.reason, qmp::ShutdownCause::guest_reset);
                heard.lock().unwrap_or_else(PoisonError::into_inner).words.guest_reset |= reset;
            }
            qmp::Event::RESET { data, .. } => {
                note(heard, format!("reset, {:?}, by the {}", data.reason, if data.guest { "guest" } else { "host" }));
            }
            qmp::Event::GUEST_PANICKED { data, .. } => note(heard, format!("the guest panicked: {:?}", data.action)),
            qmp::Event::STOP { .. } => note(heard, "the core was stopped".to_owned()),
            other => tracing::trace!(?other, "QMP event"),
        }
    }
    Ok(())
}
