//! A process under way, held by its file descriptor: no signal can reach another that got its number later.

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitpid,
};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
    thread,
};
use tokio::io::{Interest, unix::AsyncFd};

/// A process that the farm started; dropped, it is killed.
#[derive(Debug)]
pub struct Child {
    process: Pid,
    /// Becomes readable when the process has ended.
    handle: AsyncFd<OwnedFd>,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Takes charge of a child of this process. Must be called in a runtime's context.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        match pidfd_open(process, PidfdFlags::empty()).map_err(io::Error::from).and_then(watch) {
            Ok(handle) => Ok(Self { process, handle, ended: None }),
            Err(error) => {
                let _ = rustix::process::kill_process(process, Signal::KILL);
                reap(process);
                Err(error)
            }
        }
    }

    /// Its number; `None` once it has ended and [`Child::wait`] told so.
    pub fn id(&self) -> Option<u32> {
        self.ended.is_none().then(|| self.process.as_raw_nonzero().get().unsigned_abs())
    }

    /// Kills it and what it started (it may be a script around the program that is meant), without waiting for the end.
    ///
    /// # Errors
    /// When the kernel does not let the farm kill it.
    pub fn start_kill(&mut self) -> io::Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        // It leads its group, whose number is nobody else's as long as it was not waited for.
        let _ = kill_process_group(self.process, Signal::KILL);
        Ok(pidfd_send_signal(self.handle.get_ref(), Signal::KILL)?)
    }

    /// Kills it and waits for its end.
    ///
    /// # Errors
    /// As [`Child::start_kill`] and [`Child::wait`].
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Waits for its end; may be dropped and called again.
    ///
    /// # Errors
    /// When someone else has taken its exit status.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended {
                return Ok(status);
            }
            let mut ready = self.handle.readable().await?;
            match waitpid(Some(self.process), WaitOptions::NOHANG)? {
                Some((_, status)) => self.ended = Some(ExitStatus::from_raw(status.as_raw())),
                None => ready.clear_ready(),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() && self.start_kill().is_ok() {
            reap(self.process);
        }
    }
}

fn watch(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, and stays the same and open, until it is dropped; nothing else than the `AsyncFd` has it.
    unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }.map_err(io::Error::from)
}

/// Waits elsewhere for the end of a process that was killed, so that no zombie is left. A thread, for there may be no
/// runtime any more; it only takes long where the kernel does not let go of the process.
fn reap(process: Pid) {
    let _ =
        thread::Builder::new().name("reaper".to_owned()).spawn(move || waitpid(Some(process), WaitOptions::empty()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Start, spawn};
    use std::{
        fs,
        io::Read,
        os::{
            fd::AsRawFd,
            unix::{net::UnixStream, process::ExitStatusExt},
        },
        path::Path,
    };

    fn shell(script: &str) -> Start {
        Start::new("/bin/sh").arguments(["-c", script])
    }

    #[tokio::test]
    async fn an_exit_status_is_told_as_often_as_it_is_asked_for() {
        let mut child = spawn(shell("exit 7")).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert_eq!(child.id(), None);
        child.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_killed_process_ended_by_a_signal() {
        let mut child = spawn(shell("while :; do read -r line; sleep 60; done")).await.unwrap();
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn a_dropped_child_is_killed_and_leaves_no_zombie() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let child = spawn(Start::new("/bin/sleep").arguments(["60"]).inheriting([far.into()])).await.unwrap();
        let status = format!("/proc/{}/status", child.id().unwrap());
        assert!(Path::new(&status).exists());
        drop(child);
        // The end of its socket is the end of the process: the test's own copy went with the start.
        assert_eq!(near.read(&mut [0]).unwrap(), 0);
        while Path::new(&status).exists() {
            tokio::task::yield_now().await;
        }
    }

    /// What a shell script says on its standard error.
    async fn said(start: Start) -> (u32, String) {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut child = spawn(start.stderr(far.into())).await.unwrap();
        let id = child.id().unwrap();
        child.wait().await.unwrap();
        let mut said = String::new();
        near.read_to_string(&mut said).unwrap();
        (id, said)
    }

    #[tokio::test]
    async fn it_has_what_it_inherits_by_the_same_numbers_and_nothing_else() {
        let (mine, passed_on) = UnixStream::pair().unwrap();
        let number = passed_on.as_raw_fd();
        let (_, said) = said(shell("ls /proc/$$/fd >&2").inheriting([passed_on.into()])).await;
        let numbers: Vec<i32> = said.lines().map(|line| line.parse().unwrap()).collect();
        assert!([0, 1, 2, number].iter().all(|number| numbers.contains(number)), "{said}");
        assert!(!numbers.contains(&mine.as_raw_fd()), "{said}");
    }

    #[tokio::test]
    async fn its_standard_error_goes_where_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr");
        let file = fs::File::create(&path).unwrap();
        let mut child = spawn(shell("echo heard >&2; echo lost").stderr(file.into())).await.unwrap();
        child.wait().await.unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "heard\n");
    }

    #[tokio::test]
    async fn it_leads_a_group_of_its_own_heeds_a_broken_pipe_and_dumps_no_core() {
        let script = "exec >&2; cut -d' ' -f1,5 /proc/$$/stat; ulimit -c; kill -PIPE $$; echo Rust ignores it";
        let (id, said) = said(shell(script)).await;
        assert_eq!(said, format!("{id} {id}\n0\n"));
    }

    #[tokio::test]
    async fn what_cannot_be_started_says_why() {
        let missing = spawn(Start::new("/nowhere/program")).await.unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        let folder = spawn(Start::new("/tmp")).await.unwrap_err();
        assert_eq!(folder.kind(), std::io::ErrorKind::PermissionDenied);
        let nul = spawn(Start::new("/bin/sh").arguments(["a\0b"])).await.unwrap_err();
        assert_eq!(nul.kind(), std::io::ErrorKind::InvalidInput);
    }
}
