"""The whole flow of a third party against `ibkr-oauth simulate`, from the request token to a signed request, through the
consent page, with nothing of this crate's.

    python tests/interop/three_legged.py target/debug/ibkr-oauth
"""

import hmac
import sys
import urllib.error

from simulated import simulator, unexpected
from third_party import ThirdParty


def check(bundle: dict) -> None:
    party = ThirdParty(bundle)
    declined = party.consent(party.request_token("oob"), "decline")
    assert "oauth_verifier" not in declined, declined

    request_token = party.request_token("oob")
    answer = party.consent(request_token, "agree")
    assert answer["oauth_token"] == request_token, answer
    token, secret = party.access_token(request_token, answer["oauth_verifier"])
    live = party.live_session_token(token, secret)

    def by_mac(text: str) -> bytes:
        return hmac.digest(live, text.encode(), "sha256")

    oauth = {"oauth_signature_method": "HMAC-SHA256", "oauth_token": token}
    accounts = party.send("GET", "/portfolio/accounts", oauth, by_mac)
    assert accounts[0]["accountId"].startswith("DU"), accounts
    found = party.send("GET", "/trsrv/stocks?symbols=BRK%20B,A%2BB", oauth, by_mac)
    assert isinstance(found, dict), found
    try:
        party.send("GET", "/portfolio/accounts", oauth, lambda text: by_mac(text + "!"))
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
    else:
        raise AssertionError("a wrong signature was taken")


def main() -> None:
    with simulator(sys.argv[1], "--strict", "--query-policy", "rfc5849") as (bundle, log):
        check(bundle)
    assert unexpected(log, "signature", "declined", "decline") == [], log
    print("a third party had a user's consent through the page, and signed for the user")


main()
