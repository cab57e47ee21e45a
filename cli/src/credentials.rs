//! From the bundle's file to a live session token.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use ibkr_oauth::{
    AccessToken, Consumer, Context, CredentialBundle, Entropy as _, Error, LiveSessionToken, OsEntropy, QueryPolicy,
    Secret, Signer,
    local::{SystemContext, reading},
};
use zeroize::Zeroizing;

use crate::{exposure, failure::Failure, hidden, http_client::HttpClient};

/// The bundle of credentials.
#[derive(Args)]
pub(crate) struct BundleArguments {
    /// The file with the bundle, a JSON object.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
}

impl BundleArguments {
    pub(crate) fn at(path: &Path) -> Self {
        Self { bundle: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.bundle
    }

    /// Reads the bundle, but none of the files that it names.
    pub(crate) fn read(&self) -> Result<CredentialBundle, Failure> {
        let path = self.bundle.display();
        let unreadable = |error: io::Error| {
            let remedy = reading::remedy(&error).replace("check the path", "check the path after `--bundle`");
            Failure::usage(format!("the bundle {path} cannot be read: {error}"), remedy)
        };
        let content = reading::file(&self.bundle).map_err(unreadable)?;
        exposure::check(&self.bundle, &content);
        let text = content.text().map_err(unreadable)?;
        hidden::add_bundle(text);
        let bundle = CredentialBundle::from_json(text)?;
        // Said outright, since another crate in the same program may have turned on the other backend.
        #[cfg(not(feature = "rsa"))]
        let bundle = bundle.with_aws_lc();
        Ok(bundle)
    }

    /// Reads the bundle with all that it names.
    pub(crate) fn read_whole(&self) -> Result<CredentialBundle, Failure> {
        let folder = self.bundle.parent().unwrap_or(Path::new(""));
        let resolved =
            self.read()?.resolve(|location| location.read(folder, exposure::check).inspect(hidden::add_content))?;
        Ok(resolved)
    }
}

/// The bundle's access token.
pub(crate) fn access_token(bundle: &CredentialBundle) -> Result<AccessToken, Failure> {
    bundle.access_token()?.ok_or_else(|| {
        Failure::usage(
            "the bundle has no access token",
            "put `access_token` and `access_token_secret` from the portal into the bundle; third parties get them by \
             `ibkr-oauth authorize`",
        )
    })
}

/// Negotiates a live session token.
pub(crate) fn sign_in(
    client: &HttpClient,
    consumer: &Consumer,
    token: &AccessToken,
) -> Result<LiveSessionToken, Failure> {
    let exchange = with_context(|cx| consumer.unlock(cx, token)?.live_session_token(consumer, cx))?;
    let live_session_token = exchange.send(client)?;
    hide(&live_session_token);
    Ok(live_session_token)
}

/// What signs with a live session token under another query policy.
pub(crate) fn signer_under(policy: QueryPolicy, token: &LiveSessionToken) -> Result<Signer, Error> {
    let usual = token.signer();
    let consumer = Consumer::builder(usual.consumer().consumer_key())
        .realm(usual.consumer().realm())
        .endpoints(usual.consumer().endpoints().clone())
        .query_policy(policy)
        .build()?;
    Signer::from_stored(&consumer, usual.access_token(), token.secret())
}

/// Keeps the live session token out of everything that is written but for what is asked to show it.
pub(crate) fn hide(token: &LiveSessionToken) {
    hidden::add(&base64(token.secret()));
}

/// As the live session token is written everywhere.
pub(crate) fn base64(token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(token.expose()))
}

/// Calls `work` with the present moment and the machine's random bytes.
pub(crate) fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    work(&mut SystemContext::new().context())
}

/// Random bytes in hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, Failure> {
    let mut bytes = [0; BYTES];
    OsEntropy
        .fill(&mut bytes)
        .map_err(|error| Failure::refused(error.to_string(), "look after the machine's source of random numbers"))?;
    Ok(bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}")))
}

pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
