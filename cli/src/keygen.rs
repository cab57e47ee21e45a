//! `ibkr-oauth keygen`

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use ibkr_oauth::{dh::DhGroup, key::RsaKey};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    backend,
    failure::Failure,
    files::{self, NewFile, Readers},
    output::{self, Format, Palette, Shown, Tone},
};

/// Where keys are uploaded.
pub(crate) const PORTAL: &str = "https://ndcdyn.interactivebrokers.com/sso/Login?action=OAUTH&RL=1&ip2loc=US";

pub(crate) const PRIVATE_SIGNATURE: &str = "private_signature.pem";
pub(crate) const PRIVATE_ENCRYPTION: &str = "private_encryption.pem";
const PUBLIC_SIGNATURE: &str = "public_signature.pem";
const PUBLIC_ENCRYPTION: &str = "public_encryption.pem";
pub(crate) const DH_PARAMETERS: &str = "dhparam.pem";

/// What is said of a private key.
const SECRET: &str = "keep secret:";

/// The arguments of `keygen`.
#[derive(Args)]
#[command(after_help = "\
Writes two RSA key pairs of 2048 bits and the Diffie-Hellman parameters, all PEM as OpenSSL writes it. A file that is
there already is never touched: then nothing is written. Nothing is sent anywhere.

Example:
  ibkr-oauth keygen --out keys")]
pub(crate) struct Arguments {
    /// The folder to write into; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A key pair, as it is written.
struct Pair {
    private: Zeroizing<String>,
    public: String,
    fingerprint: String,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let folder = &arguments.out;
    check_free(folder)?;
    let (signature, encryption) = (make_pair()?, make_pair()?);
    let group = DhGroup::modp_2048();
    let parameters = group.to_pem();
    let files = [
        (PRIVATE_SIGNATURE, signature.private.as_str(), Readers::Owner),
        (PRIVATE_ENCRYPTION, encryption.private.as_str(), Readers::Owner),
        (PUBLIC_SIGNATURE, signature.public.as_str(), Readers::Everybody),
        (PUBLIC_ENCRYPTION, encryption.public.as_str(), Readers::Everybody),
        (DH_PARAMETERS, parameters.as_str(), Readers::Everybody),
    ];
    let files = files.map(|(name, content, readers)| NewFile { name, content: content.as_bytes(), readers });
    write(folder, &files)?;
    match format {
        Format::Json => output::print_json(&json!({
            "folder": folder.to_string_lossy(),
            "private": [PRIVATE_SIGNATURE, PRIVATE_ENCRYPTION],
            "upload": {
                "url": PORTAL,
                "files": [PUBLIC_SIGNATURE, PUBLIC_ENCRYPTION, DH_PARAMETERS],
            },
            "fingerprints": { PUBLIC_SIGNATURE: signature.fingerprint, PUBLIC_ENCRYPTION: encryption.fingerprint },
            // `openssl dhparam -text` hides it.
            "dh_prime": group.prime_hex(),
        })),
        Format::Text => {
            let text = instructions(folder, &signature, &encryption);
            output::print(&Shown::lines(text.trim_end()).with_tone(Palette::of_stdout(), Tone::Doubtful, SECRET))
        }
    }
}

fn instructions(folder: &Path, signature: &Pair, encryption: &Pair) -> String {
    let folder = folder.display();
    let (signs, opens) = (&signature.fingerprint, &encryption.fingerprint);
    format!(
        r#"Wrote to {folder}:

  {PRIVATE_SIGNATURE}   {SECRET} it signs your requests
  {PRIVATE_ENCRYPTION}  {SECRET} it opens the access token's secret
  {PUBLIC_SIGNATURE}    SHA-256 {signs}
  {PUBLIC_ENCRYPTION}   SHA-256 {opens}
  {DH_PARAMETERS}             2048 bits, generator 2: group 14 of RFC 3526

  Where a client wants the prime in digits: openssl asn1parse -in {DH_PARAMETERS}
  (`openssl dhparam -text` hides them: of a well-known group it shows the name).

1. Log in with the user that will trade (a paper user has its own keys):
   {PORTAL}
2. Choose a consumer key of nine letters, A to Z, and upload there
     {PUBLIC_SIGNATURE}   as the public signing key
     {PUBLIC_ENCRYPTION}  as the public encryption key
     {DH_PARAMETERS}            as the Diffie-Hellman parameters
3. Generate the access token there, and put all into {folder}/bundle.json:
     {{
       "consumer_key": "…", "access_token": "…", "access_token_secret": "…",
       "signature_key": {{"file": "{PRIVATE_SIGNATURE}"}},
       "encryption_key": {{"file": "{PRIVATE_ENCRYPTION}"}},
       "dh_params": {{"file": "{DH_PARAMETERS}"}}
     }}
4. A new consumer key works after one of the broker's weekend resets: from a day to two weeks later.
   To see whether it does: ibkr-oauth doctor --bundle {folder}/bundle.json
"#
    )
}

fn make_pair() -> Result<Pair, Failure> {
    let unusable =
        |error: &dyn std::fmt::Display| Failure::refused(format!("no key could be made: {error}"), "try again");
    let private = backend::private_key().map_err(|error| unusable(&error))?;
    // Read back as its users will, so that nothing is handed out that they could not.
    let key = RsaKey::from_pem(&private)?;
    Ok(Pair { public: key.public_key().to_pem(), fingerprint: key.public_key().fingerprint(), private })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{} cannot be written: {error}", path.display()), "give another folder after `--out`")
}

/// Looks for files in the way before time is spent on keys.
fn check_free(folder: &Path) -> Result<(), Failure> {
    for name in [PRIVATE_SIGNATURE, PRIVATE_ENCRYPTION, PUBLIC_SIGNATURE, PUBLIC_ENCRYPTION, DH_PARAMETERS] {
        let path = folder.join(name);
        // A link that leads nowhere is in the way, too.
        if path.symlink_metadata().is_ok() {
            return Err(Failure::usage(
                format!("{} is there already, and keys are never overwritten", path.display()),
                "give another folder after `--out`",
            ));
        }
    }
    Ok(())
}

/// Writes all files, or none.
fn write(folder: &Path, files: &[NewFile<'_>]) -> Result<(), Failure> {
    let is_new = files::make_folder(folder).map_err(|error| cannot_write(folder, &error))?;
    match files::create_all(folder, files) {
        Ok(_) => Ok(()),
        Err((path, error)) => {
            if is_new {
                // The first error says more than that a folder is left.
                let _ = fs::remove_dir(folder);
            }
            Err(cannot_write(&path, &error))
        }
    }
}
