//! The arguments of the commands that sign in.

use clap::Args;
use ibkr_oauth::{AccessToken, Consumer};

use crate::{
    arguments::QueryPolicyArguments,
    connection::ConnectionArguments,
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
