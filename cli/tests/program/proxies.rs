//! Which proxy the program takes from the environment, and that the requests really go through it.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::ffi::OsStrExt,
    sync::{Arc, Mutex},
};

use crate::terminal::{
    Outcome, command, outcome,
    user::{User, start},
};
use ibkr_oauth_sockets::{Address, broker::BrokerServer, stream::Stream};
use serde_json::{Value, json};

/// A proxy on the loopback interface that speaks SOCKS 4, 4a and 5 and HTTP's CONNECT, each connection as it begins, and
/// writes down what it was asked for.
pub(crate) struct TinyProxy {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TinyProxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || {
                    // A connection that only looks whether somebody is there asks for nothing.
                    let _ = serve(stream.unwrap(), &log);
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn bytes<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn until(stream: &mut TcpStream, end: &[u8]) -> io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        text.push(bytes::<1>(stream)?[0]);
    }
    Ok(String::from_utf8_lossy(&text[..text.len() - end.len()]).into_owned())
}

fn counted(stream: &mut TcpStream) -> io::Result<String> {
    let [length] = bytes::<1>(stream)?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

fn serve(mut client: TcpStream, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let (target, words) = match bytes::<1>(&mut client)? {
        [5] => {
            let methods = counted(&mut client)?;
            let mut words = "socks5".to_owned();
            if methods.contains('\u{2}') {
                client.write_all(&[5, 2])?;
                assert_eq!(bytes::<1>(&mut client)?, [1]);
                words = format!("{words} {} {}", counted(&mut client)?, counted(&mut client)?);
                client.write_all(&[1, 0])?;
            } else {
                client.write_all(&[5, 0])?;
            }
            let host = match bytes::<4>(&mut client)? {
                [5, 1, 0, 1] => Ipv4Addr::from(bytes::<4>(&mut client)?).to_string(),
                [5, 1, 0, 3] => format!("name {}", counted(&mut client)?),
                other => panic!("{other:?}"),
            };
            let target = format!("{host}:{}", u16::from_be_bytes(bytes(&mut client)?));
            client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            (target, words)
        }
        [4] => {
            let [1, high, low, host @ ..] = bytes::<7>(&mut client)? else { panic!() };
            until(&mut client, &[0])?;
            let host = match host {
                [0, 0, 0, _] => format!("name {}", until(&mut client, &[0])?),
                host => Ipv4Addr::from(host).to_string(),
            };
            client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0])?;
            (format!("{host}:{}", u16::from_be_bytes([high, low])), "socks4".to_owned())
        }
        first => {
            let head = format!("{}{}", char::from(first[0]), until(&mut client, b"\r\n\r\n")?);
            let words: Vec<&str> = head.split([' ', '\r', '\n']).collect();
            assert_eq!(words[0], "CONNECT");
            let login = words.iter().position(|word| *word == "Basic").map_or("", |place| words[place + 1]);
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            (words[1].to_owned(), format!("connect {login}").trim_end().to_owned())
        }
    };
    log.lock().unwrap().push(format!("{words} to {target}"));
    let mut server = TcpStream::connect(target.trim_start_matches("name ").replace("broker.invalid", "127.0.0.1"))?;
    let (mut to_server, mut from_client) = (server.try_clone()?, client.try_clone()?);
    let forth = std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    forth.join().unwrap();
    Ok(())
}

fn run(user: &User, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = command(&user.folder.0);
    command.args(arguments).args(["--bundle", user.bundle.to_str().unwrap()]).envs(variables.iter().copied());
    outcome(command.output().unwrap())
}

#[test]
fn requests_go_through_the_proxy_that_is_set() {
    let (server, user) = start();
    let proxy = TinyProxy::start();
    let own = server.server.origin().strip_prefix("http://").unwrap();
    for (variable, setting, words) in [
        ("HTTP_PROXY", "http://PROXY", "connect"),
        ("http_proxy", "PROXY", "connect"),
        ("ALL_PROXY", "HTTP://PROXY/", "connect"),
        ("HTTP_PROXY", "http://us%20er:p%40ss:w@PROXY", "connect dXMgZXI6cEBzczp3"),
        ("all_proxy", " socks5://PROXY ", "socks5"),
        ("ALL_PROXY", "socks5h://PROXY", "socks5"),
        ("ALL_PROXY", "socks://PROXY/", "socks5"),
        ("HTTP_PROXY", "socks5://us%20er:p%40ss@PROXY", "socks5 us er p@ss"),
        ("ALL_PROXY", "socks4://PROXY", "socks4"),
        ("ALL_PROXY", "socks4a://PROXY", "socks4"),
    ] {
        let before = server.server.received().len();
        let setting = setting.replace("PROXY", &proxy.address);
        let outcome = run(&user, &["token"], &[(variable, &setting)]);
        assert_eq!(outcome.status, 0, "{variable}={setting}: {}", outcome.stderr);
        assert_eq!(server.server.received().len(), before + 1);
        assert_eq!(proxy.asked(), [format!("{words} to {own}")], "{variable}={setting}");
    }
    // A name that only the proxy can resolve.
    let port = own.rsplit(':').next().unwrap();
    let bundle = user.change(&json!({ "base_url": format!("http://broker.invalid:{port}/v1/api") }));
    for (scheme, target) in [("http", ""), ("socks5h", "name "), ("socks4a", "name ")] {
        let mut command = command(&user.folder.0);
        command.args(["token", "--bundle", bundle.to_str().unwrap()]);
        outcome(command.env("ALL_PROXY", format!("{scheme}://{}", proxy.address)).output().unwrap());
        let asked = proxy.asked();
        assert!(asked[0].ends_with(&format!("to {target}broker.invalid:{port}")), "{scheme}: {asked:?}");
    }
}

const SENDING: [&[&str]; 5] =
    [&["token"], &["request", "GET", "/tickle"], &["session", "--read-only"], &["authorize"], &["doctor"]];

fn assert_nothing_sent(server: &BrokerServer, proxy: &TinyProxy) {
    assert!(server.server.received().is_empty() && proxy.asked().is_empty());
}

#[test]
fn a_setting_that_cannot_be_obeyed_is_an_error_and_no_way_around() {
    let (server, user) = start();
    let proxy = TinyProxy::start();
    for arguments in SENDING {
        let outcome = run(&user, arguments, &[("ALL_PROXY", "ftp://us3r:s3cret@127.0.0.1:1")]);
        assert!(outcome.stdout.is_empty(), "{arguments:?}: {}", outcome.text());
        outcome.assert_failure(2, "", "ALL_PROXY", "socks5://");
        assert!(!outcome.stderr.contains("s3cret") && !outcome.stderr.contains("us3r"), "{}", outcome.stderr);
    }
    for setting in ["not a proxy", "http://", "https://us3r:s3cret@/", "http://h:99999", "socks4://us3r:s3cret@h:1080"]
    {
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            let outcome = run(&user, &["token"], &[(variable, setting)]);
            outcome.assert_failure(2, "", &format!("{variable} "), "NO_PROXY");
            assert!(!outcome.stderr.contains("s3cret") && !outcome.stderr.contains("us3r"), "{}", outcome.stderr);
        }
    }
    let mut command = command(&user.folder.0);
    command.args(["token", "--bundle", user.bundle.to_str().unwrap()]);
    let not_text = command.env("ALL_PROXY", OsStr::from_bytes(b"http://\xff"));
    outcome(not_text.output().unwrap()).assert_failure(2, "", "ALL_PROXY is not text", "socks5://");
    assert_nothing_sent(&server, &proxy);
    // What sends nothing needs no proxy.
    assert_eq!(run(&user, &["doctor", "--offline"], &[("ALL_PROXY", "ftp://h")]).status, 0);
}

#[test]
fn a_setting_that_does_not_apply_is_no_error() {
    let (server, user) = start();
    let proxy = TinyProxy::start();
    for variables in [
        &[("HTTPS_PROXY", "not a proxy")][..],
        &[("https_proxy", "ftp://127.0.0.1:1")],
        &[("ALL_PROXY", "not a proxy"), ("NO_PROXY", "localhost, 127.0.0.1")],
        &[("HTTP_PROXY", "http://127.0.0.1:1"), ("no_proxy", "*")],
        &[("ALL_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", ""), ("no_proxy", "127.0.0.0/8")],
        &[("ALL_PROXY", ""), ("HTTP_PROXY", " "), ("NO_PROXY", "http://garbage")],
    ] {
        let outcome = run(&user, &["token"], variables);
        assert_eq!(outcome.status, 0, "{variables:?}: {}", outcome.stderr);
    }
    assert!(proxy.asked().is_empty());
    // The one that is for the scheme goes before the one for all.
    let through = format!("socks5://{}", proxy.address);
    let variables = [("HTTP_PROXY", through.as_str()), ("ALL_PROXY", "not a proxy")];
    assert_eq!(run(&user, &["token"], &variables).status, 0);
    assert_eq!(proxy.asked().len(), 1);
    // This machine itself is no exception, unless it is named.
    let before = server.server.received().len();
    for variables in [
        &[("HTTP_PROXY", "http://127.0.0.1:1")][..],
        &[("ALL_PROXY", "socks5://127.0.0.1:1")],
        &[("ALL_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "localhost,127.0.0.2,27.0.0.1")],
    ] {
        run(&user, &["token"], variables).assert_failure(1, "", "nothing was sent", "proxy");
    }
    let unclear = [("ALL_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "a,<local>")];
    run(&user, &["token"], &unclear).assert_failure(2, "", "NO_PROXY has `<local>`", "10.0.0.0/8");
    assert_eq!(server.server.received().len(), before);
}

#[test]
fn doctor_names_the_proxy_and_whose_fault_it_is() {
    let (_server, user) = start();
    let proxy = TinyProxy::start();
    let finding = |variables: &[(&str, &str)], subject: &str| -> Value {
        let outcome = run(&user, &["doctor", "--output", "json"], variables);
        let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["subject"] == subject).unwrap_or(&Value::Null).clone()
    };
    let setting = format!("socks5://us3r:s3cret@{}", proxy.address);
    let seen = finding(&[("ALL_PROXY", &setting)], "proxy");
    assert_eq!(seen["message"], format!("socks5://{}, as ALL_PROXY says", proxy.address));
    assert!(!proxy.asked().is_empty());
    // The last layer goes through it too.
    let seen = finding(&[("ALL_PROXY", &setting)], "websocket");
    assert_eq!(seen["severity"], "ok", "{seen}");
    assert!(!proxy.asked().is_empty());
    let seen = finding(&[("ALL_PROXY", &setting), ("NO_PROXY", "127.0.0.1")], "proxy");
    assert_eq!(seen["message"], "none: NO_PROXY names 127.0.0.1");
    assert_eq!(finding(&[], "proxy"), Value::Null);
    let seen = finding(&[("ALL_PROXY", "socks5://127.0.0.1:1")], "reachability");
    assert!(seen["severity"] == "error" && seen["remedy"].as_str().unwrap().contains("ALL_PROXY"), "{seen}");
    let no_proxy = Address::new().serve_raw(|mut stream: Stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let outcome = run(&user, &["doctor"], &[("HTTP_PROXY", &no_proxy.origin().replace("http", "socks5"))]);
    let next = outcome.text().lines().last().unwrap();
    assert!(outcome.status == 1 && next.contains("check the proxy"), "{}", outcome.text());
    assert!(outcome.text().contains("no reply through the proxy"), "{}", outcome.text());
}
