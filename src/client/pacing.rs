//! The broker's limits on requests, kept for all clones of a client, and for its session.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};

use crate::{
    consumer::Consumer,
    context::Timestamp,
    pacing::{Admission, JITTER, Pacer, PacingConfig},
    response::retry_after,
    session::Failure,
};

/// The count that they share; none until it is asked for.
pub(super) struct Pacing {
    pacer: Mutex<Option<Pacer>>,
    /// The path of the base URL, which limits leave out.
    base: Box<str>,
}

/// The turns of one call: its first request waits for one, and what is sent again goes first.
pub(super) struct Turns<'a> {
    pacing: &'a Pacing,
    uri: &'a Uri,
    is_repeat: bool,
    reserved: Option<Timestamp>,
    /// Counted, and not sent yet.
    counted: Option<UnderWay<'a>>,
}

/// Counts a request as under way for as long as it lives.
pub(super) struct UnderWay<'a> {
    pacing: &'a Pacing,
    uri: &'a Uri,
}

impl Pacing {
    pub(super) fn new(consumer: &Consumer) -> Self {
        let base: Uri = consumer.endpoints().base_url().parse().unwrap_or_default();
        Self { pacer: Mutex::default(), base: base.path().trim_end_matches('/').into() }
    }

    pub(super) fn start(&self, config: PacingConfig) {
        *self.lock() = Some(Pacer::new(config));
    }

    pub(super) fn turns<'a>(&'a self, uri: &'a Uri) -> Turns<'a> {
        Turns { pacing: self, uri, is_repeat: false, reserved: None, counted: None }
    }

    /// When a request may be sent that goes first.
    pub(super) fn reserve(&self, now: Timestamp, uri: &Uri) -> Timestamp {
        self.with(|pacer| pacer.reserve(now, self.path(uri))).unwrap_or(now)
    }

    pub(super) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.with(|pacer| pacer.closed_until(now)).flatten()
    }

    fn path<'u>(&self, uri: &'u Uri) -> &'u str {
        uri.path().strip_prefix(&*self.base).unwrap_or(uri.path())
    }

    /// What the count says, where there is one.
    fn with<T>(&self, work: impl FnOnce(&mut Pacer) -> T) -> Option<T> {
        self.lock().as_mut().map(work)
    }

    /// A panic elsewhere leaves the counts usable.
    fn lock(&self) -> MutexGuard<'_, Option<Pacer>> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Turns<'a> {
    /// Whether the request may be sent now.
    pub(super) fn ask(&mut self, now: Timestamp) -> Admission {
        let Self { pacing, uri, .. } = *self;
        let admission = if self.is_repeat {
            // A turn that was missed, because the session could not serve it, is counted for nothing.
            let kept = self.reserved.filter(|turn| now.saturating_duration_since(*turn) <= JITTER);
            let turn = kept.unwrap_or_else(|| pacing.reserve(now, uri));
            self.reserved = Some(turn);
            if turn <= now { Admission::Now } else { Admission::NotBefore(turn) }
        } else {
            pacing.with(|pacer| pacer.admit(now, pacing.path(uri))).unwrap_or(Admission::Now)
        };
        if admission == Admission::Now {
            self.counted = Some(UnderWay { pacing, uri });
        }
        admission
    }

    /// It is sent now.
    pub(super) fn sent(&mut self) -> Option<UnderWay<'a>> {
        (self.is_repeat, self.reserved) = (true, None);
        self.counted.take()
    }
}

impl UnderWay<'_> {
    /// What came of it, which may teach something.
    pub(super) fn ended(self, now: Timestamp, result: &Result<Response<Bytes>, Failure>) {
        let Ok(response) = result else { return };
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let Self { pacing, uri } = &self;
            pacing.with(|pacer| pacer.too_many(now, pacing.path(uri), retry_after(response.headers(), now)));
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Self { pacing, uri } = self;
        pacing.with(|pacer| pacer.finish(pacing.path(uri)));
    }
}
