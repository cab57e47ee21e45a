//! One connection, from its first request to its end.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use ibkr_oauth::http::Request;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    select,
    sync::watch,
    time,
};

use super::{
    bounds::{Answers, Limits, NoAnswer, Report},
    door::{Guest, Stream},
    lent::Lent,
    patience::Patience,
    places::Place,
    stopping::told_to_stop,
};

/// How long what is still sent is read after the last answer: a socket that is closed with unread bytes is reset, and
/// takes the answer with it.
const PARTING: Duration = Duration::from_secs(2);

/// One connection.
pub(super) struct Connection<A> {
    pub(super) answers: A,
    pub(super) limits: Limits,
    pub(super) report: Report,
    pub(super) place: Arc<Place>,
}

/// The client is to see no answer.
#[derive(Debug)]
struct Silence;

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for Silence {}

impl<A: Answers> Connection<A> {
    /// The stream of who has come in, unless that takes too long, or others need the place.
    pub(super) async fn greet(&self, guest: Guest) -> Option<Box<dyn Stream>> {
        select! {
            stream = guest => stream,
            () = self.place.sent_away() => None,
        }
    }

    /// Answers until the client leaves, is silent for too long, or has to make room, or the server stops.
    ///
    /// A service may take the connection over, by [`hyper::upgrade`]; then it is the service's to end.
    pub(super) async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        mut stopping: watch::Receiver<bool>,
    ) {
        let (stream, lent) = Lent::new(stream);
        let ended = select! {
            biased;
            result = self.converse(lent, &mut stopping) => result,
            () = self.place.sent_away() => return,
        };
        if let Err(error) = ended {
            if error.is_parse() || error.is_parse_too_large() {
                (self.report)(&format!("what a client sent is no request of HTTP/1.1: {error}"));
            }
        }
        let Some(stream) = stream.back() else { return };
        select! {
            _ = time::timeout(PARTING, part(stream)) => {}
            () = self.place.sent_away() => {}
            () = told_to_stop(&mut stopping) => {}
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: Lent<S>,
        stopping: &mut watch::Receiver<bool>,
    ) -> hyper::Result<()> {
        let answers = TowerToHyperService::new(self.answers.clone());
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Asked { limits: self.limits, place: Arc::clone(&self.place) });
            let answering = answers.call(request);
            async {
                let Ok(response) = answering.await;
                self.place.waits();
                if response.extensions().get::<NoAnswer>().is_some() { Err(Silence) } else { Ok(response) }
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(Patience::default())
                .half_close(self.limits.half_close)
                .header_read_timeout(self.limits.head)
                .max_buf_size(self.limits.longest_head)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        select! {
            biased;
            result = &mut connection => return result,
            () = told_to_stop(stopping) => {}
        }
        if self.place.is_waiting() {
            return Ok(());
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}

/// What a request carries of its connection, as an extension.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) limits: Limits,
    pub(super) place: Arc<Place>,
}

async fn part(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut unread = vec![0; 8192];
    if stream.shutdown().await.is_ok() {
        while stream.read(&mut unread).await.is_ok_and(|count| count > 0) {}
    }
}
