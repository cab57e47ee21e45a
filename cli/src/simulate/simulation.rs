//! The broker that answers.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ibkr_oauth::{
    bytes::Bytes,
    http::{
        HeaderValue, Request, Response, StatusCode, Uri,
        header::{CONTENT_TYPE, HOST},
        uri::Parts,
    },
    simulator::{Broker, Dropped, Refusal},
};
use serde_json::json;

use super::{
    conformance::{Conformance, Finding, Order, Purpose, Seen},
    log::{Line, Log},
    upstream::Upstream,
};
use crate::credentials::with_context;

/// What the broker itself answers, whatever stands behind it: sign-in, session, consent.
const OWN_PATHS: [&str; 4] = ["/oauth/", "/tickle", "/logout", "/iserver/auth/"];

/// Refusals that say only that the broker has no answer of its own.
const NO_ANSWER_OF_ITS_OWN: [&str; 3] = ["resource_unknown", "method_not_allowed", "account_unknown"];

/// The broker that answers, and where it says what it did.
pub(super) struct Simulation {
    pub(super) broker: Mutex<Broker>,
    /// The base URL of what is signed, wherever the request was delivered.
    pub(super) base_url: Uri,
    /// Where this listens, as a `Host` header has it.
    pub(super) address: String,
    /// Where the user consents.
    pub(super) authorize_url: Uri,
    /// What answers in the broker's place once a request has passed.
    pub(super) upstream: Option<Upstream>,
    /// The cases that are played.
    pub(super) conformance: Option<Play>,
    pub(super) log: Log,
}

/// Cases that are played, and since when.
pub(super) struct Play {
    conformance: Mutex<Conformance>,
    start: Instant,
}

impl Play {
    /// Sets the first case up.
    pub(super) fn begin(broker: &mut Broker) -> Self {
        let (conformance, orders) = Conformance::new();
        for order in orders {
            order.obey(broker);
        }
        Self { conformance: Mutex::new(conformance), start: Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, Conformance> {
        self.conformance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what follows from a request, or from time that passed without one, done to the broker.
    fn go_on(&self, broker: &mut Broker, step: impl FnOnce(&mut Conformance, Duration) -> Vec<Order>) {
        let orders = step(&mut self.lock(), self.start.elapsed());
        for order in orders {
            order.obey(broker);
        }
    }
}

impl Simulation {
    /// A panic elsewhere is no reason to stop answering.
    fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the client is to see no answer.
    pub(super) fn answer(&self, mut request: Request<Bytes>) -> Option<Response<Bytes>> {
        let Some(uri) = self.signed_uri(request.uri()) else {
            self.turn_away(&subject(&request), StatusCode::BAD_REQUEST, "its target is no path");
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Some(response);
        };
        *request.uri_mut() = uri;
        // What led the request here may have put that there, and a client that was told of this address has to.
        if request.headers().get(HOST).is_some_and(|host| host.as_bytes() == self.address.as_bytes()) {
            request.headers_mut().remove(HOST);
        }
        let (mut response, mut refusal, passed) = {
            let mut broker = self.lock();
            let refused = broker.refused();
            let newest = |broker: &Broker| broker.accepted().next_back().map(|accepted| accepted.nonce().to_owned());
            let before = newest(&broker);
            let response = with_context(|cx| broker.handle(cx, &request));
            let refusal = broker.refusals().last().filter(|_| broker.refused() > refused).cloned();
            let passed = newest(&broker) != before;
            if let Some((play, path)) = self.conformance.as_ref().zip(self.relative(&request)) {
                let purpose = Purpose::of(request.method().as_str(), path.split('?').next().unwrap_or_default());
                play.go_on(&mut broker, |conformance, at| {
                    conformance.see(&Seen {
                        at,
                        purpose,
                        status: response.status().as_u16(),
                        refused: refusal.as_ref().map(Refusal::reason),
                        dropped: response.extensions().get::<Dropped>().is_some(),
                    })
                });
            }
            (response, refusal, passed)
        };
        let has_answer = refusal.as_ref().is_none_or(|refusal| NO_ANSWER_OF_ITS_OWN.contains(&refusal.reason()));
        if let Some((upstream, path)) = self.upstream.as_ref().zip(self.handed_on(&request)) {
            if passed && has_answer {
                refusal = None;
                let answer = match upstream.answer(&request, path) {
                    Ok(answer) => answer,
                    Err(why) => {
                        self.turn_away(&subject(&request), StatusCode::BAD_GATEWAY, &why);
                        return Some(bad_gateway(&why));
                    }
                };
                response = with_own_headers(answer, &response);
            }
        }
        self.log.write(&Line::new(&subject(&request), &response, refusal.as_ref()));
        response.extensions().get::<Dropped>().is_none().then_some(response)
    }

    /// Says that a request was not even looked at.
    pub(super) fn turn_away(&self, subject: &str, status: StatusCode, why: &str) {
        self.log.turned_away(subject, Some(status), why);
    }

    /// The URL at the broker that the target stands for: a path, or a URL as proxies are told it.
    fn signed_uri(&self, target: &Uri) -> Option<Uri> {
        let path = target.path_and_query().filter(|path| path.path().starts_with('/'))?.clone();
        let origin = if path.path() == self.authorize_url.path() { &self.authorize_url } else { &self.base_url };
        let mut parts = Parts::default();
        parts.scheme = origin.scheme().cloned();
        parts.authority = origin.authority().cloned();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    }

    /// What there is to report of the cases, and whether they are over.
    pub(super) fn report(&self) -> Option<(Vec<Finding>, bool)> {
        let play = self.conformance.as_ref()?;
        play.go_on(&mut self.lock(), Conformance::wait);
        let conformance = play.lock();
        Some((conformance.findings().to_vec(), conformance.is_over()))
    }

    /// What follows the base URL.
    fn relative<'a>(&self, request: &'a Request<Bytes>) -> Option<&'a str> {
        request.uri().path_and_query()?.as_str().strip_prefix(self.base_url.path())
    }

    /// What follows the base URL, where that is not the broker's own to answer.
    fn handed_on<'a>(&self, request: &'a Request<Bytes>) -> Option<&'a str> {
        let path = self.relative(request)?;
        (!OWN_PATHS.iter().any(|own| path.starts_with(own))).then_some(path)
    }
}

/// The answer from behind, with what the broker says of the request.
fn with_own_headers(mut answer: Response<Bytes>, own: &Response<Bytes>) -> Response<Bytes> {
    for (name, value) in own.headers() {
        if name.as_str().starts_with("x-simulator-") {
            answer.headers_mut().append(name, value.clone());
        }
    }
    *answer.extensions_mut() = own.extensions().clone();
    answer
}

fn bad_gateway(why: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(json!({ "error": why }).to_string()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What was asked, without the query.
pub(super) fn subject<T>(request: &Request<T>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}
