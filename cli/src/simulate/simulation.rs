//! The broker that answers.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use ibkr_oauth::{
    Context,
    bytes::Bytes,
    http::{
        HeaderValue, Request, Response, StatusCode, Uri,
        header::{CONTENT_TYPE, HOST},
        uri::Parts,
    },
    simulator::{Broker, Dropped, Refusal, Socket, SocketOutput},
};
use serde_json::json;
use tokio::sync::watch;

use super::{
    conformance::{Conformance, Finding, Order, Purpose, Seen},
    log::Log,
    upstream::Upstream,
};
use crate::credentials::with_context;

/// What the broker itself answers, whatever stands behind it: sign-in, session, consent.
const OWN_PATHS: [&str; 4] = ["/oauth/", "/tickle", "/logout", "/iserver/auth/"];

/// Refusals that say only that the broker has no answer of its own.
const NO_ANSWER_OF_ITS_OWN: [&str; 3] = ["resource_unknown", "method_not_allowed", "account_unknown"];

/// The broker that answers, and where it says what it did.
pub(super) struct Simulation {
    pub(super) stage: Mutex<Stage>,
    /// The base URL of what is signed, wherever the request was delivered.
    pub(super) base_url: Uri,
    /// Where this listens, as a `Host` header has it.
    pub(super) address: String,
    /// Where the user consents.
    pub(super) authorize_url: Uri,
    /// What answers in the broker's place once a request has passed.
    pub(super) upstream: Option<Upstream>,
    pub(super) log: Log,
    /// Changes with everything that is done to the broker. Each WebSocket that is open listens to it, to its end.
    pub(super) happened: watch::Sender<u64>,
}

/// How many WebSockets may be open.
const SOCKETS: usize = 256;

/// How long WebSockets that are open when the program ends may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The broker, and the cases that are played with it.
pub(super) struct Stage {
    broker: Broker,
    play: Option<Play>,
}

/// Cases that are played, and since when.
struct Play {
    conformance: Conformance,
    start: Instant,
}

impl Stage {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker, play: None }
    }

    /// One whose first case is set up.
    pub(super) fn with_cases(mut broker: Broker) -> Self {
        let (conformance, orders) = Conformance::new();
        for order in orders {
            order.obey(&mut broker);
        }
        Self { broker, play: Some(Play { conformance, start: Instant::now() }) }
    }

    /// Has what follows from a request, or from time that passed without one, done to the broker.
    fn go_on(&mut self, step: impl FnOnce(&mut Conformance, Duration) -> Vec<Order>) {
        if let Some(Play { conformance, start }) = &mut self.play {
            let orders = step(conformance, start.elapsed());
            for order in orders {
                order.obey(&mut self.broker);
            }
        }
    }

    /// Has the broker do something, and returns what it refused of that.
    fn ask<T>(&mut self, work: impl FnOnce(&mut Broker, &mut Context<'_>) -> T) -> (T, Option<Refusal>) {
        let refused = self.broker.refused();
        let outcome = with_context(|cx| work(&mut self.broker, cx));
        let refusal = self.broker.refusals().last().filter(|_| self.broker.refused() > refused);
        (outcome, refusal.cloned())
    }
}

impl Simulation {
    /// A panic elsewhere is no reason to stop answering.
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request as it would have come to the broker; `None` where its target is no path.
    pub(super) fn at_broker(&self, mut request: Request<Bytes>) -> Option<Request<Bytes>> {
        *request.uri_mut() = self.signed_uri(request.uri())?;
        // What led the request here may have put that there, and a client that was told of this address has to.
        if request.headers().get(HOST).is_some_and(|host| host.as_bytes() == self.address.as_bytes()) {
            request.headers_mut().remove(HOST);
        }
        Some(request)
    }

    /// `None` where the client is to see no answer.
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let (mut response, mut refusal, passed) = {
            let mut stage = self.lock();
            let newest = |stage: &Stage| stage.broker.accepted().next_back().map(|accepted| accepted.nonce.clone());
            let before = newest(&stage);
            let (response, refusal) = stage.ask(|broker, cx| broker.handle(cx, request));
            let passed = newest(&stage) != before;
            if let Some(path) = self.relative(request) {
                let purpose = Purpose::of(request.method().as_str(), path.split('?').next().unwrap_or_default());
                stage.go_on(|conformance, at| {
                    conformance.see(&Seen {
                        at,
                        purpose,
                        status: response.status().as_u16(),
                        refused: refusal.as_ref().map(|refusal| refusal.reason),
                        dropped: response.extensions().get::<Dropped>().is_some(),
                    })
                });
            }
            (response, refusal, passed)
        };
        self.tell_sockets();
        let has_answer = refusal.as_ref().is_none_or(|refusal| NO_ANSWER_OF_ITS_OWN.contains(&refusal.reason));
        if let Some((upstream, path)) = self.upstream.as_ref().zip(self.handed_on(request)) {
            if passed && has_answer {
                refusal = None;
                let answer = match upstream.answer(request, path) {
                    Ok(answer) => answer,
                    Err(why) => {
                        self.turn_away(&subject(request), StatusCode::BAD_GATEWAY, &why);
                        return Some(bad_gateway(&why));
                    }
                };
                response = with_own_headers(answer, &response);
            }
        }
        self.log.answered(&subject(request), &response, refusal.as_ref());
        response.extensions().get::<Dropped>().is_none().then_some(response)
    }

    /// Whether this target is the WebSocket's.
    pub(super) fn is_socket(&self, target: &Uri) -> bool {
        target.path().strip_prefix(self.base_url.path().trim_end_matches('/')) == Some("/ws")
    }

    /// A place for one more WebSocket, where there is room, until it is dropped. It changes whenever something has been done
    /// to the broker.
    pub(super) fn socket_place(&self) -> Option<watch::Receiver<u64>> {
        let place = self.happened.subscribe();
        (self.happened.receiver_count() <= SOCKETS).then_some(place)
    }

    /// Opens a WebSocket, and says so or why not. A response with [`Dropped`] is one that the client is not to see.
    pub(super) fn open_socket(&self, request: &Request<()>) -> Result<Socket, Box<Response<Bytes>>> {
        let (opened, refusal) = self.lock().ask(|broker, cx| broker.open_socket(cx, request));
        let subject = subject(request);
        match &opened {
            Ok(socket) => self.log.socket_opened(&subject, socket.deviations(), refusal.as_ref()),
            Err(response) => self.log.answered(&subject, response, refusal.as_ref()),
        }
        opened
    }

    /// Hands the broker what a client said on a WebSocket; what it refuses of that is said.
    pub(super) fn receive(&self, socket: &mut Socket, message: &[u8]) {
        let ((), refusal) = self.lock().ask(|broker, cx| socket.receive(broker, cx.now(), message));
        if let Some(refusal) = refusal {
            self.log.message_refused(&refusal);
        }
    }

    pub(super) fn poll(&self, socket: &mut Socket) -> Option<SocketOutput> {
        socket.poll(&self.lock().broker, with_context(|cx| cx.now()))
    }

    /// How long it is until a WebSocket has something to send, unless something happens before.
    pub(super) fn until_next_output(&self, socket: &Socket) -> Duration {
        let next = socket.next_output_at(&self.lock().broker);
        let now = with_context(|cx| cx.now());
        next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    fn tell_sockets(&self) {
        self.happened.send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Closes every WebSocket, as a server does that goes away, and waits for their last words, which is not long.
    pub(super) fn close_sockets(&self) {
        const GOING_AWAY: u16 = 1001;
        self.lock().broker.close_sockets(Some(GOING_AWAY));
        self.tell_sockets();
        let start = Instant::now();
        while self.happened.receiver_count() > 0 && start.elapsed() < LAST_WORDS {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Says that a request was not even looked at.
    pub(super) fn turn_away(&self, subject: &str, status: StatusCode, why: &str) {
        self.log.turned_away(subject, Some(status), why);
    }

    /// The URL at the broker that a target means: a path, or a URL as in requests to proxies.
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
        let mut stage = self.lock();
        stage.go_on(Conformance::wait);
        let conformance = &stage.play.as_ref()?.conformance;
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
