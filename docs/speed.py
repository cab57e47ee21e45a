#!/usr/bin/env python3
"""Draws docs/speed.svg from criterion's data and writes the figures into docs/speed.md: `bash benches/peers/measure` measures
all and calls it at the end. Needs nothing but Python 3.11.

    python3 docs/speed.py CRITERION MEASURED PORTABLE COMPARED SESSIONS

CRITERION is the folder that `cargo bench` in `benches/peers` leaves, MEASURED, PORTABLE (OpenSSL without AVX-512 IFMA) and
COMPARED what the programs there and in `benches/compare` wrote, and SESSIONS what `cargo bench --bench session` printed.
"""

import json
import math
import os
import platform
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = "ibkr-oauth"
# What of `reqwest-oauth1` is not signing.
UNSIGNED = "reqwest, unsigned"

STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
  .small { font-size: 12px; fill: #59636e; }
  .title { font-weight: 600; }
  .bar { fill: #afb8c1; }
  .ours { fill: #0969da; }
  .axis { stroke: #d1d9e0; stroke-width: 1; }
  .curve { stroke: #0969da; stroke-width: 2; fill: none; }
  .guide { stroke: #818b98; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .bar { fill: #656c76; }
    .ours { fill: #4493f8; }
    .axis { stroke: #3d444d; }
    .curve { stroke: #4493f8; }
    .guide { stroke: #9198a1; }
  }
"""


def medians(criterion):
    """Criterion's median of each benchmark in nanoseconds, by group and name."""
    found = {}
    for file in Path(criterion).glob("*/*/new/benchmark.json"):
        about = json.loads(file.read_text())
        estimates = json.loads(file.with_name("estimates.json").read_text())
        name = about["function_id"] or about["value_str"]
        found.setdefault(about["group_id"], {})[name] = estimates["median"]["point_estimate"]
    return found


def duration(nanoseconds):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 999.5 * size or unit == "ms":
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 99.5 or size == 1 else f"{value:.3g} {unit}"


def text(x, y, content, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{content}</text>'


def bars(times, left, top, width):
    """One bar for each who signs, the fastest first."""
    names, parts = sorted(times, key=times.get), [text(left, top, "One signed GET", "title")]
    names.remove(UNSIGNED)
    start = left + 160
    for index, name in enumerate(names):
        y, length = top + 20 + index * 32, (width - 230) * times[name] / max(times.values())
        kind = "ours" if name == OURS else "bar"
        parts.append(text(start - 10, y + 15, name, "", "end"))
        parts.append(f'<rect x="{start}" y="{y}" width="{length:.1f}" height="20" rx="3" class="{kind}"/>')
        parts.append(text(start + length + 7, y + 15, duration(times[name]), "small"))
    return parts


def curve(times, left, top, width, height):
    """What a signature of a form costs, on two logarithmic axes, beside n log n."""
    sizes = sorted(int(size) for size in times)
    low, high = (math.floor(math.log10(times["1"])), math.ceil(math.log10(times[str(sizes[-1])])))
    plot_left, plot_width = left + 58, width - 78

    def x(size):
        return plot_left + plot_width * math.log10(size) / math.log10(sizes[-1])

    def y(time):
        return top + 20 + height * (high - math.log10(time)) / (high - low)

    parts = [text(left, top, "One signed form, by its number of parameters", "title")]
    for power in range(low, high + 1):
        parts.append(f'<path d="M{plot_left} {y(10**power):.1f} h{plot_width}" class="axis"/>')
        parts.append(text(plot_left - 8, y(10**power) + 4, duration(10**power), "small", "end"))
    for size in sizes:
        parts.append(text(x(size), top + 20 + height + 18, f"{size:,}", "small", "middle"))
    scale = times[str(sizes[-1])] / (sizes[-1] * math.log2(sizes[-1]))
    steps = [10 ** (power / 10) for power in range(1, 41)]
    guide = [(size, scale * size * math.log2(size)) for size in steps if scale * size * math.log2(size) >= 10**low]
    measured = [(size, times[str(size)]) for size in sizes]
    for points, kind in ((guide, "guide"), (measured, "curve")):
        line = " L".join(f"{x(size):.1f} {y(time):.1f}" for size, time in points)
        parts.append(f'<path d="M{line}" class="{kind}"/>')
    for size, time in measured:
        parts.append(f'<circle cx="{x(size):.1f}" cy="{y(time):.1f}" r="3.5" class="ours"/>')
    parts.append(text(x(2000) + 12, y(scale * 2000 * math.log2(2000)) + 12, "n log n", "small"))
    return parts


def plot(found):
    width, height = 900, 290
    parts = bars(found["signing a GET"], 16, 28, 460) + curve(found["form parameters"], 500, 28, 384, 208)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="What a signature takes here and with other crates, and how that grows with a form">'
        f"<style>{STYLE}</style>" + "".join(parts) + "</svg>\n"
    )


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions(*names):
    """As the lock file has them, the newest of each."""
    lock = tomllib.loads((ROOT / "benches/peers/Cargo.lock").read_text())
    found = {package["name"]: package["version"] for package in lock["package"]}
    return ", ".join(f"{name} {found[name]}" for name in names)


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())[1]
    flags = " with SHA-NI" if " sha_ni" in Path("/proc/cpuinfo").read_text() else ""
    return f"{os.cpu_count()} cores of an {cpu} ({platform.machine()}{flags}), Linux"


def table(rows):
    return "\n".join("|" + "|".join(row) + "|" if row[0] == "---" else f"| {' | '.join(row)} |" for row in rows)


def of_ours(measured):
    return {row["comparison"]: row for row in measured if row["who"] == "ibkr-oauth"}


def section(measured, portable, compared, sessions):
    """The page's figures."""
    ours, ours_portable = of_ours(measured), of_ours(portable)
    get = {row["who"]: row for row in measured if row["comparison"] == "signing a GET"}
    building = get.pop(UNSIGNED)

    rows = [("one signed GET", "time", "times the HMAC alone", "slower than ibkr-oauth"), ("---", "---:", "---:", "---:")]
    for row in sorted(get.values(), key=lambda row: row["ratio"]):
        name = f"**{row['who']}**" if row["who"] == OURS else row["who"]
        slower = "" if row["who"] in (OURS, "the HMAC alone") else f"{row['ratio'] / get[OURS]['ratio']:.1f} ×"
        rows.append((name, duration(row["nanoseconds"]), f"{row['ratio']:.2f}", slower))
    for row in compared:
        if row["work"] == "sign" and row["who"] != "ibkr-oauth":
            in_hmacs = row["ratio"] * get["ibkr-oauth"]["ratio"]
            rows.append((row["who"], duration(row["nanoseconds"]), f"{in_hmacs:.0f}", f"{row['ratio']:.0f} ×"))

    other = [("the rest", "time", "times OpenSSL", "the same without AVX-512 IFMA"), ("---", "---:", "---:", "---:")]
    for name in ("handshake", "RSA-SHA256 signature", "RSA decryption", "Diffie-Hellman challenge", "Diffie-Hellman secret"):
        without = ours_portable.get(name, ours[name])
        other.append((name, duration(ours[name]["nanoseconds"]), f"{ours[name]['ratio']:.2f}", f"{without['ratio']:.2f}"))
    by_aws_lc = [
        next(row for row in rows if (row["comparison"], row["who"]) == ("handshake", "ibkr-oauth, aws-lc-rs"))
        for rows in (measured, portable)
    ]
    times_openssl = [f"{row['ratio']:.2f}" for row in by_aws_lc]
    other.append(("handshake with `aws-lc-rs`", duration(by_aws_lc[0]["nanoseconds"]), *times_openssl))
    ibind = next(row for row in compared if row["work"] == "handshake" and row["who"] == "ibind")
    per_event = re.findall(r"(\d+) sessions .* (\d+) ns an event", sessions)
    times = re.search(r"([0-9.]+) times as much", sessions)[1]
    events = ", ".join(f"{duration(int(each))} with {int(count):,}" for count, each in per_event)
    openssl, node = output("openssl", "version").split()[1], output("node", "--version")
    requirements = (ROOT / "tests/interop/requirements.txt").read_text()
    python = ", ".join(re.findall(r"^(?:oauthlib|ibind)==.*$", requirements, re.MULTILINE)).replace("==", " ")
    names = ("crypto-bigint", "oauth1-request", "oauth1-request-ios", "reqwest-oauth1", "rsa")
    prose = (
        f"""`reqwest-oauth1` signs only what it builds: {duration(building["nanoseconds"])} of its time is `reqwest` building
        the request. "Plain code" is what one writes with this crate's dependencies and no thought of speed. `oauth1-request`
        got HMAC-SHA256 plugged in; `reqwest-oauth1` signs with HMAC-SHA1.""",
        """Where a processor multiplies 52 bits at a time (AVX-512 IFMA), OpenSSL halves the time of RSA by it, with assembly
        for that processor alone; the last column is OpenSSL, and AWS-LC, without that.""",
        f"""A handshake of `ibind`, as it comes, takes {ibind["ratio"]:.1f} times as long as one here. An event of a session (its
        tickle is due, is signed, and is answered) takes {events} sessions in one process: {times} times as much each.""",
        f"""Measured on {machine()}, with {" ".join(output("rustc", "--version").split()[:2])}, {versions(*names)}, OpenSSL
        {openssl}, {python}, Python {platform.python_version()}, and node {node.removeprefix("v")} with oauth-1.0a 2.2.6, by
        `bash benches/peers/measure`.""",
    )
    paragraphs = [textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False) for text in prose]
    return "\n\n".join([table(rows), table(other), *paragraphs])


def main(criterion, measured, portable, compared, sessions):
    (ROOT / "docs/speed.svg").write_text(plot(medians(criterion)), encoding="utf-8")
    measured, portable = (json.loads(Path(file).read_text())["measured"] for file in (measured, portable))
    figures = section(measured, portable, json.loads(Path(compared).read_text()), Path(sessions).read_text())
    page = ROOT / "docs/speed.md"
    begin, end = "<!-- docs/speed.py -->\n", "<!-- end -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(before + begin + figures + "\n" + end + rest.split(end, 1)[1], encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
