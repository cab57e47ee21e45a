"""oauthlib as a worker of `compare.py`: one `Client` for a session, one `sign` for a request."""

from urllib.parse import unquote

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client
from workers import CLIENT_SECRET, CONSUMER_KEY, TOKEN, TOKEN_SECRET, URL, serve


def client(**fixed):
    return Client(
        CONSUMER_KEY,
        client_secret=CLIENT_SECRET,
        resource_owner_key=TOKEN,
        resource_owner_secret=TOKEN_SECRET,
        signature_method=SIGNATURE_HMAC_SHA256,
        realm="test_realm",
        **fixed,
    )


def check(nonce, timestamp):
    _, headers, _ = client(nonce=nonce, timestamp=timestamp).sign(URL)
    return unquote(headers["Authorization"].split('oauth_signature="')[1].split('"')[0])


session = client()
serve(check, sign=lambda: session.sign(URL))
