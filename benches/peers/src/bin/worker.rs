//! `ibkr-oauth` as a worker of `benches/compare`: it reads a command a line, and answers each with a line.
//!
//! ```text
//! sign TIMES                                         nanoseconds that so many signatures took
//! handshake TIMES                                    the same of handshakes
//! check NONCE TIMESTAMP POLICY [NAME=VALUE]          the signature with these, and with one more parameter of the
//!                                                    protocol's
//! ```

use std::{error::Error, io};

use ibkr_oauth_peers::worker::Worker;

fn main() -> Result<(), Box<dyn Error>> {
    let mut worker = Worker::default();
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match *words {
            ["sign", times] => println!("{}", worker.sign(times.parse()?).as_nanos()),
            ["handshake", times] => println!("{}", worker.shake_hands(times.parse()?).as_nanos()),
            ["check", nonce, timestamp, policy] => {
                println!("{}", Worker::check(nonce, timestamp, policy.parse()?, None))
            }
            ["check", nonce, timestamp, policy, extra] => {
                println!("{}", Worker::check(nonce, timestamp, policy.parse()?, extra.split_once('=')));
            }
            _ => return Err(format!("no such command: {line}").into()),
        }
    }
    Ok(())
}
