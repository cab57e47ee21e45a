//! Which of `ureq`'s errors are certain to come before the broker can have got the request.
//!
//! An error does not say by itself in which phase it came. A request with a body shows it: the body is asked for after
//! the head was sent, and nobody acts on a head alone. For the others only what cannot come later counts.

use std::io::{self, Read};

use ::ureq::{Error, Timeout};

/// A body, and whether any of it was asked for.
pub(super) struct WatchedBody<'a> {
    rest: &'a [u8],
    was_read: bool,
}

impl<'a> WatchedBody<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, was_read: false }
    }

    pub(super) fn was_read(&self) -> bool {
        self.was_read
    }
}

impl Read for WatchedBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.was_read = true;
        self.rest.read(buffer)
    }
}

/// Whether the error is one of those that come while the connection is being made.
pub(super) fn is_before_sending(error: &Error) -> bool {
    match error {
        Error::BadUri(_)
        | Error::RequireHttpsOnly(_)
        | Error::HostNotFound
        | Error::ConnectionFailed
        | Error::InvalidProxyUrl
        | Error::ConnectProxyFailed(_)
        | Error::Tls(_)
        | Error::TlsRequired
        // The last one: not all of the head was sent.
        | Error::Timeout(Timeout::Resolve | Timeout::Connect | Timeout::SendRequest) => true,
        Error::Io(error) => is_io_before_sending(error),
        // The TLS is the application's choice, and not known here: its errors are recognized by how `ureq` names them.
        error => {
            let text = error.to_string();
            ["rustls: ", "native-tls: ", "PEM: ", "der: "].iter().any(|start| text.starts_with(start))
        }
    }
}

/// Not among them: a host or network that cannot be reached, for an established connection that breaks says that too.
fn is_io_before_sending(error: &io::Error) -> bool {
    /// Elsewhere a connection may say so of itself when the machine loses its address.
    const IS_OF_CONNECTING: bool = cfg!(any(target_os = "linux", windows));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => return true,
        io::ErrorKind::AddrNotAvailable if IS_OF_CONNECTING => return true,
        _ => {}
    }
    if let Some(code) = error.raw_os_error() {
        // What the resolver of Windows says, and nothing else there.
        return cfg!(windows) && (11_001..=11_004).contains(&code);
    }
    let text = error.to_string();
    // The standard library's word of a name that cannot be resolved, and what TLS says of its handshake only.
    let starts = ["failed to lookup address information: ", "invalid peer certificate: ", "peer is incompatible: "];
    starts.iter().any(|start| text.starts_with(start)) || OF_HANDSHAKES.contains(&text.as_str())
}

/// What only the handshakes of TLS and of SOCKS say.
const OF_HANDSHAKES: [&str; 25] = [
    "received fatal alert: ProtocolVersion",
    "received fatal alert: UnrecognizedName",
    "request rejected or failed",
    "request rejected because SOCKS server cannot connect to identd on the client",
    "request rejected because the client program and identd report different user-ids",
    "invalid response version",
    "invalid response code",
    "invalid reserved byte",
    "invalid username",
    "invalid password",
    "no acceptable auth methods",
    "unknown auth method",
    "unsupported address type",
    "password authentication failed",
    "domain name too long",
    "SOCKS4 does not support IPv6",
    "general SOCKS server failure",
    "connection not allowed by ruleset",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address kind not supported",
    "invalid socket address",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> Error {
        Error::Io(kind.into())
    }

    fn said(kind: io::ErrorKind, text: &'static str) -> Error {
        Error::Io(io::Error::new(kind, text))
    }

    #[test]
    fn what_cannot_come_later_has_sent_nothing() {
        for error in [
            Error::BadUri("a".to_owned()),
            Error::RequireHttpsOnly("a".to_owned()),
            Error::HostNotFound,
            Error::ConnectionFailed,
            Error::InvalidProxyUrl,
            Error::ConnectProxyFailed("a".to_owned()),
            Error::Tls("a"),
            Error::TlsRequired,
            Error::Timeout(Timeout::Resolve),
            Error::Timeout(Timeout::Connect),
            Error::Timeout(Timeout::SendRequest),
            io(io::ErrorKind::ConnectionRefused),
            said(io::ErrorKind::Other, "failed to lookup address information: Temporary failure in name resolution"),
            said(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer"),
            said(io::ErrorKind::InvalidData, "peer is incompatible: ServerDoesNotSupportTls12Or13"),
            said(io::ErrorKind::InvalidData, "received fatal alert: ProtocolVersion"),
            said(io::ErrorKind::Other, "host unreachable"),
            said(io::ErrorKind::PermissionDenied, "password authentication failed"),
        ] {
            assert!(is_before_sending(&error), "{error}");
        }
        #[cfg(target_os = "linux")]
        assert!(is_before_sending(&io(io::ErrorKind::AddrNotAvailable)));
    }

    #[test]
    fn what_may_come_later_is_not_certain() {
        for error in [
            Error::StatusCode(500),
            Error::RedirectFailed,
            Error::TooManyRedirects,
            Error::BodyExceedsLimit(1),
            Error::LargeResponseHeader(2, 1),
            Error::Other("a".into()),
            Error::BodyStalled,
            Error::Timeout(Timeout::Global),
            Error::Timeout(Timeout::PerCall),
            Error::Timeout(Timeout::PerRead),
            Error::Timeout(Timeout::PerWrite),
            Error::Timeout(Timeout::SendBody),
            Error::Timeout(Timeout::RecvResponse),
            Error::Timeout(Timeout::RecvBody),
            io(io::ErrorKind::ConnectionReset),
            io(io::ErrorKind::ConnectionAborted),
            io(io::ErrorKind::BrokenPipe),
            io(io::ErrorKind::NotConnected),
            io(io::ErrorKind::TimedOut),
            io(io::ErrorKind::UnexpectedEof),
            io(io::ErrorKind::InvalidData),
            io(io::ErrorKind::PermissionDenied),
            said(io::ErrorKind::UnexpectedEof, "Peer disconnected"),
            said(io::ErrorKind::InvalidData, "received corrupt message of type InvalidContentType"),
            said(io::ErrorKind::InvalidData, "received fatal alert: HandshakeFailure"),
            said(io::ErrorKind::InvalidData, "received fatal alert: InternalError"),
            said(io::ErrorKind::InvalidData, "peer misbehaved: MessageInterleavedWithHandshakeMessage"),
        ] {
            assert!(!is_before_sending(&error), "{error}");
        }
        // An established connection says the same when it breaks.
        #[cfg(target_os = "linux")]
        for code in [101, 110, 113] {
            assert!(!is_before_sending(&Error::Io(io::Error::from_raw_os_error(code))), "{code}");
        }
    }

    #[test]
    fn a_body_that_was_asked_for_is_known() {
        let mut body = WatchedBody::new(b"abc");
        assert!(!body.was_read());
        let mut text = String::new();
        body.read_to_string(&mut text).unwrap();
        assert!(body.was_read() && text == "abc");
    }
}
