//! The page for people: how the session is, and what to do. No script, nothing from elsewhere.

use std::fmt::Write as _;

use ibkr_oauth::Timestamp;

use super::standing::Standing;

/// What programs look for on the page that the Java gateway shows after a login.
pub(crate) const LOGIN_SUCCEEDS: &str = "Client login succeeds";

const STYLE: &str = "\
:root{color-scheme:light dark;--good:#1a7f37;--doubtful:#9a6700;--bad:#cf222e;--line:#8884}\
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--doubtful:#d29922;--bad:#f85149}}\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1.5rem 1rem;overflow-wrap:anywhere}\
h1{font-size:1.1rem;font-weight:600;margin:0 0 1rem}\
.state{font-size:1.6rem;font-weight:600;margin:0}\
.state::before{content:'';display:inline-block;width:.7em;height:.7em;border-radius:50%;background:currentColor;\
margin-right:.5em}\
.live{color:var(--good)}.starting,.displaced{color:var(--doubtful)}.down,.ended{color:var(--bad)}\
.login{margin:.25rem 0 1rem}\
.error{border-left:4px solid var(--bad);padding:.25rem .75rem;margin:1rem 0}.error p{margin:.25rem 0}\
dl{margin:1rem 0;border-top:1px solid var(--line)}\
div.row{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.4rem 0;border-bottom:1px solid var(--line)}\
dt{flex:0 0 11rem;opacity:.75}dd{flex:1 1 14rem;margin:0}\
footer{font-size:.85rem;opacity:.75}";

/// The page.
pub(crate) fn page(standing: &Standing) -> String {
    let word = standing.word();
    let (title, login) = match word {
        "live" => ("Live", LOGIN_SUCCEEDS),
        "displaced" => ("Displaced", "Another session of this user has the brokerage session."),
        "ended" => ("Ended", "The session has ended, and does not begin again by itself."),
        "down" => ("Down", "The session is down, and tries again by itself."),
        _ => ("Starting", "The session is being opened."),
    };
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        // Writing into a text cannot fail.
        let _ = write!(rows, "<div class=\"row\"><dt>{name}</dt><dd>{}</dd></div>", escaped(value));
    };
    row("Session", &standing.state.to_string());
    row("Brokerage session", if standing.is_live { "open" } else { "not open" });
    row("Token expires", &moment(standing.expires_at, "no token"));
    if let Some(next) = standing.next_attempt {
        row("Next attempt", &next.to_string());
    }
    row("Orders", if standing.allows_orders { "allowed" } else { "refused: read-only" });
    let paced = format!("{} requests were refused here, so that the broker need not", standing.paced);
    match standing.paced_until.filter(|until| *until > standing.now) {
        Some(until) => row("Pacing", &format!("nothing is sent until {until}; {paced}")),
        None => row("Pacing", &paced),
    }
    row("WebSockets", &standing.sockets.to_string());
    let error = standing.last_error.as_ref().map_or_else(String::new, |(error, remedy)| {
        format!("<div class=\"error\"><p>{}</p><p><b>To do:</b> {}</p></div>", escaped(error), escaped(remedy))
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta http-equiv=\"refresh\" content=\"10\">\
         <link rel=\"icon\" href=\"data:,\"><title>{title} – ibkr-oauth gateway</title><style>{STYLE}</style></head><body>\
         <h1>ibkr-oauth gateway</h1><p class=\"state {word}\">{title}</p><p class=\"login\">{login}</p>{error}\
         <dl>{rows}</dl><footer>As of {now}. This page reloads itself; programs read <code>/health</code>.</footer>\
         </body></html>\n",
        now = standing.now,
    )
}

/// What the page may do: show itself.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

fn moment(at: Option<Timestamp>, otherwise: &str) -> String {
    at.map_or_else(|| otherwise.to_owned(), |at| at.to_string())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}
