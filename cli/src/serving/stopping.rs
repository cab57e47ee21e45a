//! Stopping on request.

use std::future::pending;

use tokio::sync::watch;

/// Returns when the server is told to stop; never where nobody can tell it any more.
pub(super) async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stops| *stops).await.is_err() {
        pending::<()>().await;
    }
}
