//! One connection, plain or with TLS, and a certificate for the latter.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

/// The server's end of a connection.
pub enum Stream {
    Plain(Arc<TcpStream>),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

/// A socket that its server can shut down too.
pub struct Socket(Arc<TcpStream>);

impl Stream {
    pub(crate) fn new(stream: Arc<TcpStream>, tls: Option<Arc<ServerConfig>>) -> Self {
        match tls {
            None => Self::Plain(stream),
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                Self::Tls(Box::new(StreamOwned::new(connection, Socket(stream))))
            }
        }
    }

    /// How long a read waits at most.
    pub(crate) fn set_read_timeout(&self, timeout: Duration) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock.0,
        };
        socket.set_read_timeout(Some(timeout)).unwrap();
    }

    /// Says that no more comes, and lets the client finish.
    pub fn end(mut self) {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let socket = match &self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock.0,
        };
        let _ = socket.shutdown(Shutdown::Write);
        // To close with unread bytes would reset the connection, and the client might lose the reply.
        let _ = self.read(&mut [0; 1024]);
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => (&**stream).read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => (&**stream).write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => (&**stream).flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(bytes)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

/// A new certificate for 127.0.0.1, which vouches for itself, and a server's configuration with it.
pub fn certificate() -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, Arc::new(config))
}
