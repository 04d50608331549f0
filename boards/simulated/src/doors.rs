//! Letting in who comes to a board's sockets.

use crate::stream::Stream;
use std::{future::pending, io, os::unix::net::UnixListener as StdListener, time::Duration};
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    time::sleep,
};

/// How long nobody is let in after the system had no file descriptor for one who came.
const BREATH: Duration = Duration::from_millis(100);

/// The listener for a task.
///
/// # Errors
/// When there are no file descriptors left.
pub fn listen(listener: &StdListener) -> io::Result<UnixListener> {
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Who comes next; where there is no listener, nobody ever.
pub async fn accept(listener: Option<&UnixListener>) -> UnixStream {
    let Some(listener) = listener else { return pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(BREATH).await,
        }
    }
}

/// The connection for a thread that may block.
///
/// # Errors
/// When the system refuses.
pub fn blocking(stream: UnixStream) -> io::Result<Stream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(Stream::Unix(stream))
}

/// The same over TCP, for a thread that may block.
pub async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<Stream> {
    let Some(listener) = listener else { return pending().await };
    let (stream, _) = loop {
        match listener.accept().await {
            Ok(accepted) => break accepted,
            Err(_) => sleep(BREATH).await,
        }
    };
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream))
}
