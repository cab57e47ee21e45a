//! The gateway's own certificate: self-signed, for the names of this machine, made once and kept.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{Timestamp, local::reading};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};

use crate::{
    failure::Failure,
    files::{self, NewFile, Readers},
    warning,
};

/// The files in the folder of the bundle, or in that of `--certificate`.
const CERTIFICATE: &str = "gateway.crt";
const KEY: &str = "gateway.key";

/// As long as systems accept that look at it.
const VALID: Duration = Duration::from_secs(820 * DAY);
/// One that ends sooner is made anew when the program starts.
const RENEWED_BEFORE: Duration = Duration::from_secs(120 * DAY);
const DAY: u64 = 24 * 3600;

/// What a file of ours begins with; then the last moment, and the names.
const MARK: &str = "# ibkr-oauth gateway; valid until ";

/// Certificate and key.
struct Pair {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// The TLS of this gateway. In a folder that cannot be written, the certificate is for this run alone.
pub(super) fn tls(folder: &Path, names: &[String], now: Timestamp) -> Result<Arc<ServerConfig>, Failure> {
    let pair = kept(folder, names, now)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![pair.certificate], pair.key));
    config.map(Arc::new).map_err(|error| {
        let folder = folder.display();
        Failure::usage(
            format!("{KEY} and {CERTIFICATE} in {folder} cannot be used: {error}"),
            "move both away: they are made anew",
        )
    })
}

/// Where the certificate is that programs can be told to trust.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(CERTIFICATE)
}

fn kept(folder: &Path, names: &[String], now: Timestamp) -> Result<Pair, Failure> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
    if !exists(&certificate) && !exists(&key) {
        let key = KeyPair::generate().map_err(|error| cannot_make(&error))?;
        let text = made(&key, names, now)?;
        let key_text = pem("PRIVATE KEY", &key.serialize_der());
        let new = [
            NewFile { name: KEY, content: key_text.as_bytes(), readers: Readers::Owner },
            NewFile { name: CERTIFICATE, content: text.as_bytes(), readers: Readers::Everybody },
        ];
        if let Err((path, error)) = files::create_all(folder, &new).map(|_created| ()) {
            if error.kind() == ErrorKind::AlreadyExists {
                return kept(folder, names, now);
            }
            let path = path.display();
            let what = format!("{path} cannot be written ({error}), so the certificate is for this run alone");
            warning::warn(&what, "give a folder that can be written after `--certificate`");
        }
        return read_pair(&text, &key_text).ok_or_else(|| cannot_make(&"it cannot be read again"));
    }
    let read = |path: &Path| -> Result<String, Failure> {
        let shown = path.display();
        let content = reading::file(path)
            .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}"), reading::remedy(&error)))?;
        Ok(content.text().map(str::to_owned).unwrap_or_default())
    };
    let (text, key_text) = (read(&certificate)?, read(&key)?);
    let mismatch = || {
        let folder = folder.display();
        Failure::usage(
            format!("{CERTIFICATE} and {KEY} in {folder} are not those of this gateway"),
            "move them away, or give another folder after `--certificate`",
        )
    };
    let end = text.strip_prefix(MARK).ok_or_else(mismatch)?;
    let limit = now.saturating_add(RENEWED_BEFORE).to_string();
    let is_for_names = end.lines().next().is_some_and(|line| line.ends_with(&format!(" for {}", names.join(" "))));
    // Moments written so are in the order of their texts.
    if is_for_names && end.get(..limit.len()).is_some_and(|end| end > limit.as_str()) {
        return read_pair(&text, &key_text).ok_or_else(mismatch);
    }
    let pair = read_pair(&text, &key_text).ok_or_else(mismatch)?;
    let same_key = KeyPair::try_from(&pair.key).map_err(|_| mismatch())?;
    let renewed = made(&same_key, names, now)?;
    let before = text.as_bytes();
    let replaced =
        files::replace(&certificate, renewed.as_bytes(), || fs::read(&certificate).is_ok_and(|now| now == before));
    if let Err(error) = replaced {
        let shown = certificate.display();
        warning::warn(
            &format!("{shown} cannot be renewed ({error}), so the certificate is for this run alone"),
            "see that its folder can be written",
        );
    }
    read_pair(&renewed, &key_text).ok_or_else(mismatch)
}

/// A certificate as it is kept.
fn made(key: &KeyPair, names: &[String], now: Timestamp) -> Result<String, Failure> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(|error| cannot_make(&error))?;
    params.distinguished_name.push(DnType::CommonName, "ibkr-oauth gateway");
    let end = now.saturating_add(VALID);
    let date = |at: Timestamp| {
        let text = at.to_string();
        let mut numbers = text.split(['-', 'T']).map(|number| number.parse::<u16>().unwrap_or(1));
        let mut next = || numbers.next().unwrap_or(1);
        let (year, month, day) = (next(), next(), next());
        let small = |number: u16| u8::try_from(number).unwrap_or(1);
        date_time_ymd(i32::from(year), small(month), small(day))
    };
    params.not_before = date(now.saturating_sub(Duration::from_secs(DAY)));
    params.not_after = date(end);
    let certificate = params.self_signed(key).map_err(|error| cannot_make(&error))?;
    let text = pem("CERTIFICATE", certificate.der());
    Ok(format!("{MARK}{end} for {}\n{text}", names.join(" ")))
}

fn read_pair(certificate: &str, key: &str) -> Option<Pair> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).ok()?;
    Some(Pair { certificate, key: key.into() })
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn cannot_make(error: &dyn std::fmt::Display) -> Failure {
    Failure::refused(format!("a certificate cannot be made: {error}"), "give names that certificates can have")
}
