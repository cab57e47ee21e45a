"""`ibkr-oauth stream` listens to a WebSocket server by other people in another language: all that it sends arrives.

    python tests/interop/streams_agree.py target/debug/ibkr-oauth

It signs in to `ibkr-oauth simulate`, behind that server, whose 10,000 numbered frames of trades come in text and in binary, whole
and in pieces that are cut anywhere, of any length and script. Each is a line of the program's, in order.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from simulated import simulator
from ws_server import independent_server

FRAMES = 10_000


def listen(program: str, bundle: dict) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle.json")
        path.touch(mode=0o600)
        path.write_text(json.dumps(bundle))
        command = [program, "stream", "--bundle", str(path), "--count", str(FRAMES), "str"]
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=100, env=os.environ)
    assert outcome.returncode == 0, outcome.stderr
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def main() -> None:
    program = str(Path(sys.argv[1]).resolve())
    with independent_server(FRAMES) as (server, origin):
        with simulator(program, "--base-url", f"http://{origin}/v1/api") as (bundle, log):
            address = urlsplit(bundle["authorize_url"])
            server.upstream = (address.hostname, address.port)
            lines = listen(program, bundle)
    assert log and not server.refused, (log, server.refused)
    assert all(line["topic"] == "str" for line in lines)
    heard, sent = [line["message"] for line in lines], [json.loads(frame) for frame in server.sent]
    different = next((place for place, (one, other) in enumerate(zip(heard, sent)) if one != other), None)
    assert different is None, (heard[different], sent[different])
    assert len(heard) == len(sent) == FRAMES, (len(heard), len(sent))
    # The last pings may find nobody any more.
    assert server.pongs <= server.pings == FRAMES // 100, (server.pings, server.pongs)
    print(f"the stream and a server of another language agree on {FRAMES} frames")


main()
