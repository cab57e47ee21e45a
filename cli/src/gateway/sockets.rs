//! What all WebSockets share: how the broker's are opened, and the end of all.

use tokio::sync::watch;

use super::connector::Connector;

/// What opens the broker's WebSockets, and ends all.
pub(super) struct Sockets {
    connector: Connector,
    closing: watch::Sender<bool>,
}

impl Sockets {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, closing: watch::channel(false).0 }
    }

    pub(super) fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Becomes true when all have to end.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends each of them.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }
}
