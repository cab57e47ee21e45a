//! The seven exchanges under one roof, so that a test can hand each of them the same reply.

use bytes::Bytes;
use http::Response;
use ibkr_oauth::{Callback, Compete, Consumer, Context, Error, ErrorKind, Exchange, Stage, exchange::Unsigned};

use crate::fixture::{self, NOW, SeededEntropy, TOKEN};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    RequestToken,
    AccessToken,
    LiveSessionToken,
    Open,
    Status,
    Tickle,
    Logout,
}

#[allow(dead_code, reason = "not every test uses all of it")]
impl Step {
    pub(crate) const ALL: [Self; 7] = [
        Self::RequestToken,
        Self::AccessToken,
        Self::LiveSessionToken,
        Self::Open,
        Self::Status,
        Self::Tickle,
        Self::Logout,
    ];

    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::RequestToken => Stage::RequestToken,
            Self::AccessToken => Stage::AccessToken,
            Self::LiveSessionToken => Stage::LiveSessionToken,
            Self::Open => Stage::OpenBrokerage,
            Self::Status => Stage::BrokerageStatus,
            Self::Tickle => Stage::Tickle,
            Self::Logout => Stage::Logout,
        }
    }

    /// Makes the exchange of this step, always the same one, and has it read `response`. What was read comes back as
    /// its `Debug` text.
    pub(crate) fn read(self, consumer: &Consumer, response: Response<Bytes>) -> Result<String, Error> {
        let mut rng = SeededEntropy(1);
        let mut cx = Context::new(NOW, &mut rng);
        let signer = fixture::signer(consumer);
        match self {
            Self::RequestToken => unsigned(consumer.prepare_request_token(&mut cx, Callback::OutOfBand), response),
            Self::AccessToken => unsigned(fixture::verifier().prepare_access_token(consumer, &mut cx), response),
            Self::LiveSessionToken => {
                unsigned(fixture::unlocked().prepare_live_session_token(consumer, &mut cx), response)
            }
            Self::Open => signed(signer.brokerage().open(&mut cx, Compete::Yield), response),
            Self::Status => signed(signer.brokerage().status(&mut cx), response),
            Self::Tickle => signed(signer.brokerage().tickle(&mut cx), response),
            Self::Logout => signed(signer.brokerage().logout(&mut cx), response),
        }
    }

    /// A good reply to the exchange that [`read`](Self::read) makes, as the simulator words it.
    pub(crate) fn good_reply(self, consumer: &Consumer) -> Bytes {
        let mut rng = SeededEntropy(1);
        let mut cx = Context::new(NOW, &mut rng);
        let mut broker = fixture::broker_builder().request_token("t", "v").build().unwrap();
        let signer = fixture::signer(consumer);
        let request = match self {
            Self::RequestToken => consumer.request_token(&mut cx, Callback::OutOfBand).unwrap().into_parts().0,
            Self::AccessToken => fixture::verifier().access_token(consumer, &mut cx).unwrap().into_parts().0,
            Self::LiveSessionToken => fixture::unlocked().live_session_token(consumer, &mut cx).unwrap().into_parts().0,
            Self::Open => signer.brokerage().open(&mut cx, Compete::Yield).unwrap().into_parts().0,
            Self::Status => signer.brokerage().status(&mut cx).unwrap().into_parts().0,
            Self::Tickle => signer.brokerage().tickle(&mut cx).unwrap().into_parts().0,
            Self::Logout => signer.brokerage().logout(&mut cx).unwrap().into_parts().0,
        };
        let response = broker.handle(&mut cx, &request);
        assert_eq!(response.status(), 200, "{self:?}: {response:?} {:?}", broker.refusals());
        assert!(signer.access_token() == TOKEN);
        response.into_body()
    }

    /// Reads a reply that must not be taken for a good one, and checks what every error promises.
    pub(crate) fn fail(self, consumer: &Consumer, response: Response<Bytes>) -> Error {
        let shown = format!("{:?}", &response.body()[..response.body().len().min(200)]);
        let status = response.status();
        match self.read(consumer, response) {
            Ok(value) => panic!("{self:?} took {shown} for {value}"),
            Err(error) => {
                assert_eq!(error.status(), Some(status), "{self:?} of {shown}: {error:?}");
                self.check(&error);
                error
            }
        }
    }

    /// What holds for every error that a reply leads to.
    pub(crate) fn check(self, error: &Error) {
        assert_eq!(error.stage(), self.stage(), "{error:?}");
        assert_ne!(error.kind(), ErrorKind::Config, "a reply is not the program's fault: {error:?}");
        let detail = error.detail().unwrap_or_else(|| panic!("{self:?}: no detail: {error:?}"));
        assert!(detail.chars().count() <= 600, "{} characters", detail.chars().count());
        for text in [detail, error.remedy(), &error.to_string()] {
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(text.chars().count() <= 900, "{} characters: {text}", text.chars().count());
        }
        assert!(!error.remedy().is_empty());
    }
}

fn unsigned<T: std::fmt::Debug>(
    unsigned: Result<Unsigned<T>, Error>,
    response: Response<Bytes>,
) -> Result<String, Error> {
    // No reply is read any differently for the signature of its request.
    let unsigned = unsigned.unwrap();
    signed(unsigned.attach(&[0xaa; 256]), response)
}

fn signed<T: std::fmt::Debug>(
    exchange: Result<Exchange<T>, Error>,
    response: Response<Bytes>,
) -> Result<String, Error> {
    exchange.unwrap().complete(response).map(|value| format!("{value:?}"))
}
