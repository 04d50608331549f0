//! A process that dies with its parent, whatever it started in its turn.
//!
//! `PR_SET_PDEATHSIG` would end the process that was started, but `renode` often is a script that runs `mono` or `dotnet`,
//! which the signal would not reach. So a guard leads the process group: a shell that waits for the end of a pipe whose other
//! end this process holds, and then kills the group. However this process ends, the kernel closes the pipe. The guard is
//! there before Renode is, so there is no moment without one; and as long as it was not waited for, the number of the group
//! is nobody else's.

use super::{
    end::Exit,
    log::{Log, Reading},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    convert::Infallible,
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// Deaf to what ends a group politely; the end of its input is the end of its parent.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -KILL 0";

/// How long to wait, after the end, until all who could write have ended: what a script started is not waited for otherwise.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long [`Drop`] waits for processes that were killed. The kernel frees their memory first, some 400 MB.
const BURIAL: Duration = Duration::from_secs(2);

/// A process with all that it started; dropped, they are killed.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    group: Group,
    log: Log,
    exit: watch::Receiver<Option<Exit>>,
    /// Closed when every process that this one had to wait for was waited for.
    buried: Mutex<mpsc::Receiver<Infallible>>,
}

impl Process {
    /// Starts it, with nothing to read, and what it writes in the log.
    pub(super) async fn start(command: Command) -> io::Result<Self> {
        let group = Group::default();
        let log = Log::default();
        let (ended, exit) = watch::channel(None);
        let (alive, buried) = mpsc::channel();
        let (answer, started) = oneshot::channel();
        let live = move || match Family::start(command, &group, &log) {
            Ok(family) => {
                let process =
                    Self { pid: family.child.id(), group: group.clone(), log, exit, buried: Mutex::new(buried) };
                // If nobody waits for it any more, there is nobody to end it either.
                let unheard = answer.send(Ok(process)).err();
                if unheard.is_some() {
                    group.kill();
                }
                family.live(&group, &ended);
                drop::<mpsc::Sender<Infallible>>(alive);
            }
            Err(error) => drop(answer.send(Err(error))),
        };
        thread::Builder::new().name("renode".to_owned()).spawn(live)?;
        started.await.map_err(|_| io::Error::other("the thread that starts Renode is gone"))?
    }

    /// The process that was started: Renode, or a script around it.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn log(&self) -> String {
        self.log.text()
    }

    /// How it ended, if it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        let exit = exit.wait_for(Option::is_some).await;
        exit.ok().and_then(|exit| *exit).unwrap_or(Exit::Unknown)
    }

    /// Asks every process of the group to end (SIGTERM).
    pub(super) fn terminate(&self) {
        self.group.signal(Signal::TERM);
    }

    /// Kills every process of the group.
    pub(super) fn kill(&self) {
        self.group.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // Or folders would be removed that are still written to.
        let buried = self.buried.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = buried.recv_timeout(BURIAL);
    }
}

/// The guard's process group; nobody's after the guard was waited for.
#[derive(Debug, Clone, Default)]
struct Group(Arc<Mutex<Option<Pid>>>);

impl Group {
    fn led_by(&self, guard: &Child) {
        *self.lock() = pid_of(guard);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = *self.lock() {
            let _ = kill_process_group(group, signal);
        }
    }

    fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills it for the last time.
    fn close(&self) {
        if let Some(group) = self.lock().take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(child.id().cast_signed())
}

/// The two processes that are waited for.
struct Family {
    /// Its standard input is the pipe.
    guard: Child,
    child: Child,
    reading: Reading,
}

impl Family {
    fn start(mut command: Command, group: &Group, log: &Log) -> io::Result<Self> {
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD]).current_dir("/").env_clear();
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut guard = guard.spawn().map_err(|why| io::Error::new(why.kind(), format!("/bin/sh: {why}")))?;
        group.led_by(&guard);
        let child = pid_of(&guard).ok_or(io::ErrorKind::Other.into()).and_then(|leader| {
            let (output, input) = io::pipe()?;
            command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
            command.process_group(leader.as_raw_nonzero().get());
            let reading = log.read(output)?;
            // The command goes with this block, and with it this process's own ends of the pipe.
            let child = command.spawn()?;
            drop(command);
            Ok((child, reading))
        });
        match child {
            Ok((child, reading)) => Ok(Self { guard, child, reading }),
            Err(error) => {
                group.close();
                let _ = guard.wait();
                Err(error)
            }
        }
    }

    /// Waits for the end of both.
    fn live(mut self, group: &Group, ended: &watch::Sender<Option<Exit>>) {
        let exit = self.child.wait().map_or(Exit::Unknown, Exit::from);
        // What is left of what it started: nothing else would end it.
        group.close();
        let _ = self.guard.wait();
        self.reading.finish(LAST_WORDS);
        ended.send_replace(Some(exit));
    }
}
