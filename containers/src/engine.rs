//! The Docker engine: where it is, whether it can be used, and if not, which of the many reasons it is.
//!
//! testcontainers reads the same environment (`DOCKER_HOST`) and looks in the same places; here the way to the engine
//! is tried first, because "failed to initialize a docker client" names neither cause nor mend.

use bollard::Docker;
use std::{
    env, fmt,
    future::Future,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::{TcpStream, UnixStream};

/// How long the engine may take to answer a question, and to do what it is told.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_FOR_WORK: Duration = Duration::from_secs(60);

/// Oldest engine API that was tried: Docker 20.10, as in Debian 12.
const OLDEST_API: (u32, u32) = (1, 41);

/// Why the Docker engine cannot be used, with the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No socket where engines have theirs.
    #[error("no Docker engine: {0} does not exist; scripts/setup installs and starts one")]
    Missing(Address),
    /// There is a socket, and this user may not use it.
    #[error(
        "no Docker engine: permission denied on {0}; join the group that owns it (usermod -aG docker), and log in again"
    )]
    Denied(Address),
    /// There is a socket and nobody behind it.
    #[error("no Docker engine: nothing listens at {0}, the engine is stopped; start it with scripts/setup")]
    Stopped(Address),
    /// Something listens and does not answer.
    #[error("no Docker engine: {0} does not answer, the engine hangs; restart it")]
    Silent(Address),
    /// It cannot be reached for another reason.
    #[error("no Docker engine: {address} cannot be reached: {why}; DOCKER_HOST says where the engine is")]
    Unreachable {
        /// Where it should be.
        address: Address,
        /// The system's words.
        why: String,
    },
    /// `DOCKER_HOST` is no address that can be used.
    #[error("DOCKER_HOST is `{0}`: unix:///path or tcp://host:port is wanted")]
    BadAddress(String),
    /// It is too old.
    #[error("Docker {version} speaks API {api}: API 1.41 (Docker 20.10) or later is wanted")]
    TooOld {
        /// Version of the engine.
        version: String,
        /// Its API version.
        api: String,
    },
    /// It runs containers of another kind.
    #[error("Docker {version} runs {platform} containers: linux/amd64 is wanted")]
    Foreign {
        /// Version of the engine.
        version: String,
        /// Its system and architecture.
        platform: String,
    },
    /// It cannot confine the runner.
    #[error("Docker {version} has no seccomp, which keeps the runner off the network")]
    NoSeccomp {
        /// Version of the engine.
        version: String,
    },
    /// It publishes ports on another machine's loopback.
    #[error(
        "the Docker engine is on {host}, and the container's port would be published on {publish} there, out of reach; publish it on an address of {host}"
    )]
    Elsewhere {
        /// Where the engine is.
        host: String,
        /// The address it would publish on.
        publish: IpAddr,
    },
    /// It said no.
    #[error("Docker failed to {what}: {why}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// Its own words.
        why: String,
    },
}

impl EngineError {
    /// Whether the engine itself is out of reach, as opposed to one request having failed.
    pub fn engine_is_gone(&self) -> bool {
        matches!(
            self,
            Self::Missing(_) | Self::Denied(_) | Self::Stopped(_) | Self::Silent(_) | Self::Unreachable { .. }
        )
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A host and port.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

impl Address {
    /// What `DOCKER_HOST` says, else the first socket there is of those that testcontainers tries.
    ///
    /// # Errors
    /// [`EngineError::BadAddress`].
    pub fn from_env() -> Result<Self, EngineError> {
        if let Ok(host) = env::var("DOCKER_HOST") {
            return Self::parse(&host);
        }
        let system = PathBuf::from("/var/run/docker.sock");
        let below = |variable: &str, path: &str| env::var_os(variable).map(|dir| Path::new(&dir).join(path));
        let rootless = [
            below("XDG_RUNTIME_DIR", ".docker/run/docker.sock"),
            below("HOME", ".docker/run/docker.sock"),
            below("HOME", ".docker/desktop/docker.sock"),
        ];
        let candidates = std::iter::once(system.clone()).chain(rootless.into_iter().flatten());
        Ok(Self::Unix(candidates.into_iter().find(|path| path.exists()).unwrap_or(system)))
    }

    fn parse(host: &str) -> Result<Self, EngineError> {
        match host.split_once("://") {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) if address.contains(':') => {
                Ok(Self::Tcp(address.trim_end_matches('/').to_owned()))
            }
            _ => Err(EngineError::BadAddress(host.to_owned())),
        }
    }

    /// The host on which the engine publishes ports, where that is not this one.
    pub fn remote_host(&self) -> Option<&str> {
        let Self::Tcp(address) = self else { return None };
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (!here).then_some(bare)
    }

    /// Looks whether somebody listens.
    async fn knock(&self) -> Result<(), EngineError> {
        let knocked = async {
            match self {
                Self::Unix(path) => UnixStream::connect(path).await.map(drop),
                Self::Tcp(host) => TcpStream::connect(host).await.map(drop),
            }
        };
        let knocked = async { knocked.await.map_err(|error| self.explain(&error)) };
        within(PATIENCE, || EngineError::Silent(self.clone()), knocked).await
    }

    fn explain(&self, error: &io::Error) -> EngineError {
        match error.kind() {
            io::ErrorKind::NotFound => EngineError::Missing(self.clone()),
            io::ErrorKind::PermissionDenied => EngineError::Denied(self.clone()),
            io::ErrorKind::ConnectionRefused => EngineError::Stopped(self.clone()),
            _ => EngineError::Unreachable { address: self.clone(), why: error.to_string() },
        }
    }
}

/// An engine that answered and can be used.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    pub(crate) address: Address,
    /// Version as the engine tells it.
    pub(crate) version: String,
}

impl Engine {
    /// Finds the engine and checks that it can do what the container stage needs.
    ///
    /// # Errors
    /// Each reason has its own [`EngineError`].
    pub(crate) async fn connect() -> Result<Self, EngineError> {
        let address = Address::from_env()?;
        address.knock().await?;
        let docker = testcontainers::core::client::docker_client_instance()
            .await
            .map_err(|error| EngineError::Unreachable { address: address.clone(), why: error.to_string() })?
            .with_timeout(PATIENCE_FOR_WORK);
        let asked = docker.clone().with_timeout(PATIENCE);
        let silent = || EngineError::Silent(address.clone());
        let version = within(PATIENCE, silent, ask("tell its version", asked.version())).await?;
        let name = version.version.unwrap_or_default();
        let api = version.api_version.unwrap_or_default();
        if api_of(&api).is_none_or(|api| api < OLDEST_API) {
            return Err(EngineError::TooOld { version: name, api });
        }
        let platform = format!("{}/{}", version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        if platform != "linux/amd64" {
            return Err(EngineError::Foreign { version: name, platform });
        }
        let info = within(PATIENCE, silent, ask("describe itself", asked.info())).await?;
        if !info.security_options.unwrap_or_default().iter().any(|option| option.contains("name=seccomp")) {
            return Err(EngineError::NoSeccomp { version: name });
        }
        Ok(Self { docker, address, version: name })
    }

    /// Whether the engine answers at all, now; gives up after `patience`.
    pub(crate) async fn answers(&self, patience: Duration) -> Result<(), EngineError> {
        let answers = async {
            self.address.knock().await?;
            ask("answer a ping", self.docker.ping()).await.map(drop)
        };
        within(patience, || EngineError::Silent(self.address.clone()), answers).await
    }
}

/// `result`, or the error `late` when it is not there in time.
async fn within<T>(
    patience: Duration,
    late: impl FnOnce() -> EngineError,
    result: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    tokio::time::timeout(patience, result).await.unwrap_or_else(|_| Err(late()))
}

/// Waits for an answer of the engine, and says what was asked where there is none.
pub(crate) async fn ask<T>(
    what: &'static str,
    answer: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, EngineError> {
    answer.await.map_err(|error| EngineError::Refused { what, why: words_of(&error) })
}

/// Whether the engine said that it has no such thing.
pub(crate) fn is_not_found(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}

fn words_of(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn api_of(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn docker_host_is_read_or_refused_with_the_mend() {
        assert_eq!(Address::parse("unix:///run/d.sock"), Ok(Address::Unix("/run/d.sock".into())));
        assert_eq!(Address::parse("tcp://10.0.0.1:2375"), Ok(Address::Tcp("10.0.0.1:2375".into())));
        for bad in ["", "unix://", "ssh://me@there", "10.0.0.1:2375", "tcp://host"] {
            assert_eq!(Address::parse(bad), Err(EngineError::BadAddress(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn an_engine_on_this_machine_is_told_from_one_elsewhere() {
        assert_eq!(Address::Unix("/run/d.sock".into()).remote_host(), None);
        for here in ["localhost:2375", "127.0.0.1:2375", "[::1]:2375"] {
            assert_eq!(Address::Tcp(here.into()).remote_host(), None, "{here}");
        }
        assert_eq!(Address::Tcp("docker:2375".into()).remote_host(), Some("docker"));
    }

    #[tokio::test]
    async fn no_socket_a_dead_socket_and_a_forbidden_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Address::Unix(dir.path().join("none.sock"));
        assert_eq!(missing.knock().await, Err(EngineError::Missing(missing.clone())));

        let path = dir.path().join("dead.sock");
        drop(UnixListener::bind(&path).unwrap());
        let dead = Address::Unix(path);
        assert_eq!(dead.knock().await, Err(EngineError::Stopped(dead.clone())));

        let denied = dead.explain(&io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied, EngineError::Denied(dead));
        assert!(denied.to_string().contains("usermod -aG docker"), "{denied}");
    }

    #[tokio::test]
    async fn an_engine_that_takes_calls_and_does_not_answer_is_said_to_hang() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hangs.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let docker = Docker::connect_with_unix(path.to_str().unwrap(), 60, bollard::API_DEFAULT_VERSION).unwrap();
        let engine = Engine { docker, address: Address::Unix(path.clone()), version: String::new() };
        let silent = engine.answers(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(silent, EngineError::Silent(Address::Unix(path)));
        assert!(silent.engine_is_gone());
    }

    #[test]
    fn api_versions_compare_as_numbers() {
        assert!(api_of("1.9") < Some(OLDEST_API));
        assert!(api_of("1.100") > Some(OLDEST_API));
        assert_eq!(api_of("weird"), None);
    }
}
