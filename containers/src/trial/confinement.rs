//! What a hostile runner can do in the container, tried out, and against it what it could do without confinement.

use super::{engine, limits, probe, probe_image};
use crate::{isolation::PORT, run::Health};
use bollard::{models::HostConfig, query_parameters::InspectContainerOptions};
use std::{collections::BTreeMap, time::Duration};
use testcontainers::{ImageExt, runners::AsyncRunner};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the probe at `address` could do, by name. Connects until somebody answers: Docker's proxy accepts at once.
async fn attempts(address: (&str, u16), greedy: bool) -> BTreeMap<String, String> {
    let host = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let order = format!("{} {}\n", host.local_addr().unwrap().port(), u8::from(greedy));
    let report = async {
        loop {
            let mut text = String::new();
            if let Ok(mut link) = TcpStream::connect(address).await
                && link.write_all(order.as_bytes()).await.is_ok()
            {
                let _ = link.read_to_string(&mut text).await;
            }
            if text.contains("end\tdone\n") {
                break text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let report = tokio::time::timeout(Duration::from_secs(60), report).await.unwrap();
    let line = |line: &str| line.split_once('\t').map(|(name, result)| (name.trim().into(), result.trim().into()));
    report.lines().filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confined_runner_reaches_nothing_and_may_nothing() {
    let (engine, running) = probe("confinement").await;
    let seen = attempts(running.address(), true).await;
    let text: Vec<String> = seen.iter().map(|(name, result)| format!("{name}: {result}")).collect();
    let health = running.health().await.unwrap();
    let inspected = engine.docker.inspect_container(running.id(), None::<InspectContainerOptions>).await.unwrap();
    running.remove().await;

    insta::assert_snapshot!(text.join("\n"), @r"
    2 GiB of memory: Killed
    4096 processes: Resource temporarily unavailable
    CapAmb: 0000000000000000
    CapBnd: 0000000000000000
    CapEff: 0000000000000000
    CapInh: 0000000000000000
    CapPrm: 0000000000000000
    NoNewPrivs: 1
    Seccomp: 2
    become root: Operation not permitted
    end: done
    ipv6: Operation not permitted
    mount: Operation not permitted
    netlink: Operation not permitted
    new user namespace: Operation not permitted
    packet: Operation not permitted
    processes: 15
    raw: Operation not permitted
    tcp fast open: Operation not permitted
    tcp fast open by message: Operation not permitted
    tcp to the host: Operation not permitted
    udp: Operation not permitted
    unix: Operation not permitted
    user: 65534
    write to /: Read-only file system
    write to /dev/shm: No such file or directory
    ");
    assert_eq!(health, Health::Running, "its greed took the container down");

    let published = inspected.host_config.unwrap().port_bindings.unwrap();
    assert_eq!(published.len(), 1);
    let binding = &published[&format!("{PORT}/tcp")].as_ref().unwrap()[0];
    assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(inspected.network_settings.unwrap().networks.unwrap().len(), 1);
    assert_eq!(inspected.mounts.unwrap(), []);
}

/// Without this the trial above could pass because the probe does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_runner_without_confinement_does_reach_the_host() {
    let engine = engine().await;
    let memory = limits().memory;
    let container = probe_image()
        .await
        .with_user("0:0")
        .with_host_config_modifier(move |config: &mut HostConfig| config.memory = i64::try_from(memory).ok())
        .start()
        .await
        .unwrap();
    let port = container.get_host_port_ipv4(PORT).await.unwrap();
    let seen = attempts(("127.0.0.1", port), false).await;
    container.rm().await.unwrap();
    drop(engine);
    for attempt in ["tcp to the host", "tcp fast open", "udp", "raw", "unix", "write to /", "write to /dev/shm"] {
        assert_eq!(seen[attempt], "done", "{attempt}");
    }
    assert_ne!(seen["CapEff"], "0000000000000000");
}
