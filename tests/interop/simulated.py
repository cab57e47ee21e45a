"""The program's simulated broker, for the time of a `with` block."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from running import running

# What a client signs whose base URL is a constant, but for its scheme, and the setting by which its requests reach the
# simulator all the same.
REAL_BASE_URL = "http://api.ibkr.com/v1/api"
DELIVERED_BY_PROXY = "http_proxy"


@contextlib.contextmanager
def simulator(program: str, *options: str, seconds: float = 120):
    """Yields the bundle that the simulator wrote, and a list that has its log when the block has ended."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(program).resolve()), "simulate", "--out", str(Path(folder, "simulated")), *options]
        with running(command, seconds=seconds) as (process, log):
            ready = json.loads(process.stdout.readline())
            bundle = json.loads(Path(ready["bundle"]).read_text())
            assert bundle["base_url"] == ready["base_url"] and ready["address"] in ready["authorize_url"], ready
            if "--base-url" not in options:
                assert bundle["base_url"] == f"http://{ready['address']}/v1/api", ready
            yield bundle, log
        assert process.returncode == 0, process.returncode


def unexpected(log: list[str], *expected: str) -> list[str]:
    """The lines of refusals that have none of these words in them, and those of deviations that are none of them."""

    def is_expected(line: str) -> bool:
        deviations = line.partition("; deviates: ")[2].partition(";")[0]
        if any(name not in expected for name in deviations.split(", ") if name):
            return False
        return not line.startswith("refused") or any(words in line for words in expected)

    return [line for line in log if not is_expected(line)]
