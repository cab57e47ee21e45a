//! The simulator's WebSocket as the stream's other end: the same broker that the session talks to.

use std::time::Duration;

use ibkr_oauth::{
    Context, Timestamp,
    http::Request,
    session::SessionConfig,
    simulator::{Broker, BrokerBuilder, Dropped, Fault, Socket, SocketOutput},
    stream::StreamConfig,
};
use serde_json::json;

use crate::simulation::{Act, Connecting, Happening, Simulation, Upstream};

/// A WebSocket of the simulator's.
#[derive(Default)]
pub(crate) struct Simulated {
    socket: Option<Socket>,
    /// The tickle session changes just before each of so many openings.
    pub(crate) renewals: u32,
    /// How many numbers were given out.
    numbers: u64,
}

impl Upstream for Simulated {
    fn connect(&mut self, broker: &mut Broker, cx: &mut Context<'_>, request: &Request<()>) -> Connecting {
        if self.renewals > 0 {
            self.renewals -= 1;
            broker.control(cx.now(), r#"{"action": "renew-session-value"}"#).unwrap();
        }
        match broker.open_socket(cx, request) {
            Ok(socket) => {
                self.socket = Some(socket);
                Connecting::Open
            }
            Err(response) if response.extensions().get::<Dropped>().is_some() => Connecting::Lost,
            Err(response) => Connecting::Refused(response.status().as_u16()),
        }
    }

    fn disconnect(&mut self) {
        self.socket = None;
    }

    fn receive(&mut self, broker: &mut Broker, now: Timestamp, text: &str) {
        if let Some(socket) = &mut self.socket {
            socket.receive(broker, now, text.as_bytes());
        }
    }

    fn act(&mut self, broker: &Broker, now: Timestamp) -> Option<Act> {
        match self.socket.as_mut()?.poll(broker, now)? {
            // Whole, as a reader of the socket hands it on.
            SocketOutput::Message(message) => Some(Act::Frame(message.pieces().collect::<Vec<_>>().concat())),
            SocketOutput::Close(code) => {
                self.socket = None;
                Some(Act::Close(code))
            }
            output => panic!("unheard of: {output:?}"),
        }
    }

    fn deadline(&self, broker: &Broker) -> Option<Timestamp> {
        self.socket.as_ref()?.next_output_at(broker)
    }
}

impl Simulation<Simulated> {
    pub(crate) fn new(seed: u64) -> Self {
        Self::built(seed, |broker| broker)
    }

    /// With a market in which nothing happens by itself, unless `make` has it otherwise.
    pub(crate) fn built(seed: u64, make: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Self {
        Self::configured(seed, SessionConfig::default(), StreamConfig::default(), make)
    }

    pub(crate) fn configured(
        seed: u64,
        config: SessionConfig,
        stream: StreamConfig,
        make: impl FnOnce(BrokerBuilder) -> BrokerBuilder,
    ) -> Self {
        let never = Duration::from_secs(365 * 24 * 3600);
        Self::with(seed, config, stream, |broker| make(broker.accounts(["DU1", "DU2"]).market_data_period(never)))
    }

    /// A simulation whose stream is ready, with these topics wanted and confirmed.
    pub(crate) fn ready(topics: &[&str]) -> Self {
        let mut simulation = Self::new(1);
        simulation.get_ready(topics);
        simulation
    }

    /// One whose first connections have this fault.
    pub(crate) fn faulty(fault: &str, connections: u32) -> Self {
        let mut simulation = Self::new(1);
        simulation.broker.inject(fault.parse::<Fault>().unwrap().times(connections));
        simulation
    }

    pub(crate) fn get_ready(&mut self, topics: &[&str]) {
        for topic in topics {
            self.subscribe(topic);
        }
        self.run(30);
        assert!(self.stream.is_ready(), "{:?}", self.events);
    }

    /// Something happens in the market of a topic, with or without subscribers.
    pub(crate) fn happen(&mut self, topic: &str) {
        self.happen_unless_silent(topic, false);
    }

    pub(crate) fn happen_unless_silent(&mut self, topic: &str, is_silent: bool) {
        self.server.numbers += 1;
        let number = self.server.numbers;
        let frame = match topic {
            "sor" | "str" => json!({ "topic": topic, "args": [{ "n": number }] }),
            _ => json!({ "topic": topic, "31": "187.20", "n": number }),
        };
        self.broker.publish(topic, frame.to_string());
        self.happened.push(Happening { topic: topic.to_owned(), number, at: self.now, is_silent });
        self.carry();
    }

    /// An order of another program of the user's is filled.
    pub(crate) fn fill(&mut self) {
        let number = self.broker.fill_order(self.now, 265_598, 1);
        for topic in ["sor", "str"] {
            self.happened.push(Happening { topic: topic.to_owned(), number, at: self.now, is_silent: false });
        }
        self.carry();
    }

    /// Sends a message of the broker's own to who has subscribed to the topic.
    pub(crate) fn publish(&mut self, topic: &str, message: impl Into<bytes::Bytes>) {
        self.broker.publish(topic, message);
        self.carry();
    }

    /// Why the broker refused what it refused.
    pub(crate) fn refusals(&self) -> Vec<&'static str> {
        self.broker.refusals().iter().map(|refusal| refusal.reason).collect()
    }
}
