//! The signature base string (RFC 5849 section 3.4.1).

use http::{Method, Uri};

use super::{base_uri::base_uri, encode::percent_encode, parameters::parameters, uri_error::UriError};

/// A name and a value as they are joined; `None` is a pair without `=`.
pub(crate) type Pair = (Vec<u8>, Option<Vec<u8>>);

/// The signature base string of a request.
///
/// `oauth_parameters` are the protocol's own, decoded, without `realm` and `oauth_signature`; they may come in any
/// order. `form` is the body of a form request, as sent; `None` for all other bodies, which are not signed.
///
/// # Errors
/// [`UriError`] where `uri` cannot be signed.
pub fn base_string(
    method: &Method,
    uri: &Uri,
    oauth_parameters: &[(&str, &str)],
    form: Option<&[u8]>,
) -> Result<String, UriError> {
    let base_uri = base_uri(uri)?;
    let encoded =
        |name: &[u8], value: &[u8]| (percent_encode(name).into_bytes(), Some(percent_encode(value).into_bytes()));
    let protocol = oauth_parameters.iter().map(|(name, value)| encoded(name.as_bytes(), value.as_bytes()));
    let query = parameters(uri.query().unwrap_or_default().as_bytes());
    let sent = query.chain(parameters(form.unwrap_or_default())).map(|(name, value)| encoded(&name, &value));
    Ok(joined(method, &base_uri, protocol.chain(sent).collect()))
}

/// The base string of these parts: the pairs, which may come in any order, sorted, joined, and encoded as a whole.
pub(crate) fn joined(method: &Method, uri: &str, mut pairs: Vec<Pair>) -> String {
    // A stable sort: pairs `a` and `a=` are equals that read differently, and stay as they came.
    pairs.sort_by(|(name, value), (other, theirs)| {
        name.cmp(other).then_with(|| value.as_deref().unwrap_or_default().cmp(theirs.as_deref().unwrap_or_default()))
    });
    let joined: Vec<Vec<u8>> = pairs
        .into_iter()
        .map(|(name, value)| match value {
            Some(value) => [name, value].join(&b'='),
            None => name,
        })
        .collect();
    format!("{method}&{}&{}", percent_encode(uri.as_bytes()), percent_encode(&joined.join(&b'&')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(url: &str, form: Option<&[u8]>) -> String {
        base_string(&Method::GET, &url.parse().unwrap(), &[("oauth_token", "t,")], form).unwrap()
    }

    #[test]
    fn the_example_of_rfc_5849() {
        let oauth = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let uri = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b".parse().unwrap();
        let text = base_string(&Method::POST, &uri, &oauth, Some(b"c2&a3=2+q")).unwrap();
        assert_eq!(
            text,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D\
             HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_example_of_oauth_core() {
        let oauth = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1191242096"),
            ("oauth_nonce", "kllo9940pd9333jh"),
            ("oauth_version", "1.0"),
        ];
        let uri = "http://photos.example.net/photos?file=vacation.jpg&size=original".parse().unwrap();
        assert_eq!(
            base_string(&Method::GET, &uri, &oauth, None).unwrap(),
            "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03%26\
             oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096%26\
             oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
        );
    }

    #[test]
    fn names_sort_before_values_and_by_their_encoded_bytes() {
        // A joined `name=value` would put `a1=…` before `a=…`; a reserved byte sorts as its `%`, before all others.
        assert_eq!(
            sign("http://h/?a1=0&a=1&a%2C=2&a-=3", None),
            "GET&http%3A%2F%2Fh%2F&a%3D1%26a%252C%3D2%26a-%3D3%26a1%3D0%26oauth_token%3Dt%252C"
        );
    }
}
