//! A WebSocket's opening.

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header, uri::Scheme};
use serde_json::Value;

use super::{
    super::{
        answers::Answer,
        broker::Broker,
        canonical::decoded_pairs,
        endpoint::Endpoint,
        faults::{Effect, Fault},
        judge::{Deviation, Judge},
        reason::Reason,
        refusal::{Objection, ensure},
        verify::check_user_agent,
    },
    socket::{Knowledge, Socket},
};
use crate::context::{Context, Timestamp};

/// Under the base URL.
const PATH: &str = "/ws";

/// What is known of who opens the socket, and what is wrong where that is not all.
struct Seen(Knowledge, Option<Objection>);

impl Broker {
    /// Opens a WebSocket for this request, which is its `GET` with an absolute URI, by `ws`, `wss`, `http` or `https`. The headers of the handshake
    /// itself, from `Upgrade` to `Sec-WebSocket-Key`, are the server's that holds the connection; answer with a 101 where
    /// this gives a [`Socket`].
    ///
    /// The access token is in the query as `oauth_token`, and the `session` of the last tickle in the cookie `api`. As the
    /// real broker does, it opens for a wrong or missing one too, and then says `waiting for session`.
    ///
    /// Both count among the [`refusals`](Self::refusals). A [`Fault`] at `/ws` is for this.
    ///
    /// # Errors
    /// The response, where the broker opens none. One that carries [`Dropped`](super::super::Dropped) among its extensions means that no answer
    /// arrived.
    pub fn open_socket<T>(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<T>,
    ) -> Result<Socket, Box<Response<Bytes>>> {
        let mut arrival = self.receive(cx, request, PATH);
        if arrival.ends_brokerage_session() {
            self.brokerage_session = None;
        }
        let admitted = match arrival.instead.take() {
            Some(answer) => Err(answer),
            None => self.admit(cx.now(), request, arrival.fault.as_ref()),
        };
        match admitted {
            Ok(socket) if arrival.lost().is_none() => Ok(socket),
            Ok(_) => Err(Box::new(arrival.response(Answer::ok(Value::Null)))),
            Err(answer) => Err(Box::new(arrival.response(answer))),
        }
    }

    fn admit<T>(&mut self, arrived: Timestamp, request: &Request<T>, fault: Option<&Fault>) -> Result<Socket, Answer> {
        let now = self.clock_at(arrived);
        let mut judge = Judge::new(self.profile.is_strict);
        let Seen(knowledge, objection) = self.look_at(request, now, &mut judge).map_err(|objection| {
            let answer = self.refusing(&objection, Endpoint::Protected);
            self.record(request, now, objection);
            answer
        })?;
        self.count_deviations(&judge);
        self.sockets = self.sockets.saturating_add(1);
        let fault = match fault.map(|fault| &fault.effect) {
            Some(Effect::Socket(fault)) => Some(*fault),
            _ => None,
        };
        if let Some(objection) = objection {
            self.record(request, now, objection);
        }
        Ok(Socket::open(self, arrived, fault, knowledge, judge.names()))
    }

    fn look_at<T>(&self, request: &Request<T>, now: Timestamp, judge: &mut Judge) -> Result<Seen, Objection> {
        check_user_agent(request.headers())?;
        let mut located = Request::new(());
        *located.uri_mut() = of_http(request.uri());
        for host in request.headers().get_all(header::HOST) {
            located.headers_mut().append(header::HOST, host.clone());
        }
        let address = self.profile.base.locate(&located, judge)?;
        ensure(
            address.path == PATH,
            Reason::ResourceUnknown,
            format_args!("no WebSocket is opened at `{}`", address.path),
        )?;
        ensure(
            request.method() == Method::GET,
            Reason::MethodNotAllowed,
            format_args!("a WebSocket is not opened by {}", request.method()),
        )?;
        if request.headers().contains_key(header::AUTHORIZATION) {
            let detail = "a WebSocket takes its access token in the query, and no Authorization";
            judge.tolerate(Deviation::AuthorizationAtWebSocket, Reason::ParameterMisplaced, detail)?;
        }
        let tokens: Vec<Vec<u8>> = decoded_pairs(request.uri().query().unwrap_or_default().as_bytes())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| (name == b"oauth_token").then_some(value))
            .collect();
        let Some(token) = tokens.first() else {
            return Ok(nobody(Reason::ParameterMissing, "there is no oauth_token in the query"));
        };
        let grant = self.registry.grant.as_ref().filter(|grant| grant.token.as_bytes() == token.as_slice());
        let Some(grant) = grant.filter(|_| tokens.len() == 1) else {
            return Ok(nobody(
                Reason::TokenUnknown,
                "oauth_token is not the access token; a live session token is none",
            ));
        };
        if !grant.live_session_tokens.iter().any(|token| token.is_valid_at(now)) {
            return Ok(nobody(Reason::LiveSessionTokenExpired, "there is no live session token"));
        }
        let given = cookie(request, judge)?;
        if given.is_some() && given == grant.session_id {
            return Ok(Seen(Knowledge::Session, None));
        }
        let detail = match given {
            None => "there is no cookie `api` with the session of a tickle",
            Some(_) => "the cookie `api` is not the session of the last tickle",
        };
        Ok(Seen(Knowledge::User, Some(Objection::new(Reason::SessionValueDiffers, detail))))
    }
}

fn nobody(reason: Reason, detail: &str) -> Seen {
    Seen(Knowledge::Nothing, Some(Objection::new(reason, detail)))
}

/// The session in the cookie `api`.
fn cookie<T>(request: &Request<T>, judge: &mut Judge) -> Result<Option<String>, Objection> {
    let cookies = request.headers().get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let value = cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| cookie.trim().strip_prefix("api="));
    let Some(value) = value.filter(|value| value.starts_with('{')) else { return Ok(value.map(str::to_owned)) };
    let detail = "the cookie `api` is JSON, and not the session itself";
    judge.tolerate(Deviation::CookieAsJson, Reason::SessionValueDiffers, detail)?;
    let fields: Value = serde_json::from_str(value).unwrap_or_default();
    Ok(fields.get("session").and_then(Value::as_str).map(str::to_owned))
}

/// The same by `http` or `https`.
fn of_http(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = parts.scheme.map(|scheme| match scheme.as_str() {
        "ws" => Scheme::HTTP,
        "wss" => Scheme::HTTPS,
        _ => scheme,
    });
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
