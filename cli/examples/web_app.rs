//! A web application that acts for other users (a *third party*): redirect, callback, stored access token, one call.
//!
//! ```sh
//! ibkr-oauth simulate --out sim
//! cargo run --package ibkr-oauth-cli --example web_app sim/bundle.json 127.0.0.1:8080    # then open /connect there
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program prints, and reads its arguments")]

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{OriginalUri, State},
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use ibkr_oauth::{AccessToken, Callback, Consent, Consumer, CredentialBundle, local::SystemContext};
use tokio::{net::TcpListener, task::block_in_place};
use ureq::Agent;

struct Application {
    consumer: Consumer,
    agent: Agent,
    /// Where the broker sends the browser back to.
    callback: String,
    /// By the browser's cookie, for minutes: consents that were asked for. The database of your sessions.
    asked: Mutex<HashMap<String, Consent>>,
    /// Access tokens as JSON, for years. The database of your users; encrypt it at rest.
    tokens: Mutex<HashMap<String, String>>,
}

type App = State<Arc<Application>>;

/// Sends the browser to the broker's consent page.
async fn connect(State(app): App) -> Result<impl IntoResponse, Failed> {
    let mut system = SystemContext::new();
    let exchange = app.consumer.request_token(&mut system.context(), Callback::Url(&app.callback))?;
    let consent = block_in_place(|| exchange.send(&app.agent))?;
    let cookie = consent.request_token().to_owned();
    let page = Redirect::to(&consent.url().to_string());
    lock(&app.asked).insert(cookie.clone(), consent);
    Ok(([(header::SET_COOKIE, format!("visit={cookie}; HttpOnly; SameSite=Lax; Path=/"))], page))
}

/// The browser comes back: with the user's answer, to the application that asked.
async fn callback(State(app): App, headers: HeaderMap, OriginalUri(uri): OriginalUri) -> Result<Redirect, Failed> {
    // Only the browser that was sent may come back, and only once.
    let consent = cookie(&headers).and_then(|cookie| lock(&app.asked).remove(cookie)).ok_or("nobody was sent")?;
    let verifier = consent.verifier(&uri.to_string())?;
    let exchange = verifier.access_token(&app.consumer, &mut SystemContext::new().context())?;
    let token = block_in_place(|| exchange.send(&app.agent))?;
    lock(&app.tokens).insert("alice".to_owned(), serde_json::to_string(&token)?);
    Ok(Redirect::to("/accounts"))
}

/// One call for the user: the stored token is all that it takes.
async fn accounts(State(app): App) -> Result<Response, Failed> {
    let stored = lock(&app.tokens).get("alice").cloned().ok_or("no consent yet: open /connect")?;
    let token: AccessToken = serde_json::from_str(&stored)?;
    let reply = block_in_place(|| {
        let mut system = SystemContext::new();
        let unlocked = app.consumer.unlock(&mut system.context(), &token)?;
        let exchange = unlocked.live_session_token(&app.consumer, &mut system.context())?;
        let signer = exchange.send(&app.agent)?.signer();
        let request = Request::get(app.consumer.endpoints().url("/portfolio/accounts")?).body("")?;
        Ok::<_, Failed>(signer.send(&app.agent, &mut system.context(), request)?)
    })?;
    // Browsers save what has no type.
    Ok((reply.status(), [(header::CONTENT_TYPE, "application/json")], reply.into_body()).into_response())
}

pub(crate) async fn serve(bundle: &CredentialBundle, listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let app = Application {
        consumer: bundle.consumer()?,
        agent: Agent::new_with_defaults(),
        callback: format!("http://{}/callback", listener.local_addr()?),
        asked: Mutex::default(),
        tokens: Mutex::default(),
    };
    let router = Router::new().route("/connect", get(connect)).route("/callback", get(callback));
    Ok(axum::serve(listener, router.route("/accounts", get(accounts)).with_state(Arc::new(app))).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let bundle = CredentialBundle::from_file(arguments.next().ok_or("which bundle?")?)?;
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("http://{}/connect", listener.local_addr()?);
    serve(&bundle, listener).await
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("visit="))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What went wrong, as a page.
struct Failed(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, self.0.to_string()).into_response()
    }
}
