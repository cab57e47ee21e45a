//! Requests that `hyper` never began to send, which `reqwest` and `hyper-util` hand on.

use std::error::Error;

/// Whether the error, or one behind it, is `hyper`'s of a request that was given up before any of it was sent.
///
/// It is recognized by its text: `reqwest` does not name `hyper`'s type.
pub(super) fn was_canceled(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string() == "operation was canceled" {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(feature = "hyper")]
#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use ::hyper::{
        client::conn::http1::handshake,
        rt::{Read, ReadBufCursor, Write},
    };
    use bytes::Bytes;
    use http::Request;
    use http_body_util::Full;

    use super::*;

    /// A connection that takes everything and says nothing.
    struct Silent;

    impl Read for Silent {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl Write for Silent {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn ready<F: Future>(future: F) -> Option<F::Output> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_request_that_was_never_begun_is_told_from_one_that_was() {
        let request = || Request::get("/").body(Full::new(Bytes::new())).unwrap();
        let (mut sender, connection) = ready(handshake(Silent)).unwrap().unwrap();
        drop(connection);
        let error = ready(sender.send_request(request())).unwrap().unwrap_err();
        assert!(error.is_canceled() && was_canceled(&error), "{error}");
        assert!(was_canceled(&io::Error::other(error)));

        let (mut sender, mut connection) = ready(handshake(Silent)).unwrap().unwrap();
        assert!(ready(&mut connection).is_none());
        let mut response = pin!(sender.send_request(request()));
        assert!(ready(response.as_mut()).is_none());
        assert!(ready(&mut connection).is_none(), "it is sent now");
        drop(connection);
        let error = ready(response).unwrap().unwrap_err();
        assert!(!error.is_canceled() && !was_canceled(&error), "{error}");
    }
}
