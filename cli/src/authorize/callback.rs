//! The place on this machine that the browser is sent to.

use std::{
    collections::VecDeque,
    io::{self, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};

use ibkr_oauth::{Consent, http::StatusCode};

use super::{
    head,
    heard::Heard,
    visit::{Meaning, OwnAddress, Visit},
};

/// The most connections at a time. Browsers open some that they never use.
const MOST_CONNECTIONS: usize = 16;
/// The longest time that a connection may last.
const MOST_TIME: Duration = Duration::from_secs(10);

/// The connections that are open, the oldest first. Where all places are taken, the oldest makes room: a browser asks at
/// once, and whoever wants to keep it out does not.
#[derive(Default)]
struct Places(Mutex<VecDeque<Arc<TcpStream>>>);

impl Places {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stream: &Arc<TcpStream>) {
        let mut places = self.lock();
        places.push_back(Arc::clone(stream));
        if places.len() > MOST_CONNECTIONS {
            if let Some(oldest) = places.pop_front() {
                // It may have ended by itself.
                let _ = oldest.shutdown(Shutdown::Both);
            }
        }
    }

    fn leave(&self, stream: &Arc<TcpStream>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, stream));
    }
}

/// Answers each visit, and hands over what it means.
pub(super) fn serve(listener: &TcpListener, own: OwnAddress, consent: Consent, heard: &Sender<Heard>) {
    let (own, places) = (Arc::new((own, consent)), Arc::new(Places::default()));
    for stream in listener.incoming() {
        let Ok(stream) = stream.map(Arc::new) else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        places.enter(&stream);
        let (heard, own, places) = (heard.clone(), Arc::clone(&own), Arc::clone(&places));
        thread::spawn(move || {
            if let Some(meaning) = receive(&stream, &own.0, &own.1) {
                // Where nobody waits any more, the answer came before.
                let _ = heard.send(meaning);
            }
            places.leave(&stream);
        });
    }
}

/// Reads and answers one request.
fn receive(stream: &TcpStream, own: &OwnAddress, consent: &Consent) -> Option<Heard> {
    let end = Instant::now() + MOST_TIME;
    let head = head::read(&mut &*stream, |stream| stream.set_read_timeout(Some(time_left(end)?)));
    let visit = match head {
        Ok(request) => own.judge(&request, consent),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Visit { status: StatusCode::BAD_REQUEST, page: "", meaning: Meaning::Nothing }
        }
        Err(_) => return None,
    };
    // An answer counts, whether the browser waits for the page or not.
    let _ = answer(stream, &visit, end);
    match visit.meaning {
        Meaning::Consented(verifier) => Some(Heard::Consented(verifier)),
        Meaning::Note(note) => Some(Heard::Note(note)),
        Meaning::Nothing => None,
    }
}

fn answer(mut stream: &TcpStream, visit: &Visit, end: Instant) -> io::Result<()> {
    stream.set_write_timeout(Some(time_left(end)?))?;
    let page = match visit.page {
        "" => String::new(),
        text => format!("<!doctype html><title>ibkr-oauth</title><p>{text}"),
    };
    let (status, length) = (visit.status, page.len());
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{page}"
    );
    stream.write_all(response.as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

/// The time up to `end`; an error if there is none.
fn time_left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
