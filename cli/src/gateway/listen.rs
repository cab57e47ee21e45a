//! Where programs find the gateway.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use crate::{failure::Failure, serving};

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) enum Listen {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// What listens.
pub(super) enum Listening {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

/// The file of a Unix socket, which goes when the gateway does.
pub(super) struct SocketFile(PathBuf);

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever comes next finds out that nobody listens.
        let _ = fs::remove_file(&self.0);
    }
}

/// `PORT`, `HOST:PORT` or `unix:PATH`.
pub(super) fn parse(text: &str) -> Result<Listen, String> {
    #[cfg(unix)]
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.is_empty() {
            Err("give a path behind `unix:`".to_owned())
        } else {
            Ok(Listen::Unix(path.into()))
        };
    }
    serving::parse_address(text).map(Listen::Tcp)
}

impl Listen {
    pub(super) fn open(&self) -> Result<Listening, Failure> {
        match self {
            Self::Tcp(address) => {
                let cannot = |error: io::Error| {
                    let remedy = match error.kind() {
                        io::ErrorKind::AddrInUse => {
                            "something else listens there (on macOS, AirPlay has port 5000): give another `--listen`"
                        }
                        _ => "give another `--listen`",
                    };
                    Failure::usage(format!("{address} cannot be listened at: {error}"), remedy)
                };
                let listener = TcpListener::bind(address).map_err(cannot)?;
                let address = listener.local_addr().map_err(cannot)?;
                Ok(Listening::Tcp(listener, address))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let listener = open_socket(path).map_err(|error| {
                    let shown = path.display();
                    Failure::usage(format!("{shown} cannot be listened at: {error}"), "give another `--listen`")
                })?;
                Ok(Listening::Unix(listener, SocketFile(path.clone())))
            }
        }
    }
}

/// A socket that only its owner can use from the first moment on: it is made in a folder of its own, and gets its name when
/// it has its permissions. One of that name that nobody listens at is replaced; any other file is left as it is.
#[cfg(unix)]
fn open_socket(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    };

    if let Ok(there) = fs::symlink_metadata(path) {
        let is_left_behind = there.file_type().is_socket()
            && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if !is_left_behind {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(".gw").rand_bytes(4).tempdir_in(beside)?;
    let unnamed = folder.path().join("s");
    let listener = UnixListener::bind(&unnamed)?;
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600))?;
    fs::hard_link(&unnamed, path)?;
    Ok(listener)
}
