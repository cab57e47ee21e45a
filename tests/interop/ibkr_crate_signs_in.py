"""`ibkr`, a client by other people from crates.io, signs in to `ibkr-oauth simulate` and does what it can do.

    python tests/interop/ibkr_crate_signs_in.py target/debug/ibkr-oauth target/clients/…/ibkr-signs-in

Its base URL is a constant, in which only `https` was changed to `http`: the rest is done by a proxy, for which it takes the
simulator. It loses the zero byte before a K whose first bit is set, so that about every second of its sign-ins fails.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from simulated import DELIVERED_BY_PROXY, REAL_BASE_URL, simulator, unexpected

TIMES = 6


def outcomes(*options: str) -> tuple[list[str], list[str]]:
    """What came of so many sign-ins, and the simulator's log."""
    with simulator(sys.argv[1], "--base-url", REAL_BASE_URL, *options) as (bundle, log):
        environment = {**os.environ, DELIVERED_BY_PROXY: bundle["authorize_url"].removesuffix("/authorize")}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bundle.json")
            path.write_text(json.dumps(bundle))
            command = [sys.argv[2], str(path), str(TIMES)]
            ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=120)
    return ran.stdout.splitlines(), log


def main() -> None:
    signed_in, log = outcomes("--fault", f"k-top-bit-clear*{TIMES}")
    assert signed_in == ["signed in"] * TIMES, signed_in
    assert unexpected(log, "space_signed_as_plus") == [] and len(log) == 5 * TIMES, log
    lost, log = outcomes("--fault", f"k-top-bit-set*{TIMES}")
    assert lost == ["auth error: live session token validation failed"] * TIMES, lost
    print("ibkr signed in and made its calls wherever no sign byte was needed, and nowhere else")


main()
