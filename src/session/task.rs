//! What an exchange of the session's is for, and what comes of it.

use super::phase::Phase;
use crate::{
    brokerage::{BrokerageStatus, Tickle},
    error::Stage,
    flow::LiveSessionToken,
};

/// What an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Negotiate,
    Open,
    Status,
    /// The query of the accounts.
    Prime,
    Tickle,
    /// A logout before a handshake, where the brokerage session is lost again and again.
    StartOver,
    LogOut,
}

impl Task {
    /// Whether its answer still means something in this phase.
    pub(super) fn belongs_to(self, phase: &Phase) -> bool {
        match self {
            Self::Negotiate => matches!(phase, Phase::Negotiating { .. } | Phase::Renewing(_)),
            Self::Open => matches!(phase, Phase::Opening { .. }),
            Self::Status => matches!(phase, Phase::Settling(_)),
            Self::Prime => matches!(phase, Phase::Priming { .. } | Phase::Live(_)),
            Self::Tickle => matches!(phase, Phase::Live(_) | Phase::Displaced(_) | Phase::BackingOff(_)),
            Self::StartOver => matches!(phase, Phase::Negotiating { .. }),
            Self::LogOut => matches!(phase, Phase::Closing),
        }
    }

    /// Whether a live session token signs it.
    pub(super) fn is_signed_by_token(self) -> bool {
        self != Self::Negotiate
    }

    pub(super) const fn stage(self) -> Stage {
        match self {
            Self::Negotiate => Stage::LiveSessionToken,
            Self::Open => Stage::OpenBrokerage,
            Self::Status => Stage::BrokerageStatus,
            Self::Prime => Stage::Accounts,
            Self::Tickle => Stage::Tickle,
            Self::StartOver | Self::LogOut => Stage::Logout,
        }
    }
}

/// What came of an exchange that succeeded.
pub(super) enum Received {
    Negotiated(LiveSessionToken),
    Brokerage(BrokerageStatus),
    Accounts,
    Tickle(Tickle),
    LoggedOut(bool),
}
