"""crates.io's `ibkr-cp-api-client` and `ibkr_client_portal`, unmodified, behind `ibkr-oauth gateway` in front of
`ibkr-oauth simulate`: each makes all its usual calls, by the programs in `tests/interop/gateway_crates`.

    python tests/interop/gateway_crates.py target/debug/ibkr-oauth where/the/programs/are

First the gateway only reads. Where a client cannot read what the broker answers, the call is named in `BUGS`, with its file;
the program then shows what came.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway import Gateway, gateway
from simulated import unexpected

ACCOUNT = "DU0000001"
QUESTION = {"id": "5a", "message": ["Are you sure?"], "isSuppressed": False, "messageIds": ["o163"]}
SECDEF = {"conid": 265598, "currency": "USD", "ticker": "AAPL", "assetClass": "STK", "multiplier": 0.0, "strike": "0"}
# Orders that are asked about, and what the broker's documentation had until 2024.
RESPONSES = {
    "POST /iserver/account/{}/orders": [QUESTION],
    "POST /iserver/account/{}/order": [{**QUESTION, "id": "5b"}],
    "POST /trsrv/secdef": {"secdef": [SECDEF]},
}
# Each client's own, by call: words of the error, and why.
BUGS = {
    "runs-cp-api-client": {
        # src/models/market_data_history.rs:19 reads volumes as integers.
        "get_market_data_history": "invalid type: floating point `472117.45`, expected i64",
        # Cargo.toml: tokio-tungstenite with no TLS.
        "connect_to_websocket, with TLS": "TLS support not compiled in",
    },
    "runs-client-portal": {
        # src/model/account.rs:789 reads a text as an integer.
        "get_account_trades": 'invalid type: string "0", expected i64',
        # src/model/portfolio.rs:24 reads an integer as a text, and other names than the broker's (`acct_id`, `marketPrice`).
        "get_portfolio_positions": "invalid type: integer `265598`, expected a string",
        # src/model/session.rs:49 wants `confirmed` of a logout.
        "logout": "missing field `confirmed`",
        "connect_to_websocket, with TLS": "TlsFeatureNotEnabled",
    },
}


@contextlib.contextmanager
def behind(program: str, *options: str, simulate: tuple[str, ...] = ()):
    """A gateway, and the simulator's log."""
    with tempfile.TemporaryDirectory() as responses:
        Path(responses, "more.json").write_text(json.dumps(RESPONSES))
        with gateway(program, *options, simulate=("--responses", responses, *simulate)) as (running, log):
            yield running, log
            assert running.health()["status"] == "live"


def calls(client: str, running: Gateway, what: str) -> dict[str, dict]:
    """What came of each call, by its name; only the client's own bugs are errors."""
    where = str(running.port) if client == "runs-cp-api-client" else f"localhost:{running.port}"
    command = [str(Path(sys.argv[2], client)), where, ACCOUNT, what]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    # One of them prints statuses of its own.
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        expected = BUGS[client].get(line["call"])
        assert expected is None or expected in line.get("error", ""), line
        assert expected is not None or "error" not in line, line
    return {line["call"]: line for line in lines}


def posted(log: list[str], ending: str) -> int:
    return len([line for line in log if " POST " in f" {line}" and line.split(";")[0].endswith(ending)])


def with_cp_api_client(program: str) -> None:
    client = "runs-cp-api-client"
    with behind(program) as (running, log):
        done = calls(client, running, "reads")
        assert len(done) == 16 and set(BUGS[client]) < set(done), done
        assert "authenticated: true" in done["check_auth_status, logged out"]["value"]
        assert done["its request for a history"]["body"]["data"][0]["v"] == 472117.45
        refused = calls(client, running, "orders")["place_order"]
        assert "--allow-orders" in refused["value"], refused
    assert unexpected(log) == [] and posted(log, "/order") == 0, log
    with behind(program, "--allow-orders") as (running, log):
        placed = calls(client, running, "orders")["place_order"]
        assert "5b" in placed["value"], placed
    assert unexpected(log) == [] and posted(log, "/order") == 1, log


def with_client_portal(program: str) -> None:
    client = "runs-client-portal"
    with behind(program) as (running, log):
        done = calls(client, running, "reads")
        assert len(done) == 27 and set(BUGS[client]) < set(done), done
        assert done["its request for positions"]["body"][0]["conid"] == 265598
        assert done["its request for trades"]["body"][0]["liquidation_trade"] == "0"
        assert done["its request to log out"]["body"] == {"status": True}
        assert "authenticated: Some(true)" in done["get_auth_status, logged out"]["value"]
    assert unexpected(log) == [], log
    with behind(program, "--allow-orders") as (running, log):
        done = calls(client, running, "orders")
        assert "Question" in done["place_orders"]["value"], done
        assert done["place_order_reply"]["value"] == '"1"', done
        assert "order_id: Some(1)" in done["get_live_orders"]["value"] and "get_order_status" in done, done
        assert "Request was submitted" in done["cancel_order"]["value"], done
    assert unexpected(log) == [] and (posted(log, "/orders"), posted(log, "/reply/5a")) == (1, 1), log
    # Its middleware (src/client.rs:47) sends again whatever was answered with a 5xx, orders too: the gateway says 504, for
    # the answer to an order was lost, and has sent it once.
    with gateway(program, "--allow-orders", simulate=("--fault", "drop-response@/iserver/account/DU0000001/orders")) as (
        running,
        log,
    ):
        heard = calls(client, running, "streams")["connect_to_websocket"]["value"]
        # `sor` has an integer where src/model/streaming.rs:599 reads a text, so that it takes it for something else.
        for expected in ('"act": "AccountUpdate"', '"sts": "AuthenticationStatus"', '"smd+265598": "MarketData"', '"sor": "'):
            assert expected in heard, heard
    assert posted(log, "/orders") == 2, log


def main() -> None:
    with_cp_api_client(sys.argv[1])
    with_client_portal(sys.argv[1])
    print("ibkr-cp-api-client and ibkr_client_portal worked behind the gateway, but for their own bugs")


main()
