"""Compares with OAuth clients in other languages: the same work, in turns, in one run. `run` starts it.

    python compare.py WORKER KEYS NODE_MODULES [RESULTS.json]

WORKER is `benches/peers`' program of that name, KEYS the folder of the simulator's test keys. Each contender is a process
that does so much work as it is told and says how much of a processor's time that took; a ratio is the median of the ratios
within the rounds.
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 25
# How long each works in a round.
TURN_NANOSECONDS = 60_000_000
# How many times as long they take, at least.
PROMISES = {
    ("sign", "node oauth-1.0a"): 25,
    ("sign", "ibind"): 120,
    ("sign", "oauthlib"): 250,
    ("handshake", "ibind"): 5,
}


class Worker:
    def __init__(self, command, **environment):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def time(self, work, times):
        return int(self.ask(work, times)) / times

    def repetitions(self, work):
        times = 1
        while (took := int(self.ask(work, times))) * 2 < TURN_NANOSECONDS:
            times *= 2
        return max(1, times * TURN_NANOSECONDS // took)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def check(ours, others):
    """All come to the same signature. Each has its own idea of what is in it, which we are told."""
    for _ in range(100):
        nonce, timestamp = secrets.token_hex(16), "1700000000"
        for name, (worker, *extra) in others.items():
            theirs, expected = worker.ask("check", nonce, timestamp), ours.ask("check", nonce, timestamp, *extra)
            if theirs != expected:
                sys.exit(f"{name} signs {theirs} where {expected} was expected")


def compare(work, ours, others):
    workers = {"ibkr-oauth": ours, **{name: worker for name, (worker, *_) in others.items()}}
    turns = {name: worker.repetitions(work) for name, worker in workers.items()}
    rounds = [{name: worker.time(work, turns[name]) for name, worker in workers.items()} for _ in range(ROUNDS)]
    for name in workers:
        nanoseconds = statistics.median(times[name] for times in rounds)
        ratio = statistics.median(times[name] / times["ibkr-oauth"] for times in rounds)
        least = PROMISES.get((work, name))
        kept = least is None or ratio >= least
        promise = f"(at least {least}: {'kept' if kept else 'BROKEN'})" if least else ""
        print(f"  {work:<10} {name:<16} {nanoseconds:>12.0f} ns   {ratio:>7.1f} x ibkr-oauth {promise}")
        yield {"work": work, "who": name, "nanoseconds": nanoseconds, "ratio": ratio, "least": least, "kept": kept}


def main(program, keys, modules, results=None):
    # Where the workers in Python run: that of this process.
    python = [sys.executable, "-W", "ignore"]
    ours = Worker([program])
    oauthlib = Worker([*python, HERE / "oauthlib_worker.py"])
    ibind = Worker([*python, HERE / "ibind_worker.py", keys])
    node = Worker(["node", HERE / "node_worker.js"], NODE_PATH=modules)
    others = {
        "node oauth-1.0a": (node, "rfc5849", "oauth_version=1.0"),
        "ibind": (ibind, "decoded-once"),
        "oauthlib": (oauthlib, "rfc5849", "oauth_version=1.0"),
    }
    check(ours, others)
    measured = [*compare("sign", ours, others), *compare("handshake", ours, {"ibind": others["ibind"]})]
    for worker in (ours, oauthlib, ibind, node):
        worker.end()
    if results:
        Path(results).write_text(json.dumps(measured, indent=2) + "\n")


main(*sys.argv[1:])
