//! Frames over any byte stream. Reading goes on while bulk data is being written: a UART with nobody reading its other
//! direction would hold both back for ever.

use crate::protocol::{Decoded, Decoder, Frame, Garbage};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a link must be.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// A stream of frames. All its state is in it, so that a wait may be dropped at any time and nothing is lost.
pub struct Link {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    outgoing: Vec<u8>,
    sent: usize,
    flushed: bool,
    /// The other side takes nothing any more; what it said before may still be there to be read.
    deaf: bool,
    buffer: Box<[u8]>,
}

/// The other side is gone.
#[derive(Debug)]
pub struct Ended(pub Option<io::Error>);

impl Link {
    /// A link over `stream`.
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            decoder: Decoder::new(),
            outgoing: Vec::new(),
            sent: 0,
            flushed: true,
            deaf: false,
            buffer: vec![0; 64 << 10].into_boxed_slice(),
        }
    }

    /// Puts bytes in line to be written; they go out while [`Link::receive`] waits.
    pub fn send(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        if self.sent == self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
        }
        put(&mut self.outgoing);
    }

    /// Bytes that wait to be written.
    pub fn waiting(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// The next that has come in, if one has.
    pub fn at_hand(&mut self) -> Option<Decoded> {
        self.decoder.next()
    }

    /// The next that comes in; meanwhile what waits goes out. Dropping this loses nothing.
    ///
    /// `None`: bytes came in and were no frame, or no whole one.
    ///
    /// # Errors
    /// [`Ended`], once everything that came before was handed out.
    pub async fn receive(&mut self) -> Result<Option<Decoded>, Ended> {
        if let Some(decoded) = self.decoder.next() {
            return Ok(Some(decoded));
        }
        poll_fn(|context| self.poll(context)).await?;
        Ok(self.decoder.next())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.poll_send(context);
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Ended(Some(error)))),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Err(Ended(None))),
            Poll::Ready(Ok(())) => {
                self.decoder.push(buffer.filled());
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Writes as much as is taken. A write that fails is no news of its own: the read side tells how it ended.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        while !self.deaf && self.sent < self.outgoing.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.outgoing[self.sent..]) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.deaf = true,
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    self.flushed = false;
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(_)) => self.deaf = true,
            }
        }
        if !self.deaf && !self.flushed {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(_)) => self.deaf = true,
            }
        }
    }

    /// The reply that began and did not end.
    pub fn partial(&self) -> Option<(u64, u64)> {
        self.decoder.partial()
    }

    /// What was passed over.
    pub fn garbage(&self) -> &Garbage {
        self.decoder.garbage()
    }

    /// Forgets what was passed over so far.
    pub fn forgive(&mut self) -> Garbage {
        self.decoder.forgive()
    }
}

/// A frame that a decoder handed out, or why it is none the farm can read.
pub fn sound(decoded: Decoded) -> Result<Frame, String> {
    match decoded {
        Decoded::Frame(frame) => Ok(frame),
        Decoded::OtherVersion(version) => Err(format!(
            "the runner speaks version {version} of the protocol, the farm version {}: build both from one checkout",
            crate::protocol::frame::VERSION
        )),
        Decoded::TooLong(length) => Err(format!(
            "the runner announced a reply of {length} bytes; the farm accepts {}",
            crate::protocol::frame::MAX_PAYLOAD
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::Kind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn reading_goes_on_while_bulk_data_waits_to_be_written() {
        // A pipe of 16 bytes each way: the other side answers each byte before it takes the next, like a UART.
        let (near, mut far) = tokio::io::duplex(16);
        let mut link = Link::new(near);
        let bulk = Frame::new(Kind::LoadRequest, 1, vec![7; 10_000]);
        link.send(|out| out.extend(bulk.encode()));
        let size = link.waiting();
        let answer = Frame::new(Kind::Log, 0, b"more than sixteen bytes of text".to_vec());
        let other = tokio::spawn(async move {
            let mut taken = 0;
            while taken < size {
                far.write_all(&answer.encode()).await.unwrap();
                let mut some = [0; 40];
                let left = (size - taken).min(40);
                taken += far.read_exact(&mut some[..left]).await.unwrap();
            }
        });
        let mut logs = 0;
        loop {
            match link.receive().await {
                Ok(Some(Decoded::Frame(frame))) => logs += usize::from(frame.kind == Kind::Log as u8),
                Ok(_) => {}
                Err(Ended(error)) => {
                    assert!(error.is_none());
                    break;
                }
            }
        }
        other.await.unwrap();
        assert_eq!((logs, link.waiting()), (size.div_ceil(40), 0));
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_nothing() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut link = Link::new(near);
        let frame = Frame::new(Kind::Log, 0, b"text".to_vec());
        let bytes = frame.encode();
        far.write_all(&bytes[..9]).await.unwrap();
        assert_eq!(link.receive().await.unwrap(), None);
        {
            let wait = link.receive();
            tokio::pin!(wait);
            assert!(poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_pending())).await);
        }
        assert_eq!(link.partial(), Some((9, 12)));
        far.write_all(&bytes[9..]).await.unwrap();
        assert_eq!(link.receive().await.unwrap(), Some(Decoded::Frame(frame)));
    }

    #[tokio::test]
    async fn what_was_said_before_the_other_side_hung_up_is_still_read() {
        let (near, mut far) = tokio::io::duplex(1024);
        let frame = Frame::new(Kind::Exited, 0, vec![9, 0, 0, 0, 0, 0, 0, 0]);
        far.write_all(&frame.encode()).await.unwrap();
        drop(far);
        let mut link = Link::new(near);
        link.send(|out| out.extend([0; 100]));
        assert_eq!(link.receive().await.unwrap(), Some(Decoded::Frame(frame)));
        assert!(link.receive().await.is_err());
    }
}
