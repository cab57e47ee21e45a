//! Reading files, pipes and standard input: never without limit, never without end, and into memory that is wiped.

use std::{
    fmt,
    fs::{self, File, FileType, Metadata},
    io::{self, ErrorKind, IsTerminal, Read},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use ibkr_oauth::Secret;
use zeroize::Zeroizing;

/// The most bytes that anything may have.
pub(crate) const LIMIT: usize = 1 << 20;

/// How long all of it may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was read, and from what.
pub(crate) struct Content {
    pub(crate) bytes: Secret,
    pub(crate) metadata: Metadata,
}

/// Why something was not read.
pub(crate) enum Unreadable {
    System(io::Error),
    /// It is neither a regular file nor, where one will do, a pipe.
    NoFile(&'static str),
    TooLong,
    TooSlow,
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::NoFile(what) => write!(f, "it is {what}, not a file"),
            Self::TooLong => f.write_str("it is longer than 1 MiB"),
            Self::TooSlow => write!(f, "it did not end within {} seconds", TIMEOUT.as_secs()),
        }
    }
}

impl Unreadable {
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::System(error) if error.kind() == ErrorKind::PermissionDenied => {
                "see to it that this program may read it"
            }
            Self::System(_) => "check the path",
            Self::NoFile(_) => "check the path: a regular file or a pipe can be read",
            Self::TooLong => "check the path: what is wanted there has a few KiB",
            Self::TooSlow => "see to it that what writes into this pipe writes all, and then closes it",
        }
    }
}

/// Reads a regular file or a pipe.
pub(crate) fn file(path: &Path) -> Result<Content, Unreadable> {
    read(path, |kind| kind.is_file() || is_pipe(kind))
}

/// Reads a regular file.
pub(crate) fn regular_file(path: &Path) -> Result<Content, Unreadable> {
    read(path, |kind| kind.is_file())
}

/// Reads standard input, whatever that is, up to `limit` bytes. A person who types has no deadline.
pub(crate) fn standard_input(limit: usize) -> Result<Secret, Unreadable> {
    let work = move || read_all(unbuffered_input()?, limit);
    if io::stdin().is_terminal() { work() } else { in_time(work) }
}

/// The standard library's own buffer is not wiped.
#[cfg(unix)]
fn unbuffered_input() -> io::Result<File> {
    std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn unbuffered_input() -> io::Result<io::Stdin> {
    Ok(io::stdin())
}

fn read(path: &Path, is_wanted: fn(FileType) -> bool) -> Result<Content, Unreadable> {
    let path = path.to_owned();
    in_time(move || {
        // Before it is opened, since that may already do something to a device; and after, since it may be another by then.
        check(&fs::metadata(&path)?, is_wanted)?;
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        check(&metadata, is_wanted)?;
        Ok(Content { bytes: read_all(file, LIMIT)?, metadata })
    })
}

fn check(metadata: &Metadata, is_wanted: fn(FileType) -> bool) -> Result<(), Unreadable> {
    let kind = metadata.file_type();
    if !is_wanted(kind) {
        let what = if kind.is_dir() {
            "a folder"
        } else if is_pipe(kind) {
            "a pipe"
        } else {
            "a device or a socket"
        };
        return Err(Unreadable::NoFile(what));
    }
    if kind.is_file() && metadata.len() > u64::try_from(LIMIT).unwrap_or(u64::MAX) {
        return Err(Unreadable::TooLong);
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

/// Does the work on a thread, since a pipe without a writer blocks even while it is opened. Where it takes too long, the
/// thread is left to the end of the program, which is near then.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> Result<T, Unreadable> + Send + 'static) -> Result<T, Unreadable> {
    let (sender, result) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        // Where nobody waits any more, it took too long.
        let _ = sender.send(work());
    })?;
    result.recv_timeout(TIMEOUT).unwrap_or(Err(Unreadable::TooSlow))
}

fn read_all(mut source: impl Read, limit: usize) -> Result<Secret, Unreadable> {
    // At its final size from the start, for one that grows leaves copies behind; and with room for one byte too many.
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
        return Err(Unreadable::TooLong);
    }
    Ok(Secret::from(buffer.get(..length).unwrap_or_default()))
}
