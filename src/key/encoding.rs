//! Every encoding in which people hold keys and parameters, turned into DER.
//!
//! A key reaches a program through editors, mail, environment variables, JSON and secret stores, which change line
//! ends, lose them, escape them, or wrap the text in base64. All of that is undone here; the content is not looked at.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::error::Error;

mod content;
mod plain;

pub(crate) use self::{
    content::{Algorithm, Content, Wanted, elements, outer},
    plain::plain,
};

/// Padding is often lost on the way, and says nothing that the DER's own length does not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// How long a single line may be to be taken for the name of a file.
const FILE_NAME_LIMIT: usize = 260;

/// Reads the one block of `text` that holds what is wanted, and returns its DER.
///
/// Accepted are PEM with any line ends or none, a byte order mark, indentation, line breaks written as `\n`, quotes
/// around it, other text and other blocks beside it; the base64 of such a text; and the base64 of the DER alone. Blanks,
/// hyphens and quotes may be any that Unicode has.
///
/// # Errors
/// When there is no such block, more than one, or a cut or encrypted one. The errors name what was found instead.
pub(crate) fn read(text: &str, wanted: Wanted) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = plain(text);
    let text = bare(&text);
    if text.is_empty() {
        return Err(Error::key(format!("nothing was given where {wanted} is wanted: the text is empty"))
            .with_remedy(Content::Unknown.remedy(wanted)));
    }
    if text.contains(BEGIN) {
        return read_pem(text, wanted);
    }
    if let Ok(bytes) = decode_base64(text) {
        let wrapped = std::str::from_utf8(&bytes).ok().map(plain).filter(|text| text.contains(BEGIN));
        if let Some(pem) = wrapped {
            return read_pem(&pem, wanted);
        }
        if bytes.first() == Some(&content::SEQUENCE) {
            return Ok(bytes);
        }
    }
    Err(no_pem(text, wanted))
}

/// The text that a file holds: UTF-8, or UTF-16 with its byte order mark, as PowerShell writes what it is told to put into
/// a file. `None` where it holds no text, and so perhaps DER.
pub(crate) fn text_of(content: &[u8]) -> Option<Zeroizing<String>> {
    let (unit, utf16): (fn([u8; 2]) -> u16, _) = match content {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => return std::str::from_utf8(content).ok().map(|text| Zeroizing::new(text.to_owned())),
    };
    let pairs = utf16.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    // A unit of two bytes becomes three at most, so that the text does not grow and leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len().saturating_mul(3)));
    for char in char::decode_utf16(pairs.filter_map(|pair| pair.try_into().ok()).map(unit)) {
        text.push(char.ok()?);
    }
    Some(text)
}

/// The text without what often surrounds it: byte order mark, spaces, quotes.
pub(crate) fn bare(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || matches!(char, '\u{feff}' | '"' | '\'' | '\0'))
}

fn read_pem(text: &str, wanted: Wanted) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut found: Option<Zeroizing<Vec<u8>>> = None;
    let mut other: Option<Content> = None;
    let mut rest = text;
    while let Some((block, after)) = next_block(rest, wanted)? {
        rest = after;
        let content = Content::from_label(&block.label);
        if !wanted.accepts(content) {
            other.get_or_insert(content);
            continue;
        }
        let der = block.decode(wanted)?;
        if found.as_ref().is_some_and(|earlier| *earlier != der) {
            return Err(Error::key(format!("the text holds more than one key where one ({wanted}) is wanted"))
                .with_remedy("give a text with this one key only"));
        }
        found = Some(der);
    }
    match (found, other) {
        (Some(der), _) => Ok(der),
        (None, Some(content)) => Err(content.refuse(wanted)),
        (None, None) => Err(no_pem(text, wanted)),
    }
}

/// One block of PEM: what its first line calls it, and what stands before its last line.
struct Block<'a> {
    label: String,
    body: &'a str,
}

/// The words of a label. It holds no secret, or is of a text that is no PEM.
fn one_spaced(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The next block and the text behind it.
fn next_block(text: &str, wanted: Wanted) -> Result<Option<(Block<'_>, &str)>, Error> {
    let Some((_, begun)) = text.split_once(BEGIN) else { return Ok(None) };
    let Some((label, content)) = begun.split_once(DASHES) else {
        return Err(truncated(wanted, "it stops within the BEGIN line"));
    };
    let label = &one_spaced(label);
    let cut = || truncated(wanted, &format!("it has no line \"{END}{}{DASHES}\"", printable(label)));
    let (body, ended) = content.split_once(END).ok_or_else(cut)?;
    if body.contains(BEGIN) {
        return Err(cut());
    }
    let (end_label, after) = ended.split_once(DASHES).ok_or_else(cut)?;
    if one_spaced(end_label) != *label {
        return Err(Error::key(format!(
            "the PEM text begins as \"{}\" and ends as \"{}\" where {wanted} is wanted",
            printable(label),
            printable(end_label)
        ))
        .with_remedy(COPY_AGAIN));
    }
    Ok(Some((Block { label: label.clone(), body }, after)))
}

const COPY_AGAIN: &str = "copy the whole file again, from its BEGIN line to its END line";

fn truncated(wanted: Wanted, how: &str) -> Error {
    Error::key(format!("the PEM text is cut where {wanted} is wanted: {how}")).with_remedy(COPY_AGAIN)
}

/// A label that is fit to be shown: a text that is no PEM may have anything in its place, even a key.
fn printable(label: &str) -> &str {
    const LAST_WORDS: [&str; 7] = ["KEY", "KEY BLOCK", "PARAMETERS", "CERTIFICATE", "REQUEST", "CRL", "PKCS7"];
    let plain = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || matches!(char, ' ' | '.');
    let known = LAST_WORDS.iter().any(|words| label.ends_with(words));
    if known && label.len() <= 40 && label.chars().all(plain) { label } else { "…" }
}

impl Block<'_> {
    fn decode(&self, wanted: Wanted) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.body.contains("Proc-Type:") && self.body.contains("ENCRYPTED") {
            return Err(Error::key(
                "the private key is encrypted in the old way of OpenSSL (\"Proc-Type: 4,ENCRYPTED\"), which is not read",
            )
            .with_remedy(
                "`openssl pkcs8 -topk8 -in old.pem -out new.pem` turns it into encrypted PKCS#8, \
                 `openssl rsa -in old.pem -out new.pem` into a key without passphrase",
            ));
        }
        let der = decode_base64(self.body).map_err(|fault| match fault {
            Base64Fault::Character => {
                Error::key(format!("the PEM text is damaged where {wanted} is wanted: a character in it is not base64"))
                    .with_remedy(COPY_AGAIN)
            }
            Base64Fault::Cut => truncated(wanted, "its base64 stops within a group of four characters"),
        })?;
        if der.is_empty() {
            return Err(truncated(wanted, "nothing stands between its BEGIN line and its END line"));
        }
        Ok(der)
    }
}

enum Base64Fault {
    Character,
    Cut,
}

/// Decodes base64 with any white space in it, also where that is escaped (`\n`), as is a slash (`\/`).
fn decode_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Base64Fault> {
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            digits.push(byte);
            continue;
        }
        // Each pass through a shell or a JSON writer may double the backslash.
        match bytes.find(|byte| *byte != b'\\') {
            Some(b'n' | b'r' | b't') | None => {}
            Some(b'/') => digits.push(b'/'),
            Some(_) => return Err(Base64Fault::Character),
        }
    }
    let mut der = Zeroizing::new(vec![0; digits.len().div_ceil(4).saturating_mul(3)]);
    let length = BASE64.decode_slice(digits.as_slice(), &mut der).map_err(|error| match error {
        base64::DecodeSliceError::DecodeError(base64::DecodeError::InvalidByte(..)) => Base64Fault::Character,
        _ => Base64Fault::Cut,
    })?;
    der.truncate(length);
    Ok(der)
}

fn no_pem(text: &str, wanted: Wanted) -> Error {
    let remedy = if text.len() <= FILE_NAME_LIMIT && !text.contains('\n') && has_key_extension(text) {
        "this looks like the name of a file: read the file, and give what is in it"
    } else if text.starts_with("ssh-") {
        "this is an OpenSSH public key: give the file that was made with OpenSSL"
    } else if text.starts_with("PuTTY-User-Key-File") {
        "this is a PuTTY key: export it from PuTTYgen as an OpenSSL key"
    } else {
        "give the text from \"-----BEGIN\" to \"-----END …-----\""
    };
    Error::key(format!("no PEM was found where {wanted} is wanted")).with_remedy(remedy)
}

fn has_key_extension(text: &str) -> bool {
    let extension = text.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| {
        ["pem", "key", "der", "txt", "crt"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}
