//! Waking up when a lease is freed.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::{io, os::fd::OwnedFd, path::Path, time::Duration};
use tokio::io::{Interest, unix::AsyncFd};

/// The kernel tells of the close of a file right *before* it drops the file's locks, so that who is woken may come too
/// early, and is not woken again. Looking is therefore repeated: soon after a close, and then ever more seldom, which
/// is also all there is where a file system tells nothing.
const SOON: Duration = Duration::from_millis(1);
/// The longest pause between two looks.
const SELDOM: Duration = Duration::from_secs(2);

/// News of one lock file: somebody closed it, or ended.
pub(super) struct Freed {
    pub(super) news: Option<AsyncFd<OwnedFd>>,
    pause: Duration,
}

impl Freed {
    /// Listens from now on.
    pub(super) fn of(path: &Path) -> Self {
        let news = listen(path);
        if let Err(error) = &news {
            tracing::debug!("no news of {}, looking from time to time: {error}", path.display());
        }
        Self { news: news.ok(), pause: SOON }
    }

    /// Returns when it is worth looking again.
    pub(super) async fn wait(&mut self) {
        let told = async {
            match &self.news {
                Some(news) => drain(news).await,
                None => std::future::pending().await,
            }
        };
        self.pause = match tokio::time::timeout(self.pause, told).await {
            Ok(()) => SOON,
            Err(_) => (self.pause * 2).min(SELDOM),
        };
    }
}

fn listen(path: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let listener = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    inotify::add_watch(&listener, path, WatchFlags::CLOSE)?;
    // SAFETY: it owns its descriptor, which stays open and the same for as long as the `AsyncFd` has it.
    Ok(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?)
}

/// Waits for an event, and reads all there are.
pub(super) async fn drain(news: &AsyncFd<OwnedFd>) {
    let mut buffer = [0; 4096];
    loop {
        let Ok(mut ready) = news.readable().await else { return };
        let read = ready.try_io(|news| Ok(rustix::io::read(news.get_ref(), &mut buffer)?));
        if read.is_ok() {
            return;
        }
    }
}
