//! What is started, and the start itself: as `posix_spawn` does it (`vfork`: the child borrows the farm's memory until
//! exec), with the two things that `posix_spawn` cannot do, to die with the parent and to pass on open files.
//!
//! `fork` copies the page tables of the farm, and every page that the farm then writes to: 20 ms a job were measured with
//! the datasets of 10,000 scenarios in memory. This takes the same time whatever the farm holds.

use libc::{c_char, c_int, c_void};
use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use std::{
    env,
    ffi::{CString, OsStr, OsString},
    fs::File,
    io, mem,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// Bytes of stack for the child until exec; it makes a few system calls.
const STACK: usize = 64 << 10;

/// What to start. Standard input and output are `/dev/null`, and so is standard error unless told otherwise.
#[derive(Debug)]
pub struct Start {
    program: PathBuf,
    arguments: Vec<OsString>,
    inherited: Vec<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Start {
    /// The program at this path; PATH is not searched.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), inherited: Vec::new(), stderr: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds files that the process finds open, by the numbers they have here. Nothing else stays open in it, if it is
    /// closed on exec, as all files are that Rust opens.
    #[must_use]
    pub fn inheriting(mut self, files: impl IntoIterator<Item = OwnedFd>) -> Self {
        self.inherited.extend(files);
        self
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn stderr(mut self, file: OwnedFd) -> Self {
        self.stderr = Some(file);
        self
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts it, in a process group of its own, so that Ctrl-C on the terminal reaches the farm only, which then closes
    /// its sessions in order. It dumps no core, and the kernel kills it when the *calling thread* ends: outside of
    /// benchmarks, [`spawn`](super::spawn) is wanted. Blocks until exec; whoever calls must wait for the child.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn now(self) -> io::Result<Pid> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let argv = [self.program.as_os_str()].into_iter().chain(self.arguments.iter().map(OsString::as_os_str));
        let argv = Strings::of(argv.map(|argument| CString::new(argument.as_bytes())))?;
        let envp =
            Strings::of(env::vars_os().map(|(name, value)| {
                CString::new([name.into_vec(), value.into_vec()].join(OsStr::new("=").as_bytes()))
            }))?;
        let inherited: Vec<RawFd> = self.inherited.iter().map(AsRawFd::as_raw_fd).collect();
        let recipe = Recipe {
            argv: &argv,
            envp: &envp,
            inherited: &inherited,
            null: null.as_raw_fd(),
            stderr: self.stderr.as_ref().map_or(null.as_raw_fd(), AsRawFd::as_raw_fd),
            farm: getpid().as_raw_nonzero().get(),
            error: AtomicI32::new(0),
        };
        let process = borrow_and_exec(&recipe)?;
        match recipe.error.load(Ordering::SeqCst) {
            0 => Ok(process),
            error => {
                let _ = waitpid(Some(process), WaitOptions::empty());
                Err(io::Error::from_raw_os_error(error))
            }
        }
    }
}

/// Strings as C has them: pointers with a null at the end.
struct Strings {
    pointers: Vec<*const c_char>,
    _owners: Vec<CString>,
}

impl Strings {
    fn of(strings: impl Iterator<Item = Result<CString, std::ffi::NulError>>) -> io::Result<Self> {
        let owners = strings.collect::<Result<Vec<CString>, _>>()?;
        let pointers = owners.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Ok(Self { pointers, _owners: owners })
    }
}

/// All that the child needs: made beforehand, for it may not allocate.
struct Recipe<'a> {
    argv: &'a Strings,
    envp: &'a Strings,
    inherited: &'a [RawFd],
    null: RawFd,
    stderr: RawFd,
    farm: libc::pid_t,
    /// Written by the child, read by the farm: why there was no exec.
    error: AtomicI32,
}

/// Starts a child in the farm's memory and returns when it has become another program, or has ended.
fn borrow_and_exec(recipe: &Recipe<'_>) -> io::Result<Pid> {
    // u128: the ABI wants the stack aligned to 16 bytes.
    let mut stack = vec![0_u128; STACK / mem::size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end.cast::<c_void>();
    // A signal's handler must not run in the child: what it writes would be the farm's memory.
    let mask = block_signals();
    // SAFETY: the stack grows down from `top` and outlives the child's use of it, as `recipe` does, because CLONE_VFORK
    // holds this thread until the child has called exec or ended. `child` keeps to what may be done in a borrowed memory.
    let process = unsafe {
        let recipe = ptr::from_ref(recipe).cast_mut().cast::<c_void>();
        libc::clone(child, top, libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, recipe)
    };
    let error = io::Error::last_os_error();
    restore_signals(&mask);
    drop(stack);
    Pid::from_raw(process.max(0)).ok_or(error)
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are plain memory that the calls fill in; they cannot fail with these arguments.
    unsafe {
        let (mut all, mut before) = (mem::zeroed(), mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is what `block_signals` got from the kernel.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

/// The child's whole life before exec.
extern "C" fn child(recipe: *mut c_void) -> c_int {
    // SAFETY: `borrow_and_exec` passes a recipe that lives as long as this runs; both sides only read it, but for `error`.
    let recipe = unsafe { &*recipe.cast::<Recipe<'_>>() };
    // SAFETY: this is the child of a vfork.
    let error = unsafe { become_program(recipe) };
    recipe.error.store(error, Ordering::SeqCst);
    // SAFETY: ends this process at once, without running anything of the farm's.
    unsafe { libc::_exit(127) }
}

/// Returns only where it fails, and says why (errno).
///
/// # Safety
/// For a vforked child only: it changes the process it runs in. It makes system calls and nothing else: no allocation, no
/// lock, no panic. (errno is the waiting thread's, which does not look at it.)
unsafe fn become_program(recipe: &Recipe<'_>) -> c_int {
    let errno = || io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: every pointer is to a local, or to what the recipe holds.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            let mut action: libc::sigaction = mem::zeroed();
            // As std does it: what the farm's parent had it ignore stays so, but for SIGPIPE, which Rust ignores.
            let known = libc::sigaction(signal, ptr::null(), &mut action) == 0;
            if known && (action.sa_sigaction != libc::SIG_IGN || signal == libc::SIGPIPE) {
                let default: libc::sigaction = mem::zeroed();
                libc::sigaction(signal, &default, ptr::null_mut());
            }
        }
        let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let done = libc::setpgid(0, 0) == 0
            && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0
            && libc::setrlimit(libc::RLIMIT_CORE, &no_core) == 0
            && libc::dup2(recipe.null, 0) >= 0
            && libc::dup2(recipe.null, 1) >= 0
            && libc::dup2(recipe.stderr, 2) >= 0
            && recipe.inherited.iter().all(|file| libc::fcntl(*file, libc::F_SETFD, 0) == 0);
        if !done {
            return errno();
        }
        if libc::getppid() != recipe.farm {
            return libc::ESRCH;
        }
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        let argv = recipe.argv.pointers.as_ptr();
        libc::execve(*argv, argv, recipe.envp.pointers.as_ptr());
        errno()
    }
}
