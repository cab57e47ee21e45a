"""One client for each way in which public clients speak: it signs in and makes its calls as they do, and no other way.

    python tests/interop/client_shapes.py target/debug/ibkr-oauth

What a client has wrong by its own mistake (a lost sign byte, an encoding twice) is not among it. Those that can be had from
PyPI, npm and crates.io come themselves, by scripts of their own.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
from pathlib import Path

from shape import Shape, as_json
from simulated import REAL_BASE_URL, simulator, unexpected
from third_party import ThirdParty

INIT = "/iserver/auth/ssodh/init"
OPEN = as_json({"publish": True, "compete": True})
ACCOUNT = "DU0000001"
ORDERS = f"/iserver/account/{ACCOUNT}/orders"
ORDER = {"orders": [{"conid": 265598, "orderType": "MKT", "side": "BUY", "quantity": 1, "tif": "DAY"}]}
FORM = "application/x-www-form-urlencoded"

# What clients call first, and take for granted.
FIRST_CALLS = [
    "GET /iserver/accounts",
    "POST /iserver/account",
    "GET /iserver/account/orders",
    "GET /iserver/account/trades",
    f"POST {ORDERS}",
    f"POST {ORDERS}/whatif",
    f"DELETE /iserver/account/{ACCOUNT}/order/1",
    f"POST /iserver/account/{ACCOUNT}/order/1",
    "POST /iserver/reply/1",
    "GET /iserver/account/pnl/partitioned",
    "POST /iserver/questions/suppress",
    "GET /iserver/marketdata/snapshot",
    "GET /iserver/marketdata/unsubscribeall",
    "GET /iserver/marketdata/history",
    "GET /iserver/secdef/search",
    "POST /iserver/secdef/search",
    "GET /iserver/secdef/info",
    "GET /iserver/secdef/strikes",
    "GET /iserver/contract/265598/info",
    "GET /iserver/scanner/params",
    "GET /trsrv/stocks",
    "GET /trsrv/futures",
    "GET /trsrv/secdef",
    "GET /portfolio/accounts",
    "GET /portfolio/subaccounts",
    f"GET /portfolio/{ACCOUNT}/positions/0",
    f"GET /portfolio/{ACCOUNT}/positions",
    f"GET /portfolio/{ACCOUNT}/summary",
    f"GET /portfolio/{ACCOUNT}/ledger",
    f"GET /portfolio/{ACCOUNT}/meta",
    "GET /portfolio2/accounts",
    "GET /hmds/history",
]
BODIES = {
    "POST /iserver/account": {"acctId": ACCOUNT},
    f"POST {ORDERS}": ORDER,
    f"POST {ORDERS}/whatif": ORDER,
    f"POST /iserver/account/{ACCOUNT}/order/1": ORDER["orders"][0],
    "POST /iserver/reply/1": {"confirmed": True},
    "POST /iserver/questions/suppress": {"messageIds": ["o163"]},
    "POST /iserver/secdef/search": {"symbol": "AAPL"},
}


def standalone(client: Shape) -> None:
    """IBKR's own for Python, first party 2025: it goes on with the token after its own logout."""
    client.ask("POST", "/logout")
    session = client.ask("POST", "/tickle")["session"]
    assert session and any(cookie.startswith("api=") for cookie in client.cookies), client.cookies
    assert any(cookie.startswith("x-sess-uuid=") for cookie in client.cookies), client.cookies
    client.ask("POST", INIT, **OPEN)
    for call in FIRST_CALLS:
        method, path = call.split()
        how = as_json(BODIES[call]) if call in BODIES else {}
        assert client.ask(method, path, **how) is not None, call
    client.stream()


def modular(client: Shape) -> None:
    """IBKR's own for Python, in modules, the realm without quotes; suppresses questions, previews an order."""
    client.ask("POST", INIT, **OPEN)
    client.ask("GET", "/iserver/accounts")
    client.ask("POST", "/iserver/questions/suppress", **as_json({"messageIds": ["o163"]}))
    assert client.ask("POST", f"{ORDERS}/whatif", **as_json(ORDER))
    client.stream()


def third_party(client: Shape) -> None:
    """IBKR's own for Python, third party: TESTCONS, with keys and a prime of its own (see `own_keys`)."""
    client.ask("POST", INIT, **OPEN)
    assert client.ask("GET", "/iserver/accounts")["accounts"]
    client.stream()


def web_demo(client: Shape) -> None:
    """IBKR's own for Node.js, 2023: opens by query beside JSON, searches by POST, logs out by GET."""
    client.ask("POST", f"{INIT}?publish=true&compete=true", **as_json({"locale": "en", "tz": "UTC"}))
    client.ask("GET", "/iserver/accounts")
    assert client.ask("POST", "/iserver/secdef/search", **as_json({"symbol": "AAPL"}))
    client.ask("GET", "/logout")


def java_sample(client: Shape) -> None:
    """IBKR's own for Java, 2018: pairs as they stand in the URL, and forms, all written by `URLEncoder`."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": False}))
    assert client.ask("GET", "/iserver/secdef/search?symbol=A%2AB+C~D&name=false")
    assert client.ask("POST", "/iserver/secdef/search", body=b"name=false&symbol=BRK+B+*%7E", media_type=FORM)


def c_sharp(client: Shape) -> None:
    """IBKR's own for C#: JSON on every request, GETs too."""
    client.ask("POST", INIT, **as_json({"publish": True, "compete": False}))
    assert client.ask("GET", "/portfolio/accounts", **as_json({}))


def testers(client: Shape) -> None:
    """Testers of IBKR's staff, and what was made of them: the brokerage session opened by GET."""
    assert client.ask("GET", f"{INIT}?publish=true&compete=true")["authenticated"]
    assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B")


def ib_python(client: Shape) -> None:
    """Opens by query without a body, signs a space as a plus; twelve threads, whose timestamps cross a second."""
    assert client.ask("POST", f"{INIT}?compete=true&publish=true")["authenticated"]
    now, failures = int(time.time()), []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B", at=now + number % 3)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [], failures


def ibkr_web_client(client: Shape) -> None:
    """A client whose host is a constant (see `signed_for_the_real_host`), and that reads JSON of every answer."""
    client.ask("POST", INIT, **OPEN)
    try:
        client.ask("GET", "/nothing/here?a=1")
    except urllib.error.HTTPError as error:
        assert error.code == 404 and json.load(error)["error"]
    else:
        raise AssertionError("there is no such path")


def huskly(client: Shape) -> None:
    """`ibkr-client` 1.5.1: reads what a search finds as the broker writes it."""
    client.ask("POST", INIT, **OPEN)
    found = client.ask("GET", "/iserver/secdef/search?symbol=AAPL&name=false")[0]
    assert found["conid"] == "265598" and found["symbol"] and found["companyHeader"] and found["description"], found
    assert [section["secType"] for section in found["sections"]], found


def deno(client: Shape) -> None:
    """`deno-ibkr`: it wants the prime in digits, which `openssl` shows (see `digits_of_the_prime`)."""
    client.ask("POST", INIT, **OPEN)
    assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B")


def go(client: Shape) -> None:
    """`ibkr-webapi-go`: signs the URL with its query."""
    client.ask("POST", INIT, **OPEN)
    client.ask("GET", "/iserver/accounts")
    assert client.ask("GET", "/iserver/marketdata/snapshot?conids=265598&fields=31,84") is not None


def ruby(client: Shape) -> None:
    """`ibkr-ruby`: its challenge is in upper case."""
    client.ask("POST", INIT, **OPEN)
    assert client.ask("GET", "/iserver/accounts")["accounts"]


def dot_net(client: Shape) -> None:
    """Clients for .NET, by Refit: signs the URL with its query, and sends bodies in chunks."""
    client.ask("POST", INIT, body=iter([b'{"publish":true,', b'"compete":true}']), media_type="application/json")
    client.ask("GET", "/iserver/accounts")
    assert client.ask("GET", "/iserver/secdef/search?symbol=BRK%20B&name=false")


# How each signs, and which deviations it has.
ONE_FOR_EACH = [
    (standalone, "omit", {}, {"token_used_after_logout"}),
    (modular, "omit", {"realm_quote": ""}, {"header_value_unquoted"}),
    (web_demo, "decoded-once", {}, {"body_beside_header", "opened_by_query", "logout_by_get"}),
    (java_sample, "raw-pairs", {"written_by_url_encoder": True}, {"signed_by_url_encoder"}),
    (c_sharp, "omit", {"challenge": lambda number: f"0{number:x}"}, {"challenge_with_leading_zeros", "body_beside_header"}),
    (testers, "decoded-once", {}, {"opened_by_get", "opened_by_query"}),
    (ib_python, "decoded-once", {"space": "+"}, {"opened_by_query", "space_signed_as_plus", "timestamp_behind"}),
    (huskly, "decoded-once", {}, set()),
    (deno, "decoded-once", {}, set()),
    (go, "in-url", {}, set()),
    (ruby, "omit", {"challenge": lambda number: f"{number:X}"}, {"challenge_in_upper_case"}),
    (dot_net, "in-url", {}, set()),
]


def digits_of_the_prime(bundle: dict) -> None:
    """`openssl dhparam -text` shows the name of a well-known group alone; `asn1parse` has the digits."""
    command = ["openssl", "asn1parse"]
    shown = subprocess.run(command, input=bundle["dh_params"], capture_output=True, text=True, check=True).stdout
    prime = int(re.search(r"INTEGER\s*:([0-9A-F]+)", shown)[1], 16)
    assert prime == int(bundle["dh_prime"], 16), shown


def own_keys(program: str) -> None:
    """IBKR's TESTCONS: keys of its own, its composite prime, and a consent whose redirect is written as in JSON."""
    vectors = json.loads(Path(__file__).parent.joinpath("../data/vectors.json").read_text())
    published = vectors["published_known_answers"]["oauth_at_interactive_brokers_pdf_2018"]
    prime, generator = int(published["dh_prime_decimal"]), int(published["dh_generator_decimal"])
    with tempfile.TemporaryDirectory() as folder:
        for name in ["private_signature.pem", "private_encryption.pem"]:
            command = ["openssl", "genrsa", "-out", str(Path(folder, name)), "2048"]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        Path(folder, "dhparam.pem").write_text(dh_parameters(prime, generator))
        with simulator(program, "--consumer-key", "TESTCONS", "--keys", folder) as (bundle, log):
            assert (bundle["realm"], int(bundle["dh_prime"], 16)) == ("test_realm", prime), bundle
            for field in ["signature_key", "encryption_key"]:
                bundle[field] = Path(bundle[field]["file"]).read_text()
            client = Shape(bundle, generator)
            request_token = client.request_token("oob")
            back = "http:\\/\\/localhost:5002\\/back"
            answer = client.consent(request_token, "agree", redirect_uri=back)
            # It names the callback once more.
            client.sign_in(*client.access_token(request_token, answer["oauth_verifier"], oauth_callback="oob"))
            third_party(client)
    assert unexpected(log, "redirect_with_backslashes") == [], log
    print("ok  third_party")


def dh_parameters(prime: int, generator: int) -> str:
    """The two numbers as PEM text."""
    numbers = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in (prime, generator)]
    content = b"".join(b"\x02\x82" + len(number).to_bytes(2, "big") + number for number in numbers)
    sequence = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    command = ["openssl", "base64"]
    text = subprocess.run(command, input=sequence, capture_output=True, check=True).stdout.decode()
    return f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n"


def signed_for_the_real_host(program: str) -> None:
    """Delivered here by other means than the URL."""
    with simulator(program, "--base-url", REAL_BASE_URL) as (bundle, log):
        client = Shape(bundle)
        client.delivered_at = bundle["authorize_url"].removesuffix("/authorize")
        client.sign_in(bundle["access_token"], client.opened(bundle["access_token_secret"]))
        ibkr_web_client(client)
    assert unexpected(log, "there is no resource") == [], log
    print("ok  ibkr_web_client")


def access(party: ThirdParty) -> tuple[str, bytes]:
    """An access token and its secret, with a user's consent."""
    request_token = party.request_token("oob")
    return party.access_token(request_token, party.consent(request_token, "agree")["oauth_verifier"])


def main() -> None:
    program = sys.argv[1]
    for calls, policy, own, deviations in ONE_FOR_EACH:
        with simulator(program) as (bundle, log):
            digits_of_the_prime(bundle)
            client = Shape(bundle)
            client.policy = policy
            for name, value in own.items():
                setattr(client, name, value)
            how = {}
            if calls is web_demo:
                how = {"body": b"device_id=undefined", "media_type": FORM}
            elif calls is c_sharp:
                # A callback that is no URL, and is not escaped.
                client.ask_for_token("localhost:5002", **as_json({}))
                how = as_json({})
            client.sign_in(*access(client), **how)
            calls(client)
        more = {"callback_without_scheme", "header_value_raw", "sign_in_encoded_once"} if calls is c_sharp else set()
        assert unexpected(log, *deviations, *more) == [], log
        missing = [name for name in deviations | more if not any(name in line for line in log)]
        assert missing == [], (missing, log)
        print(f"ok  {calls.__name__}")
    own_keys(program)
    signed_for_the_real_host(program)
    print(f"{len(ONE_FOR_EACH) + 2} shapes of clients signed in and made their calls")


main()
