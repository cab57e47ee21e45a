//! What all WebSockets share: how the broker's are opened, and the end of all.

use std::time::Duration;

use tokio::{sync::watch, time};

use crate::{
    connector::Connector,
    http_client::{self, HttpTransport},
};

/// How many there may be: each is a connection to the broker too.
pub(super) const MOST: usize = 64;

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
    pub(super) fn client(&self) -> HttpTransport {
        http_client::transport(self.connector.clone())
    }

    /// A place for one more, where there is room, until it is dropped. It becomes true when all have to end.
    pub(super) fn enter(&self) -> Option<watch::Receiver<bool>> {
        let place = self.closing.subscribe();
        (self.count() <= MOST).then_some(place)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.closing.receiver_count()
    }

    /// Ends each of them, and waits until all have said so to their programs.
    pub(super) async fn end(&self) {
        self.closing.send_replace(true);
        // Each holds its place to its end. One that takes longer is cut off.
        let _ = time::timeout(ENDING, self.closing.closed()).await;
    }
}
