//! A program that reads its WebSocket slowly, or not at all: on the virtual clock.

use std::time::Duration;

use ibkr_oauth::bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::watch,
    time::{self, Instant},
};

use super::{
    frames::{CLOSE, Frame, Frames, TEXT, framed},
    outgoing::{MOST_WAITING, TAKING},
    relay::Relay,
    socket::converse,
};

/// What lies in a connection.
const PIPE: usize = 64 << 10;
const READY: &str = r#"{"topic":"sts","args":{"authenticated":true}}"#;

/// The two ends of a WebSocket that the gateway relays.
struct Pair {
    program: DuplexStream,
    broker: DuplexStream,
    frames: Frames,
    ends: watch::Sender<bool>,
}

impl Pair {
    async fn open() -> Self {
        let ((program, inner), (broker, outer)) = (duplex(PIPE), duplex(PIPE));
        let (ends, ending) = watch::channel(false);
        tokio::spawn(async move { converse(Relay::new(true), inner, outer, "s3cr3t", "local", ending).await });
        let mut pair = Self { program, broker, frames: Frames::default(), ends };
        pair.broker.write_all(&framed(TEXT, READY.as_bytes(), None)).await.unwrap();
        assert_eq!(pair.next().await.unwrap().payload, READY);
        pair
    }

    /// The program's next frame; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.next().unwrap() {
                return Some(frame);
            }
            let mut bytes = [0; 4096];
            let count = self.program.read(&mut bytes).await.unwrap();
            if count == 0 {
                return None;
            }
            self.frames.push(&bytes[..count]);
        }
    }
}

/// Sends frames until nobody takes any more for a second, and says how many bytes were taken.
async fn flood(to: &mut DuplexStream, frame: impl Fn(u32) -> Bytes) -> usize {
    let (mut taken, mut number) = (0, 0);
    loop {
        let frame = frame(number);
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let Ok(count) = time::timeout(Duration::from_secs(1), to.write(rest)).await else { return taken };
            let count = count.unwrap();
            taken += count;
            rest = &rest[count..];
        }
        number += 1;
    }
}

fn message(number: u32) -> Bytes {
    framed(TEXT, format!("{number} {}", "x".repeat(1000)).as_bytes(), None)
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_read_is_closed_with_the_reason_after_all_that_waits() {
    let (mut slow, mut other) = (Pair::open().await, Pair::open().await);
    let start = Instant::now();
    let taken = flood(&mut slow.broker, message).await;
    assert!(taken >= MOST_WAITING, "{taken}");
    assert!(taken < MOST_WAITING + 4 * PIPE, "what waits is bounded: {taken}");
    // Meanwhile the others go on, in both directions.
    other.broker.write_all(&message(7)).await.unwrap();
    assert_eq!(framed(TEXT, &other.next().await.unwrap().payload, None), message(7));
    other.program.write_all(&framed(TEXT, b"sor+{}", Some([1, 2, 3, 4]))).await.unwrap();
    let mut said = vec![0; framed(TEXT, b"sor+{}", Some([1, 2, 3, 4])).len()];
    other.broker.read_exact(&mut said).await.unwrap();
    // The broker is told that it ends.
    let mut told = Vec::new();
    slow.broker.read_to_end(&mut told).await.unwrap();
    let waited = start.elapsed();
    assert!((TAKING..TAKING + Duration::from_secs(5)).contains(&waited), "{waited:?}");
    let mut frames = Frames::default();
    frames.push(&told);
    let end = frames.next().unwrap().unwrap();
    assert_eq!((end.opcode, &end.payload[..]), (CLOSE, &[3, 233][..]));
    // What was taken comes without a gap, and then why no more does.
    let mut expected = 0;
    let end = loop {
        let frame = slow.next().await.unwrap();
        if frame.opcode == CLOSE {
            break frame;
        }
        assert_eq!(framed(TEXT, &frame.payload, None), message(expected));
        expected += 1;
    };
    assert!(usize::try_from(expected).unwrap() * 1000 >= MOST_WAITING, "{expected}");
    assert_eq!(&end.payload[..2], [3, 240]);
    assert!(String::from_utf8_lossy(&end.payload[2..]).contains("not read"), "{end:?}");
    assert_eq!(slow.next().await, None);
    other.broker.write_all(&message(8)).await.unwrap();
    assert_eq!(framed(TEXT, &other.next().await.unwrap().payload, None), message(8));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_never_reads_again_holds_nothing_for_long() {
    let mut slow = Pair::open().await;
    flood(&mut slow.broker, message).await;
    let start = Instant::now();
    // Its end is when the last that could wait for it has gone.
    slow.ends.closed().await;
    let waited = start.elapsed();
    assert!(waited <= 2 * TAKING, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_pauses_gets_everything_and_stays() {
    let mut pair = Pair::open().await;
    let (mut sent, mut received) = (0, 0);
    for _ in 0..6 {
        // More than may wait, so that the broker waits too.
        let last = sent + 1500;
        let sending = async {
            while sent < last {
                pair.broker.write_all(&message(sent)).await.unwrap();
                sent += 1;
            }
        };
        let reading = async {
            time::sleep(TAKING * 9 / 10).await;
            while received < last {
                if let Some(frame) = pair.frames.next().unwrap() {
                    assert_eq!(framed(TEXT, &frame.payload, None), message(received));
                    received += 1;
                    continue;
                }
                let mut bytes = [0; 4096];
                let count = pair.program.read(&mut bytes).await.unwrap();
                assert!(count > 0, "it ended after {received}");
                pair.frames.push(&bytes[..count]);
            }
        };
        tokio::join!(sending, reading);
    }
    pair.ends.send_replace(true);
    let end = pair.next().await.unwrap();
    assert_eq!((end.opcode, &end.payload[..2]), (CLOSE, &[3, 233][..]));
}

#[tokio::test(start_paused = true)]
async fn one_long_frame_is_no_slow_reader() {
    let mut pair = Pair::open().await;
    let long = framed(TEXT, &vec![b'x'; 5 * MOST_WAITING], None);
    let sending = async {
        pair.broker.write_all(&long).await.unwrap();
        pair.broker.write_all(&message(1)).await.unwrap();
    };
    let mut arrived = vec![0; long.len() + message(1).len()];
    let reading = pair.program.read_exact(&mut arrived);
    let ((), read) = tokio::join!(sending, reading);
    read.unwrap();
    assert!(arrived == [&long[..], &message(1)[..]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_ends_it_with_the_reason() {
    let mut pair = Pair::open().await;
    let taken = flood(&mut pair.program, |_| framed(TEXT, &[b'x'; 1000], Some([1, 2, 3, 4]))).await;
    assert!((MOST_WAITING..MOST_WAITING + 4 * PIPE).contains(&taken), "{taken}");
    let end = pair.next().await.unwrap();
    assert_eq!((end.opcode, &end.payload[..2]), (CLOSE, &[3, 245][..]));
}
