//! A stream: the request that opens a connection, the text that answers "waiting for session", and what comes by it.

use std::{sync::LazyLock, time::Duration};

use ibkr_oauth::{
    Consumer, Context, Timestamp, UnlockedToken,
    session::{self, Session, SessionConfig},
    simulator::{Broker, SeededEntropy, Socket, SocketOutput, test_keys},
    stream::{Input, Output, Stream, StreamConfig, Topic},
};
use ibkr_oauth_wiped::{Heap, Marker};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: &[u8; 32] = b"the opened secret of this token!";

static CONSUMER: LazyLock<Consumer> = LazyLock::new(|| test_keys::consumer().unwrap());

/// A session, its stream, and the broker's both halves.
struct Life {
    session: Session,
    stream: Stream,
    broker: Broker,
    socket: Option<Socket>,
    now: Timestamp,
    entropy: SeededEntropy,
    /// What was handed to the network, which is the caller's to wipe.
    requests: usize,
    session_frames: usize,
    messages: usize,
}

impl Life {
    fn new() -> Self {
        LazyLock::force(&CONSUMER);
        let token = UnlockedToken::from_plaintext(TOKEN, SECRET.as_slice().into());
        let mut stream = Stream::new(StreamConfig::default());
        for topic in [Topic::market_data(265_598, &["31"]), Topic::orders(), Topic::trades()] {
            stream.subscribe(&topic).unwrap();
        }
        Self {
            session: Session::new(CONSUMER.clone(), token, SessionConfig::default()),
            stream,
            broker: Broker::builder().strict().access_token(TOKEN, *SECRET).build().unwrap(),
            socket: None,
            now: START,
            entropy: SeededEntropy::new(1),
            requests: 0,
            session_frames: 0,
            messages: 0,
        }
    }

    fn input(&mut self, input: Input) {
        self.stream.handle_input(&mut Context::new(self.now, &mut self.entropy), input);
    }

    fn run(&mut self, heap: &Heap, until: Timestamp) {
        while self.now < until {
            let session_at = self.drain_session(heap);
            let stream_at = self.drain_stream(heap);
            let socket_at = self.socket.as_ref().and_then(|socket| socket.next_output_at(&self.broker));
            let next = [Some(session_at), Some(stream_at), socket_at].into_iter().flatten().min().unwrap();
            self.now = next.max(self.now);
            while let Some(output) =
                heap.pause(|| self.socket.as_mut().and_then(|socket| socket.poll(&self.broker, self.now)))
            {
                match output {
                    // Its bytes are the network's, and the broker's here; the stream gets a copy.
                    SocketOutput::Message(message) => {
                        let frame = message.payload().to_vec();
                        heap.pause(|| drop(message));
                        self.input(Input::Frame(frame.into()));
                    }
                    SocketOutput::Close(code) => {
                        heap.pause(|| self.socket = None);
                        self.input(Input::Closed(code));
                    }
                    _ => {}
                }
                self.drain_stream(heap);
            }
            if session_at <= self.now {
                let cx = &mut Context::new(self.now, &mut self.entropy);
                self.session.handle_input(cx, session::Input::Timeout);
            }
            if stream_at <= self.now {
                self.input(Input::Timeout);
            }
        }
    }

    fn drain_session(&mut self, heap: &Heap) -> Timestamp {
        loop {
            let cx = &mut Context::new(self.now, &mut self.entropy);
            match self.session.poll_output(cx) {
                session::Output::Transmit { id, request, .. } => {
                    let response = heap.pause(|| {
                        let mut response = self.broker.handle(cx, &request);
                        // A cookie of the network's, which nobody reads.
                        response.headers_mut().remove("set-cookie");
                        response
                    });
                    self.session.handle_input(cx, session::Input::Response { id, response });
                }
                session::Output::Timeout { at } => return at,
                _ => {}
            }
        }
    }

    fn drain_stream(&mut self, heap: &Heap) -> Timestamp {
        loop {
            let cx = &mut Context::new(self.now, &mut self.entropy);
            match self.stream.poll_output(cx, self.session.view()) {
                Output::Open(request) => {
                    self.requests += 1;
                    // The headers are the network's to wipe.
                    self.socket = Some(heap.pause(|| self.broker.open_socket(cx, &{ request })).unwrap());
                    self.stream.handle_input(cx, Input::Opened);
                }
                Output::Send(text) => {
                    self.session_frames += usize::from(text.expose().starts_with(b"{\"session\""));
                    let socket = self.socket.as_mut().unwrap();
                    heap.pause(|| socket.receive(&mut self.broker, self.now, text.expose()));
                }
                Output::Tickle => self.session.handle_input(cx, session::Input::Tickle),
                Output::Close => heap.pause(|| self.socket = None),
                Output::Message(_) => self.messages += 1,
                Output::Timeout { at } => return at,
                _ => {}
            }
        }
    }

    /// The session value of the last tickle.
    fn marker(&self) -> Marker {
        let tickle = self.session.view().last_tickle().unwrap();
        Marker::bytes("session of a tickle", tickle.session().unwrap().expose())
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

#[test]
fn the_session_of_the_tickles_is_wiped_wherever_the_stream_has_it() {
    let mut life = Life::new();
    let heap = Heap::record();
    // The first connection waits for its session, so that it is sent as a text too.
    heap.pause(|| life.broker.inject("ws-stale-session".parse().unwrap()));
    life.run(&heap, START.saturating_add(minutes(10)));
    let first = heap.pause(|| life.marker());
    heap.held().assert_with(&first);
    // Another follows, with another session.
    heap.pause(|| {
        life.broker.control(START, r#"{"action": "renew-session-value"}"#).unwrap();
        life.broker.close_sockets(Some(1001));
    });
    life.run(&heap, START.saturating_add(minutes(20)));
    let second = heap.pause(|| life.marker());
    let held = heap.held();
    held.assert_without(&first);
    held.assert_with(&second);
    assert_eq!((life.requests, life.session_frames), (2, 1));
    assert!(life.messages > 1000, "{} messages", life.messages);

    let Life { session, stream, broker, socket, .. } = life;
    drop((stream, session));
    heap.pause(|| drop((broker, socket)));
    let freed = heap.freed();
    freed.assert_without(&first);
    freed.assert_without(&second);
}
