//! From a program's request to the response it gets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Request as Incoming, State},
    handler::Handler,
    response::Response,
};
use ibkr_oauth::{
    bytes::Bytes,
    http::{
        HeaderName, HeaderValue, Request, StatusCode,
        header::{
            CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, UPGRADE,
            WWW_AUTHENTICATE,
        },
        request::Parts,
    },
};

use super::{
    decision::{Decision, Forward, Local, decide},
    exchange::Patience,
    headers,
    log::{Entry, Log},
    page::{PAGE_POLICY, page},
    permission::Effect,
    refusal::Refusal,
    shared::Gateway,
    socket,
};
use crate::serving::{self, Answers, Limits, Unreadable};

pub(super) const LIMITS: Limits = Limits {
    connections: 512,
    head: Duration::from_secs(120),
    body: Duration::from_secs(30),
    longest_head: 64 << 10,
    longest_body: 4 << 20,
    half_close: false,
    // An order that was sent is waited for, also at the end.
    last_answers: ACTING.whole.saturating_add(Duration::from_secs(5)),
};

/// For what only reads: most programs give up after half a minute.
pub(super) const READING: Patience = Patience { session: Duration::from_secs(20), whole: Duration::from_secs(30) };
/// For what may trade: nothing is sent for somebody who may have given up, and the answer is waited for.
pub(super) const ACTING: Patience = Patience { session: Duration::from_secs(10), whole: Duration::from_secs(60) };

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html;charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");
const NOT_STORED: HeaderValue = HeaderValue::from_static("no-store");

/// What answers.
pub(super) struct Service {
    pub(super) gateway: Arc<Gateway>,
    pub(super) log: Log,
    /// What tells the requests of this run from those of another.
    pub(super) run: String,
    pub(super) count: AtomicU64,
}

impl Service {
    fn next_id(&self) -> String {
        format!("{}-{}", self.run, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

pub(super) fn answers(service: Arc<Service>) -> impl Answers {
    answer.with_state(service)
}

async fn answer(State(service): State<Arc<Service>>, request: Incoming) -> Response {
    let start = Instant::now();
    let (mut head, body) = request.into_parts();
    let mut response = match decide(&service.gateway.rules, &head) {
        Decision::Refuse(refusal) => closing(refused(&refusal)),
        decision => match serving::whole(&mut head, body).await {
            Ok(body) => {
                respond(&service.gateway, decision, &mut head, body).await.unwrap_or_else(|refusal| refused(&refusal))
            }
            Err(Unreadable { status, why }) => closing(refused(&Refusal::new(status, why))),
        },
    };
    let (id, status) = (service.next_id(), response.status());
    service.log.write(&Entry { id: &id, method: &head.method, path: head.uri.path(), status, start });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn respond(
    gateway: &Arc<Gateway>,
    decision: Decision,
    head: &mut Parts,
    body: Bytes,
) -> Result<Response, Refusal> {
    match decision {
        Decision::Forward(forward) => gateway.forward(forward, body).await,
        // The futures of what is rare are kept apart: all others would be as large.
        Decision::Socket => Box::pin(socket::open(gateway, head)).await,
        Decision::Local(Local::Page) => Ok(gateway.page()),
        Decision::Local(Local::Alive) => Ok(plain(StatusCode::OK, "ok")),
        Decision::Local(Local::Ready) => Ok(gateway.readiness()),
        Decision::Local(local) => {
            let (status, body) = Box::pin(gateway.local(local)).await?;
            Ok(with_type(status, JSON, body))
        }
        Decision::Refuse(refusal) => Err(refusal),
    }
}

impl Gateway {
    fn page(&self) -> Response {
        let standing = self.standing();
        let status = if standing.is_live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut response = with_type(status, HTML, page(&standing));
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn readiness(&self) -> Response {
        let standing = self.standing();
        if standing.is_live {
            return plain(StatusCode::OK, "ok");
        }
        plain(StatusCode::SERVICE_UNAVAILABLE, standing.word())
    }

    async fn forward(&self, forward: Forward, body: Bytes) -> Result<Response, Refusal> {
        let url = self.endpoints.url(&forward.path_and_query());
        let url = url.map_err(|error| Refusal::bad(format!("{error}; {}", error.remedy())))?;
        let Forward { method, path, mut headers, effect, .. } = forward;
        headers::complete(&mut headers, !body.is_empty());
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, url, headers);
        let patience = if effect == Effect::Acts { ACTING } else { READING };
        let answer = self.exchanges.send(request, &path, patience).await.map_err(|trouble| self.refusal(trouble))?;
        let (head, body) = answer.into_parts();
        let mut response = Response::new(Body::new(body));
        (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
        headers::to_program(response.headers_mut());
        Ok(response)
    }
}

/// What the gateway says no with.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let mut response = with_type(refusal.status, JSON, refusal.body());
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    match refusal.status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ibkr-oauth gateway\""));
        }
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        _ => {}
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    with_type(status, TEXT, text)
}

fn with_type(status: StatusCode, media_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers::protect(headers);
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, NOT_STORED);
    response
}

/// A response after which the connection ends, for its request was not read to the end.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
