//! The requests of the probes: signed as the library signs them, and then spoiled as the probe wants it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Consumer, Context, Error, LiveSessionToken, Secret, Signer, UnlockedToken,
    bytes::Bytes,
    exchange::PendingResponse,
    http::{
        HeaderValue, Method, Request,
        header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
    },
    key::SigningInput,
    oauth1::percent_encode,
};

use super::probes::{Ask, Challenge, Respelling, Signed};
use crate::credentials;

/// A nonce and a timestamp, in seconds.
#[derive(Clone)]
pub(super) struct Stamp {
    pub(super) nonce: String,
    pub(super) seconds: u64,
}

impl Stamp {
    /// One of now.
    pub(super) fn fresh(cx: &mut Context<'_>) -> Option<Self> {
        let nonce = format!("{:032x}", u128::from_be_bytes(random::<16>(cx)?));
        Some(Self { nonce, seconds: cx.now().as_secs() })
    }
}

fn random<const N: usize>(cx: &mut Context<'_>) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    cx.entropy().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// What is signed with.
pub(super) struct Keys<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) token: &'a LiveSessionToken,
    pub(super) earlier: Option<&'a LiveSessionToken>,
    /// Of the request before.
    pub(super) before: Option<&'a Stamp>,
}

/// The request, and the stamp that it was signed with. `None` where there is nothing to sign it with.
pub(super) fn request(ask: &Ask, keys: &Keys<'_>, cx: &mut Context<'_>) -> Option<(Request<Bytes>, Stamp)> {
    let mut stamp = Stamp::fresh(cx)?;
    match ask.signed {
        Signed::AsBefore => stamp = keys.before?.clone(),
        Signed::Behind(seconds) => stamp.seconds = stamp.seconds.saturating_sub(seconds),
        _ => {}
    }
    let mut request = Request::new(Bytes::from_static(ask.body.as_bytes()));
    *request.method_mut() = ask.method.parse().ok()?;
    *request.uri_mut() = keys.consumer.endpoints().url(ask.target).ok()?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, keys.consumer.user_agent().clone());
    if !ask.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else if ask.method == "POST" {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let signer = signer(ask.signed, keys, cx)?;
    let (mut parts, ()) = request.clone().map(drop).into_parts();
    if ask.signed == Signed::AsGet {
        parts.method = Method::GET;
    }
    let signature = signer.sign_with(&parts, None, &stamp.nonce, stamp.seconds).ok()?;
    let header = match ask.signed {
        Signed::Respelled(respelling) => respelled(signature.authorization.to_str().ok()?, respelling)?,
        _ => signature.authorization,
    };
    request.headers_mut().insert(AUTHORIZATION, header);
    Some((request, stamp))
}

fn signer(signed: Signed, keys: &Keys<'_>, cx: &mut Context<'_>) -> Option<Signer> {
    match signed {
        Signed::Under(policy) => credentials::signer_under(policy, keys.token).ok(),
        Signed::ByEarlierToken => Some(keys.earlier?.signer()),
        Signed::ByNobody => {
            let nobodys = Secret::from(random::<20>(cx)?.to_vec());
            Signer::from_stored(keys.consumer, keys.token.signer().access_token(), &nobodys).ok()
        }
        _ => Some(keys.token.signer()),
    }
}

/// The parameters of a header, in their order, as they are spelled there.
fn parameters(header: &str) -> Option<Vec<(&str, &str)>> {
    let parameters = header.strip_prefix("OAuth ")?.split(", ").map(|parameter| parameter.split_once('='));
    parameters.collect()
}

fn respelled(header: &str, respelling: Respelling) -> Option<HeaderValue> {
    let mut parameters = parameters(header)?;
    let without =
        |name: &str| -> Vec<(&str, &str)> { parameters.iter().copied().filter(|(other, _)| *other != name).collect() };
    let signature = parameters.iter().find(|(name, _)| *name == "oauth_signature")?.1;
    let signature = match respelling {
        Respelling::RawSignature => signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="),
        Respelling::LowerCaseEscapes => signature.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"),
        Respelling::EncodedTwice => signature.replace('%', "%25"),
        _ => signature.to_owned(),
    };
    match respelling {
        Respelling::TokenAlone => parameters.retain(|(name, _)| *name == "oauth_token"),
        Respelling::WithoutNonce => parameters = without("oauth_nonce"),
        Respelling::WithoutRealm => parameters = without("realm"),
        Respelling::OtherRealm => {
            let realm = parameters.iter_mut().find(|(name, _)| *name == "realm")?;
            realm.1 = if realm.1 == "\"test_realm\"" { "\"limited_poa\"" } else { "\"test_realm\"" };
        }
        _ => {}
    }
    let spell = |(name, value): (&str, &str)| {
        format!("{name}={}", if name == "oauth_signature" { signature.as_str() } else { value })
    };
    let mut text = format!("OAuth {}", parameters.into_iter().map(spell).collect::<Vec<_>>().join(", "));
    match respelling {
        Respelling::Unquoted => text = text.replace('"', ""),
        Respelling::TrailingComma => text.push(','),
        _ => {}
    }
    sensitive(text)
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A request for a live session token, and what reads the response to it: nothing does where the challenge is spelled in an
/// unusual way, for its token is not wanted.
type SignIn = (Request<Bytes>, Option<PendingResponse<LiveSessionToken>>);

pub(super) fn sign_in(
    consumer: &Consumer,
    token: &UnlockedToken,
    challenge: Challenge,
    cx: &mut Context<'_>,
) -> Result<SignIn, Error> {
    if challenge == Challenge::Usual {
        let (request, pending) = token.live_session_token(consumer, cx)?.into_parts();
        return Ok((request, Some(pending)));
    }
    let unsigned = token.prepare_live_session_token(consumer, cx)?;
    let message = String::from_utf8_lossy(unsigned.input().expose_message()).into_owned();
    let signature = |message: &str, cx: &mut Context<'_>| {
        let key = consumer.signature_key()?;
        key.sign(&SigningInput::new(message.as_bytes().to_vec()), cx.entropy()).ok()
    };
    let usual = signature(&message, cx).unwrap_or_default();
    let (mut request, _) = unsigned.attach(&usual)?.into_parts();
    let header = respelled_challenge(&request, &message, challenge, |message| signature(message, cx));
    if let Some(header) = header {
        request.headers_mut().insert(AUTHORIZATION, header);
    }
    Ok((request, None))
}

fn respelled_challenge(
    request: &Request<Bytes>,
    message: &str,
    challenge: Challenge,
    sign: impl FnOnce(&str) -> Option<Vec<u8>>,
) -> Option<HeaderValue> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let parameters = parameters(header)?;
    let usual = parameters.iter().find(|(name, _)| *name == "diffie_hellman_challenge")?.1.trim_matches('"');
    let other = match challenge {
        Challenge::UpperCase => usual.to_ascii_uppercase(),
        _ => format!("00{usual}"),
    };
    let (before, after) = message.split_once(usual)?;
    let signature = percent_encode(STANDARD.encode(sign(&format!("{before}{other}{after}"))?).as_bytes());
    let spell = |(name, value): (&str, &str)| match name {
        "diffie_hellman_challenge" => format!("{name}=\"{other}\""),
        "oauth_signature" => format!("{name}=\"{signature}\""),
        _ => format!("{name}={value}"),
    };
    sensitive(format!("OAuth {}", parameters.into_iter().map(spell).collect::<Vec<_>>().join(", ")))
}
