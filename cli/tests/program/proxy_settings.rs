//! What the settings for proxies mean, without a network.

use std::ffi::OsString;

use crate::no_proxy::{Exception, look_up};
use crate::proxy::{Route, Unusable, route};
use ibkr_oauth::http::Uri;
use proptest::prelude::*;

fn decide(url: &str, variables: &[(&str, &str)]) -> Result<Route, Unusable> {
    let url: Uri = url.parse().unwrap();
    route(&url, |name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value)))
}

/// The route in words.
fn words(url: &str, variables: &[(&str, &str)]) -> String {
    match decide(url, variables) {
        Ok(Route::Direct) => "direct".to_owned(),
        Ok(Route::Excepted(variable)) => format!("excepted by {variable}"),
        Ok(Route::Through { shown, variable, .. }) => format!("{shown} by {variable}"),
        Err(Unusable { what, remedy }) => {
            assert!(remedy.contains("_PROXY") && !what.contains('\n') && !remedy.contains('\n'), "{what} {remedy}");
            format!("error: {what} -> {remedy}")
        }
    }
}

#[test]
fn the_variable_for_the_scheme_goes_before_the_one_for_all() {
    let (http, https) = ("http://127.0.0.1:5000/v1/api", "https://api.ibkr.com/v1/api");
    for (url, variables, expected) in [
        (https, &[][..], "direct"),
        (https, &[("HTTP_PROXY", "http://p")], "direct"),
        (http, &[("HTTPS_PROXY", "http://p"), ("https_proxy", "garbage garbage")], "direct"),
        (https, &[("HTTPS_PROXY", "http://p")], "http://p:80 by HTTPS_PROXY"),
        (https, &[("https_proxy", "https://p")], "https://p:443 by https_proxy"),
        (https, &[("HTTPS_PROXY", "http://p:1"), ("ALL_PROXY", "http://q:1")], "http://p:1 by HTTPS_PROXY"),
        (https, &[("https_proxy", "http://p:1"), ("ALL_PROXY", "ftp://q")], "http://p:1 by https_proxy"),
        (https, &[("HTTP_PROXY", "http://p:1"), ("all_proxy", "http://q:1")], "http://q:1 by all_proxy"),
        (https, &[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:1")], "http://p:1 by HTTPS_PROXY"),
        (http, &[("HTTP_PROXY", "http://p:1")], "http://p:1 by HTTP_PROXY"),
        (http, &[("http_proxy", "http://p:1"), ("HTTP_PROXY", "")], "http://p:1 by http_proxy"),
        (https, &[("HTTPS_PROXY", ""), ("https_proxy", "  "), ("ALL_PROXY", "")], "direct"),
        (https, &[("HTTPS_PROXY", ""), ("ALL_PROXY", "socks5h://q")], "socks5h://q:1080 by ALL_PROXY"),
        (https, &[("HTTPS_PROXY", "garbage garbage"), ("NO_PROXY", "ibkr.com")], "excepted by NO_PROXY"),
        (https, &[("ALL_PROXY", "http://p"), ("no_proxy", "*")], "excepted by no_proxy"),
        (https, &[("ALL_PROXY", "http://p"), ("NO_PROXY", ""), ("no_proxy", "*")], "excepted by no_proxy"),
        (
            https,
            &[("ALL_PROXY", "http://p"), ("NO_PROXY", "example.com"), ("no_proxy", "*")],
            "http://p:80 by ALL_PROXY",
        ),
        (https, &[("NO_PROXY", "http://x")], "direct"),
        (http, &[("ALL_PROXY", "http://p"), ("NO_PROXY", "localhost")], "http://p:80 by ALL_PROXY"),
    ] {
        assert_eq!(words(url, variables), expected, "{url} {variables:?}");
    }
}

#[test]
fn a_setting_is_taken_whole_or_refused() {
    let refused = |why| Err::<&str, &str>(why);
    for (setting, expected) in [
        ("127.0.0.1:3128", Ok("http://127.0.0.1:3128")),
        ("http://proxy.example.com/", Ok("http://proxy.example.com:80")),
        ("HTTPS://proxy_1.example.com:8443", Ok("https://proxy_1.example.com:8443")),
        ("http://[::1]:3128", Ok("http://[::1]:3128")),
        ("socks5://[::1]", Ok("socks5://[::1]:1080")),
        ("socks://p", Ok("socks://p:1080")),
        ("Socks4a://p:9", Ok("socks4a://p:9")),
        ("http://us3r@p", Ok("http://p:80")),
        ("http://us3r:s3cret@with@p", Ok("http://p:80")),
        ("us3r:100%@p", Ok("http://p:80")),
        ("socks5h://us3r:s3cret@p", Ok("socks5h://p:1080")),
        ("ftp://p", refused("of the kind `ftp`")),
        ("socks6://us3r:s3cret@p", refused("of the kind `socks6`")),
        ("us3r:s3cret@p://q", refused("names no proxy")),
        ("http://", refused("no host")),
        ("http://us3r:s3cret@", refused("no host")),
        ("http://p:0", refused("no host")),
        ("http://p:", refused("no host")),
        ("http://p:65536", refused("no host")),
        ("http://p:http", refused("no host")),
        ("http://::1:3128", refused("no host")),
        ("http://[::1", refused("no host")),
        ("http://[p]:1", refused("no host")),
        ("http://p/proxy.pac", refused("no host")),
        ("http://p?s3cret", refused("no host")),
        ("http://p#a", refused("no host")),
        ("http://a p", refused("no host")),
        ("http://ü.example", refused("no host")),
        ("socks5:127.0.0.1:1080", refused("no host")),
        ("http:/us3r:s3cret", refused("no host")),
        ("http://q/s3cret@p", refused("cannot be read")),
        ("http://%ff:s3cret@p", refused("cannot be read")),
        ("http://us3r%3As3cret@p", refused("with a `:`")),
        ("socks4://us3r@p", refused("no user names")),
        ("socks4a://us3r:s3cret@p", refused("no user names")),
        ("socks5://us3r@p", refused("from 1 to 255 bytes")),
        ("socks5://us3r:@p", refused("from 1 to 255 bytes")),
        ("socks5://:s3cret@p", refused("from 1 to 255 bytes")),
        (&format!("socks5://us3r:{}@p", "s3cret".repeat(50)), refused("from 1 to 255 bytes")),
    ] {
        let found = words("https://api.ibkr.com/v1/api", &[("ALL_PROXY", setting)]);
        match expected {
            Ok(shown) => assert_eq!(found, format!("{shown} by ALL_PROXY"), "{setting}"),
            Err(why) => {
                assert!(found.starts_with("error: ALL_PROXY ") && found.contains(why), "{setting}: {found}");
            }
        }
        assert!(!found.contains("us3r") && !found.contains("s3cret"), "{setting}: {found}");
    }
    let login = |setting| match decide("https://h", &[("ALL_PROXY", setting)]) {
        Ok(Route::Through { proxy, .. }) => {
            let shown = format!("{proxy:?}");
            let login = proxy.login.unwrap();
            assert!(!shown.contains(&login.0) && (login.1.is_empty() || !shown.contains(&login.1)), "{shown}");
            login
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(login("http://a%20b:c%3Ad:e+f@p"), ("a b".to_owned(), "c:d:e+f".to_owned()));
    assert_eq!(login("http://100%:%zz@p"), ("100%".to_owned(), "%zz".to_owned()));
    assert_eq!(login("http://us3r@p"), ("us3r".to_owned(), String::new()));
    let of_six = words("https://[2001:db8::1]/v1/api", &[("ALL_PROXY", "socks4://p")]);
    assert!(of_six.contains("no addresses of IPv6"), "{of_six}");
}

#[test]
fn names_are_looked_up_as_elsewhere() {
    for (list, host, is_listed) in [
        ("*", "api.ibkr.com", true),
        ("a,*", "api.ibkr.com", true),
        ("api.ibkr.com", "api.ibkr.com", true),
        ("API.ibkr.com.", "api.IBKR.com", true),
        ("api.ibkr.com", "api.ibkr.com.", true),
        ("ibkr.com", "api.ibkr.com", true),
        ("com", "api.ibkr.com", true),
        ("kr.com", "api.ibkr.com", false),
        ("x.api.ibkr.com", "api.ibkr.com", false),
        (".ibkr.com", "api.ibkr.com", true),
        (".api.ibkr.com", "api.ibkr.com", false),
        ("*.ibkr.com", "api.ibkr.com", true),
        ("*.api.ibkr.com", "api.ibkr.com", false),
        ("*ibkr.com", "api.ibkr.com", true),
        ("api.*", "api.ibkr.com", true),
        ("localhost , api.ibkr.com", "api.ibkr.com", true),
        ("localhost api.ibkr.com", "api.ibkr.com", true),
        (",,\tlocalhost,", "api.ibkr.com", false),
        ("api.ibkr.com:443", "api.ibkr.com", true),
        ("ibkr.com:444", "api.ibkr.com", false),
        ("localhost", "127.0.0.1", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("0.0.1", "127.0.0.1", false),
        ("*.0.0.1", "127.0.0.1", false),
        (".1", "127.0.0.1", false),
        ("127.0.0.1:443", "127.0.0.1", true),
        ("127.0.0.1:80", "127.0.0.1", false),
        ("127.*", "127.0.0.1", true),
        ("127.0.0.0/8", "127.255.0.1", true),
        ("127/8", "127.255.0.1", true),
        ("127.0.0.0/8", "128.0.0.1", false),
        ("10.0.0.0/8,192.168/16", "192.168.7.1", true),
        ("0.0.0.0/0", "192.168.7.1", true),
        ("0.0.0.0/0", "[::1]", false),
        ("192.168.7.1/32", "192.168.7.1", true),
        ("192.168.7.0/32", "192.168.7.1", false),
        ("10.0.0.0/8", "api.ibkr.com", false),
        ("::1", "[::1]", true),
        ("0:0::1", "[::1]", true),
        ("[::1]", "[::1]", true),
        ("[::1]:443", "[::1]", true),
        ("[::1]:5000", "[::1]", false),
        ("fd00::/8", "[fd12::1]", true),
        ("fd00::/8", "[fe12::1]", false),
        ("::/0", "[fe12::1]", true),
        ("::/0", "127.0.0.1", false),
        ("<local>,api.ibkr.com", "api.ibkr.com", true),
    ] {
        let expected = if is_listed { Exception::Listed } else { Exception::NotListed };
        assert_eq!(look_up(list, host, 443), expected, "{list} {host}");
    }
    for (list, entry) in [
        ("<local>", "<local>"),
        ("a, http://b, c", "http://b"),
        ("10.0.0.0/33", "10.0.0.0/33"),
        ("::/129", "::/129"),
        ("a/b", "a/b"),
        ("1.2.3.4.5/8", "1.2.3.4.5/8"),
        ("a:b", "a:b"),
        ("[::1]5000", "[::1]5000"),
        ("a*b", "a*b"),
        ("**", "**"),
        (".", "."),
    ] {
        assert_eq!(look_up(list, "api.ibkr.com", 443), Exception::Unclear(entry.to_owned()), "{list}");
    }
    let hidden = words("https://h", &[("ALL_PROXY", "http://p"), ("NO_PROXY", "http://us3r:s3cret@p")]);
    assert!(hidden.starts_with("error: NO_PROXY") && !hidden.contains("s3cret"), "{hidden}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic_or_connect_directly(text in "[ -~]{1,20}|\\PC{0,12}", scheme in "(|http://|socks5://)") {
        let setting = format!("{scheme}{text}");
        if !setting.trim().is_empty() {
            let route = decide("https://api.ibkr.com/v1/api", &[("ALL_PROXY", &setting)]);
            prop_assert!(!matches!(route, Ok(Route::Direct | Route::Excepted(_))));
        }
        let _ = look_up(&text, "api.ibkr.com", 443);
        let _ = look_up(&text, &text, 443);
    }

    #[test]
    fn no_login_is_shown(user in "[a-z0-9%]{8,12}", password in "[ -~]{8,12}", rest in "[ -~]{0,6}") {
        for scheme in ["http", "socks5", "socks4", "ftp"] {
            let shown = words("https://h", &[("ALL_PROXY", &format!("{scheme}://{user}:{password}@{rest}"))]);
            prop_assert!(!shown.contains(&user) && !shown.contains(&password), "{}", shown);
        }
    }
}
