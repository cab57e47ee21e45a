"""A client written from RFC 5849 and IBKR's documentation, with nothing of this crate's."""

import base64
import hmac
import http.client
import json
import secrets
import time
import urllib.parse
import urllib.request

from Crypto.Cipher import PKCS1_v1_5
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15


def quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-._~")


class ThirdParty:
    def __init__(self, bundle: dict):
        self.base_url = bundle["base_url"]
        self.authorize_url = bundle["authorize_url"]
        self.consumer_key = bundle["consumer_key"]
        self.realm = bundle["realm"]
        self.prime = int(bundle["dh_prime"], 16)
        self.signature_key = RSA.import_key(bundle["signature_key"])
        self.encryption_key = RSA.import_key(bundle["encryption_key"])

    def base_string(self, method: str, url: str, oauth: dict[str, str]) -> str:
        where, _, query = url.partition("?")
        pairs = list(oauth.items()) + urllib.parse.parse_qsl(query, keep_blank_values=True)
        normalized = "&".join(f"{name}={value}" for name, value in sorted((quote(n), quote(v)) for n, v in pairs))
        return "&".join([method, quote(where), quote(normalized)])

    def send(self, method: str, path: str, oauth: dict[str, str], sign) -> dict:
        url = self.base_url + path
        oauth = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_timestamp": str(int(time.time())),
            **oauth,
        }
        oauth["oauth_signature"] = base64.b64encode(sign(self.base_string(method, url, oauth))).decode()
        pairs = [("realm", self.realm), *sorted(oauth.items())]
        header = "OAuth " + ", ".join(f'{name}="{quote(value)}"' for name, value in pairs)
        headers = {"Authorization": header, "User-Agent": "three-legged/1.0"}
        body = b"" if method == "POST" else None
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def by_rsa(self, prepend: str = ""):
        return lambda text: pkcs1_15.new(self.signature_key).sign(SHA256.new((prepend + text).encode()))

    def request_token(self, callback: str) -> str:
        oauth = {"oauth_signature_method": "RSA-SHA256", "oauth_callback": callback}
        return self.send("POST", "/oauth/request_token", oauth, self.by_rsa())["oauth_token"]

    def consent(self, token: str, answer: str, **more: str) -> dict[str, str]:
        """What the user's browser is sent back with: the page is fetched, and its link for this answer followed."""
        page = f"{self.authorize_url}?{urllib.parse.urlencode({'oauth_token': token, **more})}"
        with urllib.request.urlopen(page, timeout=30) as response:
            text = response.read().decode()
        assert "Agree" in text and "Decline" in text, text
        address = urllib.parse.urlsplit(page)
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        connection.request("GET", f"{address.path}?{address.query}&answer={answer}")
        response = connection.getresponse()
        assert response.status in (302, 303), response.status
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(response.headers["location"]).query))

    def access_token(self, token: str, verifier: str, **more: str) -> tuple[str, bytes]:
        oauth = {"oauth_signature_method": "RSA-SHA256", "oauth_token": token, "oauth_verifier": verifier, **more}
        answer = self.send("POST", "/oauth/access_token", oauth, self.by_rsa())
        return answer["oauth_token"], self.opened(answer["oauth_token_secret"])

    def opened(self, secret: str) -> bytes:
        return PKCS1_v1_5.new(self.encryption_key).decrypt(base64.b64decode(secret), None)

    def live_session_token(self, token: str, secret: bytes) -> bytes:
        exponent = secrets.randbits(256)
        oauth = {
            "diffie_hellman_challenge": f"{pow(2, exponent, self.prime):x}",
            "oauth_signature_method": "RSA-SHA256",
            "oauth_token": token,
        }
        answer = self.send("POST", "/oauth/live_session_token", oauth, self.by_rsa(secret.hex()))
        shared = pow(int(answer["diffie_hellman_response"], 16), exponent, self.prime)
        # As Java writes a positive number: with a zero byte before a first bit that is set.
        live = hmac.digest(shared.to_bytes(shared.bit_length() // 8 + 1, "big"), secret, "sha1")
        proof = hmac.digest(live, self.consumer_key.encode(), "sha1").hex()
        assert proof == answer["live_session_token_signature"], "the broker does not know the live session token"
        return live
