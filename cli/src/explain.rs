//! `ibkr-oauth explain`

use clap::Args;
use ibkr_oauth::{
    Consumer, Secret, Signer,
    diagnose::{Cause, Explanation},
    http::{Uri, request::Parts},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    arguments::{self, Pair, QueryPolicyArguments, RequestArguments},
    credentials::BundleArguments,
    failure::Failure,
    hidden,
    output::{self, Format, Shown},
    sign, standard_input,
};

mod causes;

/// The longest text that is read from standard input.
const LONGEST_TEXT: usize = 1 << 20;

/// The arguments of `explain`.
#[derive(Args)]
#[command(
    override_usage = "ibkr-oauth explain [CAUSE]\n       ibkr-oauth explain [OPTIONS] <METHOD> <URL>",
    after_help = "\
With a cause, as an error names it: what it means, how the broker says it, and what to do. With nothing: the causes.

With a method and a URL: shows the parameters and where each comes from, each step of their encoding, the base string and the header. With
`--header` it is the request of another client that is explained; with `--base-string` it says where that one differs,
and the likely cause. No key is needed and nothing is sent; credentials are hidden in what is printed.

Examples:
  ibkr-oauth explain no_brokerage_session
  ibkr-oauth explain GET 'https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=BRK%20B'
  ibkr-oauth explain GET https://api.ibkr.com/v1/api/tickle --header 'OAuth realm=\"limited_poa\", oauth_nonce=\"…\", …'
  ibkr-oauth explain GET https://api.ibkr.com/v1/api/tickle --header \"$HEADER\" --base-string - < base_string.txt"
)]
pub(crate) struct Arguments {
    /// The bundle whose consumer key, realm, query policy and access token are used; no key in it is read.
    #[arg(long, value_name = "FILE")]
    bundle: Option<std::path::PathBuf>,
    /// The `Authorization` header of another client; `-` reads it from standard input.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    header: Option<String>,
    /// The signature base string of another client, to be compared; `-` reads it from standard input.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    base_string: Option<String>,
    /// The nonce, where there is no `--header`.
    #[arg(long, allow_hyphen_values = true, conflicts_with = "header")]
    nonce: Option<String>,
    /// The timestamp, in seconds since 1970, where there is no `--header`.
    #[arg(long, value_name = "SECONDS", conflicts_with = "header")]
    timestamp: Option<u64>,
    #[command(flatten)]
    query_policy: QueryPolicyArguments,
    /// The name of a cause; or the method of the request, with its URL after it.
    #[arg(value_name = "CAUSE|METHOD")]
    subject: Option<String>,
    /// The absolute URL of the request.
    #[arg(requires = "subject")]
    url: Option<String>,
    /// A pair of a form body; repeat it for more.
    #[arg(long, value_name = "K=V", allow_hyphen_values = true, value_parser = arguments::parse_pair)]
    form: Vec<Pair>,
}

impl Arguments {
    /// Whether something was given that only a request has.
    fn is_about_request(&self) -> bool {
        self.bundle.is_some()
            || self.header.is_some()
            || self.base_string.is_some()
            || self.nonce.is_some()
            || self.timestamp.is_some()
            || !self.form.is_empty()
            || self.query_policy.is_given()
    }

    fn request(&self) -> Result<Option<RequestArguments>, Failure> {
        let Some(url) = &self.url else {
            return if self.is_about_request() { Err(without_url()) } else { Ok(None) };
        };
        let method = self.subject.as_deref().unwrap_or_default();
        let method = arguments::parse_method(method).map_err(|what| Failure::usage(what, URL_TOO))?;
        Ok(Some(RequestArguments::new(method, url.clone(), self.form.clone())))
    }
}

const URL_TOO: &str = "give a method and an absolute URL, such as `GET https://api.ibkr.com/v1/api/portfolio/accounts`";

fn without_url() -> Failure {
    Failure::usage("these options are about a request, and there is no URL", URL_TOO)
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let Some(request) = arguments.request()? else {
        return match arguments.subject.as_deref() {
            None => causes::list(format),
            Some(name) => match Cause::from_name(name) {
                Some(cause) => causes::explain(cause, format),
                None if arguments::known_method(name).is_some() => {
                    Err(Failure::usage(format!("`{name}` is a method, and there is no URL"), URL_TOO))
                }
                None => causes::unknown(name, format),
            },
        };
    };
    if arguments.header.as_deref() == Some("-") && arguments.base_string.as_deref() == Some("-") {
        return Err(Failure::usage("header and base string cannot both come from standard input", "give one as text"));
    }
    let (parts, form) = request.read()?;
    let (consumer, token) = consumer(arguments, &parts.uri)?;
    let explanation = match &arguments.header {
        Some(header) => {
            let header = given(header)?;
            let policy = consumer.query_policy();
            Explanation::from_signed(&parts.method, &parts.uri, header.trim(), form.as_deref(), policy)?
        }
        None => own(arguments, &consumer, &token, &parts, form.as_deref())?,
    };
    let comparison = match &arguments.base_string {
        Some(text) => Some(explanation.compare(given(text)?.trim_end_matches(['\r', '\n']))),
        None => None,
    };
    match format {
        Format::Json => output::print_json(&json!({ "explanation": explanation, "comparison": comparison })),
        Format::Text => {
            let comparison = comparison.map(|issues| match issues.as_slice() {
                [] => "\n\nthe base strings are the same".to_owned(),
                issues => issues.iter().fold("\n".to_owned(), |text, issue| format!("{text}\n{issue}")),
            });
            output::print(&Shown::lines(&format!("{explanation}{}", comparison.unwrap_or_default())))
        }
    }
}

/// Whose request it is: the bundle's owner, or somebody without a name. Nothing is sent, so that any host will do.
fn consumer(arguments: &Arguments, url: &Uri) -> Result<(Consumer, String), Failure> {
    let (builder, token) = match &arguments.bundle {
        None => (Consumer::builder("CONSUMERKEY"), "access-token".to_owned()),
        Some(path) => {
            let bundle = BundleArguments::at(path).read()?;
            hidden::add(bundle.consumer_key());
            let token =
                bundle.access_token()?.map_or_else(|| "access-token".to_owned(), |token| token.token().to_owned());
            (bundle.keyless_consumer_builder(), token)
        }
    };
    let host = url.authority().map_or("", |authority| authority.as_str());
    let builder = builder.allow_host(format!("{}://{host}", url.scheme_str().unwrap_or_default()));
    Ok((arguments.query_policy.apply(builder).build()?, token))
}

/// As this program would sign it. The signature is not shown, so that any live session token will do.
fn own(
    arguments: &Arguments,
    consumer: &Consumer,
    token: &str,
    parts: &Parts,
    form: Option<&[u8]>,
) -> Result<Explanation, Failure> {
    if parts.uri.path().contains("/oauth/") {
        return Err(Failure::usage(
            "the requests of the sign-in have another kind of signature than all others",
            "give the `Authorization` header of one by `--header`",
        ));
    }
    let signer = Signer::from_stored(consumer, token, &Secret::from(vec![0; 20]))?;
    let (nonce, timestamp) = sign::attempt(arguments.nonce.as_deref(), arguments.timestamp)?;
    Ok(Explanation::for_request(&signer, parts, form, &nonce, timestamp)?)
}

fn given(argument: &str) -> Result<Zeroizing<String>, Failure> {
    let remedy = "pipe in that alone, in ASCII: 1 MiB at most";
    standard_input::given(argument, "a header or a base string", LONGEST_TEXT, remedy)
}
