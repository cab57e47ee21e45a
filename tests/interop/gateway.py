"""The program's gateway in front of its simulated broker, for the time of a `with` block."""

import contextlib
import json
import tempfile
import time
import urllib.request
from pathlib import Path

from running import running
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
        with running(command, seconds=seconds) as (process, _):
            served = Gateway(json.loads(process.stdout.readline()), bundle["base_url"].removesuffix("/v1/api"))
            for _ in range(300):
                if served.health()["ready"]:
                    break
                time.sleep(0.1)
            yield served, log
        assert process.returncode == 0, process.returncode
