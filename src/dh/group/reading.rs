//! Diffie-Hellman parameters out of every form in which people hold them.

use super::{DhGroup, digits, parameters};
use crate::{
    error::Error,
    key::encoding::{self, Wanted},
};

impl DhGroup {
    /// Reads parameters as their file has them: PEM (`DH PARAMETERS`, PKCS#3, as `openssl dhparam` writes them, or `X9.42
    /// DH PARAMETERS`), DER, or digits, in UTF-8 or UTF-16. The text may be mangled on its way as a key's may.
    ///
    /// Digits are those of the modulus in hexadecimal, and the generator is then 2, as IBKR's always is. Upper and lower
    /// case, `0x`, colons, white space and leading zeros are accepted. So are decimal digits, which are known by their
    /// being 128 or more without a letter, `0x` or a colon among them. And so is the whole of what `openssl dhparam -text
    /// -noout` prints, old versions and new; the generator is then the one printed.
    ///
    /// # Errors
    /// When the text is damaged or holds something else, when the number of bits that OpenSSL printed is not that of the
    /// modulus, and when the numbers cannot work (see [`DhGroup`]) or are encoded as negative ones, which IBKR would take
    /// them for.
    pub fn read(content: impl AsRef<[u8]>) -> Result<Self, Error> {
        let content = content.as_ref();
        let of_text = match encoding::text_of(content) {
            Some(text) if digits::are_likely(&encoding::plain(&text)) => return Self::from_digits(&text),
            Some(text) => Some(encoding::read(&text, Wanted::DhParameters)?),
            None => None,
        };
        let (prime, generator) = parameters::read(of_text.as_deref().map_or(content, Vec::as_slice))?;
        Self::new(prime, &generator)
    }
}
