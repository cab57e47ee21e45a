"""The program's simulated broker, for the time of a `with` block."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path


@contextlib.contextmanager
def simulator(program: str, *options: str):
    """Yields the bundle that the simulator wrote, and a list that has its log when the block has ended."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        command = [str(Path(program).resolve()), "simulate", "--out", str(Path(folder, "simulated")), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        # A simulator that never gets ready must not keep the check waiting for ever.
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        log: list[str] = []
        try:
            ready = json.loads(process.stdout.readline())
            bundle = json.loads(Path(ready["bundle"]).read_text())
            assert bundle["base_url"] == ready["base_url"] == f"http://{ready['address']}/v1/api"
            yield bundle, log
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            errors.seek(0)
            log.extend(errors.read().splitlines())
        assert process.returncode == 0, process.returncode


def unexpected(log: list[str], *expected: str) -> list[str]:
    """The lines of refusals and deviations that have none of these words in them."""
    remarkable = [line for line in log if line.startswith("refused") or "deviates" in line]
    return [line for line in remarkable if not any(words in line for words in expected)]
