"""`ibind`, a client by other people in another language, signs in to `ibkr-oauth simulate`.

    python tests/interop/ibind_signs_in.py target/debug/ibkr-oauth

It is used as it comes from PyPI, with nothing of it replaced: it gets its live session token, validates the broker's
proof of it, and makes protected calls, with and without a query. It leaves the query out of what it signs, which the simulator
names as the policy `omit`.
"""

import base64
import os
import sys
import tempfile

from simulated import simulator, unexpected


def der_integers(pem: str) -> list[int]:
    """The integers of the one sequence in a PEM text."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))

    def element(at: int) -> tuple[int, int, int]:
        tag, length, at = der[at], der[at + 1], at + 2
        if length >= 0x80:
            size = length - 0x80
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        return tag, at, at + length

    tag, at, end = element(0)
    assert tag == 0x30
    numbers = []
    while at < end:
        tag, start, at = element(at)
        assert tag == 0x02
        numbers.append(int.from_bytes(der[start:at], "big", signed=True))
    return numbers


def check(bundle: dict) -> None:
    # Only now, since ibind reads its settings when it is loaded.
    from ibind import IbkrClient
    from ibind.oauth.oauth1a import OAuth1aConfig

    prime, generator = der_integers(bundle["dh_params"])
    assert prime > 0, "a prime that other programs take for a negative number"
    assert int(bundle["dh_prime"], 16) == prime
    config = OAuth1aConfig(
        oauth_rest_url=bundle["base_url"] + "/",
        access_token=bundle["access_token"],
        access_token_secret=bundle["access_token_secret"],
        consumer_key=bundle["consumer_key"],
        dh_prime=bundle["dh_prime"],
        dh_generator=generator,
        signature_key=bundle["signature_key"],
        encryption_key=bundle["encryption_key"],
        realm=bundle["realm"],
        maintain_oauth=False,
        init_brokerage_session=False,
        shutdown_oauth=False,
    )
    # The constructor negotiates and raises where the proof does not fit.
    client = IbkrClient(use_oauth=True, oauth_config=config, auto_register_shutdown=False)
    assert len(base64.b64decode(client.live_session_token)) == 20
    # Each negotiation has another key, of which about every second needs a sign byte.
    for _ in range(7):
        client.oauth_init(maintain_oauth=False, init_brokerage_session=False)
    accounts = client.portfolio_accounts().data
    assert accounts and accounts[0]["id"], accounts
    client.initialize_brokerage_session(compete=False)
    assert client.tickle().data["session"]
    found = client.get("iserver/secdef/search", {"symbol": "BRK B,C/é"}).data
    assert found[0]["conid"] and found[0]["sections"], found
    client.logout()
    client.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(IBIND_LOG_TO_FILE="False", IBIND_LOGS_DIR=folder)
        with simulator(sys.argv[1]) as (bundle, log):
            check(bundle)
        # A line for each request: 13 of them, none refused, none with a deviation.
        assert len(log) == 13 and all(line.startswith("200: ") for line in log), log
        assert unexpected(log) == [] and any("query policy: omit" in line for line in log), log
    print("ibind signed in, validated its live session token and made protected calls")


main()
