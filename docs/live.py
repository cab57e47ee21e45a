#!/usr/bin/env python3
"""Writes docs/live.md: what is known about the live broker, by the recordings in tests/data/recordings.

`python3 docs/live.py` writes it, `python3 docs/live.py --check` fails where it is out of date.
"""

import json
import pathlib
import sys
from collections import Counter

DOCS = pathlib.Path(__file__).resolve().parent
RECORDINGS = DOCS.parent / "tests" / "data" / "recordings"
PAGE = DOCS / "live.md"
NOT_ASKED = "not asked"

HEAD = """\
# What is known about the live broker

<!-- Made by docs/live.py from tests/data/recordings. -->

IBKR documents little of what its servers really check, and its sources disagree. So parts of this crate, and of its simulator,
are assumptions. One command by somebody with credentials turns one into a fact:

```sh
ibkr-oauth doctor --bundle bundle.json --record recording.json
```

It first lists what it would send: at most 64 requests, 1.5 s apart, which order and change nothing. One of them opens the
WebSocket, listens to it for some 20 s without subscribing to anything, and closes it. It goes on only if you say so, and only with a paper login unless you add `--live`; a brokerage session of another program is left alone. `--logout` asks at
the end what a logout leaves alive. What came back is shown before it is written, and has nothing of yours in it: the names of
fields and headers, flags, and the words of errors; no value, no name, no number of an account, no key and no token. Words and
names that are not in a fixed list of words are replaced too. Put the file under `tests/data/recordings`, run
`UPDATE_RECORDINGS=1 cargo test -p ibkr-oauth-cli --bin ibkr-oauth replays` and `python3 docs/live.py`, and open a pull request; or
attach the file to an issue.
"""


def load():
    recordings = {}
    for path in sorted(RECORDINGS.glob("*.json")):
        recordings[path.name] = json.loads(path.read_text(encoding="utf-8"))
    return recordings


def cell(text):
    return text.replace("|", "\\|")


def answers(recordings, question):
    """What the recordings answer, the most frequent first."""
    given = Counter()
    for recording in recordings:
        for answer in recording["answers"]:
            if answer["question"] == question and answer["answer"] != NOT_ASKED:
                given[answer["answer"]] += 1
    return sorted(given.items(), key=lambda item: (-item[1], item[0]))


def page():
    recordings = load()
    simulator = next(recording for recording in recordings.values() if recording["source"] == "simulator")
    live = {name: recording for name, recording in recordings.items() if recording["source"] == "broker"}
    logins = Counter(recording["login"] for recording in live.values())
    by_login = ", ".join(f"{count} of a {login} login" for login, count in sorted(logins.items()))
    lines = [HEAD, "## The questions", ""]
    lines.append(
        f"Recordings of the live broker: **{len(live)}**{f' ({by_login})' if live else ''}. "
        + (
            "What has no number in the third column is not proved by any."
            if live
            else "Nothing in the second column is proved by one: it comes from documents, samples and other clients' code."
        )
    )
    lines += ["", "| question | assumed | the live broker: answers, and in how many recordings | the simulator |", "|---|---|---|---|"]
    requests = {}
    for probe in simulator["probes"]:
        requests.setdefault(probe["question"], []).append(probe["request"])
    for answer in simulator["answers"]:
        given = answers(live.values(), answer["question"])
        seen = "; ".join(f"{text}: **{count}**" for text, count in given) if given else "not asked yet: 0"
        simulated = "; ".join(text for text, _ in answers([simulator], answer["question"])) or NOT_ASKED
        row = [answer["asks"], answer["assumed"], seen, simulated]
        lines.append("| " + " | ".join(cell(text) for text in row) + " |")
    lines += ["", "## The probes", "", "What is sent for each, in this order:", "", "| request | question |", "|---|---|"]
    asks = {answer["question"]: answer["asks"] for answer in simulator["answers"]}
    for probe in simulator["probes"]:
        lines.append(f"| {cell(probe['request'])} | {cell(asks.get(probe['question'], ''))} |")
    lines += ["", "## Differences from this crate", ""]
    lines.append(
        "Each recording is replayed in the tests: against the parsers, the table of refusals and the simulator. What differs:"
    )
    lines.append("")
    report = (RECORDINGS / "differences.txt").read_text(encoding="utf-8").splitlines()
    lines += [f"- {line}" for line in report] or ["Nothing: there is no recording but the simulator's own."
                                                   if len(recordings) == 1 else "Nothing."]
    return "\n".join(lines) + "\n"


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/live.md is out of date: python3 docs/live.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
