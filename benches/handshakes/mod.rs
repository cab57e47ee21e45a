//! Handshakes that were rehearsed with the simulator, so that a benchmark does the client's half of them and no more.
#![allow(clippy::mod_module_files, reason = "a file of its own in `benches` would be a benchmark")]
#![allow(dead_code, reason = "not every benchmark uses all of it")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use http::Response;
use ibkr_oauth::{
    AccessToken, Consumer, Context, Entropy, EntropyError, LiveSessionToken,
    bytes::Bytes,
    simulator::{Broker, test_keys},
};

use super::requests::{NOW, SeededEntropy};

/// A consumer with its keys loaded, its access token, and the broker's replies to what it will ask.
#[derive(Debug)]
pub(crate) struct Handshakes {
    pub(crate) consumer: Consumer,
    pub(crate) token: AccessToken,
    pub(crate) rehearsals: Vec<Rehearsal>,
}

/// A handshake with certain random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    pub(crate) seed: u64,
    pub(crate) exponent: [u8; 32],
    pub(crate) reply: Bytes,
    pub(crate) live_session_token: Vec<u8>,
}

impl Handshakes {
    pub(crate) fn new(rehearsals: u64) -> Self {
        Self::of(test_keys::consumer().unwrap(), rehearsals)
    }

    /// Of another consumer with the test keys. What it takes of the random numbers beside the exponent is its own affair, so
    /// that it has rehearsals of its own.
    pub(crate) fn of(consumer: Consumer, rehearsals: u64) -> Self {
        let (mut broker, mut rng) = (Broker::default(), SeededEntropy(0));
        let token = test_keys::access_token(&mut broker, &mut Context::new(NOW, &mut rng)).unwrap();
        let mut handshakes = Self { consumer, token, rehearsals: Vec::new() };
        // Seeds that are far apart, for the rng count upwards from them.
        handshakes.rehearsals = (1..=rehearsals)
            .map(|index| handshakes.rehearse(index.wrapping_mul(0x1234_5678_9abc_def1), &mut broker))
            .collect();
        handshakes
    }

    fn rehearse(&self, seed: u64, broker: &mut Broker) -> Rehearsal {
        let mut witness = Witness { rng: SeededEntropy(seed), exponent: None };
        let unlocked = self.consumer.unlock(&mut Context::new(NOW, &mut witness.rng), &self.token).unwrap();
        let mut cx = Context::new(NOW, &mut witness);
        let exchange = unlocked.live_session_token(&self.consumer, &mut cx).unwrap();
        let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(!seed)), exchange.request());
        let reply = response.body().clone();
        let live_session_token = exchange.complete(response).unwrap().secret().expose().to_vec();
        Rehearsal { seed, exponent: witness.exponent.unwrap(), reply, live_session_token }
    }

    /// The client's half, from the access token to the proved live session token.
    pub(crate) fn shake_hands(&self, rehearsal: &Rehearsal) -> LiveSessionToken {
        let mut rng = SeededEntropy(rehearsal.seed);
        let mut cx = Context::new(NOW, &mut rng);
        let unlocked = self.consumer.unlock(&mut cx, &self.token).unwrap();
        let exchange = unlocked.live_session_token(&self.consumer, &mut cx).unwrap();
        exchange.complete(Response::new(rehearsal.reply.clone())).unwrap()
    }
}

/// Random numbers that remember the first 32 bytes they gave out: the exponent.
struct Witness {
    rng: SeededEntropy,
    exponent: Option<[u8; 32]>,
}

impl Entropy for Witness {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.rng.fill(destination)?;
        if let (None, Ok(bytes)) = (self.exponent, <[u8; 32]>::try_from(&*destination)) {
            self.exponent = Some(bytes);
        }
        Ok(())
    }
}
