//! What a key file holds, by its label or its DER, and what to do where that is not what is wanted.

use std::fmt;

use der::{Decode, Header, Reader, SliceReader, Tag, Tagged, asn1::AnyRef};

use crate::error::Error;

/// The tag with which every DER in question starts.
pub(super) const SEQUENCE: u8 = 0x30;

/// What the caller is looking for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    PrivateKey,
    PublicKey,
    DhParameters,
}

impl Wanted {
    /// Whether a PEM block so labelled may hold it.
    pub(super) fn accepts(self, content: Content) -> bool {
        match self {
            #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
            Self::PrivateKey => {
                matches!(content, Content::RsaPrivateKey | Content::Pkcs8(_) | Content::EncryptedPkcs8)
            }
            Self::PublicKey => matches!(content, Content::RsaPublicKey | Content::PublicKey(_)),
            Self::DhParameters => matches!(content, Content::DhParameters),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
            Self::PrivateKey => "an RSA private key",
            Self::PublicKey => "an RSA public key",
            Self::DhParameters => "Diffie-Hellman parameters",
        })
    }
}

/// The algorithm that a key of the PKCS#8 or `SubjectPublicKeyInfo` form names: how it is called, with its article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Algorithm(&'static str);

impl Algorithm {
    pub(crate) const RSA: Self = Self("an RSA");
    /// A PEM label does not say.
    const UNNAMED: Self = Self("a");
    const EDWARDS: Self = Self("an Edwards-curve");
    const DIFFIE_HELLMAN: Self = Self("a Diffie-Hellman");

    const KNOWN: [(&'static [u8], Self); 10] = [
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", Self::RSA),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", Self("an RSA-PSS")),
        (b"\x2a\x86\x48\xce\x3d\x02\x01", Self("an EC")),
        (b"\x2b\x65\x6e", Self::EDWARDS),
        (b"\x2b\x65\x6f", Self::EDWARDS),
        (b"\x2b\x65\x70", Self::EDWARDS),
        (b"\x2b\x65\x71", Self::EDWARDS),
        (b"\x2a\x86\x48\xce\x38\x04\x01", Self("a DSA")),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", Self::DIFFIE_HELLMAN),
        (b"\x2a\x86\x48\xce\x3e\x02\x01", Self::DIFFIE_HELLMAN),
    ];

    /// Reads the `AlgorithmIdentifier` whose content is `identifier`.
    fn of(identifier: &[u8]) -> Self {
        let parts = elements(identifier).unwrap_or_default();
        let oid = parts.first().filter(|part| part.tag() == Tag::ObjectIdentifier);
        let known = oid.and_then(|oid| Self::KNOWN.iter().find(|(bytes, _)| *bytes == oid.value()));
        known.map_or(Self("a non-RSA"), |(_, algorithm)| *algorithm)
    }
}

/// What a PEM label or a DER says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    RsaPrivateKey,
    Pkcs8(Algorithm),
    EncryptedPkcs8,
    EcPrivateKey,
    DsaPrivateKey,
    OpenSshPrivateKey,
    RsaPublicKey,
    PublicKey(Algorithm),
    Certificate,
    CertificateRequest,
    DhParameters,
    EcParameters,
    DsaParameters,
    Pkcs12,
    Unknown,
}

impl Content {
    pub(super) fn from_label(label: &str) -> Self {
        match label {
            "RSA PRIVATE KEY" => Self::RsaPrivateKey,
            "PRIVATE KEY" => Self::Pkcs8(Algorithm::UNNAMED),
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedPkcs8,
            "EC PRIVATE KEY" => Self::EcPrivateKey,
            "DSA PRIVATE KEY" => Self::DsaPrivateKey,
            "OPENSSH PRIVATE KEY" => Self::OpenSshPrivateKey,
            "RSA PUBLIC KEY" => Self::RsaPublicKey,
            "PUBLIC KEY" => Self::PublicKey(Algorithm::UNNAMED),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Self::Certificate,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::CertificateRequest,
            "DH PARAMETERS" | "X9.42 DH PARAMETERS" => Self::DhParameters,
            "EC PARAMETERS" => Self::EcParameters,
            "DSA PARAMETERS" => Self::DsaParameters,
            _ => Self::Unknown,
        }
    }

    /// Tells what `der` is by its outermost structure.
    ///
    /// Two numbers are an RSA public key as well as Diffie-Hellman parameters; `wanted` then decides, unless the second
    /// is 65537, which is every RSA key's exponent and nobody's generator.
    ///
    /// # Errors
    /// When `der` is no DER, is cut, or goes on behind its end.
    pub(crate) fn from_der(der: &[u8], wanted: Wanted) -> Result<Self, Error> {
        let parts = elements(outer(der, wanted)?).ok_or_else(|| damaged(wanted, "its inside cannot be read"))?;
        let tags: Vec<Tag> = parts.iter().map(Tagged::tag).collect();
        let value = |index: usize| parts.get(index).map_or(&[][..], |part| part.value());
        Ok(match tags.as_slice() {
            [Tag::Integer, Tag::Integer] if value(1) == [1, 0, 1] || wanted == Wanted::PublicKey => Self::RsaPublicKey,
            // PKCS#3 adds the length of an exponent, X9.42 the order of a subgroup and how it was found.
            [Tag::Integer, Tag::Integer]
            | [Tag::Integer, Tag::Integer, Tag::Integer]
            | [Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer | Tag::Sequence]
            | [Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer, Tag::Sequence] => Self::DhParameters,
            [Tag::Integer, rest @ ..] if rest.len() == 5 && rest.iter().all(|tag| *tag == Tag::Integer) => {
                Self::DsaPrivateKey
            }
            [Tag::Integer, rest @ ..] if rest.len() >= 8 && rest.iter().take(8).all(|tag| *tag == Tag::Integer) => {
                Self::RsaPrivateKey
            }
            [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => Self::Pkcs8(Algorithm::of(value(1))),
            [Tag::Integer, Tag::Sequence, ..] if value(0) == [3] => Self::Pkcs12,
            [Tag::Integer, Tag::OctetString, ..] => Self::EcPrivateKey,
            [Tag::Sequence, Tag::OctetString] => Self::EncryptedPkcs8,
            [Tag::Sequence, Tag::BitString] => Self::PublicKey(Algorithm::of(value(0))),
            [Tag::Sequence, Tag::Sequence, Tag::BitString] if has_validity(value(0)) => Self::Certificate,
            [Tag::Sequence, Tag::Sequence, Tag::BitString] => Self::CertificateRequest,
            _ => Self::Unknown,
        })
    }

    /// The error for this content where `wanted` was asked for.
    pub(crate) fn refuse(self, wanted: Wanted) -> Error {
        Error::key(format!("{self} was given where {wanted} is wanted")).with_remedy(self.remedy(wanted))
    }

    pub(super) fn remedy(self, wanted: Wanted) -> &'static str {
        if wanted == Wanted::DhParameters {
            return "give the file that `openssl dhparam -out dhparam.pem 2048` wrote and that IBKR was given";
        }
        if wanted == Wanted::PublicKey {
            return match self {
                Self::Certificate => {
                    "`openssl x509 -in certificate.pem -pubkey -noout -out public.pem` writes its public key"
                }
                _ => "`openssl pkey -in private.pem -pubout -out public.pem` writes an RSA key's public half",
            };
        }
        match self {
            Self::OpenSshPrivateKey => "`ssh-keygen -p -m PKCS8 -f key` rewrites the file `key` as PKCS#8",
            Self::Pkcs12 => "`openssl pkcs12 -in bundle.p12 -nocerts -out private.pem` takes the key out of it",
            Self::RsaPublicKey | Self::PublicKey(_) | Self::Certificate | Self::CertificateRequest => {
                "give the private key, which never leaves your side, not what was sent to IBKR"
            }
            _ => "IBKR knows RSA keys: `openssl genrsa -out private.pem 2048` makes one",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs8(Algorithm(name)) => return write!(f, "{name} private key"),
            Self::PublicKey(Algorithm(name)) => return write!(f, "{name} public key"),
            Self::RsaPrivateKey => "an RSA private key",
            Self::EncryptedPkcs8 => "an encrypted private key",
            Self::EcPrivateKey => "an EC private key",
            Self::DsaPrivateKey => "a DSA private key",
            Self::OpenSshPrivateKey => "an OpenSSH private key",
            Self::RsaPublicKey => "an RSA public key",
            Self::Certificate => "a certificate",
            Self::CertificateRequest => "a certificate request",
            Self::DhParameters => "a set of Diffie-Hellman parameters",
            Self::EcParameters => "a set of EC parameters",
            Self::DsaParameters => "a set of DSA parameters",
            Self::Pkcs12 => "a PKCS#12 bundle",
            Self::Unknown => "something else",
        })
    }
}

/// The content of the one SEQUENCE that `der` must be, neither shorter nor longer.
pub(crate) fn outer(der: &[u8], wanted: Wanted) -> Result<&[u8], Error> {
    let damaged = |how: &str| damaged(wanted, how);
    if der.starts_with(b"-----BEGIN") {
        return Err(Error::key(format!("the PEM text where {wanted} is wanted is neither in UTF-8 nor in UTF-16"))
            .with_remedy("save the file as UTF-8"));
    }
    let mut reader = SliceReader::new(der).map_err(|_| damaged("it is too long"))?;
    let header = match Header::decode(&mut reader) {
        Ok(header) if header.tag() == Tag::Sequence => header,
        _ if der.first() == Some(&SEQUENCE) => return Err(damaged("its length cannot be read")),
        _ => return Err(damaged("it does not start as DER does")),
    };
    let start = usize::try_from(reader.position()).unwrap_or(usize::MAX);
    let announced = usize::try_from(header.length()).unwrap_or(usize::MAX);
    let content = der.get(start..).unwrap_or_default();
    if content.len() > announced {
        let surplus = content.len() - announced;
        return Err(damaged(&format!("{surplus} bytes stand behind its end")));
    }
    if content.len() < announced {
        let total = announced.saturating_add(start);
        return Err(damaged(&format!("it is cut, with {} of {total} bytes", der.len())));
    }
    Ok(content)
}

fn damaged(wanted: Wanted, how: &str) -> Error {
    Error::key(format!("the DER is damaged where {wanted} is wanted: {how}"))
        .with_remedy("copy the whole file again, without any conversion of its text")
}

/// The elements that follow each other in `content`, if each of them is whole.
pub(crate) fn elements(content: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut parts = Vec::new();
    let mut reader = SliceReader::new(content).ok()?;
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(parts)
}

/// Whether this is the signed part of a certificate, and not of a request, which has no issuer and no times.
fn has_validity(signed: &[u8]) -> bool {
    elements(signed).unwrap_or_default().iter().filter(|part| part.tag() == Tag::Sequence).count() >= 4
}
