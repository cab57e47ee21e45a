//! What all requests share: the rules, the session, and what the gateway knows of it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ibkr_oauth::{
    Endpoints, ErrorKind, Timestamp,
    bytes::Bytes,
    http::{Method, Request, Response, StatusCode},
    session::{SessionEvent, State},
};
use serde_json::{Map, Value};
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use super::{
    answers,
    decision::{Local, Rules},
    exchange::{Exchanges, Patience, Trouble},
    refusal::Refusal,
    sockets::Sockets,
    standing::{Standing, User},
    upstream::AnswerBody,
};
use crate::output;

/// How long an answer of the broker's to a tickle, or to a question for the status, is served again: programs that ask at once
/// are asked for once.
const FRESH: Duration = Duration::from_secs(1);
/// For what the gateway asks itself.
const SHORT: Patience = Patience { session: Duration::from_secs(5), whole: Duration::from_secs(20) };
/// What to do, in this program's terms.
const DISPLACED: &str = "log out where the other session is (TWS, the phone, another program), or start the gateway with \
                         `--compete take-once`";
/// How long `ssodh/init` waits for the session.
const OPENING: Duration = Duration::from_secs(10);
/// How long it waits for the session to see that it is not open.
const NOTICING: Duration = Duration::from_secs(5);

/// What all requests share.
pub(super) struct Gateway {
    pub(super) rules: Rules,
    pub(super) exchanges: Exchanges,
    pub(super) endpoints: Endpoints,
    /// What programs get for a session: it opens nothing but sockets of this gateway.
    pub(super) local_session: String,
    facts: Mutex<Facts>,
    tickle: AsyncMutex<Kept>,
    status: AsyncMutex<Kept>,
    paced: AtomicU64,
    pub(super) sockets: Sockets,
}

/// What was seen of the session.
#[derive(Default)]
struct Facts {
    signed_in_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    user: User,
}

/// The last answer of the broker's to a question that many ask.
type Kept = Option<(Instant, StatusCode, Bytes)>;

impl Gateway {
    pub(super) fn new(
        rules: Rules,
        exchanges: Exchanges,
        endpoints: Endpoints,
        sockets: Sockets,
        local_session: String,
        expires_at: Option<Timestamp>,
    ) -> Self {
        let facts =
            Facts { signed_in_at: expires_at.map(|_| exchanges.handle().now()), expires_at, ..Facts::default() };
        Self {
            rules,
            exchanges,
            endpoints,
            local_session,
            facts: Mutex::new(facts),
            tickle: AsyncMutex::new(None),
            status: AsyncMutex::new(None),
            paced: AtomicU64::new(0),
            sockets,
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the session says about itself.
    pub(super) fn heard(&self, event: &SessionEvent) {
        if let SessionEvent::Negotiated { expires_at, .. } = event {
            let mut facts = self.facts();
            facts.signed_in_at = Some(self.exchanges.handle().now());
            facts.expires_at = Some(*expires_at);
        }
    }

    /// How the session is now.
    pub(super) fn standing(&self) -> Standing {
        let (view, now) = (self.exchanges.handle().view(), self.exchanges.handle().now());
        let facts = self.facts();
        let shown = |text: &str| output::one_line(text);
        Standing {
            now,
            state: view.state(),
            is_live: view.is_live(),
            is_signed_in: view.signer().is_some(),
            signed_in_at: facts.signed_in_at,
            expires_at: facts.expires_at,
            next_attempt: view.next_attempt().max(view.wait_until().filter(|until| *until > now)),
            last_error: view.last_error().map(|error| {
                let remedy = if view.state() == State::Displaced { DISPLACED } else { error.remedy() };
                (shown(&error.to_string()), shown(remedy))
            }),
            paced_until: self.exchanges.client.paced_until(),
            paced: self.paced.load(Ordering::Relaxed),
            sockets: self.sockets.count(),
            allows_orders: self.rules.allow_orders,
            user: facts.user,
        }
    }

    /// What a program gets that gets no response.
    pub(super) fn refusal(&self, trouble: Trouble) -> Refusal {
        let error = match trouble {
            Trouble::Session => return self.standing().refusal(),
            Trouble::Call(error) => error,
        };
        if let Some(until) = error.retry_at() {
            self.paced.fetch_add(1, Ordering::Relaxed);
            let wait = until.saturating_duration_since(self.exchanges.handle().now()).as_secs().saturating_add(1);
            let words = "the broker takes no more requests of this kind for now: ask less often";
            return Refusal::new(StatusCode::TOO_MANY_REQUESTS, words).after(wait);
        }
        let words = |end: &str| output::one_line(&format!("{error}; {}{end}", error.remedy()));
        if error.may_have_been_sent() {
            return Refusal::new(StatusCode::GATEWAY_TIMEOUT, words("; it may have been sent"));
        }
        let standing = self.standing();
        if error.kind() == ErrorKind::Config && standing.word() != "ended" {
            return Refusal::bad(words(""));
        }
        Refusal { words: words("; nothing was sent"), ..standing.refusal() }
    }

    /// The answer to what the gateway answers itself, but for the page.
    pub(super) async fn local(&self, local: Local) -> Result<(StatusCode, Bytes), Refusal> {
        let json = |value: Value| Ok((StatusCode::OK, Bytes::from(value.to_string())));
        match local {
            Local::Tickle => {
                let (status, body) = self.asked(&self.tickle, "/tickle").await?;
                if status == StatusCode::OK {
                    self.learn(&body);
                }
                Ok((status, answers::tickle(&self.standing(), &self.local_session, &body).into()))
            }
            Local::Status => self.session_status().await,
            Local::OpenSession => {
                if !self.ask_for_session() {
                    let answer = self.session_status().await?;
                    if is_authenticated(&answer.1) {
                        return Ok(answer);
                    }
                    // The program has seen what the session has not: it looks for itself, and opens another.
                    self.exchanges.handle().tickle();
                    self.until(NOTICING, |is_live| !is_live).await;
                    *self.status.lock().await = None;
                    self.ask_for_session();
                }
                self.until(OPENING, |is_live| is_live).await;
                self.session_status().await
            }
            Local::Reauthenticate => {
                self.ask_for_session();
                json(answers::reauthenticate(&self.standing()))
            }
            Local::Validate => {
                self.learn_account().await;
                json(answers::validate(&self.standing()))
            }
            Local::Logout => json(answers::logout()),
            Local::Health => json(self.standing().health()),
            Local::Alive | Local::Ready | Local::Page => Ok((StatusCode::OK, Bytes::from_static(b"ok"))),
        }
    }

    /// Has the session try now, if it waits; returns whether it is not there. It grants that a few times only.
    fn ask_for_session(&self) -> bool {
        let is_missing = !self.exchanges.handle().view().is_live();
        if is_missing {
            self.exchanges.handle().retry_now();
        }
        is_missing
    }

    /// Waits until the session is live, or is not, for a time.
    async fn until(&self, patience: Duration, found: impl Fn(bool) -> bool) {
        let waiting = async {
            loop {
                let view = self.exchanges.handle().view();
                if found(view.is_live()) {
                    return;
                }
                self.exchanges.handle().news(&view).await;
            }
        };
        let _ = timeout(patience, waiting).await;
    }

    async fn session_status(&self) -> Result<(StatusCode, Bytes), Refusal> {
        let broker = if self.exchanges.handle().view().is_live() {
            self.asked(&self.status, "/iserver/auth/status").await.ok()
        } else {
            None
        };
        let fields = broker.as_ref().filter(|(status, _)| *status == StatusCode::OK);
        let fields = fields.and_then(|(_, body)| serde_json::from_slice::<Map<String, Value>>(body).ok());
        Ok((StatusCode::OK, answers::status(&self.standing(), fields).to_string().into()))
    }

    /// The broker's answer to a question that many ask, which is at most a second old.
    async fn asked(&self, kept: &AsyncMutex<Kept>, path: &str) -> Result<(StatusCode, Bytes), Refusal> {
        // Whoever comes in the meantime waits here, and gets the same.
        let mut kept = kept.lock().await;
        if let Some((_, status, body)) = kept.as_ref().filter(|(at, ..)| at.elapsed() < FRESH) {
            return Ok((*status, body.clone()));
        }
        let answer = self.ask(Method::POST, path).await.map_err(|trouble| self.refusal(trouble))?;
        let status = answer.status();
        let body = answer.into_body().whole().unwrap_or_default();
        *kept = Some((Instant::now(), status, body.clone()));
        Ok((status, body))
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Response<AnswerBody>, Trouble> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoints.url(path).map_err(Trouble::Call)?;
        self.exchanges.send(request, path, SHORT).await
    }

    fn learn(&self, tickle: &[u8]) {
        let Ok(tickle) = serde_json::from_slice::<Value>(tickle) else { return };
        if let Some(id) = tickle.get("userId").and_then(Value::as_i64) {
            self.facts().user.id = Some(id);
        }
        // A program has seen what the session has not: it looks for itself.
        let says = |flag: &str| tickle.pointer("/iserver/authStatus").and_then(|status| status.get(flag)?.as_bool());
        if self.exchanges.handle().view().is_live()
            && (says("authenticated") == Some(false) || says("competing") == Some(true))
        {
            self.exchanges.handle().tickle();
        }
    }

    /// Whether the account is for paper trading, which programs decide by.
    async fn learn_account(&self) {
        if self.facts().user.is_paper.is_some() || !self.exchanges.handle().view().is_live() {
            return;
        }
        let Ok(answer) = self.ask(Method::GET, "/iserver/accounts").await else { return };
        let Some(accounts) = answer.into_body().whole().and_then(|body| serde_json::from_slice::<Value>(&body).ok())
        else {
            return;
        };
        let first = accounts.get("accounts").and_then(|accounts| accounts.get(0)).and_then(Value::as_str);
        let by_name = first.map(|account| account.starts_with("DU") || account.starts_with("DF"));
        let is_paper = accounts.get("isPaper").and_then(Value::as_bool).or(by_name);
        self.facts().user.is_paper = is_paper;
    }
}

fn is_authenticated(status: &[u8]) -> bool {
    let status = serde_json::from_slice::<Value>(status).ok();
    status.and_then(|status| status.get("authenticated")?.as_bool()) == Some(true)
}
