"""A hundred market data lines at two messages a second each, for ten minutes and more: `ibkr-oauth stream` loses none.

    python tests/interop/stream_load.py target/release/ibkr-oauth [SECONDS]

Each line of `ibkr-oauth simulate` says when each of its messages was due, every 500 ms, and falls silent after ten minutes
unless it is asked for again, at which it begins anew with all of its fields. So a message that is missing shows. Needs Linux,
and nothing but Python.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from simulated import simulator

LINES = 100
PERIOD = 500
# A line that nobody asked for again would be silent from 600 s on.
SECONDS = 690
# How much it may grow after its first ten thousand messages, in KiB.
MORE = 4096


def memory(process: subprocess.Popen) -> int:
    """How much of it is in memory, in KiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Line:
    """What came on one line."""

    def __init__(self):
        self.messages = self.beginnings = self.missing = 0
        self.newest: int | None = None

    def hear(self, message: dict) -> None:
        # What comes once, at the beginning only.
        is_beginning = "6509" in message
        self.messages += 1
        self.beginnings += is_beginning
        if self.newest is not None:
            gap = message["_updated"] - self.newest
            lost = gap - PERIOD
            # A new beginning is not in the old rhythm.
            if gap <= 0 or (lost > 0 if is_beginning else lost != 0):
                self.missing += 1
        self.newest = message["_updated"]


def main() -> None:
    program, seconds = str(Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    lines: dict[str, Line] = collections.defaultdict(Line)
    with tempfile.TemporaryDirectory() as folder, simulator(program, seconds=seconds + 120) as (bundle, log):
        path = Path(folder, "bundle.json")
        path.touch(mode=0o600)
        path.write_text(json.dumps(bundle))
        topics = [f"smd+{conid}+" + json.dumps({"fields": ["31", "84", "86"]}) for conid in range(1, LINES + 1)]
        with open(Path(folder, "events"), "w+") as events:
            command = [program, "stream", "--bundle", str(path), *topics]
            stream = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=events, text=True, env=os.environ)
            threading.Timer(seconds, stream.send_signal, [signal.SIGTERM]).start()
            grown, number = [], 0
            for number, text in enumerate(stream.stdout, 1):
                line = json.loads(text)
                lines[line["topic"]].hear(line["message"])
                if number % 10_000 == 0:
                    grown.append(memory(stream))
            stream.wait(30)
            events.seek(0)
            said = events.read()
    assert stream.returncode == 0, said
    gaps = [line for line in said.splitlines() if "lost" in line or "gap" in line or "quiet" in line]
    assert not gaps, gaps
    assert sum(line.startswith("101: ") for line in log) == 1, log
    count = sum(line.messages for line in lines.values())
    assert count == number
    missing = {topic: line.missing for topic, line in lines.items() if line.missing}
    assert len(lines) == LINES and not missing, (len(lines), missing)
    # The sign-in, and the broker's period, take the rest.
    least = LINES * (seconds - 15) * 1000 // PERIOD
    assert count >= least, (count, least)
    if seconds > 600:
        assert all(line.beginnings >= 2 for line in lines.values()), "each line was asked for again"
        assert grown[-1] - grown[0] <= MORE, grown
    print(f"{count} messages on {LINES} lines in {seconds} s, none missing; memory at each 10,000: {grown} KiB")


main()
