//! What all WebSockets share: how the broker's are opened, and the end of all.

use std::time::Duration;

use tokio::{sync::watch, time};

use super::upstream::Upstream;
use crate::connector::Connector;

/// How long a program may take to take the last frame.
const ENDING: Duration = Duration::from_secs(5);

/// What opens the broker's WebSockets, and ends all.
pub(super) struct Sockets {
    connector: Connector,
    closing: watch::Sender<bool>,
}

impl Sockets {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, closing: watch::channel(false).0 }
    }

    /// A client of one socket's, so that it gets a connection that no request was on.
    pub(super) fn client(&self) -> Upstream {
        Upstream::new(self.connector.clone())
    }

    /// Becomes true when all have to end.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends each of them, and waits until all have said so to their programs.
    pub(super) async fn end(&self) {
        self.closing.send_replace(true);
        // Each holds its receiver to its end. One that takes longer is cut off.
        let _ = time::timeout(ENDING, self.closing.closed()).await;
    }
}
