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
    path: Box<str>,
    is_repeat: bool,
    reserved: Option<Timestamp>,
}

/// Counts a request as under way for as long as it lives.
pub(super) struct UnderWay<'a> {
    pacing: &'a Pacing,
    path: Box<str>,
}

impl Pacing {
    pub(super) fn new(consumer: &Consumer) -> Self {
        let base: Uri = consumer.endpoints().base_url().parse().unwrap_or_default();
        Self { pacer: Mutex::default(), base: base.path().trim_end_matches('/').into() }
    }

    pub(super) fn start(&self, config: PacingConfig) {
        *self.lock() = Some(Pacer::new(config));
    }

    pub(super) fn turns(&self, uri: &Uri) -> Turns<'_> {
        Turns { pacing: self, path: self.path(uri).into(), is_repeat: false, reserved: None }
    }

    /// When a request may be sent that goes first.
    pub(super) fn reserve(&self, now: Timestamp, uri: &Uri) -> Timestamp {
        self.reserve_path(now, self.path(uri))
    }

    fn reserve_path(&self, now: Timestamp, path: &str) -> Timestamp {
        self.lock().as_mut().map_or(now, |pacer| pacer.reserve(now, path))
    }

    fn path<'u>(&self, uri: &'u Uri) -> &'u str {
        uri.path().strip_prefix(&*self.base).unwrap_or(uri.path())
    }

    /// A panic elsewhere leaves the counts usable.
    fn lock(&self) -> MutexGuard<'_, Option<Pacer>> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Turns<'a> {
    /// Whether the request may be sent now.
    pub(super) fn ask(&mut self, now: Timestamp) -> Admission {
        if !self.is_repeat {
            return self.pacing.lock().as_mut().map_or(Admission::Now, |pacer| pacer.admit(now, &self.path));
        }
        // A turn that was missed, because the session could not serve it, is counted for nothing.
        let kept = self.reserved.filter(|turn| now.saturating_duration_since(*turn) <= JITTER);
        let turn = kept.unwrap_or_else(|| self.pacing.reserve_path(now, &self.path));
        self.reserved = Some(turn);
        if turn <= now { Admission::Now } else { Admission::NotBefore(turn) }
    }

    /// It is sent now.
    pub(super) fn sent(&mut self) -> UnderWay<'a> {
        (self.is_repeat, self.reserved) = (true, None);
        UnderWay { pacing: self.pacing, path: self.path.clone() }
    }
}

impl UnderWay<'_> {
    /// What came of it, which may teach something.
    pub(super) fn ended(self, now: Timestamp, result: &Result<Response<Bytes>, Failure>) {
        let Ok(response) = result else { return };
        if let (StatusCode::TOO_MANY_REQUESTS, Some(pacer)) = (response.status(), self.pacing.lock().as_mut()) {
            pacer.too_many(now, &self.path, retry_after(response.headers(), now));
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(pacer) = self.pacing.lock().as_mut() {
            pacer.finish(&self.path);
        }
    }
}
