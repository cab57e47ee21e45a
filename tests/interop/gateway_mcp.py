"""npm's `interactive-brokers-mcp`, as it comes but for the Java that it would start, behind `ibkr-oauth gateway` in front of
`ibkr-oauth simulate`: its server is asked, over its standard input, for each of its tools but the one that opens a browser.

    python tests/interop/gateway_mcp.py target/debug/ibkr-oauth where/node_modules/interactive-brokers-mcp
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway import gateway
from running import running
from simulated import unexpected

ACCOUNT = "DU0000001"
PROMPT = "b5a0a8f0-1c7d-4d6e-9a51-0f6d5a1b2c3d"
SUBMITTED = {"request_id": None, "order_id": 9876543210, "success": True, "text": "Submitted"}
# What the simulated broker does not have, in the shapes of the broker's documentation; each order is asked about.
RESPONSES = {
    "POST /iserver/account/{}/orders": [
        {"id": PROMPT, "message": ["Are you sure?"], "isSuppressed": False, "messageIds": ["o163"]}
    ],
    "GET /iserver/account/{}/alerts": [{"order_id": 9876543210, "account": ACCOUNT, "alert_name": "AAPL", "alert_active": 1}],
    "POST /iserver/account/{}/alert": SUBMITTED,
    "POST /iserver/account/{}/alert/activate": SUBMITTED,
    "DELETE /iserver/account/{}/alert/{}": SUBMITTED,
}


class Server:
    """The MCP server of the package."""

    def __init__(self, process: subprocess.Popen):
        self.process, self.asked = process, 0
        hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "interop", "version": "0"}}
        self.ask("initialize", hello)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message: dict) -> None:
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict) -> dict:
        self.asked += 1
        self.say({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})
        while True:
            line = self.process.stdout.readline()
            assert line, "it ended"
            answer = json.loads(line)
            if answer.get("id") == self.asked:
                assert "error" not in answer, answer
                return answer["result"]

    def tool(self, tool: str, **arguments):
        """What a tool returns: JSON, or the words of an error."""
        text = self.ask("tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"]
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text


@contextlib.contextmanager
def server(package: Path, port: int):
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "TMPDIR": home, "IB_GATEWAY_PORT": str(port)}
        command = ["node", str(package / "dist/index.js")]
        try:
            with running(command, seconds=120, env=environment, cwd=home, stdin=subprocess.PIPE) as (process, _):
                yield Server(process)
        finally:
            end_tickler(package)


def end_tickler(package: Path) -> None:
    """What tickles on when the server has ended, of which it writes down the process."""
    noted = package / "ib-gateway/.runtime/tickler-session.json"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads(noted.read_text())["pid"], signal.SIGTERM)
    noted.unlink(missing_ok=True)


def reads(mcp: Server) -> None:
    info = mcp.tool("get_account_info", confirm=True)
    assert info["accounts"][0]["id"] == ACCOUNT, info
    assert info["summaries"][0]["summary"]["netliquidation"]["amount"] == 100_000, info
    assert mcp.tool("get_positions", accountId=ACCOUNT)[0]["conid"] == 265598
    quote = mcp.tool("get_market_data", symbol="AAPL")
    assert "185.00" in json.dumps(quote), quote
    chain = mcp.tool("get_option_chain", symbol="AAPL")
    assert [expiration["expiry"] for expiration in chain["expirations"]] == ["NOV23", "DEC23", "JAN24"], chain
    option = mcp.tool("resolve_option_conid", symbol="AAPL", expiry="NOV23", strike=185, right="C")
    assert "659000001" in json.dumps(option), option
    assert mcp.tool("get_live_orders")["orders"][0]["conid"] == 265598
    assert mcp.tool("get_alerts", accountId=ACCOUNT)[0]["alert_name"] == "AAPL"


ORDER = {"accountId": ACCOUNT, "symbol": "AAPL", "action": "BUY", "orderType": "LMT", "quantity": 1, "price": 100}


def acts(mcp: Server) -> None:
    asked = mcp.tool("place_order", **ORDER)
    assert asked[0]["id"] == PROMPT, asked
    confirmed = mcp.tool("confirm_order", replyId=PROMPT, messageIds=asked[0]["messageIds"])
    assert confirmed[0]["order_status"] == "Submitted", confirmed
    # It answers what it is asked by itself, too.
    placed = mcp.tool("place_order", **ORDER, suppressConfirmations=True)
    assert placed[0]["order_status"] == "Submitted", placed
    orders = mcp.tool("get_live_orders", accountId=ACCOUNT)["orders"]
    assert str(orders[0]["orderId"]) == placed[0]["order_id"], orders
    condition = {"conidex": "265598@SMART", "type": "1", "operator": ">=", "triggerMethod": "0", "value": "200"}
    alert = mcp.tool("create_alert", accountId=ACCOUNT, alertRequest={"alertName": "AAPL", "conditions": [condition]})
    assert alert["success"], alert
    for tool in ("activate_alert", "delete_alert"):
        assert mcp.tool(tool, accountId=ACCOUNT, alertId=str(alert["order_id"]))["success"], tool
    # A bug of its own: `/iserver/account/orders/ID` is no path of the broker's (`dist/ib-client/orders.js`), which is
    # `/iserver/account/order/status/ID`.
    status = mcp.tool("get_order_status", orderId="1")
    assert status == "Error: Failed to get status for order 1", status


def main() -> None:
    program, package = sys.argv[1], Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as responses:
        Path(responses, "more.json").write_text(json.dumps(RESPONSES))
        simulate = ("--responses", responses)
        with gateway(program, simulate=simulate) as (running, log), server(package, running.port) as mcp:
            reads(mcp)
            refused = mcp.tool("place_order", **ORDER)
            assert "Authentication required" in refused, refused
        assert unexpected(log) == [], log
        assert not [line for line in log if "POST" in line and "/orders" in line], log
        with gateway(program, "--allow-orders", simulate=simulate) as (running, log):
            with server(package, running.port) as mcp:
                acts(mcp)
            assert running.health()["status"] == "live"
        assert unexpected(log, "/iserver/account/orders/1") == [], log
        posted = [line for line in log if "POST" in line and line.split(";")[0].endswith("/orders")]
        replies = [line for line in log if f"/iserver/reply/{PROMPT}" in line]
        assert (len(posted), len(replies)) == (2, 2), log
    print("interactive-brokers-mcp found the gateway, read, and placed and confirmed orders, but not their status")


main()
