//! Jobs in a real container: right answers over several connections at once, and every way a container can be lost.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use bollard::query_parameters::{KillContainerOptions, RemoveContainerOptionsBuilder};
use common::{Engine, bench, crash, infer, job, options, outputs, run, targets};
use farm::{Availability, Stage, TargetError};
use std::process::Command;
use testcontainers::{GenericBuildableImage, ImageExt, core::WaitFor, runners::AsyncBuilder, runners::AsyncRunner};

#[tokio::test(flavor = "multi_thread")]
async fn one_container_serves_jobs_side_by_side_and_answers_as_the_host_does() {
    let name = "side-by-side";
    let (container, host) = targets(&options(name));
    assert_eq!(container.info().stage, Stage::Container);
    let Availability::Ready { tool } = container.availability().await else { panic!("no engine") };
    assert!(tool.starts_with("Docker "), "{tool}");
    container.prepare().await.unwrap();

    let job = job(&*container, 200);
    let jobs = (0..12).map(|_| run(&*container, &job));
    let evidence = futures::future::join_all(jobs).await;
    let expected = run(&*host, &job).await.unwrap();
    assert_eq!(expected.len(), 200);
    for inferences in evidence {
        assert_eq!(outputs(&inferences.unwrap()), outputs(&expected));
    }

    let engine = Engine::connect();
    assert_eq!(engine.containers(name).await.len(), 1);
    container.shutdown().await;
    assert!(engine.containers(name).await.is_empty());
    assert!(engine.networks(name).await.is_empty());
    container.shutdown().await;
    assert!(matches!(container.open(&job).await.err(), Some(TargetError::Blocked(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_runner_is_not_packed_twice() {
    let engine = Engine::connect();
    let mut images = Vec::new();
    for name in ["packed-first", "packed-again"] {
        let (container, _) = targets(&options(name));
        container.prepare().await.unwrap();
        images.push(engine.image(&engine.containers(name).await[0]).await);
        container.shutdown().await;
    }
    assert_eq!(images[0], images[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_crashes_takes_down_its_job_and_not_its_neighbour() {
    let name = "crash";
    let (container, _) = targets(&options(name));
    let job = job(&*container, 50);
    let mut neighbour = container.open(&job).await.unwrap();
    let mut crashing = container.open(&job).await.unwrap();
    crash_newest(&Engine::connect().containers(name).await[0]).await;

    assert_eq!(crash(infer(&mut *crashing, &job).await), "the runner got signal 11 (SIGSEGV)");
    assert_eq!(infer(&mut *neighbour, &job).await.unwrap().len(), 50);
    crashing.close().await;
    neighbour.close().await;
    assert_eq!(run(&*container, &job).await.unwrap().len(), 50);
    container.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_killed_is_infra_and_the_next_attempt_gets_another() {
    let name = "killed";
    let (container, _) = targets(&options(name));
    let job = job(&*container, 50);
    let engine = Engine::connect();
    let mut session = container.open(&job).await.unwrap();
    engine.0.kill_container(&engine.containers(name).await[0], None::<KillContainerOptions>).await.unwrap();
    assert_eq!(bench(infer(&mut *session, &job).await), "the runner's container ended with exit code 137");
    session.close().await;
    assert_eq!(run(&*container, &job).await.unwrap().len(), 50);
    container.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_somebody_removes_is_infra_and_the_next_attempt_gets_another() {
    let name = "removed";
    let (container, _) = targets(&options(name));
    let job = job(&*container, 50);
    let engine = Engine::connect();
    container.prepare().await.unwrap();
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    engine.0.remove_container(&engine.containers(name).await[0], Some(force)).await.unwrap();
    let reason = bench(run(&*container, &job).await);
    assert!(reason.ends_with("the runner's container was removed by somebody else"), "{reason}");
    assert_eq!(run(&*container, &job).await.unwrap().len(), 50);
    container.shutdown().await;
    assert!(engine.networks(name).await.is_empty(), "the first container's network is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_somebody_paused_is_late_by_the_benchs_fault() {
    let name = "paused";
    let (container, _) = targets(&options(name));
    let job = job(&*container, 50);
    let engine = Engine::connect();
    let mut session = container.open(&job).await.unwrap();
    assert_eq!(session.why_late().await, None);
    engine.0.pause_container(&engine.containers(name).await[0]).await.unwrap();
    let reason = session.why_late().await.map_or_else(String::new, |late| bench::<()>(Err(late)));
    assert!(reason.starts_with("somebody paused the runner's container; 0 of"), "{reason}");
    session.close().await;
    container.shutdown().await;
    assert!(engine.containers(name).await.is_empty(), "a paused container is removed all the same");
}

/// Sends SIGSEGV to the newest of the runners in a container, as a crash would: from a container of its own that shares
/// the other's processes, so that no rights on this machine are wanted.
async fn crash_newest(container: &str) {
    const SOURCE: &str = r#"
        #include <signal.h>
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            char name[32], state;
            for (int pid = 32768, parent; pid > 1; pid--) {
                sprintf(name, "/proc/%d/stat", pid);
                FILE *stat = fopen(name, "r");
                if (!stat) continue;
                if (fscanf(stat, "%*d %*s %c %d", &state, &parent) == 2 && parent == 1) {
                    puts(kill(pid, SIGSEGV) ? "not killed" : "killed");
                    fflush(stdout);
                    pause();
                }
                fclose(stat);
            }
        }
    "#;
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("crash.c"), dir.path().join("crash"));
    std::fs::write(&source, SOURCE).unwrap();
    assert!(Command::new("gcc").arg("-static").arg("-o").arg(&program).arg(&source).status().unwrap().success());
    let image = GenericBuildableImage::new("tinyfarm/crash", "test")
        .with_dockerfile_string("FROM scratch\nCOPY crash /crash\nENTRYPOINT [\"/crash\"]\n")
        .with_file(&program, "crash")
        .build_image()
        .await
        .unwrap();
    let processes = format!("container:{container}");
    let running = image
        .with_wait_for(WaitFor::message_on_stdout("killed"))
        .with_user("65534:65534")
        .with_host_config_modifier(move |config| config.pid_mode = Some(processes.clone()))
        .start()
        .await
        .unwrap();
    let said = running.stdout_to_vec().await.unwrap();
    running.rm().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&said), "killed\n");
}
