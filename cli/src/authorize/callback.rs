//! The place on this machine that the browser is sent to.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Sender,
    },
    thread,
    time::Duration,
};

use super::Answer;

/// The most connections at a time. Browsers open some that they never use.
const MOST_CONNECTIONS: usize = 16;
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// Whether the visit is a consent is judged elsewhere, so that nothing is promised here.
const PAGE: &str = "<!doctype html><title>ibkr-oauth</title><p>You may close this page: the program says how it went.";

/// Hands over the address of each visit that says something. `path` is the callback's, where that is known.
pub(super) fn serve(listener: &TcpListener, path: Option<&str>, answers: &Sender<Answer>) {
    let path: Option<Arc<str>> = path.map(Arc::from);
    let count = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        if count.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
            count.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (answers, count, path) = (answers.clone(), Arc::clone(&count), path.clone());
        thread::spawn(move || {
            if let Ok(Some(target)) = visit(stream, path.as_deref()) {
                // Where nobody waits any more, the answer came before.
                let _ = answers.send(Answer::Browser(target));
            }
            count.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Reads and answers one request, and returns its target where that is the callback.
fn visit(mut stream: TcpStream, path: Option<&str>) -> io::Result<Option<String>> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut chunk = [0; 2048];
        let count = stream.read(&mut chunk)?;
        if count == 0 || head.len() + count > LONGEST_HEAD {
            return Ok(None);
        }
        head.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
    let line = head.split(|byte| *byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok());
    let target = line.and_then(|line| line.strip_prefix("GET ")?.split(' ').next()).map(str::to_owned);
    let target = target.filter(|target| target.starts_with('/') && is_callback(target, path));
    let (status, page) = if target.is_some() { ("200 OK", PAGE) } else { ("404 Not Found", "") };
    let length = page.len();
    stream.write_all(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{page}"
        )
        .as_bytes(),
    )?;
    Ok(target)
}

/// Browsers ask for an icon too, and for more; that a visit has no parameters must not be taken for the user's no.
fn is_callback(target: &str, path: Option<&str>) -> bool {
    match path {
        _ if target.contains("oauth_") => true,
        Some(path) => target.split('?').next() == Some(path),
        None => !target.starts_with("/favicon"),
    }
}
