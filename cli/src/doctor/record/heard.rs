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
    pub(super) refusal: Option<Refusal>,
    pub(super) seconds: BTreeMap<String, i64>,
    /// Where it agreed to a WebSocket: what came by that.
    pub(super) listened: Option<Box<Listening>>,
}

/// A refusal, by what is behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Known(Cause),
    /// It is not in the catalogue.
    Unknown,
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Self {
        error.cause().map_or(Self::Unknown, Self::Known)
    }
}

/// The name of a refusal that is not in the catalogue.
const UNKNOWN: &str = "unknown";

impl Reply {
    pub(super) fn new(response: Response<Bytes>) -> Self {
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let refusal = Error::from_response(&response).filter(|_| !is_upgrade);
        Self { response, refusal: refusal.as_ref().map(Refusal::of), seconds: BTreeMap::new(), listened: None }
    }

    pub(super) fn cause(&self) -> Option<&'static str> {
        self.refusal.map(|refusal| match refusal {
            Refusal::Known(cause) => cause.name(),
            Refusal::Unknown => UNKNOWN,
        })
    }

    /// Whether it says no to who asks: its token, signature or header.
    pub(super) fn is_refused(&self) -> bool {
        let about_signer = matches!(
            self.refusal,
            Some(Refusal::Known(Cause::NotAuthenticated | Cause::LiveSessionTokenExpired | Cause::SignatureRefused))
        );
        about_signer || self.response.status() == StatusCode::UNAUTHORIZED
    }

    /// Whether it decides nothing: the broker could not answer.
    pub(super) fn is_unclear(&self) -> bool {
        let status = self.response.status();
        let is_known = self.refusal.is_some_and(|refusal| {
            use Cause::{BackendUnavailable, NotProcessed, Timeout};
            !matches!(refusal, Refusal::Unknown | Refusal::Known(BackendUnavailable | NotProcessed | Timeout))
        });
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::GONE) || (status.is_server_error() && !is_known)
    }

    /// Its status and, where it is a refusal, the cause.
    pub(super) fn in_short(&self) -> String {
        let status = self.response.status().as_u16();
        self.cause().map_or_else(|| status.to_string(), |cause| format!("{status} {cause}"))
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

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Response(reply) if reply.response.status() == StatusCode::GONE)
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
