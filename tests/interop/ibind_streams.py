"""`ibind`'s WebSocket client, by other people in another language, listens to `ibkr-oauth simulate`.

    python tests/interop/ibind_streams.py target/debug/ibkr-oauth

It is used as it comes from PyPI, with nothing of it replaced: it signs in, opens the WebSocket with a tickle's session, and is
told of its authentication; it subscribes to each topic that it knows, which is confirmed by a message where ibind wants one,
gets an answer to `tic`, hears 10,000 numbered messages in order, and unsubscribes.
"""

import json
import sys
import urllib.request
from random import Random

import other_clients
from simulated import simulator, unexpected

CONID = "265598"
MESSAGES = 10_000


def trade(number: int, random: Random) -> dict:
    text = "".join(random.choices("aZ9 \"\\/é€😀", k=random.choice([0, 3, 40, 400])))
    return {"topic": "str", "args": [{"execution_id": f"{number:08}", "order_ref": text, "net_amount": number / 4}]}


def publish(bundle: dict, messages: list[dict]) -> None:
    """Has the simulator send these to whoever has subscribed to their topics."""
    url = bundle["base_url"].replace("/v1/api", "/__simulator/faults")
    body = json.dumps({"publish": messages}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as reply:
        assert reply.status == 200


def check(bundle: dict) -> None:
    client = other_clients.ibind(bundle)
    # Only now, since ibind reads its settings when it is loaded.
    from ibind import IbkrWsClient, QueueSink, events
    from ibind.ibkr_ws import ibkr_subscriptions as to

    client.initialize_brokerage_session(compete=True)
    account = client.receive_brokerage_accounts().data["accounts"][0]

    heard = QueueSink(maxsize=0)
    url = bundle["base_url"].replace("http://", "ws://") + "/ws"
    stream = IbkrWsClient(
        account_id=account,
        url=url,
        ibkr_client=client,
        use_oauth=True,
        access_token=bundle["access_token"],
        sink=heard,
    )
    assert stream.start(), "it was not told of its authentication"

    def next_event(kind: type):
        event = heard.get(kind, block=True, timeout=30)
        assert event is not None, f"no {kind.__name__} within 30 seconds"
        return event

    wanted = {
        events.MarketData: to.MarketDataSubscription(conid=CONID, fields=["31", "84"]),
        events.MarketHistory: to.MarketHistorySubscription(conid=CONID, period="1d", bar="1min"),
        events.Orders: to.OrdersSubscription(),
        events.Trades: to.TradesSubscription(days=1),
        events.Pnl: to.PnlSubscription(),
        events.AccountSummary: to.AccountSummarySubscription(account_id=account),
        events.AccountLedger: to.AccountLedgerSubscription(account_id=account),
        events.PriceLadder: to.PriceLadderSubscription(account_id=account, conid=CONID),
    }
    failed = stream.wait_all([stream.subscribe(subscription) for subscription in wanted.values()], 30)
    assert not failed, [str(handle) for handle in failed]
    # Orders are heard of when there are some; its execution is a trade.
    order = {"conid": int(CONID), "orderType": "MKT", "side": "BUY", "quantity": 1, "tif": "DAY"}
    assert client.post(f"iserver/account/{account}/orders", {"orders": [order]}).data
    for kind in wanted:
        event = next_event(kind)
        assert event.data, event
        for name, value in {"conid": CONID, "account_id": account}.items():
            assert getattr(event, name, value) == value, event
    assert next_event(events.System).data["success"], "the user's name comes first"
    assert stream.tic()["alive"]

    # The order's execution comes twice, the second time with its commission. Nothing comes after that by itself.
    while not any("order_id" in trade and "commission" in trade for trade in next_event(events.Trades).data["args"]):
        pass
    # Ten thousand messages, in order, none twice and none missing.
    number, random = 0, Random(1)
    while number < MESSAGES:
        messages = [trade(number + place, random) for place in range(500)]
        publish(bundle, messages)
        for message in messages:
            assert next_event(events.Trades).data == message, number
            number += 1

    failed = stream.wait_all([stream.unsubscribe(subscription) for subscription in wanted.values()], 30)
    assert not failed, [str(handle) for handle in failed]
    assert heard.empty(events.IbkrError), heard.get(events.IbkrError)
    assert heard.empty(events.GenericIbkrEvent), heard.get(events.GenericIbkrEvent)
    # Now and then it takes its own close for a lost connection, and says that its threads have not ended; the log tells.
    stream.shutdown()
    client.close()


def main() -> None:
    with simulator(sys.argv[1]) as (bundle, log):
        check(bundle)
    assert unexpected(log, "host_of_another_name") == [], log
    opened = [line for line in log if line.startswith("101: GET /v1/api/ws")]
    closed = [line for line in log if line.startswith("closed: GET /v1/api/ws: by the client")]
    assert len(opened) == len(closed) == 1, log
    print("ibind opened the WebSocket, subscribed to eight topics, heard of each and 10,000 messages, and unsubscribed")


main()
