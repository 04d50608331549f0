//! Jobs in a child process, and child processes that misbehave.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{builder, crash, infer, job, options, run, targets};
use containers::ContainerOptions;
use farm::{Availability, Stage, Target, TargetError};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// The target `host` with a shell script for a runner. The script leaves its process number in `pid`.
fn scripted(script: &str) -> (TempDir, Arc<dyn Target>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runner");
    let pid = dir.path().join("pid");
    let version = "if [ \"$1\" = --version ]; then echo runner 0 scripted TFLM 0; exit; fi";
    let script = format!("#!/bin/sh\n{version}\necho $$ >{}\n{script}\n", pid.display());
    firmware::testing::write_program(&path, &script).unwrap();
    let options = ContainerOptions { runner: Some(path), ..options("scripted") };
    (dir, targets(&options).1)
}

/// Waits until the process whose number is in `pid` is no more. It ends by a signal, so it may take a moment.
async fn ended(dir: &Path) {
    let pid = fs::read_to_string(dir.join("pid")).unwrap();
    let process = PathBuf::from("/proc").join(pid.trim());
    let gone = async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_runs_a_job_and_is_not_called_a_container() {
    let (_, host) = targets(&options("host"));
    assert_eq!((host.info().stage, host.info().id.0.as_str()), (Stage::Host, "host"));
    assert_eq!(host.availability().await, Availability::Ready { tool: "child process".into() });
    let job = job(&*host, 100);
    assert_eq!(run(&*host, &job).await.unwrap().len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_runner_is_used_and_the_log_says_so() {
    let ours = builder().host().await.unwrap();
    let options = ContainerOptions { runner: Some(ours.path.clone()), ..options("foreign") };
    let (_, host) = targets(&options);
    let job = job(&*host, 10);
    let mut session = host.open(&job).await.unwrap();
    assert_eq!(infer(&mut *session, &job).await.unwrap().len(), 10);
    assert_eq!(session.log(), format!("the runner {} was not built by the farm\n", ours.path.display()));
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_not_there_is_absent() {
    let options = ContainerOptions { runner: Some("/nowhere/runner".into()), ..options("absent") };
    let (container, host) = targets(&options);
    let absent = Availability::Absent { reason: "the runner /nowhere/runner is no file".into() };
    assert_eq!(host.availability().await, absent);
    assert_eq!(container.availability().await, absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_the_runners_fault_and_names_the_signal() {
    let (_dir, host) = scripted("kill -SEGV $$");
    assert_eq!(crash(host.open(&job(&*host, 1)).await), "the runner got signal 11 (SIGSEGV)");
    let (_dir, host) = scripted("exit 3");
    assert_eq!(crash(host.open(&job(&*host, 1)).await), "the runner ended with status 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_from_outside_is_infra() {
    let (_dir, host) = scripted("kill -KILL $$");
    assert!(common::bench(host.open(&job(&*host, 1)).await).starts_with("the runner was killed from outside"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_says_nothing_is_ended_when_its_time_is_up() {
    let (dir, host) = scripted("exec sleep 1000");
    let mut job = job(&*host, 1);
    job.timeouts.open = Duration::from_secs(1);
    assert!(matches!(host.open(&job).await.err(), Some(TargetError::Bench(_))));
    ended(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_dropped_leaves_no_process() {
    let ours = builder().host().await.unwrap().path.clone();
    // The digest is the real one, so that the handshake passes.
    let (dir, _) = scripted(&format!("exec {} \"$@\"", ours.display()));
    let path = dir.path().join("runner");
    let script = fs::read_to_string(&path).unwrap();
    let version = format!("exec {} --version", ours.display());
    fs::write(&path, script.replace("echo runner 0 scripted TFLM 0", &version)).unwrap();
    let options = ContainerOptions { runner: Some(path), ..options("dropped") };
    let host = targets(&options).1;
    let job = job(&*host, 1);
    drop(host.open(&job).await.unwrap());
    ended(dir.path()).await;
    host.open(&job).await.unwrap().close().await;
    ended(dir.path()).await;
}
