//! Waking up when something may have been plugged or unplugged: the kernel tells of USB devices, and of files that come
//! and go in folders. What is there then, is to be looked at.

use super::usb;
use futures::StreamExt as _;
use nusb::hotplug::HotplugWatch;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::{
    future::pending,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::timeout,
};

/// So long nothing more must happen before it is worth looking: plugging in one board makes a dozen of events.
const QUIET: Duration = Duration::from_millis(30);
/// After so many events it is worth looking although there is no quiet.
const ROUNDS: usize = 20;
/// A device may be there before its permissions and its other names are, and a file's close is told before its lock is
/// free. So there are further looks after an event, with growing pauses, the last of them about this long.
const LAST: Duration = Duration::from_secs(2);
/// The pause between looks where nobody tells of changes.
const SELDOM: Duration = Duration::from_secs(2);

const COMES_AND_GOES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// News of USB and of some folders.
pub(crate) struct News {
    usb: Option<HotplugWatch>,
    folders: Option<Folders>,
    /// The pause before the next look when nothing happens.
    pause: Option<Duration>,
    /// The same when all looks after the last event are done: none, where events are told.
    seldom: Option<Duration>,
}

impl News {
    /// Listens from now on: to USB, and to what comes and goes in `folders`, which need not exist yet.
    pub(crate) fn of(folders: Vec<PathBuf>) -> Self {
        Self::listen(folders, COMES_AND_GOES)
    }

    /// The same, and to files in the folder that are closed by who wrote them: so end the locks of a process that dies.
    pub(crate) fn of_bench(bench: &Path) -> Self {
        Self::listen(vec![bench.to_owned()], COMES_AND_GOES | WatchFlags::CLOSE_WRITE)
    }

    fn listen(folders: Vec<PathBuf>, what: WatchFlags) -> Self {
        let usb = usb::is_there().then(nusb::watch_devices);
        let usb_is_silent = match &usb {
            None => false,
            // The kernel's word comes by way of udev, which containers have not.
            Some(Ok(_)) => !Path::new("/run/udev/control").exists(),
            Some(Err(error)) => {
                tracing::debug!("no news of USB, looking from time to time: {error}");
                true
            }
        };
        let folders = Folders::new(folders, what);
        if let Err(error) = &folders {
            tracing::debug!("no news of folders, looking from time to time: {error}");
        }
        let seldom = (usb_is_silent || folders.is_err()).then_some(SELDOM);
        Self { usb: usb.and_then(Result::ok), folders: folders.ok(), pause: seldom, seldom }
    }

    /// Returns when it is worth looking again. Dropping this loses nothing but the pause.
    pub(crate) async fn wait(&mut self) {
        let told = match self.pause {
            Some(pause) => timeout(pause, self.told()).await.is_ok(),
            None => {
                self.told().await;
                true
            }
        };
        if told {
            for _ in 0..ROUNDS {
                if timeout(QUIET, self.told()).await.is_err() {
                    break;
                }
            }
            self.pause = Some(QUIET);
        } else {
            self.pause = self.pause.map(|pause| pause * 2).filter(|&pause| pause < LAST).or(self.seldom);
        }
    }

    async fn told(&mut self) {
        let Self { usb, folders, .. } = self;
        let usb = async {
            match usb {
                Some(usb) => drop(usb.next().await),
                None => pending().await,
            }
        };
        let folders = async {
            match folders {
                Some(folders) => folders.told().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = usb => {}
            () = folders => {}
        }
    }
}

/// Folders that are listened to; in place of one that is not there, the nearest above it.
struct Folders {
    inotify: AsyncFd<OwnedFd>,
    folders: Vec<PathBuf>,
    what: WatchFlags,
    watches: Vec<i32>,
}

impl Folders {
    fn new(folders: Vec<PathBuf>, what: WatchFlags) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // SAFETY: it owns its descriptor, which stays the same until it is dropped.
        let inotify = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) }?;
        let mut all = Self { inotify, folders, what, watches: Vec::new() };
        all.watch()?;
        Ok(all)
    }

    fn watch(&mut self) -> io::Result<()> {
        let inotify = self.inotify.get_ref();
        let mut watches = Vec::new();
        for folder in &self.folders {
            loop {
                let nearest = nearest(folder);
                match inotify::add_watch(inotify, nearest, self.what | WatchFlags::ONLYDIR) {
                    Ok(watch) => watches.push(watch),
                    Err(rustix::io::Errno::NOENT) => continue,
                    Err(error) => return Err(error.into()),
                }
                // It may have come in between, which nobody told.
                if self::nearest(folder) == nearest {
                    break;
                }
            }
        }
        for old in self.watches.iter().filter(|old| !watches.contains(old)) {
            // Fails for a folder that was removed: its watch went with it.
            let _ = inotify::remove_watch(inotify, *old);
        }
        self.watches = watches;
        Ok(())
    }

    /// Waits for an event, reads all there are, and listens to what is there now.
    async fn told(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let Ok(mut ready) = self.inotify.readable().await else { return pending().await };
            let read = ready.try_io(|inotify| Ok(rustix::io::read(inotify.get_ref(), &mut buffer)?));
            if read.is_ok() {
                break;
            }
        }
        if let Err(error) = self.watch() {
            tracing::debug!("no more news of {:?}: {error}", self.folders);
        }
    }
}

/// The folder, or the nearest above it that is there.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn a_folder_that_comes_later_is_listened_to_and_so_is_the_one_that_takes_its_place() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("serial/by-id");
        let mut folders = Folders::new(vec![folder.clone()], COMES_AND_GOES).unwrap();
        for _ in 0..2 {
            fs::create_dir_all(&folder).unwrap();
            while folders.watches.len() != 1 || !listens_to(&folders, &folder) {
                folders.told().await;
            }
            fs::write(folder.join("port"), "").unwrap();
            folders.told().await;
            fs::remove_dir_all(root.path().join("serial")).unwrap();
            folders.told().await;
        }
    }

    /// The kernel gives one folder one watch.
    fn listens_to(folders: &Folders, folder: &Path) -> bool {
        folders.watches.contains(&inotify::add_watch(folders.inotify.get_ref(), folder, folders.what).unwrap())
    }
}
