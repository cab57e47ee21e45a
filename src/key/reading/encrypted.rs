//! PKCS#8 private keys that are encrypted with a passphrase.

use der::{Reader as _, SliceReader, asn1::OctetStringRef};
use pkcs5::{EncryptionScheme, pbes2::Kdf};
use zeroize::Zeroizing;

use crate::{
    error::Error,
    key::encoding::{self, Wanted},
};

/// The most rounds of PBKDF2 that are done; OpenSSL writes 2048, and 600 000 are recommended today.
const MAX_ROUNDS: u32 = 10_000_000;
/// The most memory that scrypt may take, in bytes; OpenSSL takes 16 MiB.
const MAX_MEMORY: u64 = 256 << 20;
/// The most passes that scrypt may make over its memory; OpenSSL makes one.
const MAX_PASSES: u16 = 16;

/// Decrypts `der`, which is an `EncryptedPrivateKeyInfo`, into a `PrivateKeyInfo` in DER.
pub(super) fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (scheme, encrypted) =
        parts(encoding::outer(der, Wanted::PrivateKey)?).map_err(|error| unsupported().with_source(error))?;
    check_effort(&scheme)?;
    let mut buffer = Zeroizing::new(encrypted.to_vec());
    let length = match scheme.decrypt_in_place(passphrase, &mut buffer) {
        Ok(plaintext) => plaintext.len(),
        Err(pkcs5::Error::DecryptFailed) => return Err(wrong_passphrase()),
        Err(error) => return Err(unsupported().with_source(error)),
    };
    buffer.truncate(length);
    // One wrong passphrase in 256 leaves padding that looks right, but no DER before it.
    if encoding::outer(&buffer, Wanted::PrivateKey).is_err() {
        return Err(wrong_passphrase());
    }
    Ok(buffer)
}

/// How the key is encrypted, and the encrypted key: the content of an `EncryptedPrivateKeyInfo` (RFC 5958 section 3).
fn parts(content: &[u8]) -> der::Result<(EncryptionScheme, &[u8])> {
    let mut reader = SliceReader::new(content)?;
    let (scheme, encrypted) = (reader.decode()?, reader.decode::<&OctetStringRef>()?);
    reader.finish()?;
    Ok((scheme, encrypted.as_bytes()))
}

/// Refuses what would keep the machine busy for minutes, or take all its memory: the effort is the file's to name.
fn check_effort(scheme: &EncryptionScheme) -> Result<(), Error> {
    let reasonable = match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(parameters)) => (1..=MAX_ROUNDS).contains(&parameters.iteration_count),
        Some(Kdf::Scrypt(parameters)) => {
            let memory = parameters.cost_parameter.saturating_mul(u64::from(parameters.block_size)).saturating_mul(128);
            // The cost must be a power of two (RFC 7914 section 2), and zero is none.
            parameters.cost_parameter.is_power_of_two()
                && (1..=MAX_MEMORY).contains(&memory)
                && (1..=MAX_PASSES).contains(&parameters.parallelization)
        }
        _ => true,
    };
    if reasonable {
        return Ok(());
    }
    Err(Error::key("the encrypted private key asks for an unreasonable effort to turn its passphrase into a key")
        .with_remedy(ENCRYPT_ANEW))
}

const ENCRYPT_ANEW: &str =
    "`openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in old.pem -out new.pem` encrypts it anew";

fn wrong_passphrase() -> Error {
    Error::key("the passphrase does not open the encrypted private key")
        .with_remedy("check the passphrase, also for a line break at its end")
}

fn unsupported() -> Error {
    Error::key("the private key is encrypted in a way that is not read: PBES2 with AES and SHA-2 or scrypt is wanted")
        .with_remedy(ENCRYPT_ANEW)
}
