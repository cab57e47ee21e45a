//! The same for threads: with `ureq`, `reqwest`'s blocking client, or a closure.
//!
//! ```
//! # #[cfg(feature = "simulator")] {
//! use ibkr_oauth::{client::blocking::Client, session::SessionConfig};
//! # use std::sync::{Arc, Mutex};
//! # use ibkr_oauth::{bytes::Bytes, http::Request, local::SystemContext, transport::Limits};
//! # use ibkr_oauth::simulator::{Broker, test_keys};
//! # let mut broker = Broker::default();
//! # let bundle = test_keys::bundle(&mut broker, &mut SystemContext::new().context())?;
//! # let broker = Arc::new(Mutex::new(broker));
//! # let transport = move |request: Request<Bytes>, _: Limits| {
//! #     Ok(broker.lock().unwrap().handle(&mut SystemContext::new().context(), &request))
//! # };
//! // `bundle` is from `CredentialBundle::from_file`; `transport` is a `ureq::Agent`, say.
//! let (ibkr, driver) = Client::start(transport, &bundle, SessionConfig::default())?;
//! std::thread::spawn(|| driver.run());
//! println!("{}", ibkr.get("/portfolio/accounts")?.text()?);
//! ibkr.shutdown()?;
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use super::credentials::session_of;
use super::{READY, SHUTDOWN, random, response::Response, shared::Shared};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::{
    bundle::CredentialBundle,
    session::{SessionConfig, Snapshot},
};
use crate::{
    call::{Call, CallPolicy, Step},
    context::OsEntropy,
    driver::{Driver, SessionHandle},
    error::Error,
    key::SigningInput,
    local,
    pacing::PacingConfig,
    session::{Failure, Session, SessionEvent, State},
    transport::{Limits, Transport, rewrite},
};

/// A client that blocks its thread. Cheap to clone; the clones share the session. Never use it from the functions that its
/// driver calls: it would wait for itself.
pub struct Client<T> {
    shared: Arc<Shared<T>>,
    policy: CallPolicy,
}

debug_fields!(self: Client<T> { handle: self.shared.handle, policy: self.policy });

impl<T: Transport + Send + Sync + 'static> Client<T> {
    /// A client that signs in with the keys and the access token of a bundle, and what drives its session, on a thread of
    /// its own.
    ///
    /// # Errors
    /// As [`Client::start`](super::Client::start).
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub fn start(
        transport: T,
        bundle: &CredentialBundle,
        config: SessionConfig,
    ) -> Result<(Self, ClientDriver<T>), Error> {
        let session = session_of(bundle, config, None, local::now())?;
        Ok(Self::with_session(transport, session))
    }

    /// As [`start`](Self::start), going on where another process left off: no handshake, and no brokerage session taken.
    ///
    /// # Errors
    /// As [`Client::resume`](super::Client::resume).
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub fn resume(
        transport: T,
        bundle: &CredentialBundle,
        config: SessionConfig,
        snapshot: Snapshot,
    ) -> Result<(Self, ClientDriver<T>), Error> {
        let session = session_of(bundle, config, Some(snapshot), local::now())?;
        Ok(Self::with_session(transport, session))
    }

    /// A client of a session that was made otherwise, for keys that are in no bundle.
    pub fn with_session(transport: T, session: Session) -> (Self, ClientDriver<T>) {
        let (shared, driver) = Shared::new(session, transport, |_| local::now());
        let client = Self { shared, policy: CallPolicy::default() };
        (client.clone(), ClientDriver { driver, client, on_event: Box::new(drop), key_store: None })
    }

    /// The same client with another policy for its calls.
    #[must_use]
    pub fn with_policy(&self, policy: CallPolicy) -> Self {
        Self { shared: Arc::clone(&self.shared), policy }
    }

    /// From now on the broker's limits on requests are kept, by this client and all its clones together, as by
    /// [`Client::pace`](super::Client::pace).
    pub fn pace(&self, config: PacingConfig) {
        self.shared.pacing.start(config);
    }

    /// The session: its state, its last error, what signs requests now, and a snapshot for a successor.
    #[must_use]
    pub fn handle(&self) -> &SessionHandle {
        &self.shared.handle
    }

    /// Waits until the session is live, brokerage session included where one is wanted; two minutes at most.
    ///
    /// # Errors
    /// What the session met last, with its remedy.
    pub fn ready(&self) -> Result<(), Error> {
        self.shared.handle.ready_blocking(READY).map(drop)
    }

    /// `GET path`, which starts with a slash and is appended to the base URL.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn get(&self, path: &str) -> Result<Response, Error> {
        self.send(self.shared.builder.bare(Method::GET, path)?)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::post_json`](super::Client::post_json).
    pub fn post_json(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<Response, Error> {
        self.send(self.shared.builder.json(path, body)?)
    }

    /// `POST path` with a form, whose pairs are signed too.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Response, Error> {
        self.send(self.shared.builder.form(path, pairs)?)
    }

    /// Any request. Its URI is a path that is appended to the base URL, or an absolute URL at the broker's host.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn request(&self, request: Request<impl Into<Bytes>>) -> Result<Response, Error> {
        self.send(self.shared.builder.complete(request)?)
    }

    /// Logs out (unless the configuration says otherwise) and waits until that is done, 15 seconds at most.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the session has not ended by then.
    pub fn shutdown(&self) -> Result<(), Error> {
        self.shared.handle.shutdown();
        self.shared.handle.wait_for_blocking(State::Closed, SHUTDOWN).map(drop)
    }

    /// Sends a request of the session's own, which goes before those of calls.
    fn send_first(&self, request: Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>, Failure> {
        let Shared { transport, handle, pacing, .. } = &*self.shared;
        let now = handle.now();
        let turn = pacing.reserve(now, request.uri());
        if turn > now {
            // There is no news while the driver is here.
            handle.news_blocking(&handle.view(), turn);
        }
        transport.send(request, limits)
    }

    fn send(&self, mut request: Request<Bytes>) -> Result<Response, Error> {
        let Shared { transport, handle, pacing, .. } = &*self.shared;
        rewrite(&mut request, |uri| transport.rewritten(uri))?;
        let uri = request.uri().clone();
        let (mut turns, mut now) = (pacing.turns(&uri), handle.now());
        let mut call = Call::new(request, self.policy, now);
        loop {
            let view = handle.view();
            match random::with(now, |cx| call.poll_paced(cx, &view, |now| turns.ask(now))) {
                Step::Wait(until) => {
                    handle.news_blocking(&view, until);
                    now = handle.now();
                }
                Step::Send { request, timeout } => {
                    let under_way = turns.sent();
                    let result = transport.send(request, Limits::default().within(timeout));
                    now = handle.now();
                    if let Some(under_way) = under_way {
                        under_way.ended(now, &result);
                    }
                    random::with(now, |cx| call.handle_result(cx, result));
                }
                // The call asks for the advice itself.
                Step::Report(report) => drop(handle.report(&report)),
                Step::Done(result) => return result.map(Response::new),
            }
        }
    }
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), policy: self.policy }
    }
}

type Sign = dyn FnMut(SigningInput, Duration) -> Result<Vec<u8>, Failure> + Send;

/// Drives the session of a [`Client`] on the thread that [runs](Self::run) it. Dropped, it leaves the session where it
/// stands, with no logout.
#[must_use = "the session goes nowhere unless this runs"]
pub struct ClientDriver<T> {
    driver: Driver<OsEntropy>,
    client: Client<T>,
    on_event: Box<dyn FnMut(SessionEvent) + Send>,
    key_store: Option<Box<Sign>>,
}

debug_fields!(ClientDriver<T> { driver });

impl<T: Transport + Send + Sync + 'static> ClientDriver<T> {
    /// Hands each event to this function, in order; an event's `Display` is a sentence for a log.
    pub fn on_event(self, on_event: impl FnMut(SessionEvent) + Send + 'static) -> Self {
        Self { on_event: Box::new(on_event), ..self }
    }

    /// Has this function sign what the consumer signs with RSA, where it has no signature key itself: an HSM, a KMS. It
    /// returns the raw signature, as long as the key's modulus, within the time that it is given.
    pub fn key_store(
        self,
        sign: impl FnMut(SigningInput, Duration) -> Result<Vec<u8>, Failure> + Send + 'static,
    ) -> Self {
        Self { key_store: Some(Box::new(sign)), ..self }
    }

    /// Drives the session until it ends.
    pub fn run(self) {
        let Self { driver, client, on_event, key_store } = self;
        let send = |request: Request<Bytes>, limits: Limits| client.send_first(request, limits);
        match key_store {
            Some(key_store) => driver.run_blocking_with_key_store(&send, key_store, on_event),
            None => driver.run_blocking(&send, on_event),
        }
    }
}
