//! The server of the commands that listen: HTTP/1.1, many clients and slow ones, and a bound to everything.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    select,
    sync::watch,
    time,
};

use crate::failure::Failure;

mod bounds;
mod connection;
mod door;
mod lent;
mod patience;
mod places;
mod stopping;
mod whole;

pub(crate) use bounds::{Answers, Limits, NoAnswer, Report};
pub(crate) use door::{Door, Tls};
pub(crate) use whole::{Unreadable, whole};

use connection::Connection;
use door::Listener;
use places::Places;
use stopping::told_to_stop;

/// A server on threads of its own.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves what comes in by `door` until [`stop`](Self::stop), or the program's end.
    pub(crate) fn start(door: Door, answers: impl Answers, limits: Limits, report: Report) -> Result<Self, Failure> {
        let cannot =
            |error| Failure::refused(format!("no server can be started: {error}"), "look after the system's limits");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(cannot)?;
        let listener = {
            let _inside = runtime.enter();
            door.open().map_err(cannot)?
        };
        let (stop, stopping) = watch::channel(false);
        let thread = thread::spawn(move || run(runtime, accept(listener, answers, limits, report, stopping)));
        Ok(Self { stop, thread })
    }

    /// Takes no more requests, lets those that are being answered come to their end, and waits for it.
    pub(crate) fn stop(self) {
        // Whoever ended already is not there to be told.
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

fn run(runtime: Runtime, accepting: impl Future<Output = ()>) {
    runtime.block_on(accepting);
    runtime.shutdown_timeout(Duration::from_millis(100));
}

async fn accept(
    listener: Listener,
    answers: impl Answers,
    limits: Limits,
    report: Report,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Places::new(limits.connections));
    loop {
        let accepted = select! {
            accepted = async { places.room().await; listener.accept().await } => accepted,
            () = told_to_stop(&mut stopping) => break,
        };
        let Ok(guest) = accepted else {
            // Too many open files, most likely: some are closed soon.
            time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let place = places.enter();
        let connection = Connection { answers: answers.clone(), limits, report: Arc::clone(&report), place };
        let stopping = stopping.clone();
        tokio::spawn(async move {
            if let Some(stream) = connection.greet(guest).await {
                connection.serve(stream, stopping).await;
            }
        });
    }
    drop(listener);
    // Those that take longer are cut off.
    let _ = time::timeout(limits.last_answers, places.empty()).await;
}

/// Where to listen: `PORT` of this machine alone, or `HOST:PORT`.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let addresses = text.to_socket_addrs().map_err(|_| "give PORT or HOST:PORT, such as `5055` or `127.0.0.1:5055`")?;
    addresses.into_iter().next().ok_or_else(|| "this name has no address".to_owned())
}
