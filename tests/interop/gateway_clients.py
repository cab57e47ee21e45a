"""Clients of the Java gateway, as they come from PyPI, behind `ibkr-oauth gateway` in front of `ibkr-oauth simulate`.

    python tests/interop/gateway_clients.py target/debug/ibkr-oauth

`ibind` without OAuth, its WebSocket included, and `easyib`. Each makes its usual calls, orders included, and logs out; both share one session, which
neither ends.
"""

import os
import sys
import tempfile
import warnings

from gateway import Gateway, gateway
from simulated import unexpected


def with_ibind(running: Gateway) -> None:
    # Only now, since ibind reads its settings when it is loaded.
    from ibind import IbkrClient
    from ibind.client.ibkr_utils import StockQuery

    client = IbkrClient(url=f"{running.url}/v1/api/", cacert=False, use_oauth=False, auto_register_shutdown=False)
    assert client.check_health() is True
    assert client.check_auth_status() is True
    assert client.validate().data["RESULT"] is True
    assert client.initialize_brokerage_session(compete=True).data["authenticated"] is True
    account = client.receive_brokerage_accounts().data["accounts"][0]
    client.account_id = account
    assert client.portfolio_accounts().data[0]["id"] == account
    assert client.get_ledger().data and client.portfolio_summary().data
    assert isinstance(client.positions().data, list)
    conid = client.stock_conid_by_symbol(StockQuery("AAPL", contract_conditions={"isUS": True})).data["AAPL"]
    assert int(conid) == 265598
    snapshot = client.live_marketdata_snapshot([str(conid)], ["31", "84"]).data
    assert snapshot[0]["conid"] == 265598, snapshot
    assert client.search_contract_by_symbol("BRK B,C/é").data[0]["conid"]
    place(client, account, "a-1")
    assert client.live_orders().data["orders"]
    assert client.tickle().data["session"]
    stream_with_ibind(running, client, account)
    assert client.logout().data["status"] is True
    # Its own session is over, and nobody else's.
    assert client.check_health() is True
    client.close()


def place(client, account: str, name: str) -> None:
    from ibind.client.ibkr_utils import OrderRequest

    order = OrderRequest(conid=265598, side="BUY", quantity=1, order_type="LMT", price=100, acct_id=account, coid=name)
    placed = client.place_order(order, answers={}, account_id=account).data
    assert placed and "order_id" in str(placed), placed


def stream_with_ibind(running: Gateway, client, account: str) -> None:
    from ibind import IbkrWsClient, QueueSink, events
    from ibind.ibkr_ws import ibkr_subscriptions as to

    heard = QueueSink()
    url = f"{running.url.replace('https', 'wss')}/v1/api/ws"
    stream = IbkrWsClient(account_id=account, url=url, ibkr_client=client, use_oauth=False, cacert=False, sink=heard)
    assert stream.start(), "it was not told of its authentication"
    wanted = {
        events.MarketData: to.MarketDataSubscription(conid="265598", fields=["31", "84"]),
        events.Orders: to.OrdersSubscription(),
        events.Trades: to.TradesSubscription(days=1),
        events.Pnl: to.PnlSubscription(),
    }
    failed = stream.wait_all([stream.subscribe(subscription) for subscription in wanted.values()], 30)
    assert not failed, [str(handle) for handle in failed]
    place(client, account, "a-2")
    for kind in (events.MarketData, events.Orders, events.Pnl):
        assert heard.get(kind, block=True, timeout=30) is not None, kind
    assert stream.tic()["alive"]
    failed = stream.wait_all([stream.unsubscribe(subscription) for subscription in wanted.values()], 30)
    assert not failed, [str(handle) for handle in failed]
    # Whether it says that its threads have ended depends on which of two reads the close frame: what the broker saw counts.
    stream.shutdown()


def with_easyib(running: Gateway) -> None:
    import easyib

    ib = easyib.REST(url=running.url, ssl=False)
    assert ib.id, ib.id
    assert ib.switch_account(ib.id)
    assert ib.get_cash() is not None and ib.get_netvalue() is not None
    assert ib.get_conid("AAPL") == 265598
    assert ib.get_auth_status()["authenticated"] is True
    ib.re_authenticate()
    assert ib.get_bars("AAPL", period="1w", bar="1d")
    placed = ib.submit_orders([{"conid": 265598, "orderType": "MKT", "side": "BUY", "quantity": 1, "tif": "GTC"}])
    assert "order_id" in str(placed), placed
    assert isinstance(ib.get_live_orders(), dict)
    ib.log_out()
    assert ib.ping_server()["iserver"]["authStatus"]["authenticated"] is True


def main() -> None:
    # The certificate is the gateway's own, and these clients verify none.
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(IBIND_LOG_TO_FILE="False", IBIND_LOGS_DIR=folder)
        with gateway(sys.argv[1], "--allow-orders") as (running, log):
            with_ibind(running)
            with_easyib(running)
            assert running.health()["status"] == "live"
    assert unexpected(log) == [], log
    assert [line for line in log if "closed: GET /v1/api/ws: by the client, with 1000" in line], log
    posts = [line for line in log if "live_session_token" in line or "/logout" in line or "ssodh/init" in line]
    assert len(posts) == 3, posts
    orders = [line for line in log if "POST" in line and line.split(";")[0].endswith("/orders")]
    assert len(orders) == 3, orders
    print("ibind without OAuth and easyib, unmodified, worked behind the gateway, on one session")


main()
