//! Signs in with the bundle in the file, and does everything that this client can do, as often as the arguments say. Prints a
//! line for each time.

use std::{env, error::Error, fs, process::ExitCode};

use ibkr::{
    Client, Credentials,
    iserver::{marketdata::history, secdef::search},
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let bundle: Value = serde_json::from_str(&fs::read_to_string(arguments.next().ok_or("which bundle?")?)?)?;
    let times: u32 = arguments.next().ok_or("how often?")?.parse()?;
    let credentials = Credentials::from_json(
        &json!({
            "consumer_key": bundle["consumer_key"],
            "realm": bundle["realm"],
            "access_token": bundle["access_token"],
            "access_token_secret": bundle["access_token_secret"],
            "private_signature_pem": bundle["signature_key"],
            "private_encryption_pem": bundle["encryption_key"],
            "dhparam_pem": bundle["dh_params"],
        })
        .to_string(),
    )?;
    for _ in 0..times {
        println!("{}", sign_in(&credentials).map_or_else(|error| error.to_string(), |()| "signed in".to_owned()));
    }
    Ok(())
}

/// Everything that this client can do.
fn sign_in(credentials: &Credentials) -> Result<(), Box<dyn Error>> {
    let token = Client::mint(credentials)?;
    let client = Client::oauth(credentials, &token)?;
    client.init_session()?;
    client.tickle()?.session.ok_or("a tickle without a session")?;
    let request =
        search::Request { symbol: "BRK B".to_owned(), name: Some(false), sec_type: Some(search::SecType::Stk) };
    let found = client.send(request)?;
    let conid: u64 = found.first().and_then(|first| first.conid.as_ref()).ok_or("nothing was found")?.parse()?;
    let bars = client.send(history::Request {
        conid,
        bar: history::BarSize::Day1,
        period: Some("1w".to_owned()),
        exchange: None,
        start_time: None,
        outside_rth: None,
        source: None,
    })?;
    if bars.data.is_empty() { Err("no bars".into()) } else { Ok(()) }
}
