//! What Renode runs in: a process group, or a container.

#[cfg(feature = "image")]
use super::image::Container;
use super::{child::Process, end::Exit};
use std::net::{IpAddr, Ipv4Addr};

/// What is dropped to kill a Renode.
#[derive(Debug)]
pub(super) enum Body {
    Process(Process),
    #[cfg(feature = "image")]
    Container(Box<Container>),
}

impl Body {
    /// Where its ports are.
    pub(super) fn host(&self) -> IpAddr {
        match self {
            Self::Process(_) => Ipv4Addr::LOCALHOST.into(),
            #[cfg(feature = "image")]
            Self::Container(container) => container.host(),
        }
    }

    /// The process that was started; none in a container, whose numbers mean nothing here.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Process(process) => Some(process.pid()),
            #[cfg(feature = "image")]
            Self::Container(_) => None,
        }
    }

    pub(super) fn log(&self) -> String {
        match self {
            Self::Process(process) => process.log(),
            #[cfg(feature = "image")]
            Self::Container(container) => container.log(),
        }
    }

    /// How it ended, if it is known that it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Process(process) => process.exit(),
            #[cfg(feature = "image")]
            Self::Container(container) => container.exit(),
        }
    }

    pub(super) async fn ended(&self) -> Exit {
        match self {
            Self::Process(process) => process.ended().await,
            #[cfg(feature = "image")]
            Self::Container(container) => container.ended().await,
        }
    }

    /// Sends SIGTERM to all of it.
    pub(super) async fn terminate(&self) {
        match self {
            Self::Process(process) => process.terminate(),
            #[cfg(feature = "image")]
            Self::Container(container) => container.terminate().await,
        }
    }

    /// Sends SIGKILL to all of it.
    pub(super) async fn kill(&self) {
        match self {
            Self::Process(process) => process.kill(),
            #[cfg(feature = "image")]
            Self::Container(container) => container.kill().await,
        }
    }
}
