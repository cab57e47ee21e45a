"""Users consent in a browser, by a click on the simulated broker's page: for `ibkr-oauth authorize`, and for the web
application of `cli/examples/web_app.rs`.

    python tests/interop/consent_in_browser.py target/debug/ibkr-oauth target/debug/examples/web_app
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import browser
from running import running
from simulated import simulator, unexpected


def authorize(page, program: str, bundle: str) -> None:
    """It gets the token, though the user declines at first."""
    for answer, status in [("Decline", None), ("Agree", 0)]:
        command = [program, "authorize", "--bundle", bundle, "--listen", "127.0.0.1:0", "--timeout", "60"]
        with running(command, seconds=120, stdin=subprocess.DEVNULL) as (process, _):
            question = page.open(process.stdout.readline().strip())
            assert "SIMULATOR asks to trade in your name, with the accounts DU0000001" in question, question
            reply = page.press(answer)
            assert page.address().startswith("http://127.0.0.1:") and "/callback" in page.address(), page.address()
            if status is None:
                assert "oauth_verifier" not in page.address() and "There is no answer in this address" in reply, reply
                assert process.poll() is None, "who declined may still change their mind"
            else:
                assert "You may close this page" in reply, reply
                assert process.wait(timeout=60) == status
    subprocess.run([program, "token", "--bundle", bundle], check=True, stdout=subprocess.DEVNULL)


def web_app(page, program: str, bundle: str) -> None:
    """The browser is led from the application to the broker, and back to what the application got for the user."""
    with running([program, bundle, "127.0.0.1:0"], seconds=120, stdin=subprocess.DEVNULL) as (process, _):
        connect = process.stdout.readline().strip()
        assert "asks to trade" in page.open(connect)
        refused = page.press("Decline")
        assert "DU0000001" not in refused and page.address().startswith(connect.removesuffix("connect")), refused
        assert "asks to trade" in page.open(connect)
        accounts = page.press("Agree")
        assert page.address() == connect.replace("/connect", "/accounts"), page.address()
        assert json.loads(accounts)[0]["id"] == "DU0000001", accounts


def main() -> None:
    program, application = (str(Path(path).resolve()) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, simulator(program, "--strict") as (bundle, log):
        before = {name: value for name, value in bundle.items() if not name.startswith("access_token")}
        path = Path(folder, "bundle.json")
        with browser() as page:
            for use, by in [(authorize, program), (web_app, application)]:
                path.write_text(json.dumps(before))
                path.chmod(0o600)
                use(page, by, str(path))
    # Browsers look for an icon.
    assert unexpected(log, "/favicon.ico") == [], log
    print("users consented in a browser, for authorize and for a web application")


main()
