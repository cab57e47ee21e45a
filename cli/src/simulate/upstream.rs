//! A mock of the user's own, behind the simulator's authentication.

use std::time::Duration;

use ibkr_oauth::{
    Endpoints,
    bytes::Bytes,
    http::{
        HeaderMap, Request, Response,
        header::{self, AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName},
    },
    transport::{Limits, Transport},
};

use crate::{connector, failure::Failure, http_client::HttpClient, proxy::Route};

/// How long the mock may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer, in bytes.
const LONGEST: usize = 16 << 20;

/// What is about one connection, and not handed on.
const OF_THE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Where requests go that passed every check.
pub(super) struct Upstream {
    /// Paths from the end of the simulated base URL on are appended to it.
    base: Endpoints,
    client: HttpClient,
}

impl Upstream {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let client = HttpClient::new(connector::connector(&Route::Direct, None)?)?;
        Ok(Self { base: Endpoints::new(url)?, client })
    }

    /// The mock's answer; in words, why there is none.
    pub(super) fn answer(&self, request: &Request<Bytes>, path_and_query: &str) -> Result<Response<Bytes>, String> {
        let answer = self.ask(request, path_and_query);
        answer.map_err(|why| format!("{} does not answer: {why}", self.base.base_url()))
    }

    fn ask(&self, request: &Request<Bytes>, path_and_query: &str) -> Result<Response<Bytes>, String> {
        let mut forwarded = Request::new(request.body().clone());
        *forwarded.method_mut() = request.method().clone();
        *forwarded.uri_mut() = self.base.url(path_and_query).map_err(|error| error.to_string())?;
        *forwarded.headers_mut() = handed_on(request.headers());
        // It was good for the simulator, and is nobody else's.
        forwarded.headers_mut().remove(AUTHORIZATION);
        forwarded.headers_mut().remove(HOST);
        let mut limits = Limits::default();
        (limits.timeout, limits.longest_body) = (PATIENCE, LONGEST);
        let answer = self.client.send(forwarded, limits).map_err(|error| error.to_string())?;
        let mut response = Response::new(answer.body().clone());
        *response.status_mut() = answer.status();
        *response.headers_mut() = handed_on(answer.headers());
        Ok(response)
    }
}

fn handed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_THE_CONNECTION.iter().chain(&[CONTENT_LENGTH]) {
        headers.remove(name);
    }
    headers
}
