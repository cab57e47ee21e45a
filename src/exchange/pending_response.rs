//! The only thing that may read the response to a request.

use bytes::Bytes;
use http::Response;

use crate::{
    error::{Error, Stage},
    trace,
};

/// What is left of an [`Exchange`](crate::Exchange) when its request was taken out to be sent.
#[must_use = "the response is of use only when it is given to `complete`"]
pub struct PendingResponse<T> {
    stage: Stage,
    read: Box<ReadResponse<T>>,
}

debug_fields!(PendingResponse<T> { stage });

pub(super) type ReadResponse<T> = dyn FnOnce(Response<Bytes>) -> Result<T, Error> + Send + Sync;

impl<T> PendingResponse<T> {
    pub(super) fn new(stage: Stage, read: Box<ReadResponse<T>>) -> Self {
        Self { stage, read }
    }

    /// The same with what is read as something else.
    pub(super) fn map<U: 'static>(self, into: fn(T) -> U) -> PendingResponse<U>
    where
        T: 'static,
    {
        let read = self.read;
        PendingResponse::new(self.stage, Box::new(move |response| read(response).map(into)))
    }

    /// Reads the response.
    ///
    /// # Errors
    /// As [`Exchange::complete`](crate::Exchange::complete).
    pub fn complete(self, response: Response<Bytes>) -> Result<T, Error> {
        let status = response.status();
        let _under_way = trace::reading(self.stage, status);
        let result = (self.read)(response).map_err(|error| error.with_status(status));
        trace::completed(&result);
        result
    }

    /// The step of the protocol that the response belongs to.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }
}
