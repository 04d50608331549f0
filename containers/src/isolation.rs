//! What the container may not do. TFLM parses a model without verifying it, so the runner is treated as hostile.
//!
//! - **No way out.** Its network is a bridge of its own, without masquerading and without traffic between containers.
//!   That alone leaves the bridge's gateway, which is the host, in reach; so the seccomp profile (`seccomp.json`) lets it
//!   accept connections and make none: no `connect`, `sendmsg` or `sendto` an address, no socket but TCP over IPv4.
//! - **No rights.** No capabilities, none to be gained, not root, no new namespaces, no shared memory with others.
//! - **No traces.** The root is read-only, there is no writable place, the log is bounded.
//! - **No hunger.** Memory, processes and files are limited.

use crate::options::ContainerOptions;
use bollard::models::{HostConfig, HostConfigLogConfig, NetworkCreateRequest, PortBinding, ResourcesUlimits};
use std::{collections::HashMap, net::IpAddr};

/// Allows what a runner does: read, write, accept, fork, wait, get memory. `connect` and its kin are not in it. `clone3`
/// is answered with ENOSYS, because its flags cannot be looked at; libc then falls back on `clone`, whose flags can
/// (no new namespaces).
const SECCOMP: &str = include_str!("seccomp.json");

/// `nobody`, who owns nothing.
pub(crate) const USER: &str = "65534:65534";

/// The port the runner listens on, inside.
pub(crate) const PORT: u16 = 7000;

/// What the container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes, the page cache of its connections included. It has no swap.
    pub(crate) memory: u64,
    /// Processes: the listener and one for each connection.
    pub(crate) processes: u32,
    /// The host address its port is published on.
    pub(crate) publish: IpAddr,
}

impl Limits {
    /// Those of a run.
    pub(crate) fn of(options: &ContainerOptions) -> Self {
        // Besides the jobs: their parent, and room for those that are ending while others begin.
        let processes = 2 * options.connections() as u32 + 8;
        Self { memory: options.memory(), processes, publish: options.publish }
    }
}

/// Tightens `config` of a container that listens on [`PORT`].
pub(crate) fn confine(config: &mut HostConfig, limits: Limits) {
    let memory = i64::try_from(limits.memory).unwrap_or(i64::MAX);
    let limit = |name: &str, value| ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) };
    config.cap_add = None;
    config.cap_drop = Some(vec!["ALL".into()]);
    config.privileged = Some(false);
    config.security_opt = Some(vec!["no-new-privileges:true".into(), format!("seccomp={SECCOMP}")]);
    config.readonly_rootfs = Some(true);
    config.ipc_mode = Some("none".into());
    config.memory = Some(memory);
    config.memory_swap = Some(memory);
    config.pids_limit = Some(limits.processes.into());
    config.ulimits = Some(vec![limit("core", 0), limit("nofile", 1024)]);
    config.publish_all_ports = Some(false);
    config.port_bindings = Some(HashMap::from([(
        format!("{PORT}/tcp"),
        Some(vec![PortBinding { host_ip: Some(limits.publish.to_string()), host_port: Some(String::new()) }]),
    )]));
    config.log_config = Some(HostConfigLogConfig {
        typ: Some("json-file".into()),
        config: Some(HashMap::from([("max-size".into(), "1m".into()), ("max-file".into(), "1".into())])),
    });
}

/// The network a container gets to itself.
pub(crate) fn network(name: &str, labels: HashMap<String, String>) -> NetworkCreateRequest {
    let option = |name: &str, value: &str| (format!("com.docker.network.bridge.{name}"), value.to_owned());
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        attachable: Some(false),
        enable_ipv6: Some(false),
        options: Some(HashMap::from([option("enable_ip_masquerade", "false"), option("enable_icc", "false")])),
        labels: Some(labels),
        ..Default::default()
    }
}
