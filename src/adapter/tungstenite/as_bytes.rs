//! A connection on which all messages are of bytes.

use std::{
    io,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The opcodes of RFC 6455 section 5.2.
const OPCODE: u8 = 0x0f;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const MASKED: u8 = 0x80;

/// Reads frames of text as frames of bytes, so that nobody looks whether they are UTF-8: of the broker, some are not.
#[derive(Debug)]
pub(super) struct AsBytes<C> {
    connection: C,
    frames: Frames,
}

impl<C> AsBytes<C> {
    pub(super) fn new(connection: C) -> Self {
        Self { connection, frames: Frames::default() }
    }
}

/// Where in a frame the connection is.
#[derive(Debug, Default)]
enum Frames {
    /// Before the first byte of a head.
    #[default]
    Start,
    /// Before the second.
    Length,
    /// In the rest of the head: this many bytes of the length are left, and of the mask after it.
    Head { length_left: u8, mask: u8, length: u64 },
    /// In what the frame holds, or in its mask: this many bytes are left.
    Payload(u64),
}

impl Frames {
    /// Goes over the next bytes, and makes of each opcode of text that of bytes.
    fn pass(&mut self, mut bytes: &mut [u8]) {
        while let Some((first, rest)) = std::mem::take(&mut bytes).split_first_mut() {
            match *self {
                Self::Start => {
                    if *first & OPCODE == TEXT {
                        *first = *first & !OPCODE | BINARY;
                    }
                    *self = Self::Length;
                    bytes = rest;
                }
                Self::Length => {
                    let mask = if *first & MASKED == 0 { 0 } else { 4 };
                    *self = match *first & !MASKED {
                        126 => Self::Head { length_left: 2, mask, length: 0 },
                        127 => Self::Head { length_left: 8, mask, length: 0 },
                        length => Self::payload(u64::from(length), mask),
                    };
                    bytes = rest;
                }
                Self::Head { length_left, mask, length } => {
                    let length = length << 8 | u64::from(*first);
                    *self = match length_left {
                        0 | 1 => Self::payload(length, mask),
                        left => Self::Head { length_left: left - 1, mask, length },
                    };
                    bytes = rest;
                }
                Self::Payload(left) => {
                    // All of it, with the first.
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len().saturating_add(1));
                    let passed = u64::try_from(here).unwrap_or(u64::MAX);
                    *self = if passed == left { Self::Start } else { Self::Payload(left - passed) };
                    bytes = rest.get_mut(here.saturating_sub(1)..).unwrap_or_default();
                }
            }
        }
    }

    fn payload(length: u64, mask: u8) -> Self {
        match length.saturating_add(u64::from(mask)) {
            0 => Self::Start,
            left => Self::Payload(left),
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for AsBytes<C> {
    fn poll_read(self: Pin<&mut Self>, task: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { connection, frames } = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(connection).poll_read(task, buffer))?;
        frames.pass(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for AsBytes<C> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(task)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, is_last: bool, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![if is_last { 0x80 } else { 0 } | opcode];
        let masked = if mask.is_some() { MASKED } else { 0 };
        match payload.len() {
            short @ 0..=125 => bytes.push(masked | u8::try_from(short).unwrap()),
            medium @ 126..=65_535 => {
                bytes.push(masked | 0x7e);
                bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(masked | 0x7f);
                bytes.extend(u64::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend(mask.into_iter().flatten());
        bytes.extend(payload);
        bytes
    }

    fn any_frame() -> impl Strategy<Value = (u8, bool, Option<[u8; 4]>, Vec<u8>)> {
        let opcode = prop_oneof![Just(0u8), Just(1), Just(2), Just(8), Just(9), Just(10)];
        let length = prop_oneof![0usize..130, 65_500usize..65_600];
        let payload = length.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
        (opcode, any::<bool>(), any::<Option<[u8; 4]>>(), payload)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn of_all_frames_however_they_are_cut_only_the_opcode_of_text_changes(
            frames in prop::collection::vec(any_frame(), 1..8),
            cuts in prop::collection::vec(1usize..5000, 1..50),
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for (opcode, is_last, mask, payload) in &frames {
                bytes.extend(frame(*opcode, *is_last, *mask, payload));
                let read_as = if *opcode == TEXT { BINARY } else { *opcode };
                expected.extend(frame(read_as, *is_last, *mask, payload));
            }
            let mut state = Frames::default();
            let (mut rest, mut cuts) = (bytes.as_mut_slice(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let at = cuts.next().unwrap().min(rest.len());
                let (now, later) = rest.split_at_mut(at);
                state.pass(now);
                rest = later;
            }
            prop_assert!(bytes == expected);
            prop_assert!(matches!(state, Frames::Start));
        }
    }
}
