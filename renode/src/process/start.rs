//! Starting Renode, and waiting until it answers.

use super::{
    Renode, StartOptions,
    body::Body,
    child::Process,
    end::Exit,
    find::{Installation, Place},
    folder::Folder,
    log::last_words,
    options::MonitorPort,
    ports,
};
use crate::{
    robot::{Robot, RobotError},
    version::{NoVersion, Version},
};
use std::{
    ffi::OsString,
    io,
    net::{IpAddr, SocketAddr},
    process::Command,
    sync::atomic::AtomicU32,
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How often Renode is started when its monitor's port was taken meanwhile.
const STARTS: u32 = 3;
/// How often it is asked for its version: it may not be ready for the first request.
const REQUESTS: u32 = 3;
/// How often it is looked whether it answers.
const PULSE: Duration = Duration::from_millis(20);
/// How long a process that does not answer any more may take to end.
const END: Duration = Duration::from_millis(500);
/// How long `renode --version` may take: as long as a start.
const VERSION: Duration = Duration::from_secs(60);

/// Why Renode could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no room for its private folder.
    #[error("cannot make a folder for renode (StartOptions::temp_parent, TMPDIR): {0}")]
    Folder(#[source] io::Error),
    /// No TCP port is free.
    #[error("no free TCP port for renode: {0}")]
    Port(#[source] io::Error),
    /// The system does not start it.
    #[error("cannot start {renode}: {why}")]
    Spawn {
        /// Its path.
        renode: String,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The container engine does not start it.
    #[cfg(feature = "image")]
    #[error("cannot start a container of {image}: {why}")]
    Container {
        /// The image.
        image: String,
        /// What testcontainers said.
        #[source]
        why: Box<testcontainers::TestcontainersError>,
    },
    /// It ended before it answered.
    #[error("renode ended at its start ({exit}): {}", last_words(log))]
    Ended {
        /// How.
        exit: Exit,
        /// What it wrote.
        log: String,
    },
    /// It did not answer in time, and was killed.
    #[error(
        "renode was not ready after {patience:?} (StartOptions::patience), waiting for {what}: {}",
        last_words(log)
    )]
    Slow {
        /// How long it had.
        patience: Duration,
        /// What was waited for.
        what: &'static str,
        /// What it wrote.
        log: String,
    },
    /// It answered, but with an error.
    #[error("renode's robot server does not work: {0}")]
    Robot(#[from] RobotError),
    /// What it says of its version is not understood: perhaps it is another program.
    #[error("this is no renode: {0}")]
    Version(#[from] NoVersion),
}

impl Installation {
    /// Asks it for its version (`renode --version`), without starting an emulator.
    ///
    /// # Errors
    /// When it cannot be started, takes longer than 60 s, or does not tell.
    pub async fn version(&self) -> Result<Version, StartError> {
        let folder = Folder::make(None).map_err(StartError::Folder)?;
        let body = self.body(&folder, vec!["--version".into()]).await?;
        let slow = |_| StartError::Slow { patience: VERSION, what: "its version", log: body.log() };
        let exit = timeout(VERSION, body.ended()).await.map_err(slow)?;
        // What it says counts: wrappers have exit codes of their own.
        Version::parse(&body.log()).map_err(|error| match exit.is_success() {
            true => error.into(),
            false => StartError::Ended { exit, log: body.log() },
        })
    }

    /// Starts it and waits until its robot server answers.
    ///
    /// Its connections live in the tokio runtime that this is called in. It runs until [`Renode::end`] is called, or the
    /// [`Renode`] is dropped, or this process ends in whatever way. **Stock releases open their ports on every interface, and
    /// whoever reaches one can run code here: use a container or a network namespace where that matters.**
    ///
    /// # Errors
    /// Each reason has its own [`StartError`]; those of Renode itself bear what it wrote.
    pub async fn start(&self, options: &StartOptions) -> Result<Renode, StartError> {
        let deadline = Instant::now() + options.patience;
        let mut starts = 1..STARTS;
        loop {
            match self.start_once(options, deadline).await {
                Err(StartError::Ended { log, .. })
                    if options.monitor == MonitorPort::Free && ports::taken(&log) && starts.next().is_some() =>
                {
                    tracing::debug!(renode = %self.describe(), "a port was taken meanwhile: starting Renode again");
                }
                result => return result,
            }
        }
    }

    async fn start_once(&self, options: &StartOptions, deadline: Instant) -> Result<Renode, StartError> {
        let folder = Folder::make(options.temp_parent.as_deref()).map_err(StartError::Folder)?;
        let monitor = match options.monitor {
            MonitorPort::Free => ports::free().map_err(StartError::Port)?,
            MonitorPort::Fixed(port) => port,
        };
        let body = self.body(&folder, arguments(options, monitor, &folder)).await?;
        let (robot, version) = answered(&body, &folder, options.patience, deadline).await?;
        let described = self.describe();
        if !version.is_known() {
            let (oldest, newest) = (Version::OLDEST, Version::NEWEST);
            tracing::warn!(renode = %described, %version, "these bindings were made for Renode {oldest} to {newest}");
        }
        Ok(Renode { robot, version, monitor, described, grace: options.grace, names: AtomicU32::new(0), body, folder })
    }

    async fn body(&self, folder: &Folder, arguments: Vec<OsString>) -> Result<Body, StartError> {
        match &self.place {
            Place::Program(program) => {
                let mut command = Command::new(program);
                command.args(arguments);
                folder.settle(&mut command);
                let failed = |why| StartError::Spawn { renode: program.display().to_string(), why };
                Process::start(command).await.map(Body::Process).map_err(failed)
            }
            #[cfg(feature = "image")]
            Place::Image { name, tag } => {
                let command = ["renode".into()].into_iter().chain(arguments);
                let started = super::image::Container::start((name, tag), folder, command).await;
                let failed = |why| StartError::Container { image: self.describe(), why: Box::new(why) };
                started.map(|container| Body::Container(Box::new(container))).map_err(failed)
            }
        }
    }
}

/// The command line. With port 0 the robot server looks for a free one itself, and writes it to a file.
fn arguments(options: &StartOptions, monitor: u16, folder: &Folder) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["--disable-xwt", "--plain"].map(Into::into).into();
    if !options.show_log {
        arguments.push("--hide-log".into());
    }
    let monitor = monitor.to_string();
    arguments.extend(["-P", &monitor, "--robot-server-port", "0", "--pid-file"].map(Into::into));
    arguments.push(folder.pid_file().into());
    arguments.extend(options.arguments.iter().cloned());
    arguments
}

/// Waits until Renode has told its version.
async fn answered(
    body: &Body,
    folder: &Folder,
    patience: Duration,
    deadline: Instant,
) -> Result<(Robot, Version), StartError> {
    let ended = |exit| StartError::Ended { exit, log: body.log() };
    let answer = tokio::select! {
        biased;
        exit = body.ended() => return Err(ended(exit)),
        answer = timeout_at(deadline, answer(body.host(), folder)) => answer,
    };
    match answer {
        Ok(Err(StartError::Robot(error))) => match timeout(END, body.ended()).await {
            // The connection broke because it ended.
            Ok(exit) => Err(ended(exit)),
            Err(_) => Err(error.into()),
        },
        Ok(answer) => answer,
        Err(_) => {
            let what = match folder.robot_port() {
                None => "the file `robot_port` in its TMPDIR",
                Some(_) => "its robot server's answer",
            };
            Err(StartError::Slow { patience, what, log: body.log() })
        }
    }
}

async fn answer(host: IpAddr, folder: &Folder) -> Result<(Robot, Version), StartError> {
    let mut requests = 1..REQUESTS;
    loop {
        if let Some(port) = folder.robot_port()
            && let Ok(robot) = Robot::connect(SocketAddr::new(host, port)).await
        {
            match robot.version().await {
                Ok(said) => return Ok((robot, Version::parse(&said)?)),
                Err(error) if requests.next().is_none() => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "Renode's robot server is not ready"),
            }
        }
        sleep(PULSE).await;
    }
}
