//! The bundle's file, to be written back with an access token in it.

use std::{
    collections::BTreeMap,
    env, fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{AccessToken, CredentialBundle, local::reading};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    files::{self, Readers, Reserve},
    warning,
};

/// How often a file that changes while it is written is read again.
const ATTEMPTS: u32 = 10;

/// How many names are tried for a file beside the bundle.
const MOST_NAMES: u32 = 1000;

/// The length of an access token and its secret, generously, in bytes.
const ROOM_FOR_TOKEN: u64 = 16 << 10;

/// A file with a bundle that an access token can be written into.
pub(super) struct BundleFile {
    /// As it was given: what is there when the token comes is what counts.
    path: PathBuf,
    folder: PathBuf,
    reserve: Reserve,
    is_linked: bool,
}

impl BundleFile {
    /// Sees to it that the file can be replaced, and keeps room for that: an access token that can be kept nowhere would
    /// cost the user another consent.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: &dyn fmt::Display, remedy: &str| {
            Failure::usage(format!("the bundle {} cannot be read: {error}", path.display()), remedy)
        };
        // A link stays one: it is the file behind it that is replaced.
        let real = path.canonicalize().map_err(|error| unreadable(&error, "check the path after `--bundle`"))?;
        let metadata =
            reading::regular_file(&real).map_err(|error| unreadable(&error, reading::remedy(&error)))?.metadata;
        let reserve = files::reserve(&real, metadata.len().saturating_mul(2).saturating_add(ROOM_FOR_TOKEN));
        let reserve = reserve.map_err(|error| {
            Failure::usage(
                format!("the access token could not be written into {}: {error}", path.display()),
                "see to it that this program may write into that folder, and that the disk has room",
            )
        })?;
        let is_linked = files::has_other_names(&metadata);
        if is_linked {
            warn_of_links(path);
        }
        let folder = real.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { path: path.to_owned(), folder, reserve, is_linked })
    }

    /// Writes the token into the bundle as it is by now. If that is none of this consumer's any more, the token goes into a
    /// new file, which the failure names.
    pub(super) fn write(self, consumer_key: &str, token: &AccessToken) -> Result<(), Failure> {
        let Self { path, folder, reserve, is_linked } = self;
        // Not before now, so that nobody else can have taken it.
        drop(reserve);
        let secret = Zeroizing::new(STANDARD.encode(token.encrypted_secret()));
        let values = [("access_token", token.token()), ("access_token_secret", secret.as_str())];
        let Err(why) = merge(&path, is_linked, consumer_key, &values) else { return Ok(()) };
        let what = format!("the access token could not be written into {}: {why}", path.display());
        Err(match keep_beside(&folder, &values) {
            Ok(kept) => Failure::usage(
                format!("{what}; it is kept in {}", kept.display()),
                "put the two fields of that file into the bundle: the user need not consent again",
            ),
            Err(error) => Failure::usage(
                format!("{what}; nor beside it: {error}"),
                "see to it that this program may write into that folder, and that the disk has room; then authorize again",
            ),
        })
    }
}

fn warn_of_links(path: &Path) {
    warning::warn(
        &format!(
            "{} has another name, a hard link, under which the old bundle stays: only this one gets the access token",
            path.display()
        ),
        "make the link anew afterwards",
    );
}

/// Puts the values into the file, and keeps all else that is in it, whoever wrote that meanwhile.
fn merge(path: &Path, knows_of_links: bool, consumer_key: &str, values: &[(&str, &str)]) -> Result<(), String> {
    for _ in 0..ATTEMPTS {
        let real = path.canonicalize().map_err(|error| error.to_string())?;
        let old = reading::regular_file(&real).map_err(|error| error.to_string())?;
        let new = merged(old.bytes.expose(), consumer_key, values)?;
        let is_unchanged = || {
            let is_there = path.canonicalize().is_ok_and(|now| now == real);
            is_there && reading::regular_file(&real).is_ok_and(|now| now.bytes == old.bytes)
        };
        if files::replace(&real, new.as_bytes(), is_unchanged).map_err(|error| error.to_string())? {
            if files::has_other_names(&old.metadata) && !knows_of_links {
                warn_of_links(path);
            }
            return Ok(());
        }
    }
    Err("it does not stop changing".to_owned())
}

/// The bundle with these values.
fn merged(old: &[u8], consumer_key: &str, values: &[(&str, &str)]) -> Result<Zeroizing<String>, String> {
    let text = str::from_utf8(old).map_err(|_| "it is not UTF-8".to_owned())?;
    let bundle = CredentialBundle::from_json(text).map_err(|error| error.to_string())?;
    if bundle.consumer_key() != consumer_key {
        return Err("its consumer key is another by now".to_owned());
    }
    with_fields(text, values).ok_or_else(|| "it is not a JSON object".to_owned())
}

/// Writes the values into a new file: in this folder, or else wherever there is room.
fn keep_beside(folder: &Path, values: &[(&str, &str)]) -> io::Result<PathBuf> {
    let content = with_fields("{}", values).ok_or(io::ErrorKind::InvalidData)?;
    let mut result = create_free(folder, content.as_bytes());
    for elsewhere in [env::current_dir().ok(), Some(env::temp_dir())].into_iter().flatten() {
        if result.is_err() {
            // The error that is reported is that of the last place.
            result = create_free(&elsewhere, content.as_bytes());
        }
    }
    result
}

fn create_free(folder: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let mut result = Err(io::Error::from(io::ErrorKind::AlreadyExists));
    for number in 1..=MOST_NAMES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("access_token{suffix}.json"));
        result = files::create(&path, content, Readers::Owner).map(|()| path);
        if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    result
}

/// The JSON object with these fields: each in place of one that is there, or after all others. All else stays as it is.
fn with_fields(object: &str, values: &[(&str, &str)]) -> Option<Zeroizing<String>> {
    let object = Zeroizing::new(object.to_owned());
    values.iter().try_fold(object, |object, (name, value)| with_field(&object, name, value))
}

fn with_field(object: &str, name: &str, value: &str) -> Option<Zeroizing<String>> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(object.trim_start_matches('\u{feff}')).ok()?;
    let value = serde_json::to_string(value).map(Zeroizing::new).ok()?;
    // Joined at its final size, for a text that grows leaves copies behind.
    let joined = if let Some(known) = fields.get(name).map(|known| known.get()) {
        let at = known.as_ptr().addr().checked_sub(object.as_ptr().addr())?;
        [object.get(..at)?, &value, object.get(at..)?.strip_prefix(known)?].concat()
    } else {
        let before = object.trim_end().strip_suffix('}')?.trim_end();
        let comma = if fields.is_empty() { "" } else { "," };
        [before, comma, "\n  \"", name, "\": ", &value, "\n}\n"].concat()
    };
    Some(Zeroizing::new(joined))
}
