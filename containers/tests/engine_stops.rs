//! The Docker engine stops in mid-run: infra with the cause, and no hang. The engine here is a socket in front of the
//! real one, which can be closed without taking the engine away from anybody else.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use bollard::query_parameters::KillContainerOptions;
use common::{Engine, bench, infer, job, options, run, targets};
use containers::Address;
use farm::Availability;
use std::{fs, path::PathBuf, process::Command};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

const SOCKET: &str = "TINYFARM_TEST_SOCKET";
const REAL: &str = "TINYFARM_TEST_REAL_SOCKET";

/// `DOCKER_HOST` holds for a whole process, so the test runs in one of its own.
#[test]
fn an_engine_that_stops_in_mid_run_is_infra_and_named() {
    let Some(socket) = std::env::var_os(SOCKET) else {
        let Address::Unix(real) = Address::from_env().unwrap() else { panic!("an engine with a socket is wanted") };
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "an_engine_that_stops_in_mid_run_is_infra_and_named", "--nocapture"])
            .env(SOCKET, &socket)
            .env(REAL, real)
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .status()
            .unwrap();
        assert!(status.success());
        return;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(stop_in_mid_run(socket.into()));
}

async fn stop_in_mid_run(socket: PathBuf) {
    let name = "engine-stops";
    let behind = std::env::var(REAL).unwrap();
    let front = tokio::spawn(forward(UnixListener::bind(&socket).unwrap(), behind.clone()));
    let (container, _) = targets(&options(name));
    let job = job(&*container, 20);
    assert!(matches!(container.availability().await, Availability::Ready { .. }));
    assert_eq!(run(&*container, &job).await.unwrap().len(), 20);
    let mut session = container.open(&job).await.unwrap();
    let real = Engine(bollard::Docker::connect_with_unix(&behind, 30, bollard::API_DEFAULT_VERSION).unwrap());
    let id = real.containers(name).await.remove(0);

    // An engine that stops takes its containers with it.
    front.abort();
    assert!(front.await.unwrap_err().is_cancelled());
    real.0.kill_container(&id, None::<KillContainerOptions>).await.unwrap();

    let reason = bench(infer(&mut *session, &job).await);
    let stopped = format!("nothing listens at {}, the engine is stopped", socket.display());
    assert!(reason.starts_with("the Docker engine stopped in mid-run (") && reason.contains(&stopped), "{reason}");
    session.close().await;
    let reason = bench(run(&*container, &job).await);
    assert!(reason.contains(&stopped), "{reason}");
    let Availability::Absent { reason } = container.availability().await else { panic!("it is there") };
    assert!(reason.contains(&stopped), "{reason}");

    // It comes back: so does the target.
    fs::remove_file(&socket).unwrap();
    let front = tokio::spawn(forward(UnixListener::bind(&socket).unwrap(), behind.clone()));
    assert_eq!(run(&*container, &job).await.unwrap().len(), 20);
    container.shutdown().await;
    assert!(real.networks(name).await.is_empty(), "the first container's network is still there");
    front.abort();
}

/// Passes everything on to the real engine, until it is dropped with all its connections.
async fn forward(listener: UnixListener, real: String) {
    let mut connections = JoinSet::new();
    loop {
        let (mut here, _) = listener.accept().await.unwrap();
        let real = real.clone();
        connections.spawn(async move {
            let mut there = UnixStream::connect(real).await.unwrap();
            let _ = copy_bidirectional(&mut here, &mut there).await;
        });
    }
}
