//! A client for the common case: sign in, keep the session alive, send requests.
//!
//! [`Client::start`] takes a bundle and an HTTP client, and returns the client and what drives its session, which wants to
//! be spawned. [`blocking`] has the same for threads.
//!
//! ```
//! # #[cfg(feature = "simulator")] {
//! use ibkr_oauth::{client::Client, session::SessionConfig};
//! # use ibkr_oauth::{Context, OsEntropy, simulator::{Broker, InProcess, test_keys}};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let network = InProcess::new(Broker::default(), ibkr_oauth::Timestamp::from_secs(1_700_000_000));
//! # let bundle = network.broker(test_keys::bundle)?;
//! # let transport = network;
//! // `bundle` is from `CredentialBundle::from_file`; `transport` is a `reqwest::Client`, say.
//! let (ibkr, driver) = Client::start(transport, &bundle, SessionConfig::default())?;
//! tokio::spawn(driver);
//! ibkr.ready().await?;
//! let accounts = ibkr.get("/portfolio/accounts").await?.error_for_status()?;
//! println!("{}", accounts.text()?);
//! ibkr.shutdown().await?;
//! # Ok::<(), ibkr_oauth::Error>(()) })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a call does
//!
//! It waits for the session: under `/iserver` until the brokerage session is open, elsewhere until something signs. It
//! signs, sends, and reports to the session what came of it; where that is safe and useful, it sends again, freshly signed. See
//! [`call`](crate::call), of which a client is a loop. It returns the broker's response whatever its status, at most after
//! the deadline of its [`CallPolicy`]; [`error_for_status`](Response::error_for_status) makes an [`Error`] of a refusal.
//!
//! With [`Client::pace`] it also waits for its turn, so that the broker's limits on requests are kept.
//!
//! **Where an order came to an error, ask [`Error::may_have_been_sent`]**: if it is true, look for the order before you send
//! it again.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use self::credentials::session_of;
use self::shared::Shared;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::{
    bundle::CredentialBundle,
    session::{SessionConfig, Snapshot},
};
use crate::{
    call::{Call, CallPolicy, Step},
    context::Timestamp,
    driver::SessionHandle,
    error::Error,
    pacing::PacingConfig,
    session::{Session, SessionView, State},
    transport::{AsyncTransport, Limits, rewrite},
};

pub mod blocking;
mod build;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod credentials;
mod driving;
mod pacing;
mod random;
mod response;
mod shared;
#[cfg(feature = "tungstenite")]
mod streaming;

#[cfg(feature = "tungstenite")]
pub use self::streaming::{Events, StreamHandle, Subscription};
pub use self::{driving::ClientDriver, response::Response};

/// How long [`Client::ready`] waits: longer than a handshake and the slowest opening take together.
const READY: Duration = Duration::from_secs(120);
/// How long [`Client::shutdown`] waits: longer than the session takes to log out.
const SHUTDOWN: Duration = Duration::from_secs(15);

/// A client that does not block. Cheap to clone; the clones share the session. See the [module](self).
pub struct Client<T> {
    shared: Arc<Shared<T>>,
    policy: CallPolicy,
}

debug_fields!(self: Client<T> { handle: self.shared.handle, policy: self.policy });

impl<T: AsyncTransport + 'static> Client<T> {
    /// A client that signs in with the keys and the access token of a bundle, and what drives its session: a future, to be
    /// spawned.
    ///
    /// # Errors
    /// As [`CredentialBundle::consumer`], [`CredentialBundle::access_token`] and [`Consumer::unlock`](crate::Consumer::unlock);
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the bundle has no access token.
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
    /// As [`start`](Self::start) and [`Session::resume`].
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
        let (shared, driver) = Shared::new(session, transport, T::now);
        let driver = ClientDriver::new(driver, Arc::clone(&shared));
        (Self { shared, policy: CallPolicy::default() }, driver)
    }

    /// The same client with another policy for its calls.
    #[must_use]
    pub fn with_policy(&self, policy: CallPolicy) -> Self {
        Self { shared: Arc::clone(&self.shared), policy }
    }

    /// A client of the same session, paced with it, whose calls go by another transport than the session's own requests.
    pub fn with_transport<U: AsyncTransport + 'static>(&self, transport: U) -> Client<U> {
        let Shared { handle, builder, pacing, .. } = &*self.shared;
        let (handle, builder, pacing) = (handle.clone(), builder.clone(), Arc::clone(pacing));
        let shared = Shared { transport: Arc::new(transport), handle, builder, pacing };
        Client { shared: Arc::new(shared), policy: self.policy }
    }

    /// From now on this client and all its clones together keep the broker's [limits](crate::pacing) on requests. A call waits
    /// for its turn within its deadline; where that would be too late it fails at once, with nothing sent, by an [`Error`] whose
    /// cause is [`RateLimited`](crate::diagnose::Cause::RateLimited) and which says when to try again. A 429 teaches it more.
    ///
    /// The session's own requests are counted too, and go first: ask before its driver runs. What other programs of the same
    /// user send is not known. Asked for again, it counts anew.
    pub fn pace(&self, config: PacingConfig) {
        self.shared.pacing.start(config);
    }

    /// Until when a 429 with a date keeps a client that is [paced](Self::pace) from sending anything.
    #[must_use]
    pub fn paced_until(&self) -> Option<Timestamp> {
        self.shared.pacing.closed_until(self.shared.handle.now())
    }

    /// The session: its state, its events' last error, what signs requests now, and a [`Snapshot`] for a successor.
    #[must_use]
    pub fn handle(&self) -> &SessionHandle {
        &self.shared.handle
    }

    /// Waits until the session is live, brokerage session included where one is wanted; two minutes at most.
    ///
    /// # Errors
    /// What the session met last, with its remedy.
    pub async fn ready(&self) -> Result<(), Error> {
        let live = |view: &SessionView| match view.state() {
            State::Closed => Some(Err(view.end_error())),
            _ => view.is_live().then_some(Ok(())),
        };
        self.wait(READY, live).await
    }

    /// `GET path`, which starts with a slash and is appended to the base URL.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn get(&self, path: &str) -> Result<Response, Error> {
        self.send(self.shared.builder.bare(Method::GET, path)?).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`request`](Self::request); [`ErrorKind::Config`](crate::ErrorKind::Config) if the body cannot be written as JSON.
    pub async fn post_json(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<Response, Error> {
        self.send(self.shared.builder.json(path, body)?).await
    }

    /// `POST path` with a form, whose pairs are signed too.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Response, Error> {
        self.send(self.shared.builder.form(path, pairs)?).await
    }

    /// Any request. Its URI is a path that is appended to the base URL, or an absolute URL at the broker's host.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it cannot be signed; what the session met last if it could not sign
    /// in time; an error of [`Stage::Transport`](crate::Stage::Transport) if there is no whole response. A refusal is a
    /// response.
    pub async fn request(&self, request: Request<impl Into<Bytes>>) -> Result<Response, Error> {
        self.send(self.shared.builder.complete(request)?).await
    }

    /// Logs out (unless the configuration says otherwise) and waits until that is done, 15 seconds at most.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the session has not ended by then.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.shared.handle.shutdown();
        self.wait(SHUTDOWN, |view| (view.state() == State::Closed).then_some(Ok(()))).await
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response, Error> {
        let Shared { transport, handle, pacing, .. } = &*self.shared;
        rewrite(&mut request, |uri| transport.rewritten(uri))?;
        let uri = request.uri().clone();
        let (mut turns, mut now) = (pacing.turns(&uri), handle.now());
        let mut call = Call::new(request, self.policy, now);
        loop {
            let view = handle.view();
            match random::with(now, |cx| call.poll_paced(cx, &view, |now| turns.ask(now))) {
                Step::Wait(until) => {
                    self.news(&view, until).await;
                    now = handle.now();
                }
                Step::Send { request, timeout } => {
                    let under_way = turns.sent();
                    let result = transport.send(request, Limits::default().within(timeout)).await;
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

    async fn wait<R>(
        &self,
        timeout: Duration,
        found: impl Fn(&SessionView) -> Option<Result<R, Error>>,
    ) -> Result<R, Error> {
        let Shared { handle, .. } = &*self.shared;
        let until = handle.now().saturating_add(timeout);
        loop {
            let view = handle.view();
            match found(&view) {
                Some(result) => return result,
                None if handle.now() >= until => return Err(view.not_in_time()),
                None => self.news(&view, until).await,
            }
        }
    }

    /// Waits for news of the session, at most until a moment; by the transport's timer, since nobody may be driving.
    async fn news(&self, seen: &SessionView, until: Timestamp) {
        let Shared { transport, handle, .. } = &*self.shared;
        let left = until.saturating_duration_since(handle.now());
        let (mut news, mut timer) = (pin!(handle.news(seen)), pin!(transport.sleep(left)));
        poll_fn(|task| match news.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(task),
        })
        .await;
    }
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), policy: self.policy }
    }
}
