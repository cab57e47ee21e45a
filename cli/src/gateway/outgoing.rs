//! What waits to be taken by one side of a WebSocket: bounded, and nothing of it is left out.

use std::{io, time::Duration};

use ibkr_oauth::bytes::BytesMut;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{self, Instant},
};

/// How much may wait before the other side has to: frames of some minutes. A frame that is longer alone waits too.
pub(super) const MOST_WAITING: usize = 1 << 20;
/// How long a side may take to take what is sent to it.
pub(super) const TAKING: Duration = Duration::from_secs(30);

/// What waits to be taken.
pub(super) struct Outgoing<W> {
    to: W,
    waiting: BytesMut,
    is_flushed: bool,
    /// Since when it is full.
    full_since: Option<Instant>,
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, waiting: BytesMut::new(), is_flushed: true, full_since: None }
    }

    /// Whole frames.
    pub(super) fn push(&mut self, frames: &[u8]) {
        self.waiting.extend_from_slice(frames);
        if self.waiting.len() >= MOST_WAITING {
            self.full_since.get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn has_more(&self) -> bool {
        !self.waiting.is_empty() || !self.is_flushed
    }

    /// Whether nothing may be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.full_since.is_some()
    }

    /// Returns when it was full for too long.
    pub(super) fn stuck(&self) -> impl Future<Output = ()> + use<W> {
        time::sleep_until(self.full_since.unwrap_or_else(Instant::now) + TAKING)
    }

    /// Sends some of it, or has the last of it sent. A future that is dropped has sent nothing.
    pub(super) async fn send(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            self.to.flush().await?;
            self.is_flushed = true;
            return Ok(());
        }
        self.is_flushed = false;
        if self.to.write_buf(&mut self.waiting).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if self.waiting.len() < MOST_WAITING {
            self.full_since = None;
        }
        Ok(())
    }

    /// Sends all of it, and that no more comes.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        while self.has_more() {
            self.send().await?;
        }
        self.to.shutdown().await
    }
}
