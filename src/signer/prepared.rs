//! A request that is signed again and again.

use std::{fmt, sync::Arc};

use http::{Method, Request, Uri, header::AUTHORIZATION};

use super::{
    Epoch, STAGE,
    check::check,
    mac::KeyedMac,
    scratch::{Scratch, with_scratch},
    template::{Head, Stamp, Template},
};
use crate::{context::Context, error::Error, header_value::sensitive, timestamp_floor::TimestampFloor};

/// A request without a form that is sent again and again, such as a poll: method, URL and parameters stay, nonce and
/// timestamp change. From [`Signer::prepare`](crate::Signer::prepare).
///
/// What comes before the nonce in its base string is hashed already. Cheap to clone, and made to be shared between
/// threads.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Context, OsEntropy, Timestamp, http, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let mut broker = Broker::default();
/// # let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
/// let uri = "https://api.ibkr.com/v1/api/iserver/account/orders";
/// let (parts, ()) = http::Request::get(uri).body(())?.into_parts();
/// let orders = signer.prepare(&parts)?;
/// for _ in 0..3 {
///     let mut request = http::Request::get(uri).body(())?;
///     orders.sign(&mut cx, &mut request)?;
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PreparedRequest(Arc<Prepared>);

struct Prepared {
    method: Method,
    uri: Uri,
    /// Has absorbed the whole blocks of the base string up to the nonce.
    mac: KeyedMac,
    /// What stands between those and the nonce.
    start: Vec<u8>,
    /// The base string from behind the timestamp.
    end: Vec<u8>,
    template: Arc<Template>,
    floor: Arc<TimestampFloor>,
    epoch: Epoch,
}

impl PreparedRequest {
    pub(super) fn new(
        head: Head<'_>,
        template: Arc<Template>,
        floor: Arc<TimestampFloor>,
        epoch: Epoch,
    ) -> Result<Self, Error> {
        let base_url = check(head, None, &template)?;
        let mut scratch = Scratch::new();
        template.begin_base_string(&mut scratch, head, None, base_url)?;
        let mut mac = template.mac().clone();
        let start = mac.absorb(&scratch.base_string).to_vec();
        let mut end = Vec::new();
        template.end_base_string(&mut end, &scratch.pairs);
        let (method, uri) = (head.method.clone(), head.uri.clone());
        Ok(Self(Arc::new(Prepared { method, uri, mac, start, end, template, floor, epoch })))
    }

    /// Signs a request that has the prepared method and URI. Adds `Authorization` and nothing else.
    ///
    /// # Errors
    /// As [`Signer::sign`](crate::Signer::sign); and [`ErrorKind::Config`](crate::ErrorKind::Config) if the method or the
    /// URI is another. The request is then as it was.
    pub fn sign<B>(&self, cx: &mut Context<'_>, request: &mut Request<B>) -> Result<Epoch, Error> {
        check(Head::from(&*request), None, &self.0.template)?;
        if *request.method() != self.0.method || *request.uri() != self.0.uri {
            return Err(Error::config(STAGE, "the request is another than the one that was prepared")
                .with_remedy("prepare each method and URI by itself, or use `Signer::sign`"));
        }
        let authorization = with_scratch(|scratch| {
            self.write_header(cx, scratch)?;
            sensitive(STAGE, scratch.header())
        })?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(self.0.epoch)
    }

    /// Writes the value of the `Authorization` header for one more attempt into `scratch`, and allocates nothing.
    ///
    /// It is for the prepared request only: that method, that URI, and a body that is no form.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes,
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the clock was set back by more than 300 seconds.
    pub fn write_header(&self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<Epoch, Error> {
        let Prepared { mac, start, end, template, floor, epoch, .. } = &*self.0;
        scratch.clear();
        let Scratch { base_string, header, .. } = scratch;
        base_string.extend_from_slice(start);
        let mut digits = itoa::Buffer::new();
        let stamp = Stamp::append(cx, floor, base_string, &mut digits)?;
        base_string.extend_from_slice(end);
        template.write_header(header, &stamp, &mac.of(base_string));
        Ok(*epoch)
    }
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedRequest")
            .field("method", &self.0.method)
            .field("uri", &self.0.uri)
            .field("epoch", &self.0.epoch)
            .finish_non_exhaustive()
    }
}
