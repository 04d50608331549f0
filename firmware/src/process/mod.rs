//! Starting processes so that none outlives the farm, and without copying the farm.
//!
//! The kernel kills a child when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and tokio's threads may end
//! while the farm runs (blocking ones after ten idle seconds, workers that called `block_in_place`). So one thread that
//! lives as long as the program starts them all. It also keeps exec, which blocks, off the workers.
//!
//! | module | what lives there |
//! |---|---|
//! | `start` | what is started, and the start itself |
//! | `child` | a process under way: its end, and ending it |
//! | `group` | what a process has started in its turn |

mod child;
mod group;
mod start;

pub use child::Child;
pub use group::{Group, is_stopped};
pub use start::Start;

use std::{
    io,
    sync::{OnceLock, mpsc},
    thread,
};
use tokio::{runtime::Handle, sync::oneshot};

struct Request {
    start: Start,
    runtime: Handle,
    /// If nobody waits for the answer any more, the child is dropped with it, and so killed.
    answer: oneshot::Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Option<mpsc::Sender<Request>>> = OnceLock::new();

/// Starts a process. It dies with the farm, and when the [`Child`] is dropped.
///
/// # Errors
/// When it cannot be started.
pub async fn spawn(start: Start) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes is gone");
    let spawner = SPAWNER.get_or_init(begin).as_ref().ok_or_else(gone)?;
    let (answer, child) = oneshot::channel();
    spawner.send(Request { start, runtime: Handle::current(), answer }).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn begin() -> Option<mpsc::Sender<Request>> {
    let (sender, requests) = mpsc::channel::<Request>();
    let serve = move || {
        for Request { start, runtime, answer } in requests {
            let _context = runtime.enter();
            let _ = answer.send(start.now().and_then(Child::of));
        }
    };
    thread::Builder::new().name("spawner".to_owned()).spawn(serve).ok().map(|_| sender)
}
