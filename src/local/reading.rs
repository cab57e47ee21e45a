//! Reading files and pipes: never without limit, never without end, and into memory that is wiped.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the place that reads files, on a thread that can be left"
)]

use std::{
    error, fmt,
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
    /// [`ReadError::NotText`] if they are not UTF-8.
    pub fn text(&self) -> Result<&str, ReadError> {
        std::str::from_utf8(self.bytes.expose()).map_err(|_| ReadError::NotText)
    }
}

/// Why something was not read. [`Display`](fmt::Display) completes the sentence "it cannot be read: …".
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    System(io::Error),
    /// It is something else, by name: neither a regular file nor, where one is accepted, a pipe.
    NotAFile(&'static str),
    /// It is longer than the limit.
    TooLong,
    /// It did not end within 10 s.
    TooSlow,
    /// It is not UTF-8.
    NotText,
}

impl ReadError {
    /// What to try, in one line.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::System(error) if error.kind() == ErrorKind::PermissionDenied => {
                "see to it that this program may read it"
            }
            Self::System(_) => "check the path",
            Self::NotAFile(_) => "check the path: a regular file or a pipe can be read",
            Self::TooLong => "check the path: what is wanted there has a few KiB",
            Self::TooSlow => "see to it that what writes into this pipe writes all, and then closes it",
            Self::NotText => "save it as UTF-8",
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::NotAFile(what) => write!(f, "it is {what}, not a file"),
            Self::TooLong => f.write_str("it is longer than 1 MiB"),
            Self::TooSlow => write!(f, "it did not end within {} seconds", TIMEOUT.as_secs()),
            Self::NotText => f.write_str("it is not UTF-8"),
        }
    }
}

impl error::Error for ReadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads a regular file or a pipe, of at most [`LIMIT`] bytes.
///
/// # Errors
/// [`ReadError`], within 10 s. What then still blocks is a separate thread, until the system lets it go.
pub fn file(path: &Path) -> Result<Content, ReadError> {
    read(path, |kind| kind.is_file() || is_pipe(kind))
}

/// Reads a regular file, of at most [`LIMIT`] bytes.
///
/// # Errors
/// As [`file()`].
pub fn regular_file(path: &Path) -> Result<Content, ReadError> {
    read(path, |kind| kind.is_file())
}

/// Reads what `open` opens to its end, of at most `limit` bytes.
///
/// # Errors
/// As [`file()`].
pub fn stream<R: Read>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
    limit: usize,
) -> Result<Secret, ReadError> {
    in_time(move || to_end(open()?, limit))
}

/// As [`stream`], without a deadline: for a person who types.
///
/// # Errors
/// [`ReadError`], of which there is none for slowness.
pub fn to_end(mut source: impl Read, limit: usize) -> Result<Secret, ReadError> {
    // At its final size from the start, for one that grows leaves copies behind; and with space for one byte too many.
    let mut buffer = Zeroizing::new(vec![0; limit.saturating_add(1)]);
    let mut length = 0;
    loop {
        match source.read(buffer.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if length > limit {
        return Err(ReadError::TooLong);
    }
    Ok(Secret::from(buffer.get(..length).unwrap_or_default()))
}

fn read(path: &Path, is_wanted: fn(FileType) -> bool) -> Result<Content, ReadError> {
    let path = path.to_owned();
    in_time(move || {
        // Before it is opened, since that may already do something to a device; and after, since it may be another by then.
        check(&fs::metadata(&path)?, is_wanted)?;
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        check(&metadata, is_wanted)?;
        Ok(Content { bytes: to_end(file, LIMIT)?, metadata })
    })
}

fn check(metadata: &Metadata, is_wanted: fn(FileType) -> bool) -> Result<(), ReadError> {
    let kind = metadata.file_type();
    if !is_wanted(kind) {
        let what = if kind.is_dir() {
            "a folder"
        } else if is_pipe(kind) {
            "a pipe"
        } else {
            "a device or a socket"
        };
        return Err(ReadError::NotAFile(what));
    }
    if kind.is_file() && metadata.len() > u64::try_from(LIMIT).unwrap_or(u64::MAX) {
        return Err(ReadError::TooLong);
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
fn in_time<T: Send + 'static>(work: impl FnOnce() -> Result<T, ReadError> + Send + 'static) -> Result<T, ReadError> {
    let (sender, result) = mpsc::channel();
    thread::Builder::new().name("ibkr-oauth reads".to_owned()).spawn(move || {
        // Where nobody waits any more, it took too long.
        let _ = sender.send(work());
    })?;
    result.recv_timeout(TIMEOUT).unwrap_or(Err(ReadError::TooSlow))
}
