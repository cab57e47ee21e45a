"""The program's gateway in front of its simulated broker, for the time of a `with` block."""

import contextlib
import json
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from simulated import simulator


class Gateway:
    """A running gateway: `url` is its origin with https, `plain` with http, `broker` that of the simulated broker."""

    def __init__(self, ready: dict, broker: str):
        self.broker = broker
        self.port = int(ready["address"].rsplit(":", 1)[1])
        self.url, self.plain = f"https://localhost:{self.port}", f"http://localhost:{self.port}"
        self.certificate = ready["certificate"]

    def health(self) -> dict:
        with urllib.request.urlopen(f"{self.plain}/health", timeout=30) as response:
            return json.load(response)


@contextlib.contextmanager
def gateway(program: str, *options: str, simulate: tuple[str, ...] = (), seconds: float = 300):
    """Yields a gateway whose session is open, and the simulator's log, which is there when the block has ended."""
    with simulator(program, *simulate, seconds=seconds) as (bundle, log), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle.json")
        path.touch(0o600)
        path.write_text(json.dumps(bundle))
        command = [str(Path(program).resolve()), "gateway", "--bundle", str(path), "--listen", "0", *options]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
            watchdog = threading.Timer(seconds, process.kill)
            watchdog.start()
            try:
                running = Gateway(json.loads(process.stdout.readline()), bundle["base_url"].removesuffix("/v1/api"))
                for _ in range(300):
                    if running.health()["ready"]:
                        break
                    time.sleep(0.1)
                yield running, log
            finally:
                watchdog.cancel()
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)
            assert process.returncode == 0, process.returncode
