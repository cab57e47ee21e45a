//! Writing files: each whole or not at all, and none in the place of one that the caller did not mean.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Makes a folder that only its owner may look into, and those above it, and returns whether it made it: one that exists
/// is left as it is.
pub(crate) fn make_folder(path: &Path) -> io::Result<bool> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent)?,
        _ => {}
    }
    match make_new_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        result => result.map(|()| true),
    }
}

/// Makes a folder that only its owner may look into, and fails where there is something of that name.
pub(crate) fn make_new_folder(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Everybody,
}

/// A file that is to be there.
pub(crate) struct NewFile<'a> {
    pub(crate) name: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) readers: Readers,
}

/// The files that were created together.
#[must_use]
pub(crate) struct Created(Vec<PathBuf>);

impl Created {
    /// Takes them back.
    pub(crate) fn undo(self) {
        for path in self.0 {
            // There is an error already that says more.
            let _ = fs::remove_file(path);
        }
    }
}

/// Creates files in a folder, all or none. None of them may be there yet. An error names the file that it is about.
pub(crate) fn create_all(folder: &Path, files: &[NewFile<'_>]) -> Result<Created, (PathBuf, io::Error)> {
    // The content of all of them is on the disk before the first has its name.
    let mut staged = Vec::with_capacity(files.len());
    for NewFile { name, content, readers } in files {
        let path = folder.join(name);
        match stage(&path, content, *readers) {
            Ok(file) => staged.push((path, file)),
            Err(error) => return Err((path, error)),
        }
    }
    let mut created = Created(Vec::with_capacity(files.len()));
    for (path, file) in staged {
        if let Err(error) = file.persist_noclobber(&path) {
            created.undo();
            return Err((path, error.error));
        }
        created.0.push(path);
    }
    sync_names(folder);
    Ok(created)
}

/// Creates a file, which may not be there yet.
pub(crate) fn create(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    stage(path, content, readers)?.persist_noclobber(path).map_err(|error| error.error)?;
    sync_names(folder_of(path));
    Ok(())
}

/// Replaces a file by one with this content and the old one's owner, group and permissions, and returns whether it did:
/// not where `is_unchanged` says no at the last moment.
pub(crate) fn replace(path: &Path, content: &[u8], is_unchanged: impl FnOnce() -> bool) -> io::Result<bool> {
    let old = fs::metadata(path)?;
    let file = stage(path, content, Readers::Owner)?;
    keep_owner(file.as_file(), &old)?;
    file.as_file().set_permissions(old.permissions())?;
    file.as_file().sync_all()?;
    if !is_unchanged() {
        return Ok(false);
    }
    file.persist(path).map_err(|error| error.error)?;
    sync_names(folder_of(path));
    Ok(true)
}

/// Disk space for a file that is to be [replaced](replace) later. It has no name, and is freed when the program ends.
pub(crate) struct Reserve {
    _file: File,
}

/// Reserves `length` bytes of disk space beside a file, and checks that the file could be replaced.
pub(crate) fn reserve(path: &Path, length: u64) -> io::Result<Reserve> {
    let mut file = tempfile::tempfile_in(folder_of(path))?;
    keep_owner(&file, &fs::metadata(path)?)?;
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()?;
    Ok(Reserve { _file: file })
}

/// Whether a file has other names, which [`replace`] would leave with its old content.
#[cfg(unix)]
pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
pub(crate) fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Writes a file that has no name of its own yet.
fn stage(path: &Path, content: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    }));
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.as_file_mut().write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives a file to the owner and the group of another.
#[cfg(unix)]
fn keep_owner(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid())).map_err(|error| {
        let (user, group) = (old.uid(), old.gid());
        io::Error::new(error.kind(), format!("its owner (user {user}, group {group}) cannot be kept: {error}"))
    })
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Sees to it that the names in a folder survive a loss of power. Where the system cannot, the files are there
/// nevertheless.
fn sync_names(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
