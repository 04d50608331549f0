//! A byte stream between the executor and a thread: bounded both ways, so that whoever is slower holds the other back.
//!
//! The thread's end never waits: it looks how much room there is, puts bytes in, takes bytes out, and is woken by the
//! function it gave when the executor's end has something for it.

use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The executor's end: what a session has for its link.
pub struct PipeStream(Arc<Shared>);

/// The thread's end.
#[derive(Clone)]
pub struct PipeEnd(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    capacity: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// From the thread.
    up: VecDeque<u8>,
    /// To the thread.
    down: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    ended: Option<Result<(), String>>,
    /// The executor's end was dropped.
    closed: bool,
}

/// A pipe that holds `capacity` bytes each way. `wake` is called when the thread should look: bytes to take, room to
/// fill, or nobody left to talk to.
pub fn pipe(capacity: usize, wake: impl Fn() + Send + Sync + 'static) -> (PipeStream, PipeEnd) {
    let shared = Arc::new(Shared { state: Mutex::default(), capacity, wake: Box::new(wake) });
    (PipeStream(shared.clone()), PipeEnd(shared))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PipeEnd {
    /// How many bytes [`PipeEnd::push`] would take now.
    pub fn room(&self) -> usize {
        let state = self.0.state();
        if state.closed { 0 } else { self.0.capacity.saturating_sub(state.up.len()) }
    }

    /// Hands bytes to the executor's end; as many as there is room for are taken, and their number is returned.
    pub fn push(&self, bytes: &[u8]) -> usize {
        let mut state = self.0.state();
        let taken = if state.closed { 0 } else { bytes.len().min(self.0.capacity.saturating_sub(state.up.len())) };
        state.up.extend(&bytes[..taken]);
        let waker = if taken > 0 { state.reader.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        taken
    }

    /// Copies what waits for the thread into `buffer`, as much as fits, and leaves it there: see [`PipeEnd::taken`].
    pub fn peek(&self, buffer: &mut [u8]) -> usize {
        let state = self.0.state();
        let count = buffer.len().min(state.down.len());
        for (to, from) in buffer.iter_mut().zip(&state.down) {
            *to = *from;
        }
        count
    }

    /// `count` of the bytes that were looked at have gone out.
    pub fn taken(&self, count: usize) {
        let mut state = self.0.state();
        let count = count.min(state.down.len());
        state.down.drain(..count);
        let waker = if count > 0 { state.writer.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The other side is gone: what was pushed can still be read, then the stream ends, with `error` if there is one.
    pub fn end(&self, error: Option<String>) {
        let mut state = self.0.state();
        if state.ended.is_none() {
            state.ended = Some(error.map_or(Ok(()), Err));
        }
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for PipeStream {
    fn drop(&mut self) {
        self.0.state().closed = true;
        (self.0.wake)();
    }
}

impl AsyncRead for PipeStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if state.up.is_empty() {
            return match &state.ended {
                Some(Ok(())) => Poll::Ready(Ok(())),
                Some(Err(error)) => Poll::Ready(Err(io::Error::other(error.clone()))),
                None => {
                    state.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let was_full = state.up.len() >= self.0.capacity;
        let (front, _) = state.up.as_slices();
        let count = front.len().min(buffer.remaining());
        buffer.put_slice(&front[..count]);
        state.up.drain(..count);
        drop(state);
        if was_full {
            (self.0.wake)();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.ended.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(self.0.capacity.saturating_sub(state.down.len()));
        if count == 0 && !bytes.is_empty() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        state.down.extend(&bytes[..count]);
        drop(state);
        (self.0.wake)();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for PipeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PipeStream")
    }
}

impl fmt::Debug for PipeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PipeEnd")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_was_pushed_before_the_end_is_read_and_then_the_stream_ends_as_told() {
        let (mut stream, end) = pipe(8, || ());
        assert_eq!((end.push(b"0123456789"), end.room()), (8, 0));
        end.end(Some("the probe has left".to_owned()));
        let mut read = Vec::new();
        assert_eq!(stream.read_to_end(&mut read).await.unwrap_err().to_string(), "the probe has left");
        assert_eq!(read, b"01234567");
        assert!(stream.write(b"x").await.is_err());
    }

    #[tokio::test]
    async fn a_writer_waits_for_room_and_nothing_is_lost() {
        let (stream, end) = pipe(4, || ());
        let (_read, mut write) = tokio::io::split(stream);
        let writer = tokio::spawn(async move {
            write.write_all(b"more than four bytes").await.unwrap();
        });
        let mut seen: Vec<u8> = Vec::new();
        while seen.len() < 20 {
            let mut buffer = [0; 3];
            let count = end.peek(&mut buffer);
            seen.extend(&buffer[..count]);
            end.taken(count);
            tokio::task::yield_now().await;
        }
        writer.await.unwrap();
        assert_eq!(seen, b"more than four bytes");
    }

    #[test]
    fn a_dropped_stream_is_told_and_takes_nothing_more() {
        let (stream, end) = pipe(4, || ());
        drop(stream);
        assert_eq!((end.room(), end.push(b"x")), (0, 0));
    }
}
