//! What the clones of a client share, whether it blocks or not.

use std::sync::Arc;

use super::{build::Builder, pacing::Pacing};
use crate::{
    context::{OsEntropy, Timestamp},
    driver::{Driver, SessionHandle},
    session::Session,
};

pub(super) struct Shared<T> {
    pub(super) transport: Arc<T>,
    pub(super) handle: SessionHandle,
    pub(super) builder: Builder,
    pub(super) pacing: Arc<Pacing>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    pub(super) fn new(session: Session, transport: T, now: fn(&T) -> Timestamp) -> (Arc<Self>, Driver<OsEntropy>) {
        let (builder, pacing) = (Builder::new(session.consumer()), Arc::new(Pacing::new(session.consumer())));
        let transport = Arc::new(transport);
        let clock = Arc::clone(&transport);
        let driver = Driver::with_clock(session, OsEntropy, move || now(&clock));
        (Arc::new(Self { transport, handle: driver.handle(), builder, pacing }), driver)
    }
}
