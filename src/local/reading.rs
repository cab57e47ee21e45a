//! Reading files and pipes: never without limit, never without end, and into memory that is wiped.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the place that reads files, on a thread that can be left"
)]

use std::{
    fs::{self, File, FileType, Metadata},
    io::{self, ErrorKind, Read},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The most bytes that a file may have: 1 MiB.
pub const LIMIT: usize = 1 << 20;

/// As much as nearly every file has, in bytes.
const USUAL: usize = 8 << 10;

/// How long all of it may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was read, and from what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Content {
    /// All bytes.
    pub bytes: Secret,
    /// Of the file that was opened, whatever has its name by now.
    pub metadata: Metadata,
}

impl Content {
    /// The bytes as text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if they are not UTF-8.
    pub fn text(&self) -> io::Result<&str> {
        let text = std::str::from_utf8(self.bytes.expose());
        text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
    }
}

/// What to try, in one line, where one of these functions failed with this error.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    // An error of the system's has no other in it; those that are made here do.
    match (error.kind(), error.get_ref().is_some()) {
        (ErrorKind::PermissionDenied, false) => "see to it that this program may read it",
        (ErrorKind::InvalidInput, true) => "check the path: a regular file or a pipe can be read",
        (ErrorKind::FileTooLarge, true) => "check the path: what is wanted there has a few KiB",
        (ErrorKind::TimedOut, true) => "see to it that what writes into this pipe writes all, and then closes it",
        (ErrorKind::InvalidData, true) => "save it as UTF-8",
        _ => "check the path",
    }
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, "it is longer than 1 MiB")
}

/// Reads a regular file or a pipe, of at most [`LIMIT`] bytes.
///
/// # Errors
/// Within 10 s: the system's, [`ErrorKind::InvalidInput`] for a folder or a device, [`ErrorKind::FileTooLarge`] beyond the limit,
/// and [`ErrorKind::TimedOut`]. What then still blocks is a separate thread, until the system lets it go. `Display` completes
/// the sentence "it cannot be read: …", and [`remedy`] says what to try.
pub fn file(path: &Path) -> io::Result<Content> {
    read(path, |kind| kind.is_file() || is_pipe(kind))
}

/// Reads a regular file, of at most [`LIMIT`] bytes.
///
/// # Errors
/// As [`file()`].
pub fn regular_file(path: &Path) -> io::Result<Content> {
    read(path, |kind| kind.is_file())
}

/// Reads what `open` opens to its end, of at most `limit` bytes.
///
/// # Errors
/// As [`file()`].
pub fn stream<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static, limit: usize) -> io::Result<Secret> {
    in_time(TIMEOUT, move || to_end(open()?, limit))
}

/// As [`stream`], without a deadline: for a person who types.
///
/// # Errors
/// As [`file()`], without one for slowness.
pub fn to_end(mut source: impl Read, limit: usize) -> io::Result<Secret> {
    // With space for one byte too many.
    let most = limit.saturating_add(1);
    let mut buffer = Zeroizing::new(vec![0; most.min(USUAL)]);
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer = larger(&buffer, most);
        }
        match source.read(buffer.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if length > limit {
        return Err(too_long());
    }
    Ok(Secret::from(buffer.get(..length).unwrap_or_default()))
}

/// A copy with twice the space, but no more than `most`. A vector that grows by itself leaves copies behind.
fn larger(buffer: &[u8], most: usize) -> Zeroizing<Vec<u8>> {
    let mut larger = Zeroizing::new(vec![0; buffer.len().saturating_mul(2).min(most)]);
    if let Some(beginning) = larger.get_mut(..buffer.len()) {
        beginning.copy_from_slice(buffer);
    }
    larger
}

fn read(path: &Path, is_wanted: fn(FileType) -> bool) -> io::Result<Content> {
    let path = path.to_owned();
    in_time(TIMEOUT, move || {
        // Before it is opened, since that may already do something to a device; and after, since it may be another by then.
        check(&fs::metadata(&path)?, is_wanted)?;
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        check(&metadata, is_wanted)?;
        Ok(Content { bytes: to_end(file, LIMIT)?, metadata })
    })
}

fn check(metadata: &Metadata, is_wanted: fn(FileType) -> bool) -> io::Result<()> {
    let kind = metadata.file_type();
    if !is_wanted(kind) {
        let what = if kind.is_dir() {
            "a folder"
        } else if is_pipe(kind) {
            "a pipe"
        } else {
            "a device or a socket"
        };
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a file")));
    }
    if kind.is_file() && metadata.len() > u64::try_from(LIMIT).unwrap_or(u64::MAX) {
        return Err(too_long());
    }
    Ok(())
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

/// Does the work on a thread, since a pipe without a writer blocks even while it is opened.
fn in_time<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, result) = mpsc::channel();
    thread::Builder::new().name("ibkr-oauth reads".to_owned()).spawn(move || {
        // Where nobody waits any more, it took too long.
        let _ = sender.send(work());
    })?;
    let too_slow =
        || io::Error::new(ErrorKind::TimedOut, format!("it did not end within {} seconds", patience.as_secs()));
    result.recv_timeout(patience).unwrap_or_else(|_| Err(too_slow()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Whether work that cannot end was given up.
    fn is_given_up<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> bool {
        in_time(Duration::ZERO, work).is_err_and(|error| error.kind() == ErrorKind::TimedOut)
    }

    #[test]
    fn what_does_not_end_is_given_up() {
        let (to_open, opens) = mpsc::channel();
        assert!(is_given_up(move || opens.recv().map_err(io::Error::other)), "nobody writes, so that it never opens");
        let (held, mut writer) = io::pipe().unwrap();
        writer.write_all(b"the beginning").unwrap();
        assert!(is_given_up(move || to_end(held, LIMIT)), "it is open, and more may come");
        to_open.send(()).unwrap();
    }

    #[test]
    fn whatever_its_length_it_is_read_whole_up_to_the_limit() {
        for limit in [0, 1, USUAL - 1, USUAL, USUAL + 1, 3 * USUAL, LIMIT] {
            for length in [0, 1, USUAL - 1, USUAL, USUAL + 1, 2 * USUAL, 3 * USUAL, LIMIT, LIMIT + 1, 2 * LIMIT] {
                let content: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
                let read = to_end(content.as_slice(), limit);
                if length <= limit {
                    assert_eq!(read.unwrap().expose(), content, "{length} of {limit}");
                } else {
                    assert_eq!(read.unwrap_err().kind(), ErrorKind::FileTooLarge, "{length} of {limit}");
                }
            }
        }
    }
}
