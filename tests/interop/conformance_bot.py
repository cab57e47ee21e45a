"""A bot that somebody wrote with `ibind` or `pybkr`, from its start to its end; `conformance.py` runs it again and again.

    python tests/interop/conformance_bot.py ibind bundle.json
"""

import json
import sys
import tempfile
from pathlib import Path

import other_clients

ORDER = {"conid": 265598, "side": "BUY", "quantity": 1}


def ibind(bundle: dict) -> None:
    client = other_clients.ibind(bundle)
    client.initialize_brokerage_session(compete=True)
    accounts = client.get("iserver/accounts").data["accounts"]
    for _ in range(3):
        client.tickle()
        client.get("iserver/secdef/search", {"symbol": "AAPL"})
    client.post(f"iserver/account/{accounts[0]}/orders", {"orders": [ORDER]})


def pybkr(bundle: dict) -> None:
    with tempfile.TemporaryDirectory() as folder:
        session = other_clients.pybkr(bundle, folder)
        from pybkr.account import Account
        from pybkr.api import APIClient

        session.session_token.validate_lst()
        client = APIClient(session=session)
        account = Account(client)
        for _ in range(3):
            client.get_contract_search("AAPL")
        client.post_place_order({"acctId": account.account_key, **ORDER})


{"ibind": ibind, "pybkr": pybkr}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
