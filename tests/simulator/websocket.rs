//! The broker's WebSocket, message by message, on a virtual clock.

mod faults;
pub(crate) mod opening;
mod orders;
pub(crate) mod subscriptions;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use ibkr_oauth::{
    Compete, Context, Secret, Signer, Timestamp, UnlockedToken,
    simulator::{Broker, BrokerBuilder, Socket, SocketMessage, SocketOutput, test_keys},
};
use serde_json::{Value, json};

use crate::{deviations::good::note, scripted::Scripted};

const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: [u8; 32] = [7; 32];
/// What is heard where nothing is.
const NOTHING: [Value; 0] = [];
/// 22:13:20 UTC.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A broker, a signed-in client of it, and one of its WebSockets.
struct Desk {
    broker: Broker,
    entropy: Scripted,
    now: Timestamp,
    signer: Signer,
    socket: Option<Socket>,
}

impl Desk {
    /// A WebSocket that was greeted, in an open brokerage session.
    fn streaming() -> Self {
        Self::streaming_from(|builder| builder)
    }

    fn streaming_from(change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Self {
        let mut desk = Self::new(change);
        desk.open_brokerage_session();
        desk.connect();
        desk.hear(1);
        desk
    }

    fn new(change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Self {
        let mut broker = change(Broker::builder().strict().access_token(TOKEN, SECRET)).build().unwrap();
        let mut entropy = Scripted::default();
        let now = Timestamp::from_millis(START);
        let mut cx = Context::new(now, &mut entropy);
        let token = UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.to_vec()));
        let exchange = token.live_session_token(&test_keys::consumer().unwrap(), &mut cx).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let signer = exchange.complete(response).unwrap().signer();
        Self { broker, entropy, now, signer, socket: None }
    }

    fn open_brokerage_session(&mut self) {
        let mut cx = Context::new(self.now, &mut self.entropy);
        let exchange = self.signer.brokerage().open(&mut cx, Compete::Take).unwrap();
        let response = self.broker.handle(&mut cx, exchange.request());
        exchange.complete(response).unwrap();
        assert_eq!(self.call(Method::GET, "/iserver/accounts", &Value::Null).0, 200);
    }

    fn call(&mut self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let content = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let mut request = Request::new(content.clone());
        *request.method_mut() = method;
        *request.uri_mut() = self.signer.consumer().endpoints().url(path).unwrap();
        let headers = request.headers_mut();
        headers.insert("user-agent", "desk/1".parse().unwrap());
        headers.insert("content-length", content.len().into());
        if !body.is_null() {
            headers.insert("content-type", "application/json".parse().unwrap());
        }
        let mut cx = Context::new(self.now, &mut self.entropy);
        self.signer.sign(&mut cx, &mut request).unwrap();
        let response = self.broker.handle(&mut cx, &request);
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
    }

    /// The session of a tickle.
    fn tickle(&mut self) -> String {
        self.call(Method::POST, "/tickle", &Value::Null).1["session"].as_str().unwrap().to_owned()
    }

    fn try_open(&mut self, request: &Request<()>) -> Result<Socket, Box<Response<Bytes>>> {
        self.broker.open_socket(&mut Context::new(self.now, &mut self.entropy), request)
    }

    /// Opens a WebSocket as it should be, with the session of a new tickle.
    fn connect(&mut self) {
        let session = self.tickle();
        self.socket = Some(self.try_open(&upgrade(TOKEN, &session)).unwrap());
    }

    fn say(&mut self, message: &str) {
        self.socket.as_mut().unwrap().receive(&mut self.broker, self.now, message.as_bytes());
    }

    fn poll(&mut self) -> Vec<SocketOutput> {
        let socket = self.socket.as_mut().unwrap();
        let mut outputs = Vec::new();
        while let Some(output) = socket.poll(&self.broker, self.now) {
            outputs.push(output);
        }
        outputs
    }

    /// Lets that many seconds go by, as a host does: from one moment at which something is due to the next.
    fn outputs(&mut self, seconds: u64) -> Vec<SocketOutput> {
        let end = self.now.saturating_add(Duration::from_secs(seconds));
        let mut outputs = self.poll();
        while let Some(at) = self.socket.as_ref().unwrap().next_output_at(&self.broker).filter(|at| *at <= end) {
            assert!(at >= self.now, "{at:?} is past, and it was polled until there was nothing more");
            self.now = at;
            let more = self.poll();
            outputs.extend(more);
        }
        self.now = end;
        outputs.extend(self.poll());
        outputs
    }

    fn messages(&mut self, seconds: u64) -> Vec<SocketMessage> {
        self.outputs(seconds).into_iter().map(message).collect()
    }

    /// The texts of that many seconds, as JSON.
    fn hear(&mut self, seconds: u64) -> Vec<Value> {
        self.messages(seconds).iter().map(|message| serde_json::from_slice(message.payload()).unwrap()).collect()
    }

    /// What comes under this topic within that many seconds.
    fn hear_topic(&mut self, seconds: u64, topic: &str) -> Vec<Value> {
        self.hear(seconds).into_iter().filter(|message| message["topic"] == topic).collect()
    }

    /// Says something, and hears what comes at once.
    fn ask(&mut self, message: &str) -> Vec<Value> {
        self.say(message);
        self.hear(0)
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    fn place(&mut self, order: &Value) {
        let path = "/iserver/account/DU0000001/orders";
        assert_eq!(self.call(Method::POST, path, &json!({ "orders": [order] })).0, 200);
    }

    fn reasons(&self) -> Vec<&'static str> {
        let reasons: Vec<&str> = self.broker.refusals().iter().map(|refusal| refusal.reason).collect();
        for reason in &reasons {
            note(reason);
        }
        reasons
    }
}

fn upgrade(token: &str, session: &str) -> Request<()> {
    let request = Request::get(format!("wss://api.ibkr.com/v1/api/ws?oauth_token={token}"));
    request.header("cookie", format!("api={session}")).header("user-agent", "desk/1").body(()).unwrap()
}

fn message(output: SocketOutput) -> SocketMessage {
    match output {
        SocketOutput::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

fn topics(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["topic"].as_str().unwrap_or("")).collect()
}
