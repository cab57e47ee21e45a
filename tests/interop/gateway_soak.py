"""Ten programs behind one gateway for an hour of the simulated broker's, in which what happens to brokers happens.

    python tests/interop/gateway_soak.py target/debug/ibkr-oauth [SECONDS]

The broker's hour takes twelve minutes (`--speed 5`: faster, and its sessions would end between the gateway's tickles). In it
the live session token ends twice, another session takes the brokerage session for a while, the broker is maintained, and the
brokerage session is lost. Asked for: one handshake for each token that ended, no 401 at a program, no order twice, and none at
the broker that a program was told was not sent.
"""

import collections
import json
import random
import sys
import threading
import time
import urllib.error
import urllib.request

from gateway import gateway

READS = [
    "/v1/api/iserver/secdef/search?symbol=A%2CB",
    "/v1/portal/iserver/secdef/strikes?conid=265598&sectype=OPT&month=JAN25",
    "/v1/api/portfolio/DU0000001/meta",
    "/v1/api/iserver/auth/status",
    "/v1/api/tickle",
    "/v1/api/sso/validate",
    "/v1/api/trsrv/stocks?symbols=AAPL",
]
ORDERS = "/v1/api/iserver/account/DU0000001/orders"


def ask(url: str, body: dict | None = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=90) as response:
            response.read()
            return response.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


def program(number: int, origin: str, until: float, seen: collections.Counter, orders: collections.Counter) -> None:
    chance = random.Random(number)
    while time.monotonic() < until:
        if chance.random() < 0.1:
            order = {"conid": 265598, "side": "BUY", "quantity": 1, "orderType": "MKT", "tif": "DAY", "acctId": "DU0000001"}
            orders[ask(origin + ORDERS, {"orders": [order]})] += 1
        else:
            path = chance.choice(READS)
            seen[ask(origin + path)] += 1
        time.sleep(chance.uniform(0.8, 1.6))


def main() -> None:
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 720
    seen: collections.Counter = collections.Counter()
    orders: collections.Counter = collections.Counter()
    simulated = ("--speed", "5")
    with gateway(sys.argv[1], "--allow-orders", simulate=simulated, seconds=seconds + 300) as (running, log):
        broker = running.broker

        def act(name: str) -> None:
            assert ask(f"{broker}/__simulator/faults", {"action": name}) == 200, name

        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=program, args=(number, running.plain, until, seen, orders)) for number in range(10)
        ]
        for thread in threads:
            thread.start()
        day = ["expire-token", "start-competing-session", "end-competing-session", "start-maintenance", "end-maintenance",
               "end-brokerage-session", "expire-token"]
        for name in day:
            time.sleep(seconds / (len(day) + 1))
            act(name)
            if name == "end-competing-session":
                # A person looks after it.
                ask(f"{running.plain}/v1/api/iserver/auth/ssodh/init", {"publish": True, "compete": True})
        for thread in threads:
            thread.join()
        health = running.health()
    handshakes = sum("200: POST /v1/api/oauth/live_session_token" in line for line in log)
    at_broker = sum(line.startswith("200: POST") and "/orders" in line for line in log)
    refused_token = sum(line.startswith("refused") and "live_session_token" in line for line in log)
    print(f"reads {dict(seen)}; orders {dict(orders)}; at the broker {at_broker}; handshakes {handshakes}; {health['status']}")
    assert handshakes == 3, "one at the start, and one for each token that ended"
    assert seen[401] == 0 and orders[401] == 0, "no program sees a 401"
    assert refused_token == 0
    assert at_broker == orders[200], "each order once, and none that a program was told was not sent"
    assert seen[200] > 0.5 * sum(seen.values()) and orders[200] > 0
    assert health["status"] == "live", health


main()
