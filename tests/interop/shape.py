"""A client whose ways of speaking can be set one by one."""

import base64
import contextlib
import hmac
import json
import secrets
import time
import urllib.parse
import urllib.request

import websocket

from third_party import ThirdParty, quote


class Shape(ThirdParty):
    policy = "omit"
    # What a space is in the second encoding, and whether all is written as Java's `URLEncoder` does.
    space = "%20"
    written_by_url_encoder = False
    header_quote = '"'
    realm_quote = '"'
    user_agent = "shape/1.0"
    # Where requests are sent in place of the base URL's host.
    delivered_at = None

    def __init__(self, bundle: dict, generator: int = 2):
        super().__init__(bundle)
        self.generator = generator
        self.cookies: list[str] = []

    def outer(self, text: str) -> str:
        if self.written_by_url_encoder:
            return urllib.parse.quote_plus(text, safe="*").replace("~", "%7E")
        return quote(text).replace("%20", self.space)

    def base_string(self, method: str, url: str, oauth: dict[str, str], form: str = "") -> str:
        where, _, query = url.partition("?")
        pairs = [f"{name}={value}" for name, value in oauth.items()]
        decoded = lambda text: [f"{name}={value}" for name, value in urllib.parse.parse_qsl(text, keep_blank_values=True)]
        if self.policy == "decoded-once":
            pairs += decoded(query) + decoded(form)
        elif self.policy == "raw-pairs":
            # What is in the form was never written down before it is signed.
            pairs += [pair for pair in query.split("&") if pair] + decoded(form)
        elif self.policy == "in-url":
            where = url
        return "&".join([method, self.outer(where), self.outer("&".join(sorted(pairs)))])

    def call(
        self,
        method: str,
        path: str,
        oauth: dict,
        sign,
        body=None,
        media_type: str = "",
        at: int | None = None,
        raw: str = "",
    ):
        """`at` is the time of the signature, `raw` the name of a parameter that is not escaped."""
        url = self.base_url + path
        oauth = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_timestamp": str(int(time.time()) if at is None else at),
            **oauth,
        }
        form = body.decode() if "form" in media_type else ""
        oauth["oauth_signature"] = base64.b64encode(sign(self.base_string(method, url, oauth, form))).decode()
        mark = self.header_quote
        pairs = [f"{name}={mark}{value if name == raw else quote(value)}{mark}" for name, value in sorted(oauth.items())]
        header = ", ".join([f"OAuth realm={self.realm_quote}{self.realm}{self.realm_quote}", *pairs])
        if body is None and method == "POST":
            body = b""
        where = url
        if self.delivered_at:
            address = urllib.parse.urlsplit(url)
            where = url.replace(f"{address.scheme}://{address.netloc}", self.delivered_at)
        request = urllib.request.Request(where, data=body, method=method)
        request.add_header("Authorization", header)
        request.add_header("Host", urllib.parse.urlsplit(url).netloc)
        request.add_header("User-Agent", self.user_agent)
        if media_type:
            request.add_header("Content-Type", media_type)
        with urllib.request.urlopen(request, timeout=30) as response:
            self.cookies += response.headers.get_all("Set-Cookie", [])
            return json.load(response)

    def challenge(self, number: int) -> str:
        return f"{number:x}"

    def ask_for_token(self, callback: str, **how) -> str:
        """A request token, with the callback as it is."""
        oauth = {"oauth_signature_method": "RSA-SHA256", "oauth_callback": callback}
        return self.call("POST", "/oauth/request_token", oauth, self.by_rsa(), raw="oauth_callback", **how)["oauth_token"]

    def sign_in(self, token: str, secret: bytes, **how) -> None:
        exponent = secrets.randbits(256)
        oauth = {
            "diffie_hellman_challenge": self.challenge(pow(self.generator, exponent, self.prime)),
            "oauth_signature_method": "RSA-SHA256",
            "oauth_token": token,
        }
        answer = self.call("POST", "/oauth/live_session_token", oauth, self.by_rsa(secret.hex()), **how)
        shared = pow(int(answer["diffie_hellman_response"], 16), exponent, self.prime)
        live = hmac.digest(shared.to_bytes(shared.bit_length() // 8 + 1, "big"), secret, "sha1")
        assert hmac.digest(live, self.consumer_key.encode(), "sha1").hex() == answer["live_session_token_signature"]
        self.oauth = {"oauth_signature_method": "HMAC-SHA256", "oauth_token": token}
        self.live = live

    def ask(self, method: str, path: str, **how):
        return self.call(method, path, self.oauth, lambda text: hmac.digest(self.live, text.encode(), "sha256"), **how)


    def stream(self) -> None:
        """Opens the WebSocket with the session of a tickle as cookie, and waits until it says that it is ready."""
        session = self.ask("POST", "/tickle")["session"]
        url = f"{self.base_url.replace('http', 'ws', 1)}/ws?oauth_token={self.oauth['oauth_token']}"
        header = [f"Cookie: api={session}", f"User-Agent: {self.user_agent}"]
        with contextlib.closing(websocket.create_connection(url, header=header, timeout=30)) as socket:
            while True:
                message = json.loads(socket.recv())
                if message.get("topic") == "sts" and message["args"].get("authenticated"):
                    return


def as_json(value) -> dict:
    return {"body": json.dumps(value).encode(), "media_type": "application/json"}
