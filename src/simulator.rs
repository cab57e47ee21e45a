//! The broker's half of the protocol: test your own bot against [`Broker`].
//!
//! A [`Broker`] answers requests as Interactive Brokers' Web API does, with no network, no account and no waiting. It is
//! a value like the rest of this crate: it takes a request, the time and a source of random bytes, and gives back a
//! response. The same inputs give the same bytes, so a test that failed once fails again, and a day of trading takes as
//! long as its arithmetic.
//!
//! # Your bot against it
//!
//! Give your bot a place to send requests through, and in tests put the broker there: call [`Broker::handle`] with each
//! request, URL and headers complete, and hand its answer back as if it had come from the network. To test over a real
//! socket, set [`base_url`](BrokerBuilder::base_url) to the listener's address, read each request into an
//! `http::Request<Bytes>` with an absolute URI, and write the answer out.
//!
//! [`Broker::default`] knows one consumer, made of the [`test_keys`]: **fixed keys for tests, known to everybody**. A
//! broker with other keys, an access token from the portal, another query policy or another host comes from
//! [`Broker::builder`].
//!
//! Where the protocol wants a user in front of a browser, call [`Broker::consent`] with the consent page's URL, or
//! [`Broker::decline`] for the one who cancels; both return the URL that the browser is sent to. A browser gets the page
//! itself, with two buttons, at `/authorize` beside the base URL ([`consent_page`](BrokerBuilder::consent_page)): `GET
//! /authorize?oauth_token=…` to [`handle`](Broker::handle), where `&answer=agree` or `&answer=decline` answers at once.
//!
//! When something is refused, ask [`Broker::refusals`] why. The real broker says `401` and no more; here the log has the
//! [name](Refusal::reason) of the check that failed, a line that says exactly what differed, the signature base string that was expected and, where
//! one of the mistakes that clients are known to make explains the signature, which one it was.
//!
//! To see what your bot does when things go wrong, [`inject`](Broker::inject) a [`Fault`]: errors in all shapes the real broker was seen
//! to give, lost answers, proofs and public numbers that must not be trusted, sessions that end, clocks that run apart.
//! What lasts longer than a request is the [builder](BrokerBuilder)'s: a brokerage session that ends at midnight
//! ([`daily_reset`](BrokerBuilder::daily_reset)) and takes its time to open ([`settling`](BrokerBuilder::settling)),
//! [`maintenance`](BrokerBuilder::maintenance), a [`rate_limit`](BrokerBuilder::rate_limit) with its penalty box. And
//! [`start_competing_session`](Broker::start_competing_session) is the other program of the same user that takes the
//! brokerage session away; others of the broker's methods end what runs at once. [`control`](Broker::control) does all of that
//! by name, as do programs in other languages by `POST /__simulator/faults` beside the base URL.
//!
//! What a property of a whole run needs, the broker has counted: [`accepted`](Broker::accepted),
//! [`refused`](Broker::refused), [`live_session_tokens_issued`](Broker::live_session_tokens_issued),
//! [`brokerage_sessions_opened`](Broker::brokerage_sessions_opened).
//!
//! ```
//! # #[cfg(feature = "getrandom")] {
//! use ibkr_oauth::{
//!     Context, OsEntropy, Timestamp, bytes::Bytes, http,
//!     simulator::{Broker, Fault, test_keys},
//! };
//!
//! let mut entropy = OsEntropy;
//! let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
//! let mut broker = Broker::default();
//! let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
//!
//! // A good request is answered, and a forged one is not: somebody changed the query after it was signed.
//! let url = "https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=AAPL";
//! let mut request = http::Request::get(url).header("user-agent", "my-bot/1.0").body(Bytes::new())?;
//! signer.sign(&mut cx, &mut request)?;
//! *request.uri_mut() = url.replace("AAPL", "MSFT").parse()?;
//! assert_eq!(broker.handle(&mut cx, &request).status(), http::StatusCode::UNAUTHORIZED);
//! let refusal = broker.refusals().last().expect("it was refused");
//! assert_eq!(refusal.reason, "signature_differs");
//! assert!(refusal.expected_base_string.as_deref().is_some_and(|text| text.contains("MSFT")));
//!
//! // The next tickle finds no back end.
//! broker.inject(Fault::status(503).at("/tickle"));
//! let exchange = signer.brokerage().tickle(&mut cx)?;
//! let response = broker.handle(&mut cx, exchange.request());
//! assert!(exchange.complete(response).is_err());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it checks
//!
//! * that the URL is absolute and has the broker's scheme, host and port, that a `Host` header agrees, and that the path
//!   is spelled as it must be: no empty segment, no slash at its end, no dot segments;
//! * `User-Agent`; `Content-Length`, which an empty `POST` needs too; the method;
//! * one `Authorization` header, of the form `OAuth name="value", …`, or, for the three requests of the sign-in, the
//!   OAuth parameters as the strings of one JSON object in the body (`Content-Type: application/json`, no realm);
//! * each parameter: there once, known, not empty, and not in the query or form; consumer key, realm, signature method,
//!   version, token, verifier, callback, Diffie-Hellman challenge;
//! * the timestamp: within 300 seconds of the broker's clock, and not smaller than one accepted before with the same
//!   token; a refused request leaves no trace in that order;
//! * the nonce: not that of one of the newest 4096 accepted requests, with the same token;
//! * the signature, over a base string that it makes itself: RSA-SHA256, with the access token's secret before it where the
//!   protocol has that, and HMAC-SHA256 under any [`QueryPolicy`] or the one it was set to;
//! * that `/iserver` is used only while the brokerage session is open.
//!
//! # What it lets pass
//!
//! The real broker's own code and samples do not keep to the letter of all that, and clients that sign in to the real one
//! have copied their habits. So the simulator is as lenient as they need, and **names each deviation**: in the header
//! `x-simulator-deviation` of its response, in [`AcceptedRequest::deviations`], and, counted, in [`Broker::deviations`].
//!
//! | where | deviations |
//! |---|---|
//! | the header | `header_value_unquoted`, `header_value_raw`, `header_escape_in_lower_case`, `header_escape_needless`, `header_blanks`, `header_trailing_comma`, `realm_missing` |
//! | the sign-in | `callback_without_scheme`, `challenge_in_upper_case`, `challenge_with_leading_zeros`, `body_beside_header` (a form is signed, JSON is not), `redirect_with_backslashes` |
//! | the order of requests | `timestamp_behind`, by up to five seconds |
//! | the base string | `sign_in_encoded_once`; where names and values are encoded once, `space_signed_as_plus`, `slash_signed_raw`, `signed_by_url_encoder` |
//! | the session | `opened_by_get`, `opened_by_query`, `opened_by_form`, `opened_by_text`, `logout_by_get`, `token_used_after_logout` |
//! | the transport | `empty_chunked_body`, `host_of_another_name` |
//!
//! [`strict`](BrokerBuilder::strict) refuses them all, for the written contract might be enforced any day.
//!
//! Nothing of that is shared with the client in this crate: the percent-encoding, the canonicaliser, the header parser,
//! the Diffie-Hellman arithmetic and the HMAC are the broker's own, so that a mistake of the client's cannot hide in both.
//!
//! # How it behaves
//!
//! A request token is good for one access token. The access token stays the same for the consumer; its secret is new at
//! each request. A live session token lives for 23 hours and 55 minutes; the newest and the one before it are valid
//! until they expire. `POST /logout` ends the brokerage session, and the live session tokens only where the broker is
//! [strict](BrokerBuilder::strict). The brokerage session needs `POST /iserver/auth/ssodh/init` and ends
//! six minutes after the last tickle; `/tickle` works without it.
//!
//! What clients call first is answered from a table, in the broker's shapes: accounts, orders, trades, positions, snapshots,
//! contracts and their like. The account is `DU0000001`, the security always the same, for there is no market; a snapshot has
//! an entry for each `conids` asked for. `POST /iserver/account/{id}/orders` takes JSON, and counts. Market data snapshots
//! and orders need a `GET /iserver/accounts` in the same brokerage session. [`Broker::respond`] sets other answers. Any other
//! path is a 404. What arrived in the query and in a form is in the headers `x-simulator-query` and `x-simulator-form`,
//! decoded, as `[["name","value"]]`, up to 4096 bytes.
//!
//! # Its WebSocket
//!
//! [`Broker::open_socket`] takes the request that opens one, with the access token in its query and the tickle's session in its
//! cookie, and gives a [`Socket`]: messages in, messages out, on the broker's clock, with what is known of the real one's
//! habits, bad ones included. What goes wrong from the opening on is a [`Fault`] whose name begins with `ws-`; while it is open,
//! [`silence`](Broker::silence) and [`close_sockets`](Broker::close_sockets) and their like do it, and [`publish`](Broker::publish) sends
//! messages of your own.
//!
//! ```
//! # #[cfg(feature = "getrandom")] {
//! use std::time::Duration;
//!
//! use ibkr_oauth::{Context, OsEntropy, Timestamp};
//! use ibkr_oauth::simulator::{Broker, SocketOutput, test_keys};
//!
//! let (mut entropy, now) = (OsEntropy, Timestamp::from_secs(1_700_000_000));
//! let mut cx = Context::new(now, &mut entropy);
//! let mut broker = Broker::builder().brokerage_session(true).build()?;
//! let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
//! let exchange = signer.brokerage().tickle(&mut cx)?;
//! let response = broker.handle(&mut cx, exchange.request());
//! let request = signer.brokerage().web_socket(&mut cx, &exchange.complete(response)?)?;
//! let mut socket = broker.open_socket(&mut cx, &request).map_err(|response| response.status().to_string())?;
//! let now = now.saturating_add(Duration::from_secs(1));
//! while socket.poll(&broker, now).is_some() {}
//! socket.receive(&mut broker, now, b"smd+265598+{\"fields\":[\"31\"]}");
//! let Some(SocketOutput::Message(message)) = socket.poll(&broker, now) else { panic!("no line") };
//! let message: serde_json::Value = serde_json::from_slice(message.payload())?;
//! assert_eq!(message["topic"], "smd+265598");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not do
//!
//! It has no market and no money. It limits no rate unless a limit is set, and then that of all requests and of no
//! endpoint by itself. It knows one consumer and one user. Where the real broker's words for an error are not known (a repeated nonce, a
//! stale timestamp, a wrong verifier, a first party that asks for a request token), its own are made up: do not match
//! on them.
//!
//! [`QueryPolicy`]: crate::consumer::QueryPolicy

// Each file names only files before it: percent, reason, refusal, judge, seeded_entropy, newest, arithmetic, address, canonical,
// canned, content, parameters, endpoint, availability, pacing, profile, brokerage_session, registry, examination, signature,
// verify, accepted_requests, answers, faults, broker, fault_names, control, consent, sign_in, opening, resources, handling,
// websocket (but for its journal, which `broker` names), in_process, test_keys, builder.
mod accepted_requests;
mod address;
mod answers;
mod arithmetic;
mod availability;
mod broker;
mod brokerage_session;
mod builder;
mod canned;
mod canonical;
mod consent;
mod content;
mod control;
mod endpoint;
mod examination;
mod fault_names;
mod faults;
mod handling;
mod in_process;
mod judge;
mod newest;
mod opening;
mod pacing;
mod parameters;
mod percent;
mod profile;
mod reason;
mod refusal;
mod registry;
mod resources;
mod seeded_entropy;
mod sign_in;
mod signature;
pub mod test_keys;
mod verify;
mod websocket;

pub use self::{
    accepted_requests::AcceptedRequest,
    broker::{Broker, BrokerError},
    builder::BrokerBuilder,
    faults::{Dropped, Fault},
    in_process::InProcess,
    refusal::Refusal,
    seeded_entropy::SeededEntropy,
    websocket::{Socket, SocketMessage, SocketOutput},
};
