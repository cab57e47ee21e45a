//! The arguments that the commands share, and what they mean.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ibkr_oauth::{
    ConsumerBuilder, Endpoints, QueryPolicy,
    bytes::Bytes,
    http::{HeaderValue, Method, Request, Uri, header::CONTENT_TYPE, request::Parts},
    oauth1::{self, percent_encode},
};

use crate::{default_port, failure::Failure};

/// The media type of a form.
pub(crate) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

pub(crate) fn query_policy_parser() -> impl TypedValueParser<Value = QueryPolicy> {
    PossibleValuesParser::new(QueryPolicy::ALL.map(QueryPolicy::name)).try_map(|name| name.parse::<QueryPolicy>())
}

/// The query policy of the commands that sign.
#[derive(Args)]
pub(crate) struct QueryPolicyArguments {
    /// How queries and forms are signed, instead of as the bundle says.
    #[arg(long, value_name = "POLICY", value_parser = query_policy_parser())]
    query_policy: Option<QueryPolicy>,
}

impl QueryPolicyArguments {
    pub(crate) fn is_given(&self) -> bool {
        self.query_policy.is_some()
    }

    pub(crate) fn apply(&self, builder: ConsumerBuilder) -> ConsumerBuilder {
        match self.query_policy {
            Some(policy) => builder.query_policy(policy),
            None => builder,
        }
    }
}

/// Any token may be a method. The known ones are written in upper case, for the broker knows no others.
pub(crate) fn parse_method(text: &str) -> Result<Method, String> {
    match known_method(text) {
        Some(known) => Ok(known),
        None => Method::from_bytes(text.as_bytes()).map_err(|_| "a method is a word such as `GET`".to_owned()),
    }
}

/// The method of this name, in letters of either case.
pub(crate) fn known_method(name: &str) -> Option<Method> {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS];
    KNOWN.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(name))
}

/// A pair of a form, split at the first `=`.
#[derive(Clone)]
pub(crate) struct Pair {
    name: String,
    value: String,
}

pub(crate) fn parse_pair(text: &str) -> Result<Pair, String> {
    let (name, value) = text.split_once('=').ok_or("a pair has a `=` between its name and its value")?;
    Ok(Pair { name: name.to_owned(), value: value.to_owned() })
}

/// The body of a form with these pairs.
pub(crate) fn form_body(pairs: &[Pair]) -> Bytes {
    let encode = |pair: &Pair| {
        let (name, value) = (percent_encode(pair.name.as_bytes()), percent_encode(pair.value.as_bytes()));
        format!("{name}={value}")
    };
    let pairs: Vec<String> = pairs.iter().map(encode).collect();
    Bytes::from(pairs.join("&"))
}

/// The request of the commands that sign without sending.
#[derive(Args)]
pub(crate) struct RequestArguments {
    /// The method; `get` is taken for `GET`.
    #[arg(value_parser = parse_method)]
    method: Method,
    /// The absolute URL.
    url: String,
    /// A pair of a form body; repeat it for more.
    #[arg(long, value_name = "K=V", allow_hyphen_values = true, value_parser = parse_pair)]
    form: Vec<Pair>,
}

impl RequestArguments {
    pub(crate) fn new(method: Method, url: String, form: Vec<Pair>) -> Self {
        Self { method, url, form }
    }

    /// The head of the request, and its body if that is a form.
    pub(crate) fn read(&self) -> Result<(Parts, Option<Bytes>), Failure> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&self.method);
        *request.uri_mut() = absolute_url(&self.url)?;
        let form = (!self.form.is_empty()).then(|| form_body(&self.form));
        if form.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, FORM);
        }
        Ok((request.into_parts().0, form))
    }
}

/// An absolute URL.
pub(crate) fn absolute_url(text: &str) -> Result<Uri, Failure> {
    oauth1::parse_uri(text).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "give an absolute URL such as `https://api.ibkr.com/v1/api/portfolio/accounts`",
        )
    })
}

/// A path under the base URL, or an absolute URL at the same host: what is sent there acts for the user.
pub(crate) fn url_at(endpoints: &Endpoints, text: &str) -> Result<Uri, Failure> {
    if text.starts_with('/') {
        return Ok(endpoints.url(text)?);
    }
    let url = absolute_url(text)
        .map_err(|failure| failure.with_remedy("give a path that starts with `/`, or an absolute URL"))?;
    let (given, base) = (origin(&url), origin(&absolute_url(endpoints.base_url())?));
    if given == base {
        return Ok(url);
    }
    Err(Failure::usage(
        format!("the URL leads to {given}, and the bundle's base URL to {base}"),
        "give a path, which is appended to the base URL, or set `base_url` in the bundle",
    ))
}

/// Scheme, host and port, the default port left out.
fn origin(url: &Uri) -> String {
    let (scheme, host) = (url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default().to_ascii_lowercase());
    match default_port::of_url(url) {
        port if port == default_port::of_scheme(Some(scheme)) => format!("{scheme}://{host}"),
        port => format!("{scheme}://{host}:{port}"),
    }
}
