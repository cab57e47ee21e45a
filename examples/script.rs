//! The shortest way: sign in, fetch, print, log out. Blocking, with `ureq`.
//!
//! ```sh
//! cargo run --example script --features ureq,simulator
//! cargo run --example script --features ureq,ureq/rustls,simulator bundle.json   # with the real broker
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program prints, and may start threads")]

use std::{error::Error, thread};

use ibkr_oauth::{client::blocking::Client, session::SessionConfig};
use ureq::Agent;

mod support;

fn main() -> Result<(), Box<dyn Error>> {
    // From the file on the command line, or of a simulated broker.
    let bundle = support::bundle()?;
    let (ibkr, driver) = Client::start(Agent::new_with_defaults(), &bundle, SessionConfig::default())?;
    thread::spawn(|| driver.run());
    println!("{}", ibkr.get("/portfolio/accounts")?.error_for_status()?.text()?);
    Ok(ibkr.shutdown()?)
}
