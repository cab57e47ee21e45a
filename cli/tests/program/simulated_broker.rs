//! What `simulate` is to clients and to those who test them: consent in a browser, faults while it runs, answers of one's
//! own, and a mock behind it.

#[path = "../../examples/web_app.rs"]
#[allow(dead_code, reason = "its `main` reads arguments")]
mod web_app;

use std::{fs, sync::mpsc, thread};

use crate::terminal::{Folder, Outcome, Running, run_in};
use ibkr_oauth::CredentialBundle;
use ibkr_oauth_sockets::Address;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Builder};
use ureq::Agent;

pub(crate) struct Simulator {
    pub(crate) folder: Folder,
    pub(crate) running: Running,
    pub(crate) ready: Value,
}

impl Simulator {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        Self::start_in(folder, arguments)
    }

    pub(crate) fn start_in(folder: Folder, arguments: &[&str]) -> Self {
        let mut running = Running::start(&folder.0, &[&["simulate", "--out", "sim"], arguments].concat());
        let ready = serde_json::from_str(&running.line()).unwrap();
        Self { folder, running, ready }
    }

    pub(crate) fn bundle(&self) -> &str {
        self.ready["bundle"].as_str().unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        run_in(&self.folder.0, &[&arguments[..1], &["--bundle", self.bundle()], &arguments[1..]].concat())
    }

    /// The body of a reply to a GET of this path, signed.
    pub(crate) fn get(&self, path: &str) -> Value {
        let outcome = self.run(&["request", "GET", path]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        serde_json::from_slice(&outcome.stdout).unwrap()
    }

    /// The status and the body of what `/__simulator/faults` is told.
    pub(crate) fn order(&self, order: &Value) -> (u16, Value) {
        let url = format!("http://{}/__simulator/faults", self.ready["address"].as_str().unwrap());
        let mut reply = browser().post(&url).send(order.to_string()).unwrap();
        (reply.status().as_u16(), serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap())
    }

    pub(crate) fn assert_done(&self, order: &Value) {
        let (status, body) = self.order(order);
        assert_eq!(status, 200, "{order}: {body}");
    }

    pub(crate) fn stop(self) -> String {
        self.running.signal("TERM");
        let outcome = self.running.end();
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        outcome.stderr
    }
}

/// What a browser is to a server: it keeps no secret, and is told where to go.
fn browser() -> Agent {
    Agent::config_builder().proxy(None).http_status_as_error(false).max_redirects(0).build().into()
}

/// A page, or where the browser is sent to instead.
enum Visit {
    Page(u16, String),
    Elsewhere { location: String, cookie: Option<String> },
}

fn visit(url: &str, cookie: Option<&str>) -> Visit {
    let mut request = browser().get(url);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let mut reply = request.call().unwrap();
    let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    match header("location") {
        Some(location) => {
            let cookie = header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned());
            Visit::Elsewhere { location, cookie }
        }
        None => Visit::Page(reply.status().as_u16(), reply.body_mut().read_to_string().unwrap()),
    }
}

fn page(url: &str) -> String {
    match visit(url, None) {
        Visit::Page(200, text) => text,
        Visit::Page(status, text) => panic!("{status} {text}"),
        Visit::Elsewhere { location, .. } => panic!("sent to {location}"),
    }
}

fn location(url: &str) -> String {
    match visit(url, None) {
        Visit::Elsewhere { location, .. } => location,
        Visit::Page(status, text) => panic!("{status} {text}"),
    }
}

/// Where the consent page's form leads when this button is pressed.
fn press(page_url: &str, html: &str, button: &str) -> String {
    let mut target = page_url.split('?').next().unwrap().to_owned() + "?";
    let value = |tag: &str| tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for field in html.split("<input type=\"hidden\" name=\"").skip(1) {
        target = format!("{target}{}={}&", field.split('"').next().unwrap(), value(field));
    }
    let tag = html.split("<button ").skip(1).find(|tag| tag.contains(&format!(">{button}<"))).unwrap();
    let name = tag.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
    format!("{target}{name}={}", value(tag))
}

/// A bundle from before the consent.
fn without_token(simulator: &Simulator) -> String {
    let mut bundle: Value = serde_json::from_slice(&fs::read(simulator.bundle()).unwrap()).unwrap();
    bundle.as_object_mut().unwrap().retain(|name, _| !name.starts_with("access_token"));
    simulator.folder.write("third_party.json", bundle.to_string()).to_str().unwrap().to_owned()
}

#[test]
fn a_user_consents_in_a_browser_and_authorize_gets_the_token() {
    let simulator = Simulator::start(&["--strict"]);
    let bundle = without_token(&simulator);
    let listen = Address::new().origin().replace("http://", "");
    let arguments = ["authorize", "--bundle", &bundle, "--listen", &listen];
    let mut running = Running::start(&simulator.folder.0, &arguments);
    let url = running.line();
    assert!(url.starts_with(simulator.ready["authorize_url"].as_str().unwrap()), "{url}");
    let html = page(&url);
    assert!(html.contains("SIMULATOR") && html.contains("DU0000001"), "{html}");
    let callback = location(&press(&url, &html, "Agree"));
    assert!(callback.starts_with(&format!("http://{listen}/callback?oauth_token=")), "{callback}");
    assert!(page(&callback).contains("You may close this page"));
    let outcome = running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(run_in(&simulator.folder.0, &["token", "--bundle", &bundle]).status, 0);
    let said = simulator.stop();
    let expected = [
        "200: POST /v1/api/oauth/request_token",
        "200: GET /authorize",
        "302: GET /authorize",
        "200: POST /v1/api/oauth/access_token",
        "200: POST /v1/api/oauth/live_session_token",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_user_declines_in_a_browser_and_nobody_is_authorized() {
    let simulator = Simulator::start(&[]);
    let bundle = without_token(&simulator);
    let listen = Address::new().origin().replace("http://", "");
    let arguments = ["authorize", "--bundle", &bundle, "--listen", &listen, "--timeout", "1"];
    let mut running = Running::start(&simulator.folder.0, &arguments);
    let url = running.line();
    let callback = location(&press(&url, &page(&url), "Decline"));
    assert_eq!(callback, format!("http://{listen}/callback"));
    assert!(page(&callback).contains("no answer"));
    let outcome = running.end();
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("perhaps the user declined"), "{}", outcome.stderr);
    // The answer counts once.
    match visit(&url, None) {
        Visit::Page(400, text) => assert!(text.contains("answered"), "{text}"),
        _ => panic!("{url} can be answered again"),
    }
}

/// Runs the example on a thread of its own, up to the end of the tests. Returns the page where the user starts.
fn start_web_app(bundle: &str) -> String {
    let bundle = CredentialBundle::from_json(&fs::read_to_string(bundle).unwrap()).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(format!("http://{}/connect", listener.local_addr().unwrap())).unwrap();
            web_app::serve(&bundle, listener).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

#[test]
fn a_web_application_acts_for_a_user_who_consented_in_a_browser() {
    let simulator = Simulator::start(&["--strict"]);
    let connect = start_web_app(&without_token(&simulator));
    let accounts = connect.replace("/connect", "/accounts");
    assert!(matches!(visit(&accounts, None), Visit::Page(502, text) if text.contains("no consent yet")));

    let Visit::Elsewhere { location: url, cookie } = visit(&connect, None) else { panic!("no redirect") };
    let callback = location(&press(&url, &page(&url), "Agree"));
    // Of another browser, which was not sent there.
    assert!(matches!(visit(&callback, None), Visit::Page(502, text) if text.contains("nobody was sent")));
    let Visit::Elsewhere { location: next, .. } = visit(&callback, cookie.as_deref()) else { panic!("no token") };
    assert_eq!(next, "/accounts");
    // The same answer a second time is none.
    assert!(matches!(visit(&callback, cookie.as_deref()), Visit::Page(502, _)));
    let listed: Value = serde_json::from_str(&page(&accounts)).unwrap();
    assert_eq!(listed[0]["id"], "DU0000001");
    let said = simulator.stop();
    assert!(said.lines().all(|line| !line.starts_with("refused")), "{said}");

    // What it takes, in lines about the crate: without blank lines, comments, `use`, and what the web framework needs.
    let source = include_str!("../../examples/web_app.rs");
    let words = [
        "onsum",
        "onsent",
        "system",
        "exchange",
        "verifier",
        "AccessToken",
        "signer",
        "unlocked",
        "CredentialBundle",
        "Callback",
    ];
    let about = source.lines().map(str::trim).filter(|line| {
        !line.starts_with("//") && !line.starts_with("use ") && words.iter().any(|word| line.contains(word))
    });
    let count = about.count();
    assert!(count <= 25, "{count} lines about the crate");
}

#[test]
fn the_registered_callback_is_where_the_browser_goes_for_oob() {
    let simulator = Simulator::start(&["--callback", "http://127.0.0.1:9/registered?by=me"]);
    let bundle = without_token(&simulator);
    let mut running = Running::start(&simulator.folder.0, &["authorize", "--bundle", &bundle]);
    let url = running.line();
    let callback = location(&format!("{url}&answer=agree"));
    assert!(callback.starts_with("http://127.0.0.1:9/registered?by=me&oauth_token="), "{callback}");
    running.type_line(&callback);
    assert_eq!(running.end().status, 0);
    simulator.stop();
    let outcome = run_in(&Folder::new().0, &["simulate", "--callback", "myapp:back"]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("`myapp:back`") && outcome.stderr.contains("`--callback`"), "{}", outcome.stderr);
}

#[test]
fn faults_come_while_it_runs() {
    let simulator = Simulator::start(&["--fault", "gone@/portfolio/accounts+1*2"]);
    let outcomes: Vec<i32> = (0..4).map(|_| simulator.run(&["request", "GET", "/portfolio/accounts"]).status).collect();
    assert_eq!(outcomes, [0, 1, 1, 0]);

    let ask = |arguments: &[&str], what: &str| {
        let outcome = simulator.run(arguments);
        let all = format!("{}{}", outcome.text(), outcome.stderr);
        assert!(all.contains(what), "{what}: {all}");
    };
    simulator.assert_done(&json!({ "fault": "invalid-consumer" }));
    ask(&["token"], "invalid consumer");
    ask(&["token"], "live_session_token");
    simulator.assert_done(&json!({ "action": "start-competing-session" }));
    ask(&["request", "GET", "/iserver/auth/status"], "\"competing\":true");
    simulator.assert_done(&json!({ "action": "end-competing-session" }));
    ask(&["request", "GET", "/iserver/auth/status"], "\"competing\":false");
    simulator.assert_done(&json!({ "action": "start-maintenance" }));
    ask(&["token"], "503");
    simulator.assert_done(&json!({ "action": "end-maintenance" }));
    ask(&["token"], "live_session_token");
    simulator.assert_done(&json!({ "actions": ["penalty-box"], "seconds": 600 }));
    ask(&["token"], "429");
    let (status, body) = simulator.order(&json!({ "action": "explode" }));
    assert_eq!(status, 400, "{body}");
    simulator.stop();
}

#[test]
fn a_running_session_loses_its_token_and_what_it_opened() {
    let simulator = Simulator::start(&[]);
    let arguments = ["session", "--bundle", simulator.bundle()];
    let mut session = Running::start(&simulator.folder.0, &arguments);
    session.line_with("live");
    simulator.assert_done(&json!({ "actions": ["expire-token", "end-brokerage-session"] }));
    session.signal("TERM");
    let outcome = session.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    // Its logout came after its token was gone.
    let said = simulator.stop();
    assert!(said.contains("refused: POST ") && said.contains("/logout"), "{said}");
}

#[test]
fn the_day_can_be_short() {
    let expiry = |speed: &str| {
        let simulator = Simulator::start(&["--speed", speed]);
        let token: Value = serde_json::from_str(simulator.run(&["token"]).text()).unwrap();
        simulator.stop();
        token["expires_at"].as_str().unwrap().to_owned()
    };
    // A day, an hour and minutes; such texts are in order as the times are.
    let (day, hour, minutes) = (expiry("1"), expiry("24"), expiry("1000"));
    assert!(minutes < hour && hour < day, "{minutes} {hour} {day}");
    let folder = Folder::new();
    assert_eq!(run_in(&folder.0, &["simulate", "--speed", "0"]).status, 2);
}

#[test]
fn answers_of_ones_own_come_from_a_folder() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("answers")).unwrap();
    folder.write(
        "answers/a.json",
        r#"{"GET /portfolio/accounts": [{"id": "U7"}], "GET /portfolio/{}/ledger": {"x": 1}}"#,
    );
    folder.write("answers/b.json", r#"{"GET /my/path": "text"}"#);
    folder.write("answers/read.me", "not looked at");
    let simulator = Simulator::start_in(folder, &["--responses", "answers"]);
    assert_eq!(simulator.get("/portfolio/accounts"), json!([{ "id": "U7" }]));
    assert_eq!(simulator.get("/portfolio/U7/ledger"), json!({ "x": 1 }));
    assert_eq!(simulator.get("/my/path"), json!("text"));
    simulator.stop();

    let folder = Folder::new();
    let refused = |why: &str| {
        let outcome = run_in(&folder.0, &["simulate", "--out", "new", "--responses", "elsewhere"]);
        outcome.assert_failure(2, "", why, "GET /portfolio/accounts");
        assert!(!folder.0.join("new").exists());
    };
    refused("no file in elsewhere ends in `.json`");
    for (content, why) in [
        ("[1]", "elsewhere/x.json: it is not one JSON object"),
        ("{\"GET\": 1}", "elsewhere/x.json: `GET` is not a method and a path"),
        ("{\"GET portfolio\": 1}", "elsewhere/x.json: `GET portfolio` is not a method and a path"),
        ("{\"G T /x\": 1}", "elsewhere/x.json: `G T /x` is not a method and a path"),
    ] {
        folder.write("elsewhere/x.json", content);
        refused(why);
    }
}

#[test]
fn a_mock_answers_behind_verified_authentication() {
    let mock = Address::new();
    let url = format!("{}/mock", mock.origin());
    let server = mock.serve(|received| {
        let (method, target) = received.target();
        let has_signature = received.head.to_lowercase().contains("authorization");
        let body = format!("{{\"asked\":\"{method} {target}\",\"signed\":{has_signature}}}");
        format!("HTTP/1.1 201 Created\r\nx-mine: 1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    });
    let simulator = Simulator::start(&["--upstream", &url]);
    assert_eq!(
        simulator.get("/portfolio/accounts?a=1"),
        json!({ "asked": "GET /mock/portfolio/accounts?a=1", "signed": false })
    );
    assert_eq!(simulator.get("/no/such/path")["asked"], "GET /mock/no/such/path");
    // Sign-in and session are the simulator's; and what it refuses does not get through.
    assert!(simulator.get("/iserver/auth/status")["asked"].is_null());
    let refused = browser().get(format!("{}/portfolio/accounts", simulator.ready["base_url"].as_str().unwrap())).call();
    assert_eq!(refused.unwrap().status(), 401);
    drop(server);
    let outcome = simulator.run(&["request", "GET", "/portfolio/accounts"]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stderr.contains("502"), "{}", outcome.stderr);
    let said = simulator.stop();
    assert!(said.contains("201: GET /v1/api/portfolio/accounts; query policy: "), "{said}");
    assert!(said.lines().last().unwrap().contains("does not answer"), "{said}");
}

#[test]
fn the_conformance_of_a_client_is_reported_at_the_end() {
    let simulator = Simulator::start(&["--conformance"]);
    for _ in 0..5 {
        // The first request after each but the first has to sign in anew, which each run of this program does.
        assert_eq!(simulator.run(&["request", "GET", "/portfolio/accounts"]).status, 0);
    }
    simulator.running.signal("TERM");
    let outcome = simulator.running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let lines: Vec<&str> = outcome.text().lines().collect();
    assert_eq!(lines.len(), 12, "{}", outcome.text());
    let names = ["k-top-bit-set", "k-top-bit-clear", "k-leading-zero", "odd-length-response", "no-expiration"];
    for (line, name) in lines.iter().zip(names) {
        assert_eq!(*line, format!("passed       {name}"));
    }
    assert!(lines[11].starts_with("not reached  lost-order-reply: an order whose reply was lost"), "{}", lines[11]);

    // One that signs in again without having used its token did not believe the proof.
    let simulator = Simulator::start(&["--conformance", "--output", "json"]);
    let token = simulator.run(&["token"]);
    assert_eq!((token.status, simulator.run(&["token"]).status), (0, 0));
    simulator.running.signal("TERM");
    let outcome = simulator.running.end();
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let report: Value = serde_json::from_str(outcome.text()).unwrap();
    assert_eq!(report["conformance"][0]["outcome"], "failed");
    assert_eq!(report["conformance"][1]["outcome"], "not reached");
}
