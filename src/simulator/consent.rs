//! The user in front of the consent page, and the page as a browser gets it.

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};

use super::{
    address::{is_absolute_url, without_query},
    answers::Answer,
    arithmetic::{hex, random_bytes},
    broker::Broker,
    canonical::decoded_pairs,
    judge::{Deviation, Judge},
    percent::encode,
    reason::Reason,
    refusal::{Objection, Refusal, ensure, refuse},
    registry::Consent,
};
use crate::context::Context;

const CONSENT_PAGES: [&str; 2] =
    ["https://www.interactivebrokers.com/authorize", "https://interactivebrokers.com/authorize"];

/// A visit to the consent page with a request token that waits for an answer.
struct Visit {
    token: String,
    /// Where the browser is sent to.
    callback: String,
    /// `redirect_uri` as given.
    redirect: Option<String>,
    answer: Option<String>,
}

impl Broker {
    /// Plays the user who opens `url` in a browser, logs in and consents. Returns the URL that the browser is sent to:
    /// the callback with `oauth_token` and `oauth_verifier` (20 hexadecimal digits).
    ///
    /// `redirect_uri`, where the URL has it, replaces the callback's path, or all of it where it is an absolute URL.
    ///
    /// # Errors
    /// When the URL is not the consent page's, or its request token is unknown or was answered before. The refusal is
    /// among the [`refusals`](Self::refusals) too.
    pub fn consent(&mut self, cx: &mut Context<'_>, url: &Uri) -> Result<String, Refusal> {
        self.play(cx, url, |broker, cx, visit| broker.agree(cx, &visit))
    }

    /// Plays the user who opens `url` and cancels. Returns the URL that the browser is sent to: the callback, with
    /// neither parameter.
    ///
    /// # Errors
    /// As [`consent`](Self::consent).
    pub fn decline(&mut self, cx: &mut Context<'_>, url: &Uri) -> Result<String, Refusal> {
        self.play(cx, url, |broker, _, visit| Ok(broker.refuse_consent(visit)))
    }

    fn play(
        &mut self,
        cx: &mut Context<'_>,
        url: &Uri,
        answer: impl FnOnce(&mut Self, &mut Context<'_>, Visit) -> Result<String, Objection>,
    ) -> Result<String, Refusal> {
        let mut judge = Judge::new(self.profile.is_strict);
        let answered = self.visit(url, &mut judge).and_then(|visit| match visit.answer {
            Some(_) => refuse(Reason::ParameterUnknown, "the answer is given twice"),
            None => answer(self, cx, visit),
        });
        self.count_deviations(&judge);
        answered.map_err(|objection| self.record_visit(cx, url, objection))
    }

    fn agree(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Result<String, Objection> {
        let verifier = hex(&random_bytes::<10>(cx)?);
        let callback = with_query(visit, &verifier);
        self.answer_consent(&visit.token, Consent::Given { verifier });
        Ok(callback)
    }

    fn refuse_consent(&mut self, visit: Visit) -> String {
        self.answer_consent(&visit.token, Consent::Declined);
        visit.callback
    }

    fn is_consent_page(&self, url: &Uri) -> bool {
        let page = without_query(url);
        match &self.profile.consent_page {
            Some(own) => page == *own,
            None => CONSENT_PAGES.contains(&page.as_str()) || self.profile.base.is_at_origin(url, "/authorize"),
        }
    }

    fn answer_consent(&mut self, token: &str, answer: Consent) {
        if let Some(request_token) = self.registry.request_tokens.get_mut(token) {
            request_token.consent = answer;
        }
    }

    fn record_visit(&mut self, cx: &Context<'_>, url: &Uri, objection: Objection) -> Refusal {
        let refusal = Refusal::new(self.clock(cx), format!("visit to {}", without_query(url)), objection);
        self.remember(refusal.clone());
        refusal
    }

    fn visit(&self, url: &Uri, judge: &mut Judge) -> Result<Visit, Objection> {
        ensure(
            self.is_consent_page(url),
            Reason::ConsentPageUnknown,
            format_args!("`{}` is not the consent page", without_query(url)),
        )?;
        let mut token = None;
        let mut redirect = None;
        let mut answer = None;
        let pairs = decoded_pairs(url.query().unwrap_or_default().as_bytes()).ok_or_else(|| {
            Objection::new(Reason::BodyMalformed, "the query has a `%` without two hexadecimal digits")
        })?;
        for (name, value) in pairs {
            let name = String::from_utf8_lossy(&name);
            let slot = match &*name {
                "oauth_token" => &mut token,
                "redirect_uri" => &mut redirect,
                "answer" => &mut answer,
                _ => return refuse(Reason::ParameterUnknown, format_args!("unknown {name}")),
            };
            let before = slot.replace(String::from_utf8_lossy(&value).into_owned());
            ensure(before.is_none(), Reason::ParameterRepeated, format_args!("{name} appears more than once"))?;
        }
        let token = token.ok_or_else(|| Objection::new(Reason::ParameterMissing, "missing oauth_token"))?;
        let Some(request_token) = self.registry.request_tokens.get(&token) else {
            return refuse(Reason::RequestTokenUnknown, "oauth_token is not a request token");
        };
        ensure(
            matches!(request_token.consent, Consent::Pending),
            Reason::RequestTokenUsed,
            "the user has answered for this request token before",
        )?;
        let callback = match &redirect {
            None => request_token.callback.clone(),
            Some(redirect) => {
                let plain = redirect.replace("\\/", "/");
                if plain != *redirect {
                    let detail = format!("redirect_uri is `{redirect}`, with `\\/` for `/`");
                    judge.tolerate(Deviation::RedirectWithBackslashes, Reason::RedirectMalformed, detail)?;
                }
                redirected(&request_token.callback, &plain)?
            }
        };
        Ok(Visit { token, callback, redirect, answer })
    }
}

fn redirected(callback: &str, redirect: &str) -> Result<String, Objection> {
    if is_absolute_url(redirect) {
        return Ok(redirect.to_owned());
    }
    let origin = callback.split_once("://").map(|(scheme, rest)| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        format!("{scheme}://{authority}")
    });
    // Nothing that could end the header in which it goes to the browser, or hide the parameters behind it.
    let is_path = redirect.starts_with('/') && redirect.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match origin {
        Some(origin) if is_path => Ok(format!("{origin}{redirect}")),
        _ => refuse(
            Reason::RedirectMalformed,
            format_args!("redirect_uri is `{redirect}`, neither a path nor an absolute URL"),
        ),
    }
}

fn with_query(visit: &Visit, verifier: &str) -> String {
    let separator = if visit.callback.contains('?') { '&' } else { '?' };
    format!("{}{separator}oauth_token={}&oauth_verifier={verifier}", visit.callback, encode(visit.token.as_bytes()))
}

impl Broker {
    /// Answers a request for the consent page; `None` where it is for something else.
    ///
    /// Without `answer` in the query the page asks the user. With `answer=agree` or `answer=decline`, which its buttons
    /// add, the browser is sent to the callback.
    pub(super) fn consent_page(&mut self, cx: &mut Context<'_>, request: &Request<Bytes>) -> Option<Answer> {
        if !self.is_consent_page(request.uri()) {
            return None;
        }
        let mut judge = Judge::new(self.profile.is_strict);
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
    // The ampersand first, for the others get one.
    let names = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    names.iter().fold(text.to_owned(), |html, (char, name)| html.replace(*char, name))
}
