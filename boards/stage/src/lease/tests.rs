//! Leases between tasks, and between real processes.
#![allow(clippy::unwrap_used)]

use super::{Holder, LeaseError, Leases, folder, wait};
use proptest::prelude::*;
use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::{TempDir, tempdir, tempdir_in};

fn leases() -> (TempDir, Leases) {
    leases_in(tempdir().unwrap())
}

/// Where other users get to, too, wherever this one keeps what is temporary.
fn leases_for_all() -> (TempDir, Leases) {
    let (folder, leases) = leases_in(tempdir_in("/tmp").unwrap());
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    (folder, leases)
}

fn leases_in(folder: TempDir) -> (TempDir, Leases) {
    let leases = Leases::new(folder.path().join("leases"));
    (folder, leases)
}

fn me() -> Holder {
    Holder::this_process(Some("run-1"))
}

/// What holds a lease in another process.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/hold-lease");
    assert!(program.is_file(), "{} is not built: cargo build --example hold-lease", program.display());
    program
}

/// Another process that holds `identity`.
struct Other(Child);

impl Other {
    fn holding(folder: &Path, identity: &str) -> Self {
        Self::start(Command::new(program()), folder, identity)
    }

    fn start(mut command: Command, folder: &Path, identity: &str) -> Self {
        command.arg(folder).arg(identity).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_board_that_another_process_holds_is_had_when_that_is_killed() {
    let (_folder, leases) = leases();
    let mut other = Other::holding(leases.folder(), "SIM-1");

    assert!(leases.try_take("SIM-1", &me()).unwrap().is_none());
    let holder = leases.held_by("SIM-1").unwrap();
    assert_eq!((holder.pid, holder.run.as_deref()), (other.0.id(), Some("another")));
    assert!(holder.since.is_some() && holder.command.contains("hold-lease"), "{holder:?}");
    assert!(leases.held_by("SIM-2").is_none());

    let waiting = tokio::spawn({
        let leases = leases.clone();
        async move { leases.take("SIM-1", &me()).await.unwrap() }
    });
    // No other board waits for this one.
    drop(leases.take("SIM-2", &me()).await.unwrap());
    assert!(!waiting.is_finished());
    other.kill();
    let lease = waiting.await.unwrap();
    assert_eq!(leases.held_by("SIM-1").unwrap().pid, std::process::id());
    drop(lease);
    assert!(leases.held_by("SIM-1").is_none());
}

#[tokio::test]
async fn a_process_that_ends_by_itself_frees_its_boards_too() {
    let (_folder, leases) = leases();
    let mut other = Other::holding(leases.folder(), "SIM-1");
    drop(other.0.stdin.take());
    drop(leases.take("SIM-1", &me()).await.unwrap());
    assert!(other.0.wait().unwrap().success());
}

#[tokio::test]
async fn who_waits_is_woken_by_the_news_that_it_is_free() {
    let (_folder, leases) = leases();
    let lease = leases.take("SIM-1", &me()).await.unwrap();
    let mut freed = wait::Freed::of(&leases.path("SIM-1"));
    let news = freed.news.as_mut().expect("this system tells of files that are closed");
    drop(lease);
    wait::drain(news).await;
}

#[tokio::test]
async fn giving_up_waiting_leaves_nothing_behind() {
    let (_folder, leases) = leases();
    let lease = leases.take("SIM-1", &me()).await.unwrap();
    {
        let holder = me();
        let mut waiting = std::pin::pin!(leases.take("SIM-1", &holder));
        assert!(futures::poll!(&mut waiting).is_pending());
    }
    drop(lease);
    assert!(leases.try_take("SIM-1", &me()).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_board_is_never_held_twice_however_many_want_it() {
    let (_folder, leases) = leases();
    let inside = Arc::new(AtomicUsize::new(0));
    let tasks = (0..16).map(|_| {
        let (leases, inside) = (leases.clone(), inside.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                let lease = leases.take("SIM-1", &me()).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                // Whoever asks must not get in the way of those who take.
                assert!(leases.held_by("SIM-1").is_some());
                tokio::task::yield_now().await;
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                drop(lease);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[test]
fn who_asks_who_has_a_board_is_not_taken_for_its_holder() {
    let (_folder, leases) = leases();
    drop(leases.try_take("SIM-1", &me()).unwrap().unwrap());
    let over = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while over.load(Ordering::SeqCst) == 0 {
                    assert!(leases.held_by("SIM-2").is_none());
                    leases.held_by("SIM-1");
                }
            });
        }
        for _ in 0..2000 {
            let lease = leases.try_take("SIM-1", &me()).unwrap();
            over.fetch_add(usize::from(lease.is_none()), Ordering::SeqCst);
        }
        let refused = over.fetch_add(1, Ordering::SeqCst);
        assert_eq!(refused, 0, "nobody had it");
    });
}

#[tokio::test]
async fn a_lease_that_is_freed_is_free_at_once_though_programs_are_being_started() {
    let (_folder, leases) = leases();
    let over = Arc::new(AtomicUsize::new(0));
    let spawning = std::thread::spawn({
        let over = over.clone();
        let runtime = tokio::runtime::Handle::current();
        move || {
            while over.load(Ordering::SeqCst) == 0 {
                let start = firmware::process::Start::new("/bin/true");
                runtime.block_on(async { firmware::process::spawn(start).await.unwrap().wait().await.unwrap() });
            }
        }
    });
    let mut refused = 0;
    for _ in 0..2000 {
        drop(leases.try_take("SIM-1", &me()).unwrap());
        refused += usize::from(leases.held_by("SIM-1").is_some());
        refused += usize::from(leases.try_take("SIM-1", &me()).unwrap().is_none());
        tokio::task::yield_now().await;
    }
    over.store(1, Ordering::SeqCst);
    tokio::task::spawn_blocking(move || spawning.join().unwrap()).await.unwrap();
    assert_eq!(refused, 0);
}

#[test]
fn folder_and_files_appear_only_when_everybody_may_use_them() {
    let (folder, leases) = leases();
    std::thread::scope(|scope| {
        for board in 0..8 {
            let leases = &leases;
            scope.spawn(move || leases.try_take(&format!("SIM-{}", board % 2), &me()).unwrap());
        }
        let mode = |path: &Path| fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o7777);
        for _ in 0..2000 {
            let (folder, file) = (mode(leases.folder()), mode(&leases.path("SIM-1")));
            assert!([0, 0o1777].contains(&folder) && [0, 0o666].contains(&file), "{folder:o} {file:o}");
        }
    });
    // Nothing else is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(leases.folder()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_lock_file_that_was_cleaned_away_is_made_anew_and_holds() {
    let (_folder, leases) = leases();
    drop(leases.take("SIM-1", &me()).await.unwrap());
    fs::remove_file(leases.path("SIM-1")).unwrap();
    let lease = leases.take("SIM-1", &me()).await.unwrap();
    assert!(leases.try_take("SIM-1", &me()).unwrap().is_none());
    // Cleaned away while somebody waits: who gets the file that is gone has nothing, and looks again.
    let holder = me();
    let mut waiting = std::pin::pin!(leases.take("SIM-1", &holder));
    assert!(futures::poll!(&mut waiting).is_pending());
    fs::remove_file(leases.path("SIM-1")).unwrap();
    drop(lease);
    let lease = waiting.await.unwrap();
    assert!(folder::is_at(&lease.file, &leases.path("SIM-1")));
}

#[tokio::test]
async fn folder_and_files_are_for_every_user_whatever_the_umask() {
    let (_folder, leases) = leases();
    let lease = leases.take("SIM-1", &me()).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(leases.folder()), 0o1777);
    assert_eq!(mode(&leases.path("SIM-1")), 0o666);
    drop(lease);
    leases.check().unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_with_the_mend() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    symlink(folder.path(), folder.path().join("link")).unwrap();
    let failed = async |name: &str| Leases::new(folder.path().join(name)).take("SIM-1", &me()).await.unwrap_err();

    let error = failed("file/below").await;
    assert!(matches!(error, LeaseError::Make { .. }), "{error}");
    assert!(error.to_string().contains("sudo install -d -m 1777"), "{error}");
    assert!(error.to_string().contains("file/below"), "{error}");
    for name in ["file", "link"] {
        let error = failed(name).await;
        assert!(matches!(error, LeaseError::NoFolder { .. }), "{error}");
    }
    fs::create_dir_all(folder.path().join("leases/SIM-1.lock")).unwrap();
    let error = failed("leases").await;
    assert!(matches!(error, LeaseError::Open { .. }), "{error}");
    assert!(error.to_string().contains("SIM-1.lock") && error.to_string().contains("sudo chmod"), "{error}");
}

/// Nobody's process where this one may become anybody, else one of the same user.
fn as_another_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

#[tokio::test]
async fn users_share_the_leases_of_a_machine() {
    let (_folder, leases) = leases_for_all();
    // Made by this user, then held by another.
    drop(leases.take("SIM-1", &me()).await.unwrap());
    let mut other = Other::start(as_another_user(&program()), leases.folder(), "SIM-1");
    assert!(leases.try_take("SIM-1", &me()).unwrap().is_none());
    assert_eq!(leases.held_by("SIM-1").unwrap().pid, other.0.id());
    other.kill();
    drop(leases.take("SIM-1", &me()).await.unwrap());
    // Made by another user, then held by this one.
    Other::start(as_another_user(&program()), leases.folder(), "SIM-2").kill();
    drop(leases.take("SIM-2", &me()).await.unwrap());
}

#[test]
fn a_folder_of_which_another_user_keeps_the_rest_out_is_told_with_the_mend() {
    let (_folder, leases) = leases_for_all();
    leases.check().unwrap();
    fs::set_permissions(leases.folder(), Permissions::from_mode(0o555)).unwrap();
    let mut command = as_another_user(&program());
    let output = command.arg(leases.folder()).arg("SIM-1").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Open") && said.contains("SIM-1.lock"), "{said}");
}

#[test]
fn a_holder_is_told_in_a_line() {
    let holder = Holder {
        pid: 4711,
        user: "ann".to_owned(),
        command: "/usr/local/bin/tinyfarm run --report here features/one.feature features/two.feature".to_owned(),
        run: None,
        since: None,
    };
    assert_eq!(holder.to_string(), "ann, process 4711 (tinyfarm run --report here features/one.feature features/tw…)");
    let empty = tempfile::tempfile().unwrap();
    assert_eq!(Holder::read(&empty).to_string(), "somebody");
}

proptest! {
    #[test]
    fn every_identity_has_a_file_name_of_its_own(one in ".{0,300}", other in ".{0,300}") {
        let name = folder::file_name(&one);
        prop_assert!(name.len() <= 255 && !name.contains('/') && !name.contains('\0') && !name.starts_with('.'));
        prop_assert_eq!(one == other, name == folder::file_name(&other));
    }

    #[test]
    fn a_holder_comes_back_as_it_was_written(command in ".*", run in proptest::option::of(".*"), pid: u32) {
        let holder = Holder { pid, user: "ann".to_owned(), command, run, since: None };
        let file = tempfile::tempfile().unwrap();
        holder.write(&file).unwrap();
        holder.write(&file).unwrap();
        let read = Holder::read(&file);
        prop_assert!(read.since.is_some());
        prop_assert_eq!(Holder { since: None, ..read }, holder);
    }
}
