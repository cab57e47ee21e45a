//! Reading the head of a request, within limits.

use std::io::{self, Read};

use ibkr_oauth::http::{Request, request::Parts};

/// The longest head of a request, in bytes.
const LONGEST: usize = 16 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 100;
const END: &[u8] = b"\r\n\r\n";

/// Reads a head. `before_read` is called before each read: it makes sure that the read ends in time, or fails.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it is no head, or too long; otherwise as the source and `before_read`.
pub(crate) fn read<S: Read>(
    source: &mut S,
    mut before_read: impl FnMut(&mut S) -> io::Result<()>,
) -> io::Result<Parts> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        before_read(source)?;
        let count = source.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The end may be divided between the last chunk and this one.
        let from = head.len().saturating_sub(END.len());
        head.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if head.get(from..).unwrap_or_default().windows(END.len()).any(|window| window == END) {
            return parse(&head).ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
        if head.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn parse(head: &[u8]) -> Option<Parts> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).ok()?;
    let mut request = Request::builder().method(parsed.method?).uri(parsed.path?);
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}
