//! Starting processes so that none outlives the farm.
//!
//! The kernel kills a child when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and tokio's threads may end
//! while the farm runs (blocking ones after ten idle seconds, workers that called `block_in_place`). So one thread that
//! lives as long as the program starts them all. It also keeps fork and exec, which block, off the workers.

use rustix::process::{Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit};
use std::{
    io,
    sync::{OnceLock, mpsc},
    thread,
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Request {
    command: Command,
    runtime: Handle,
    /// If nobody waits for the answer any more, the child is dropped with it, and so killed.
    answer: oneshot::Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Option<mpsc::Sender<Request>>> = OnceLock::new();

/// Starts `command` in a process group of its own, so that Ctrl-C on the terminal reaches the farm only, which then
/// closes its sessions in order. The child dies with the farm and when the [`Child`] is dropped, and dumps no core.
///
/// # Errors
/// When it cannot be started.
pub async fn spawn(mut command: Command) -> io::Result<Child> {
    command.kill_on_drop(true).process_group(0);
    let farm = getpid();
    // SAFETY: the closure runs in the forked child before exec and makes system calls only: no allocation, no locks.
    unsafe {
        command.pre_exec(move || die_with(farm));
    }
    let gone = || io::Error::other("the thread that starts processes is gone");
    let spawner = SPAWNER.get_or_init(start).as_ref().ok_or_else(gone)?;
    let (answer, child) = oneshot::channel();
    spawner.send(Request { command, runtime: Handle::current(), answer }).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn start() -> Option<mpsc::Sender<Request>> {
    let (sender, requests) = mpsc::channel::<Request>();
    let serve = move || {
        for Request { mut command, runtime, answer } in requests {
            let _context = runtime.enter();
            let _ = answer.send(command.spawn());
        }
    };
    thread::Builder::new().name("spawner".to_owned()).spawn(serve).ok().map(|_| sender)
}

fn die_with(farm: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(farm) {
        return Err(io::Error::other("the farm ended meanwhile"));
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
