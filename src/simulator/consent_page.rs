//! The consent page, as a browser gets it.

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::{
    answers::Answer,
    broker::Broker,
    consent::Visit,
    judge::Judge,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
};
use crate::context::Context;

impl Broker {
    /// Answers a request for the consent page; `None` where it is for something else.
    ///
    /// Without `answer` in the query the page asks the user. With `answer=agree` or `answer=decline`, which its buttons
    /// add, the browser is sent to the callback.
    pub(super) fn consent_page(&mut self, cx: &mut Context<'_>, request: &Request<Bytes>) -> Option<Answer> {
        if !self.is_consent_page(request.uri()) {
            return None;
        }
        let mut judge = Judge::new(self.profile.strictness);
        let served = self.serve_page(cx, request, &mut judge);
        let answer = served.unwrap_or_else(|objection| {
            let detail = objection.detail.clone();
            let refused = self.clock(cx);
            self.record(request, refused, objection);
            page(StatusCode::BAD_REQUEST, "This cannot be consented to", &format!("<p>{}</p>", escaped(&detail)))
        });
        // The URL holds the request token.
        let answer = answer.with_header("cache-control", "no-store").with_header("referrer-policy", "no-referrer");
        Some(self.naming_deviations(answer, &judge))
    }

    fn serve_page(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        ensure(
            request.method() == Method::GET,
            Reason::MethodNotAllowed,
            format_args!("the consent page does not take {}", request.method()),
        )?;
        let visit = self.visit(request.uri(), judge)?;
        let location = match visit.answer.as_deref() {
            None => return Ok(self.question(&visit)),
            Some("agree") => self.agree(cx, &visit)?,
            Some("decline") => self.refuse_consent(visit),
            Some(other) => {
                let detail = format_args!("answer is `{other}`, neither `agree` nor `decline`");
                return refuse(Reason::BodyMalformed, detail);
            }
        };
        let link = format!("<p><a href=\"{0}\">{0}</a></p>", escaped(&location));
        Ok(page(StatusCode::FOUND, "Answered", &link).with_header("location", &location))
    }

    fn question(&self, visit: &Visit) -> Answer {
        let redirect = visit.redirect.as_deref().map(|redirect| hidden("redirect_uri", redirect)).unwrap_or_default();
        let content = format!(
            "<p>The consumer <b>{}</b> asks to trade in your name, with the accounts {}.</p>\n\
             <p>Your browser is then sent to {}.</p>\n\
             <form method=\"get\">{}{redirect}\n\
             <button name=\"answer\" value=\"agree\">Agree</button>\n\
             <button name=\"answer\" value=\"decline\">Decline</button></form>",
            escaped(&self.profile.consumer_key),
            escaped(&self.profile.accounts.join(", ")),
            escaped(&visit.callback),
            hidden("oauth_token", &visit.token),
        );
        page(StatusCode::OK, "Do you consent?", &content)
    }
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
}

/// `content` is HTML.
fn page(status: StatusCode, heading: &str, content: &str) -> Answer {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Simulated broker</title></head>\n\
         <body>\n<h1>{heading}</h1>\n{content}\n<p>This is a simulation. No broker is asked.</p>\n</body>\n</html>\n"
    );
    Answer::page(status, html)
}

/// Text as HTML, in an attribute too.
fn escaped(text: &str) -> String {
    let mut html = String::new();
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}
