//! Where programs find the gateway.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{self, Path, PathBuf},
};

use ibkr_oauth::local;
use serde_json::{Value, json};

use super::certificate;
use crate::{
    failure::Failure,
    files::folder_of,
    serving::{self, Door, Tls},
};

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) enum Listen {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// What listens, and what to say of it.
pub(super) struct Listening {
    pub(super) door: Door,
    pub(super) announced: Value,
    /// What goes when the gateway does.
    pub(super) file: Option<SocketFile>,
}

/// The file of a Unix socket.
pub(super) struct SocketFile(PathBuf);

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
    /// Opens it. A port gets a certificate for these names, which is kept in the folder.
    pub(super) fn open(&self, folder: &Path, names: &[String]) -> Result<Listening, Failure> {
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
                let also_plain = address.ip().is_loopback();
                let config = certificate::tls(folder, names, local::now())?;
                let certificate = certificate::path(folder);
                let announced = json!({
                    "address": address.to_string(),
                    "base_urls": base_urls(address, also_plain),
                    "certificate": path::absolute(&certificate).unwrap_or(certificate).to_string_lossy(),
                });
                Ok(Listening { door: Door::Tcp(listener, Some(Tls { config, also_plain })), announced, file: None })
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let shown = path.display();
                let listener = open_socket(path).map_err(|error| {
                    Failure::usage(format!("{shown} cannot be listened at: {error}"), "give another `--listen`")
                })?;
                let announced = json!({ "address": format!("unix:{shown}"), "base_urls": ["http://localhost/v1/api"] });
                Ok(Listening { door: Door::Unix(listener), announced, file: Some(SocketFile(path.clone())) })
            }
        }
    }
}

fn base_urls(address: SocketAddr, also_plain: bool) -> Vec<String> {
    let schemes: &[&str] = if also_plain { &["https", "http"] } else { &["https"] };
    let host = if address.ip().is_loopback() { format!("localhost:{}", address.port()) } else { address.to_string() };
    schemes.iter().map(|scheme| format!("{scheme}://{host}/v1/api")).collect()
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
    let folder = tempfile::Builder::new().prefix(".gw").rand_bytes(4).tempdir_in(folder_of(path))?;
    let unnamed = folder.path().join("s");
    let listener = UnixListener::bind(&unnamed)?;
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600))?;
    fs::hard_link(&unnamed, path)?;
    Ok(listener)
}
