//! A run is killed with SIGKILL while its container works: the next run sweeps what it left.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Engine, job, options, run, targets};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const RUN: &str = "TINYFARM_TEST_RUN";

#[test]
fn the_next_run_sweeps_what_a_killed_run_left() {
    if let Ok(name) = std::env::var(RUN) {
        return work_for_ever(&name);
    }
    let name = format!("killed-run-{}", std::process::id());
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_next_run_sweeps_what_a_killed_run_left", "--nocapture"])
        .env(RUN, &name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("at work")), "it ended before its container was there");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = Engine::connect();
        assert_eq!((engine.containers(&name).await.len(), engine.networks(&name).await.len()), (1, 1));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let next = format!("after-{name}");
        let (container, _) = targets(&options(&next));
        run(&*container, &job(&*container, 5)).await.unwrap();
        assert_eq!((engine.containers(&name).await.len(), engine.networks(&name).await.len()), (0, 0));
        container.shutdown().await;
    });
}

fn work_for_ever(name: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (container, _) = targets(&options(name));
        run(&*container, &job(&*container, 5)).await.unwrap();
        println!("at work");
        std::future::pending::<()>().await;
    });
}
