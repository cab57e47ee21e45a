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

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use super::credentials::session_of;
use super::{
    READY, SHUTDOWN,
    build::Builder,
    pacing::{First, Pacing},
    response::Response,
};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::{
    bundle::CredentialBundle,
    session::{SessionConfig, Snapshot},
};
use crate::{
    call::{Call, CallPolicy, Step},
    context::{Context, OsEntropy},
    driver::{Driver, SessionHandle},
    error::Error,
    key::SigningInput,
    pacing::PacingConfig,
    session::{Failure, Session, SessionEvent, State},
    transport::{Limits, Transport, rewrite},
};

/// A client that blocks its thread. Cheap to clone; the clones share the session. Never use it from the functions that its
/// driver calls: it would wait for itself.
#[derive(Clone)]
pub struct Client<T> {
    transport: T,
    handle: SessionHandle,
    builder: Builder,
    pacing: Pacing,
    policy: CallPolicy,
}

impl<T: Transport + Clone + Send + 'static> Client<T> {
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
        let session = session_of(bundle, config, None, transport.now())?;
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
        let session = session_of(bundle, config, Some(snapshot), transport.now())?;
        Ok(Self::with_session(transport, session))
    }

    /// A client of a session that was made otherwise, for keys that are in no bundle.
    pub fn with_session(transport: T, session: Session) -> (Self, ClientDriver<T>) {
        let (builder, pacing) = (Builder::new(session.consumer()), Pacing::new(session.consumer()));
        let clock = transport.clone();
        let driver = Driver::with_clock(session, OsEntropy, move || clock.now());
        let (handle, policy) = (driver.handle(), CallPolicy::default());
        let client = Self { transport: transport.clone(), handle, builder, pacing: pacing.clone(), policy };
        let transport = First { transport, pacing, handle: driver.handle() };
        (client, ClientDriver { driver, transport, on_event: Box::new(drop), key_store: None })
    }

    /// The same client with another policy for its calls.
    #[must_use]
    pub fn with_policy(&self, policy: CallPolicy) -> Self {
        Self { policy, ..self.clone() }
    }

    /// From now on the broker's limits on requests are kept, by this client and all its clones together, as by
    /// [`Client::pace`](super::Client::pace).
    pub fn pace(&self, config: PacingConfig) {
        self.pacing.start(config);
    }

    /// The session: its state, its last error, what signs requests now, and a snapshot for a successor.
    #[must_use]
    pub fn handle(&self) -> &SessionHandle {
        &self.handle
    }

    /// Waits until the session is live, brokerage session included where one is wanted; two minutes at most.
    ///
    /// # Errors
    /// What the session met last, with its remedy.
    pub fn ready(&self) -> Result<(), Error> {
        self.handle.ready_blocking(READY).map(drop)
    }

    /// `GET path`, which starts with a slash and is appended to the base URL.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn get(&self, path: &str) -> Result<Response, Error> {
        self.send(self.builder.bare(Method::GET, path)?)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::post_json`](super::Client::post_json).
    pub fn post_json(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<Response, Error> {
        self.send(self.builder.json(path, body)?)
    }

    /// `POST path` with a form, whose pairs are signed too.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Response, Error> {
        self.send(self.builder.form(path, pairs)?)
    }

    /// Any request. Its URI is a path that is appended to the base URL, or an absolute URL at the broker's host.
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub fn request(&self, request: Request<impl Into<Bytes>>) -> Result<Response, Error> {
        self.send(self.builder.complete(request)?)
    }

    /// Logs out (unless the configuration says otherwise) and waits until that is done, 15 seconds at most.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the session has not ended by then.
    pub fn shutdown(&self) -> Result<(), Error> {
        self.handle.shutdown();
        self.handle.wait_for_blocking(State::Closed, SHUTDOWN).map(drop)
    }

    fn send(&self, mut request: Request<Bytes>) -> Result<Response, Error> {
        rewrite(&mut request, |uri| self.transport.rewritten(uri))?;
        let mut turns = self.pacing.turns(request.uri());
        let mut call = Call::new(request, self.policy, self.handle.now());
        loop {
            let view = self.handle.view();
            let mut entropy = OsEntropy;
            match call.poll_paced(&mut Context::new(self.handle.now(), &mut entropy), &view, |now| turns.ask(now)) {
                Step::Wait(until) => self.handle.news_blocking(&view, until),
                Step::Send { request, timeout } => {
                    let under_way = turns.sent();
                    let result = self.transport.send(request, Limits::default().within(timeout));
                    under_way.ended(self.handle.now(), &result);
                    call.handle_result(&mut Context::new(self.handle.now(), &mut entropy), result);
                }
                // The call asks for the advice itself.
                Step::Report(report) => drop(self.handle.report(&report)),
                Step::Done(result) => return result.map(Response::new),
            }
        }
    }
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("handle", &self.handle).field("policy", &self.policy).finish_non_exhaustive()
    }
}

type Sign = dyn FnMut(SigningInput, Duration) -> Result<Vec<u8>, Failure> + Send;

/// Drives the session of a [`Client`] on the thread that [runs](Self::run) it. Dropped, it leaves the session where it
/// stands, with no logout.
#[must_use = "the session goes nowhere unless this runs"]
pub struct ClientDriver<T> {
    driver: Driver<OsEntropy>,
    transport: First<T>,
    on_event: Box<dyn FnMut(SessionEvent) + Send>,
    key_store: Option<Box<Sign>>,
}

impl<T: Transport> ClientDriver<T> {
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
        let Self { driver, transport, on_event, key_store } = self;
        match key_store {
            Some(key_store) => driver.run_blocking_with_key_store(&transport, key_store, on_event),
            None => driver.run_blocking(&transport, on_event),
        }
    }
}

impl<T> fmt::Debug for ClientDriver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientDriver").field("driver", &self.driver).finish_non_exhaustive()
    }
}
