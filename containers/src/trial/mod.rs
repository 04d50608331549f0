//! Trials on a real Docker engine. They do not pass without one: `scripts/setup` starts it.

mod confinement;
mod sweeping;

use crate::{engine::Engine, image, isolation::Limits, run::Running};
use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
};
use testcontainers::GenericImage;

/// The engine; a test that needs one fails loudly where there is none.
pub(crate) async fn engine() -> Engine {
    match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => panic!("this test needs a Docker engine: {error}"),
    }
}

/// Limits small enough to be reached.
pub(crate) fn limits() -> Limits {
    Limits { memory: 64 << 20, processes: 16, publish: IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// An image whose runner is `probe.c`.
pub(crate) async fn probe_image() -> GenericImage {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("probe");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/trial/probe.c");
    let compiled =
        Command::new("gcc").args(["-static", "-O1", "-Wall", "-o"]).arg(&program).arg(source).status().unwrap();
    assert!(compiled.success(), "probe.c does not compile");
    image::build(&program, "probe").await.unwrap()
}

/// A confined container with the probe in it, of run `run`.
pub(crate) async fn probe(run: &str) -> (Engine, Running) {
    let engine = engine().await;
    let running = Running::start(engine.clone(), probe_image().await, run, limits()).await.unwrap();
    (engine, running)
}
