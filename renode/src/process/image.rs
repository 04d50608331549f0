//! Renode in a container. Its ports are reached at the container's own address, so none is published on the host, where
//! whoever reaches it could run code.
//!
//! The private folder is mounted where it is on the host: a path in it is the same for both. testcontainers removes the
//! container when it is dropped; that a process killed by SIGKILL leaves one is not prevented, but it bears [`LABEL`].

use super::{end::Exit, folder::Folder, log::Log};
use std::{ffi::OsString, net::IpAddr, sync::OnceLock, time::Duration};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt, TestcontainersError,
    core::{Mount, logs::LogFrame},
    runners::AsyncRunner,
};

/// The label of containers, with the number of the process that started it.
const LABEL: &str = "org.renode-rs.parent";

/// How often the engine is asked whether the container runs.
const PULSE: Duration = Duration::from_millis(100);

/// Seconds from SIGTERM to SIGKILL.
const TOLD: i32 = 3;

#[derive(Debug)]
pub(super) struct Container {
    container: ContainerAsync<GenericImage>,
    host: IpAddr,
    log: Log,
    exit: OnceLock<Exit>,
}

impl Container {
    /// Starts a container with this image, this folder and this command line. The image is pulled when the engine has none.
    pub(super) async fn start(
        (name, tag): (&str, &str),
        folder: &Folder,
        command: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, TestcontainersError> {
        let path = folder.path().display().to_string();
        let user = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let log = Log::default();
        let theirs = log.clone();
        let mut request = GenericImage::new(name, tag)
            .with_cmd(command.into_iter().map(|word| word.to_string_lossy().into_owned()))
            .with_mount(Mount::bind_mount(path.clone(), path))
            // What Renode writes must be removed in the end.
            .with_user(format!("{}:{}", user.0, user.1))
            // Docker's own by name: testcontainers does not find the address in one that is not named.
            .with_network("bridge")
            .with_label(LABEL, std::process::id().to_string())
            // Mono does not handle SIGTERM, and the first process of a container gets none that it does not handle.
            .with_host_config_modifier(|host| host.init = Some(true))
            .with_log_consumer(move |frame: &LogFrame| theirs.push(frame.bytes()));
        for (name, value) in folder.environment() {
            request = request.with_env_var(name, value.display().to_string());
        }
        let container = request.start().await?;
        let host = container.get_bridge_ip_address().await?;
        Ok(Self { container, host, log, exit: OnceLock::new() })
    }

    pub(super) fn host(&self) -> IpAddr {
        self.host
    }

    pub(super) fn log(&self) -> String {
        self.log.text()
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    pub(super) async fn ended(&self) -> Exit {
        loop {
            if let Some(exit) = self.exit() {
                return exit;
            }
            let exit = match self.container.exit_code().await {
                Ok(None) => None,
                Ok(Some(code)) => Some(i32::try_from(code).map_or(Exit::Unknown, Exit::Code)),
                // Somebody removed it, or the engine is gone.
                Err(_) => Some(Exit::Unknown),
            };
            match exit {
                Some(exit) => return *self.exit.get_or_init(|| exit),
                None => tokio::time::sleep(PULSE).await,
            }
        }
    }

    pub(super) async fn terminate(&self) {
        self.stop(TOLD).await;
    }

    pub(super) async fn kill(&self) {
        self.stop(0).await;
    }

    async fn stop(&self, seconds: i32) {
        if let Err(error) = self.container.stop_with_timeout(Some(seconds)).await {
            tracing::debug!(%error, "the container with Renode could not be stopped");
        }
    }
}
