"""Plays `ibkr-oauth simulate --conformance` to bots written with this crate's client and with other people's, each run
again and again as a supervisor would, and prints the reports.

    NODE_PATH=… python tests/interop/conformance.py target/debug/ibkr-oauth ours=target/debug/examples/bot ibkr=… ibind

`session` is the program's command of that name, which is told to correct its clock.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulated import DELIVERED_BY_PROXY, REAL_BASE_URL

FOLDER = Path(__file__).parent
# What has to come of it. This crate's client corrects no clock unless it is asked to; `ibkr` loses the sign byte.
KEY_AGREEMENTS = {"k-top-bit-set", "k-top-bit-clear", "k-leading-zero", "odd-length-response"}
EXPECTED = {
    "ours": lambda passed, failed: failed == {"skewed-clock"} and len(passed) == 11,
    "session": lambda passed, failed: not failed and "skewed-clock" in passed,
    "ibkr": lambda passed, failed: failed & KEY_AGREEMENTS == {"k-top-bit-set"},
    "ibind": lambda passed, failed: KEY_AGREEMENTS <= passed,
    "pybkr": lambda passed, failed: KEY_AGREEMENTS <= passed,
    "ibkr-client": lambda passed, failed: KEY_AGREEMENTS <= passed,
}
# A bot that takes longer is taken for one that hangs, and is started anew, in seconds; and so long may it all take.
LIFE = 45
LIMIT = 900


def command(program: str, client: str, bundle: str) -> list[str]:
    name, _, path = client.partition("=")
    return {
        "ibind": [sys.executable, str(FOLDER / "conformance_bot.py"), "ibind", bundle],
        "pybkr": [sys.executable, str(FOLDER / "conformance_bot.py"), "pybkr", bundle],
        "ibkr-client": ["node", str(FOLDER / "conformance_bot.cjs"), bundle],
        "ibkr": [path, bundle, "1"],
        "ours": [path, bundle],
        "session": [program, "session", "--bundle", bundle, "--correct-clock"],
    }[name]


def play(program: str, client: str) -> dict[str, tuple[str, str]]:
    """How each case ended for a client, and the sentence that helps."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with tempfile.TemporaryDirectory() as folder:
        arguments = [program, "simulate", "--conformance", "--output", "json", "--out", f"{folder}/simulated"]
        if client.startswith("ibkr="):
            arguments += ["--base-url", REAL_BASE_URL]
        broker = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = json.loads(broker.stdout.readline())
        if client.startswith("ibkr="):
            environment[DELIVERED_BY_PROXY] = f"http://{ready['address']}"
        end = time.monotonic() + LIMIT
        while broker.poll() is None and time.monotonic() < end:
            arguments = command(program, client, ready["bundle"])
            bot = subprocess.Popen(
                arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            over = min(end, time.monotonic() + LIFE)
            while bot.poll() is None and broker.poll() is None and time.monotonic() < over:
                time.sleep(0.05)
            if bot.poll() is None:
                bot.kill()
            bot.wait()
            time.sleep(0.2)
        broker.send_signal(signal.SIGTERM)
        cases = json.loads(broker.stdout.read())["conformance"]
        broker.wait(timeout=30)
    return {case["case"]: (case["outcome"], case["help"]) for case in cases}


def main() -> None:
    failed = False
    for client in sys.argv[2:]:
        name, start = client.partition("=")[0], time.monotonic()
        report = play(str(Path(sys.argv[1]).resolve()), client)
        outcomes = {case: outcome for case, (outcome, _) in report.items()}
        counts = [list(outcomes.values()).count(outcome) for outcome in ("passed", "failed", "not reached")]
        print(f"{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} not reached, in {time.monotonic() - start:.0f} s")
        for case, (outcome, advice) in report.items():
            print(f"  {outcome:<12} {case}{'' if outcome == 'passed' else ': ' + advice}", flush=True)
        of = lambda wanted: {case for case, outcome in outcomes.items() if outcome == wanted}
        if not EXPECTED[name](of("passed"), of("failed")):
            print(f"BROKEN: that is not what has to come of {name}", flush=True)
            failed = True
    sys.exit(failed)


main()
