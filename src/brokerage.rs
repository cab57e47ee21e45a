//! The typed requests around the brokerage session: open, status, tickle, logout, and the WebSocket upgrade.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
        USER_AGENT,
    },
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    context::Context,
    encoding::{base64, unimportant},
    error::{Cause, Error, Stage},
    exchange::Exchange,
    oauth1::percent_encode,
    response,
    secret::{Secret, sensitive, wipe},
    signer::Signer,
};

/// The requests of the brokerage session, made and signed. From [`Signer::brokerage`].
///
/// A live session token alone reads portfolios; whatever lies under `/iserver` (orders, market data) needs a *brokerage
/// session* too, of which each user has one over all of the broker's platforms.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Compete, Context, OsEntropy, Timestamp, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let mut broker = Broker::default();
/// # let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
/// let exchange = signer.brokerage().open(&mut cx, Compete::Yield)?;
/// let response = broker.handle(&mut cx, exchange.request()); // in production: your HTTP client
/// let status = exchange.complete(response)?;
/// assert!(status.is_ready());
///
/// // Each minute, and before a WebSocket is opened.
/// let exchange = signer.brokerage().tickle(&mut cx)?;
/// let response = broker.handle(&mut cx, exchange.request());
/// let tickle = exchange.complete(response)?;
/// let upgrade = signer.brokerage().web_socket(&mut cx, &tickle)?;
/// assert_eq!(upgrade.uri().host(), Some("api.ibkr.com"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Brokerage<'a> {
    signer: &'a Signer,
}

impl Signer {
    /// The requests of the brokerage session, signed by this signer.
    #[must_use]
    pub fn brokerage(&self) -> Brokerage<'_> {
        Brokerage { signer: self }
    }
}

/// What to do where the user has a brokerage session elsewhere, in TWS, on the phone, or in another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compete {
    /// Leave it alone; the response then says `competing`.
    Yield,
    /// Throw it out.
    Take,
}

impl Brokerage<'_> {
    /// `POST /iserver/auth/ssodh/init`: opens the brokerage session.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn open(self, cx: &mut Context<'_>, compete: Compete) -> Result<Exchange<BrokerageStatus>, Error> {
        let body = serde_json::json!({ "publish": true, "compete": compete == Compete::Take }).to_string();
        self.exchange(cx, Stage::OpenBrokerage, Method::POST, "/iserver/auth/ssodh/init", Bytes::from(body))
    }

    /// `POST /iserver/auth/status`: asks how the brokerage session is.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn status(self, cx: &mut Context<'_>) -> Result<Exchange<BrokerageStatus>, Error> {
        self.exchange(cx, Stage::BrokerageStatus, Method::POST, "/iserver/auth/status", Bytes::new())
    }

    /// `POST /tickle`: keeps the session alive. Send it each minute; after about six without, the session is dead.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn tickle(self, cx: &mut Context<'_>) -> Result<Exchange<Tickle>, Error> {
        self.exchange(cx, Stage::Tickle, Method::POST, "/tickle", Bytes::new())
    }

    /// `GET /iserver/accounts`: without it, the broker refuses the first orders and snapshots of a brokerage session.
    pub(crate) fn accounts(self, cx: &mut Context<'_>) -> Result<Exchange<serde::de::IgnoredAny>, Error> {
        self.exchange(cx, Stage::Accounts, Method::GET, "/iserver/accounts", Bytes::new())
    }

    /// `POST /logout`: ends the brokerage session and the live session token.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn logout(self, cx: &mut Context<'_>) -> Result<Exchange<Logout>, Error> {
        self.exchange(cx, Stage::Logout, Method::POST, "/logout", Bytes::new())
    }

    fn exchange<T: serde::de::DeserializeOwned>(
        self,
        cx: &mut Context<'_>,
        stage: Stage,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Exchange<T>, Error> {
        let consumer = self.signer.consumer();
        let mut request = Request::new(body);
        let has_body = method != Method::GET;
        *request.method_mut() = method;
        *request.uri_mut() = consumer.endpoints().url(path)?;
        request.headers_mut().insert(USER_AGENT, consumer.user_agent().clone());
        if request.body().is_empty() && has_body {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        } else if has_body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.signer.sign(cx, &mut request)?;
        Ok(Exchange::new(stage, request, move |response| {
            let result = response::read(stage, &response);
            // That to a tickle has the session.
            wipe(response.into_body());
            result
        }))
    }

    /// The request that opens the WebSocket: RFC 6455's headers, the cookie with the session from `tickle`, and a
    /// `User-Agent`. It is not signed; the access token is in its URL.
    ///
    /// Hand it to a WebSocket client such as `tungstenite`. The stream is ready when the broker's first message of topic
    /// `sts` says `authenticated`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the tickle named no session;
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if it named one that no cookie can carry;
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes.
    pub fn web_socket(self, cx: &mut Context<'_>, tickle: &Tickle) -> Result<Request<()>, Error> {
        const STAGE: Stage = Stage::WebSocket;
        let session = tickle.session().ok_or_else(|| {
            Error::config(STAGE, "the tickle's response named no session").with_remedy("tickle again, then upgrade")
        })?;
        // RFC 6265 section 4.1.1; a semicolon would begin another cookie.
        if !session.expose().iter().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(byte)) {
            let message = "the session that the tickle's response named is not valid in a cookie";
            return Err(Error::malformed(STAGE, message).with_nothing_sent());
        }
        let endpoint = self.signer.consumer().endpoints().url("/ws")?;
        let scheme = if endpoint.scheme_str() == Some("http") { "ws" } else { "wss" };
        let authority = endpoint.authority().map_or("", |authority| authority.as_str());
        let token = percent_encode(self.signer.access_token().as_bytes());
        let uri: Uri = format!("{scheme}://{authority}{}?oauth_token={token}", endpoint.path())
            .parse()
            .map_err(|error| Error::config(STAGE, "the access token is not valid in a URL").with_source(error))?;
        let mut key = [0; 16];
        cx.entropy().fill(&mut key).map_err(|error| Error::entropy(STAGE, error))?;
        // At its final size, so that nothing is left behind.
        let mut cookie = Zeroizing::new(Vec::with_capacity(session.len() + 4));
        cookie.extend_from_slice(b"api=");
        cookie.extend_from_slice(session.expose());

        let unusable = |error| Error::header(STAGE, error);
        let mut request = Request::new(());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(unusable)?);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&base64(&key)).map_err(unusable)?);
        headers.insert(COOKIE, sensitive(&cookie).map_err(unusable)?);
        headers.insert(USER_AGENT, self.signer.consumer().user_agent().clone());
        *request.uri_mut() = uri;
        Ok(request)
    }
}

/// How the brokerage session is, in the broker's words. A flag is `None` where the response lacks it.
///
/// A response of status 200 may well say that there is no session: look at [`is_ready`](Self::is_ready), and at
/// [`error`](Self::error) for the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct BrokerageStatus {
    /// The user is logged in to the brokerage session.
    #[serde(default)]
    pub authenticated: Option<bool>,
    /// The session is up and takes requests. Older servers do not send it.
    #[serde(default)]
    pub established: Option<bool>,
    /// Another session of the same user is in the way.
    #[serde(default)]
    pub competing: Option<bool>,
    /// The server is connected to the broker's back end.
    #[serde(default)]
    pub connected: Option<bool>,
    /// Words of the broker's about the session.
    #[serde(default, deserialize_with = "unimportant")]
    pub message: Option<String>,
    /// Why the session failed.
    #[serde(default)]
    pub fail: Option<String>,
    #[serde(default, deserialize_with = "unimportant")]
    wait: Option<u64>,
}

impl BrokerageStatus {
    /// Whether the session takes requests: authenticated, with no other session in its way and no words of failure, and
    /// connected and established where the server says so.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let Self { authenticated, established, competing, connected, fail, message: _, wait: _ } = self;
        *authenticated == Some(true)
            && *competing != Some(true)
            && *connected != Some(false)
            && *established != Some(false)
            && fail.as_deref().is_none_or(|words| words.trim().is_empty())
    }

    /// Takes in what was said later. What that leaves out is as it was.
    pub(crate) fn update(&mut self, news: Self) {
        self.authenticated = news.authenticated.or(self.authenticated);
        self.established = news.established.or(self.established);
        self.competing = news.competing.or(self.competing);
        self.connected = news.connected.or(self.connected);
        self.wait = news.wait.or(self.wait);
        self.message = news.message.or(self.message.take());
        self.fail = news.fail.or(self.fail.take());
    }

    /// How long the server asks to be left alone, after too many attempts in a row. `None` where the session is ready, or
    /// where there is nothing to wait for.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.wait.filter(|millis| *millis > 0 && !self.is_ready()).map(Duration::from_millis)
    }

    /// Why the session takes no requests; `None` where it [is ready](Self::is_ready).
    ///
    /// Its message has the flags, its [`detail`](Error::detail) the broker's words (`fail`, then `message`), and its
    /// [`cause`](Error::cause) what they mean: [`ForceCompeteRequired`](Cause::ForceCompeteRequired),
    /// [`CompetingSession`](Cause::CompetingSession) where the flag says so, and
    /// [`BrokerageNotReady`](Cause::BrokerageNotReady) where nothing more is known.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        if self.is_ready() {
            return None;
        }
        let Self { authenticated, established, competing, connected, message, fail, wait: _ } = self;
        let flags = [
            ("authenticated", authenticated),
            ("established", established),
            ("connected", connected),
            ("competing", competing),
        ];
        let flags = flags.iter().filter_map(|(name, flag)| flag.map(|flag| format!("{name}: {flag}")));
        let wait = self.wait().map(|wait| format!("wait: {} ms", wait.as_millis()));
        let facts: Vec<String> = flags.chain(wait).collect();
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        let words = [fail, message].into_iter().flatten().map(|words| words.trim()).filter(|words| !words.is_empty());
        let words = words.collect::<Vec<_>>().join(": ");
        let cause = if *competing == Some(true) { Cause::CompetingSession } else { Cause::BrokerageNotReady };
        Some(Error::from_words(Stage::BrokerageStatus, format!("it takes no requests{facts}"), &words, cause))
    }
}

/// The response to a tickle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "TickleResponse")]
pub struct Tickle {
    session: Option<Secret>,
    status: Option<BrokerageStatus>,
}

#[derive(Deserialize)]
struct TickleResponse {
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    iserver: Option<Iserver>,
}

#[derive(Deserialize)]
struct Iserver {
    #[serde(default, rename = "authStatus")]
    status: Option<BrokerageStatus>,
}

impl From<TickleResponse> for Tickle {
    fn from(response: TickleResponse) -> Self {
        Self {
            session: response.session.filter(|session| !session.is_empty()).map(Secret::from),
            status: response.iserver.and_then(|iserver| iserver.status),
        }
    }
}

impl Tickle {
    /// The session, whose cookie opens the WebSocket.
    #[must_use]
    pub fn session(&self) -> Option<&Secret> {
        self.session.as_ref()
    }

    /// How the brokerage session is.
    #[must_use]
    pub fn brokerage(&self) -> Option<&BrokerageStatus> {
        self.status.as_ref()
    }
}

/// The response to a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Logout {
    /// Whether the broker ended the session. Servers that do not say so, such as those that answer `confirmed`, have not.
    #[serde(default)]
    pub status: bool,
}
