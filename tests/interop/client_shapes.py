"""One client for each way in which public clients speak: it signs in and makes its calls as they do, and no other way.

    python tests/interop/client_shapes.py target/debug/ibkr-oauth
"""

import base64
import hmac
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from simulated import simulator
from third_party import ThirdParty, quote


class Shape(ThirdParty):
    """What a client has of its own."""

    policy = "omit"
    space = "%20"
    header_quote = '"'
    user_agent = "shape/1.0"

    def base_string(self, method: str, url: str, oauth: dict[str, str]) -> str:
        where, _, query = url.partition("?")
        pairs = [f"{name}={value}" for name, value in oauth.items()]
        if self.policy == "decoded-once":
            pairs += [f"{n}={v}" for n, v in urllib.parse.parse_qsl(query, keep_blank_values=True)]
        elif self.policy == "raw-pairs":
            pairs += query.split("&") if query else []
        elif self.policy == "in-url":
            where = url
        outer = lambda text: quote(text).replace("%20", self.space)
        return "&".join([method, outer(where), outer("&".join(sorted(pairs)))])

    def call(self, method: str, path: str, oauth: dict, sign, body: bytes | None = None, media_type: str = "", **headers):
        url = self.base_url + path
        oauth = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_timestamp": str(int(time.time())),
            **oauth,
        }
        signed = {**oauth, **dict(urllib.parse.parse_qsl(body.decode()))} if "form" in media_type else oauth
        oauth["oauth_signature"] = base64.b64encode(sign(self.base_string(method, url, signed))).decode()
        mark = self.header_quote
        pairs = [("realm", self.realm), *sorted(oauth.items())]
        header = "OAuth " + ", ".join(f"{name}={mark}{quote(value)}{mark}" for name, value in pairs)
        if body is None and method == "POST":
            body = b""
        request = urllib.request.Request(url, data=body, method=method)
        request.add_header("Authorization", header)
        request.add_header("User-Agent", self.user_agent)
        if media_type:
            request.add_header("Content-Type", media_type)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def challenge(self, number: int) -> str:
        return f"{number:x}"

    def sign_in(self, token: str, secret: bytes, **how) -> None:
        exponent = secrets.randbits(256)
        oauth = {
            "diffie_hellman_challenge": self.challenge(pow(2, exponent, self.prime)),
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


def as_json(value) -> dict:
    return {"body": json.dumps(value).encode(), "media_type": "application/json"}


INIT = "/iserver/auth/ssodh/init"
ORDER = {"orders": [{"conid": 265598, "side": "BUY", "quantity": 1}]}


def standalone(client: Shape) -> None:
    """IBKR's own, first party 2025: it goes on with the token after its own logout."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": True}))
    client.ask("POST", "/logout")
    assert client.ask("GET", "/portfolio/accounts")


def modular(client: Shape) -> None:
    """IBKR's own, the realm without quotes; suppresses questions, previews an order."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": True}))
    client.ask("GET", "/iserver/accounts")
    client.ask("POST", "/iserver/questions/suppress", **as_json({"messageIds": ["o163"]}))
    assert client.ask("POST", "/iserver/account/DU0000001/orders/whatif", **as_json(ORDER))


def web_demo(client: Shape) -> None:
    """IBKR's own for Node.js: opens by query beside JSON, searches by POST, logs out by GET."""
    client.ask("POST", f"{INIT}?publish=true&compete=true", **as_json({"locale": "en", "tz": "UTC"}))
    client.ask("GET", "/iserver/accounts")
    assert client.ask("POST", "/iserver/secdef/search", **as_json({"symbol": "AAPL"}))
    client.ask("GET", "/logout")


def java_sample(client: Shape) -> None:
    """IBKR's own of 2018: pairs as they stand in the URL."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": False}))
    assert client.ask("GET", "/iserver/secdef/search?symbol=A%2AB+C~D&name=false")


def c_sharp(client: Shape) -> None:
    """IBKR's own for C#: JSON on every request, GETs too."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": False}))
    assert client.ask("GET", "/portfolio/accounts", **as_json({}))


def by_get(client: Shape) -> None:
    """Testers that open the brokerage session by GET."""
    assert client.ask("GET", f"{INIT}?publish=true&compete=true")["authenticated"]
    assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B")


def by_query(client: Shape) -> None:
    """A client that opens by query without a body, and signs a space as a plus."""
    assert client.ask("POST", f"{INIT}?compete=true&publish=true")["authenticated"]
    assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B")


def unknown_paths(client: Shape) -> None:
    """A client that reads JSON of every answer."""
    try:
        client.ask("GET", "/nothing/here?a=1")
    except urllib.error.HTTPError as error:
        assert error.code == 404 and json.load(error)["error"]
    else:
        raise AssertionError("there is no such path")


def whole_urls(client: Shape) -> None:
    """Clients that sign the URL with its query, and may send a body in chunks."""
    client.ask("POST", INIT, body=iter([b'{"publish":true,', b'"compete":true}']), media_type="application/json")
    client.ask("GET", "/iserver/accounts")
    assert client.ask("GET", "/iserver/marketdata/snapshot?conids=265598&fields=31,84") is not None


def check(bundle: dict) -> int:
    party = ThirdParty(bundle)
    request_token = party.request_token("oob")
    token, secret = party.access_token(request_token, party.consent(request_token, "agree")["oauth_verifier"])
    shapes = [
        (standalone, "omit", {}),
        (modular, "omit", {"header_quote": ""}),
        (web_demo, "decoded-once", {}),
        (java_sample, "raw-pairs", {}),
        (c_sharp, "omit", {"challenge": lambda number: f"0{number:x}"}),
        (by_get, "decoded-once", {}),
        (by_query, "decoded-once", {"space": "+"}),
        (unknown_paths, "omit", {}),
        (whole_urls, "in-url", {"challenge": lambda number: f"{number:X}"}),
    ]
    for calls, policy, own in shapes:
        client = Shape(bundle)
        client.policy = policy
        for name, value in own.items():
            setattr(client, name, value)
        how = {}
        if calls is web_demo:
            how = {"body": b"device_id=undefined", "media_type": "application/x-www-form-urlencoded"}
        elif calls is c_sharp:
            how = as_json({})
        client.sign_in(token, secret, **how)
        calls(client)
        print(f"ok  {calls.__name__}")
    return len(shapes)


def main() -> None:
    with simulator(sys.argv[1]) as (bundle, log):
        count = check(bundle)
    assert not [line for line in log if line.startswith("refused") and "there is no resource" not in line], log
    print(f"{count} shapes of clients signed in and made their calls")


main()
