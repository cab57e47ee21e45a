"""ibind, as it comes, as a worker of `compare.py`. A handshake is what its `req_live_session_token` does, and the check of
the proof that its client makes then, without the request between: keys are read from their PEM text as often as it reads
them. The broker's answer is always the same, so that the proof fits no exponent; to find that out costs as much.

Its base string has the query's values as they stand, which is the policy `decoded-once`."""

import base64
import os
import sys
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

# Before the import, which would otherwise make a directory for logs.
os.environ.update(IBIND_LOG_TO_FILE="False", IBIND_LOG_TO_CONSOLE="False")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from ibind.oauth import oauth1a
from workers import CLIENT_SECRET, CONSUMER_KEY, TOKEN, TOKEN_SECRET, URL, serve

KEYS = Path(sys.argv[1])
LIVE_SESSION_TOKEN = base64.b64encode(f"{CLIENT_SECRET}&{TOKEN_SECRET}".encode()).decode()
ADDRESS, PARAMETERS = URL.split("?")[0], dict(parse_qsl(urlsplit(URL).query))


def pem(name):
    return (KEYS / name).read_text()


def encrypted_secret():
    key = serialization.load_pem_public_key(pem("encryption_public.pem").encode())
    return base64.b64encode(key.encrypt(bytes(range(32)), padding.PKCS1v15())).decode()


NUMBERS = serialization.load_pem_parameters(pem("dh_parameters.pem").encode()).parameter_numbers()
RESPONSE = f"{pow(NUMBERS.g, int.from_bytes(bytes(range(1, 33)), 'big'), NUMBERS.p):x}"
PROOF = "00" * 20
CONFIG = oauth1a.OAuth1aConfig(
    oauth_rest_url="https://api.ibkr.com/v1/api/",
    access_token=TOKEN,
    access_token_secret=encrypted_secret(),
    consumer_key=CONSUMER_KEY,
    dh_prime=f"{NUMBERS.p:x}",
    dh_generator=NUMBERS.g,
    signature_key=pem("signing_private.pem"),
    encryption_key=pem("encryption_private.pem"),
    realm="test_realm",
)


def sign():
    return oauth1a.generate_oauth_headers(
        oauth_config=CONFIG,
        request_method="GET",
        request_url=ADDRESS,
        live_session_token=LIVE_SESSION_TOKEN,
        request_params=PARAMETERS,
    )


def handshake():
    prepend, extra_headers, random = oauth1a.prepare_oauth(CONFIG)
    oauth1a.generate_oauth_headers(
        oauth_config=CONFIG,
        request_method="POST",
        request_url="https://api.ibkr.com/v1/api/oauth/live_session_token",
        extra_headers=extra_headers,
        signature_method="RSA-SHA256",
        prepend=prepend,
    )
    token = oauth1a.calculate_live_session_token(
        dh_prime=CONFIG.dh_prime, dh_random_value=random, dh_response=RESPONSE, prepend=prepend
    )
    oauth1a.validate_live_session_token(token, PROOF, CONFIG.consumer_key)


def check(nonce, timestamp):
    drawn = oauth1a.generate_oauth_nonce, oauth1a.generate_request_timestamp
    oauth1a.generate_oauth_nonce, oauth1a.generate_request_timestamp = lambda: nonce, lambda: timestamp
    authorization = sign()["Authorization"]
    oauth1a.generate_oauth_nonce, oauth1a.generate_request_timestamp = drawn
    return unquote(authorization.split('oauth_signature="')[1].split('"')[0])


serve(check, sign=sign, handshake=handshake)
