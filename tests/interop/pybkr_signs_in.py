"""`pybkr`, a client by other people in another language, signs in to `ibkr-oauth simulate` and does what it can do.

    python tests/interop/pybkr_signs_in.py target/debug/ibkr-oauth

It is used as it comes from PyPI. It is told that it has to open the brokerage session by a 401 with JSON in it, and
leaves the query out of what it signs.
"""

import contextlib
import io
import sys
import tempfile
import warnings
from pathlib import Path

from simulated import simulator, unexpected

warnings.filterwarnings("ignore")


def check(bundle: dict, folder: str) -> None:
    from pybkr.account import Account
    from pybkr.api import APIClient
    from pybkr.quote import Quote
    from pybkr.user_session import UserSession

    def written(name: str, text: str) -> str:
        path = Path(folder, name)
        path.write_text(text)
        return str(path)

    session = UserSession(
        config={
            "consumer_key": bundle["consumer_key"],
            "access_token": bundle["access_token"],
            "token_secret": bundle["access_token_secret"],
            "base_url": bundle["base_url"].removesuffix("v1/api"),
            "realm": bundle["realm"],
            "dhparam_path": written("dhparam.pem", bundle["dh_params"]),
            "private_encryption_path": written("private_encryption.pem", bundle["encryption_key"]),
            "private_signature_path": written("private_signature.pem", bundle["signature_key"]),
        }
    )
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
    assert unexpected(log, "the brokerage session is not open") == [], log
    print("pybkr signed in, validated its live session token, opened the brokerage session and made its calls")


main()
