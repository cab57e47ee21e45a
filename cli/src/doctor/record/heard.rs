//! What came back, before anything is taken from it.

use std::collections::BTreeMap;

use ibkr_oauth::{
    Error,
    bytes::Bytes,
    diagnose::Cause,
    http::{Response, StatusCode},
};

use super::probes::Probe;
use crate::doctor::websocket::listening::Listening;

/// What became of a probe.
pub(super) struct Heard {
    pub(super) probe: &'static Probe,
    /// How an attempt before it ended that decided nothing.
    pub(super) before: Option<String>,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    Response(Reply),
    /// There is none, for this reason.
    Silence(&'static str),
    NotSent(String),
}

/// A response with what is known of it.
pub(super) struct Reply {
    pub(super) response: Response<Bytes>,
    /// Why it is a refusal, if it is one.
    pub(super) refusal: Option<Error>,
    pub(super) seconds: BTreeMap<String, i64>,
    /// Where it agreed to a WebSocket: what came by that.
    pub(super) listened: Option<Box<Listening>>,
}

/// The name of a refusal that is not in the catalogue.
const UNKNOWN: &str = "unknown";

impl Reply {
    pub(super) fn new(response: Response<Bytes>) -> Self {
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let refusal = Error::from_response(&response).filter(|_| !is_upgrade);
        Self { response, refusal, seconds: BTreeMap::new(), listened: None }
    }

    /// Why it is a refusal, by the catalogue.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.refusal.as_ref()?.cause()
    }

    /// The name of that.
    pub(super) fn cause_name(&self) -> Option<&'static str> {
        self.refusal.as_ref().map(|refusal| refusal.cause().map_or(UNKNOWN, Cause::name))
    }

    /// Whether it says no to who asks: its token, signature or header.
    pub(super) fn is_refused(&self) -> bool {
        use Cause::{LiveSessionTokenExpired, NotAuthenticated, SignatureRefused};

        let about_signer = matches!(self.cause(), Some(NotAuthenticated | LiveSessionTokenExpired | SignatureRefused));
        about_signer || self.response.status() == StatusCode::UNAUTHORIZED
    }

    /// Whether the token has ended. Under `/iserver`, a 401 may be about the brokerage session.
    pub(super) fn ends_token(&self) -> bool {
        let is_about_token = self.cause() != Some(Cause::NoBrokerageSession);
        self.is_refused() && is_about_token || self.response.status() == StatusCode::GONE
    }

    /// Whether it decides nothing: the broker could not answer.
    pub(super) fn is_unclear(&self) -> bool {
        use Cause::{BackendUnavailable, NotProcessed, Timeout};

        let status = self.response.status();
        let is_known = self.cause().is_some_and(|cause| !matches!(cause, BackendUnavailable | NotProcessed | Timeout));
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::GONE) || (status.is_server_error() && !is_known)
    }

    /// Its status and, where it is a refusal, the cause.
    pub(super) fn in_short(&self) -> String {
        let status = self.response.status().as_u16();
        self.cause_name().map_or_else(|| status.to_string(), |cause| format!("{status} {cause}"))
    }
}

impl Outcome {
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Response(reply) => reply.is_unclear(),
            Self::Silence(_) => true,
            Self::NotSent(_) => false,
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Response(reply) if reply.is_refused())
    }

    pub(super) fn in_short(&self) -> String {
        match self {
            Self::Response(reply) => reply.in_short(),
            Self::Silence(why) => (*why).to_owned(),
            Self::NotSent(_) => "not sent".to_owned(),
        }
    }
}
