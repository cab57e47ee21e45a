"""`ibkr-client`, a client by other people for Node.js, signs in to `ibkr-oauth simulate` and does what it can do.

    NODE_PATH=… python tests/interop/ibkr_client_signs_in.py target/debug/ibkr-oauth

It is used as it comes from npm, but for the base URL, which it has no setting for. It signs decoded values, and a space
as a plus.
"""

import json
import subprocess
import sys
from pathlib import Path

from simulated import simulator, unexpected

SCRIPT = Path(__file__).with_suffix(".cjs")


def main() -> None:
    with simulator(sys.argv[1]) as (bundle, log):
        subprocess.run(["node", str(SCRIPT)], input=json.dumps(bundle), text=True, check=True, timeout=60)
    assert unexpected(log, "space_signed_as_plus", "there is no resource") == [], log
    print("ibkr-client signed in, validated its live session token, opened the brokerage session and made its calls")


main()
