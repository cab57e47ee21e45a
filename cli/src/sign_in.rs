//! The arguments of the commands that sign in, and of those that keep a session.

use clap::{Args, ValueEnum};
use ibkr_oauth::{
    AccessToken, Consumer, UnlockedToken,
    session::{CompetePolicy, SessionConfig},
};

use crate::{
    arguments::QueryPolicyArguments,
    connection::ConnectionArguments,
    connector::Connector,
    credentials::{self, BundleArguments},
    failure::Failure,
};

/// Who signs in, and how the broker is reached.
#[derive(Args)]
pub(crate) struct SignInArguments {
    #[command(flatten)]
    pub(crate) bundle: BundleArguments,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(flatten)]
    pub(crate) query_policy: QueryPolicyArguments,
}

impl SignInArguments {
    /// Reads the bundle with all that it names: its consumer, and its access token.
    pub(crate) fn credentials(&self) -> Result<(Consumer, AccessToken), Failure> {
        let bundle = self.bundle.read_whole()?;
        let consumer = self.query_policy.apply(bundle.consumer_builder()?).build()?;
        Ok((consumer, credentials::access_token(&bundle)?))
    }
}

/// Who signs in and keeps a session, and how.
#[derive(Args)]
pub(crate) struct SessionArguments {
    #[command(flatten)]
    pub(crate) sign_in: SignInArguments,
    /// What to do about another session of the same user, in TWS, on the phone, or in another program.
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = Compete::Yield)]
    compete: Compete,
    /// Date signatures by the broker's clock where that differs from this machine's.
    #[arg(long)]
    correct_clock: bool,
}

/// What to do about another session of the same user.
#[derive(Clone, Copy, ValueEnum)]
enum Compete {
    /// Leave it alone, and ask again from time to time.
    Yield,
    /// Throw it out at the first opening, and leave it alone from then on.
    TakeOnce,
    /// Throw it out each time.
    TakeAlways,
}

impl SessionArguments {
    /// Reads the bundle with all that it names: whose session it is, and what makes its connections.
    pub(crate) fn open(&self) -> Result<(Consumer, UnlockedToken, Connector), Failure> {
        let (consumer, token) = self.sign_in.credentials()?;
        let connector = self.sign_in.connection.connector(consumer.endpoints())?;
        let unlocked = credentials::with_context(|cx| consumer.unlock(cx, &token))?;
        Ok((consumer, unlocked, connector))
    }

    pub(crate) fn config(&self) -> SessionConfig {
        let mut config = SessionConfig::default();
        config.correct_clock = self.correct_clock;
        config.compete = match self.compete {
            Compete::Yield => CompetePolicy::Yield,
            Compete::TakeOnce => CompetePolicy::TakeOnce,
            Compete::TakeAlways => CompetePolicy::TakeAlways,
        };
        config
    }
}
