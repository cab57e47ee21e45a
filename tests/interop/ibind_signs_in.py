"""`ibind`, a client by other people in another language, signs in to `ibkr-oauth simulate`.

    python tests/interop/ibind_signs_in.py target/debug/ibkr-oauth

It is used as it comes from PyPI, with nothing of it replaced: it gets its live session token, validates the broker's
proof of it, and makes protected calls, with and without a query. It leaves the query out of what it signs, which the simulator
names as the policy `omit`.
"""

import base64
import sys

import other_clients
from simulated import simulator, unexpected


def check(bundle: dict) -> None:
    client = other_clients.ibind(bundle)
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
    with simulator(sys.argv[1]) as (bundle, log):
        check(bundle)
    # A line for each request: 13 of them, none refused. It names the real broker as `Host`, wherever it connects.
    assert len(log) == 13 and all(line.startswith("200: ") for line in log), log
    assert unexpected(log, "host_of_another_name") == [] and any("query policy: omit" in line for line in log), log
    print("ibind signed in, validated its live session token and made protected calls")


main()
