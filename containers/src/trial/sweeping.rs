//! Left-overs of killed runs on a real engine.

use super::{limits, probe, probe_image};
use crate::{
    isolation::{self, Limits},
    owner::Owner,
    run::{OWNER, RUN, Running, labels},
    sweep::sweep,
};
use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, InspectNetworkOptions, StartContainerOptions,
    },
};

/// A container and its network as a killed run leaves them: running, owned by a process that is no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_swept_and_what_a_living_one_uses_is_kept() {
    let (engine, living) = probe("living").await;
    let mut dead = labels("killed");
    let gone = Owner::current().to_string().rsplit_once(' ').map(|(rest, _)| format!("{rest} 1")).unwrap();
    dead.insert(OWNER.into(), gone);

    let name = format!("tinyfarm-left-over-{}", std::process::id());
    engine.docker.create_network(isolation::network(&name, dead.clone())).await.unwrap();
    let mut host_config = HostConfig { network_mode: Some(name.clone()), ..Default::default() };
    isolation::confine(&mut host_config, limits());
    let image = probe_image().await;
    let image = testcontainers::Image::name(&image).to_owned() + ":" + testcontainers::Image::tag(&image);
    let body = ContainerCreateBody {
        image: Some(image),
        labels: Some(dead),
        host_config: Some(host_config),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    engine.docker.create_container(Some(options), body).await.unwrap();
    engine.docker.start_container(&name, None::<StartContainerOptions>).await.unwrap();

    sweep(&engine).await.unwrap();

    assert!(engine.docker.inspect_container(&name, None::<InspectContainerOptions>).await.is_err());
    assert!(engine.docker.inspect_network(&name, None::<InspectNetworkOptions>).await.is_err());
    let kept = engine.docker.inspect_container(living.id(), None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(kept.config.unwrap().labels.unwrap()[RUN], "living");
    living.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_does_not_start_leaves_nothing_behind() {
    let engine = super::engine().await;
    // An address of no interface (RFC 5737): the port cannot be published on it.
    let nowhere = Limits { publish: "192.0.2.1".parse().unwrap(), ..limits() };
    let refused = Running::start(engine.clone(), probe_image().await, "no-start", nowhere).await.unwrap_err();
    assert!(refused.to_string().starts_with("Docker failed to start the runner's container: "), "{refused}");
    let ours = std::collections::HashMap::from([("label", vec![format!("{RUN}=no-start")])]);
    let listing = bollard::query_parameters::ListNetworksOptionsBuilder::new().filters(&ours).build();
    assert_eq!(engine.docker.list_networks(Some(listing)).await.unwrap(), []);
}
