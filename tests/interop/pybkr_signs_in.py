"""`pybkr`, a client by other people in another language, signs in to `ibkr-oauth simulate` and does what it can do.

    python tests/interop/pybkr_signs_in.py target/debug/ibkr-oauth

It is used as it comes from PyPI. It is told that it has to open the brokerage session by a 401 with JSON in it,
leaves the query out of what it signs, and names the real broker as `Host`, wherever it connects.
"""

import contextlib
import io
import sys
import tempfile

import other_clients
from simulated import simulator, unexpected


def check(bundle: dict, folder: str) -> None:
    session = other_clients.pybkr(bundle, folder)
    from pybkr.account import Account
    from pybkr.api import APIClient
    from pybkr.quote import Quote

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        session.session_token.validate_lst()
    assert "validation successful" in said.getvalue(), said.getvalue()
    client = APIClient(session=session)
    account = Account(client)
    assert account.account_key.startswith("DU"), account.account_key
    quote = Quote(client, "AAPL")
    assert quote.conid == "265598" and quote.get_history()["data"], quote.conid
    assert client.get_symbol_details(["AAPL", "IBM"]).status_code == 200
    assert client.get_account_pnl().status_code == 200
    assert client.post_switch_account(account.account_key).status_code == 200
    order = {"acctId": account.account_key, "conid": 265598, "side": "BUY", "quantity": 1}
    assert client.post_place_order(order).json()[0]["order_id"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, simulator(sys.argv[1]) as (bundle, log):
        check(bundle, folder)
    assert unexpected(log, "the brokerage session is not open", "host_of_another_name") == [], log
    print("pybkr signed in, validated its live session token, opened the brokerage session and made its calls")


main()
