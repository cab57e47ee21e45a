#!/usr/bin/env python3
"""Draws docs/flow.svg: `python3 docs/flow.py`. Needs nothing but Python 3."""

from pathlib import Path

WIDTH, HEIGHT = 1028, 418
BOX = 'rx="8" class="{kind}"'

STYLE = """
  text { font: 15px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
  .small { font-size: 12.5px; fill: #59636e; }
  .title { font-weight: 600; }
  .value { fill: #ddf4ff; stroke: #0969da; }
  .machine { fill: #fff8c5; stroke: #9a6700; }
  .outside { fill: #f6f8fa; stroke: #818b98; stroke-dasharray: 4 3; }
  .room { fill: none; stroke: #818b98; }
  path { stroke: #59636e; fill: none; stroke-width: 1.5; marker-end: url(#arrow); }
  marker path { fill: #59636e; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .value { fill: #0d2847; stroke: #4493f8; }
    .machine { fill: #3b2e05; stroke: #d29922; }
    .outside { fill: #151b23; stroke: #656c76; }
    .room { stroke: #656c76; }
    path { stroke: #9198a1; }
    marker path { fill: #9198a1; }
  }
"""


def box(x, y, width, title, text, kind):
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="52" {BOX.format(kind=kind)}/>'
        f'<text x="{x + width / 2}" y="{y + 23}" text-anchor="middle" class="title">{title}</text>'
        f'<text x="{x + width / 2}" y="{y + 41}" text-anchor="middle" class="small">{text}</text>'
    )


def arrow(points, label=None, at=None):
    drawn = f'<path d="M{" L".join(f"{x} {y}" for x, y in points)}"/>'
    if label:
        x, y = at
        drawn += f'<text x="{x}" y="{y}" text-anchor="middle" class="small">{label}</text>'
    return drawn


def picture():
    parts = [
        '<rect x="14" y="14" width="1000" height="300" rx="12" class="room"/>',
        '<text x="30" y="38" class="small">the crate: values in, values out — no clock, no dice, no sockets, no runtime</text>',
        box(36, 58, 164, "Consumer", "consumer key, keys", "value"),
        box(300, 58, 164, "Consent", "a URL for the browser", "value"),
        box(564, 58, 164, "Verifier", "from the callback", "value"),
        box(828, 58, 164, "AccessToken", "does not expire", "value"),
        box(828, 154, 164, "UnlockedToken", "its secret is open", "value"),
        box(564, 154, 164, "LiveSessionToken", "proved; about a day", "value"),
        box(300, 154, 164, "Signer", "HMAC on each request", "value"),
        box(300, 244, 428, "Session", "opens, keeps alive, renews, backs off: poll_output, handle_input", "machine"),
        arrow([(200, 84), (298, 84)], "request_token", (248, 76)),
        arrow([(464, 84), (562, 84)], "callback", (512, 76)),
        arrow([(728, 84), (826, 84)], "access_token", (776, 76)),
        arrow([(910, 110), (910, 152)], "unlock", (940, 136)),
        arrow([(828, 180), (730, 180)], "negotiate", (780, 172)),
        arrow([(564, 180), (466, 180)], "signer", (516, 172)),
        arrow([(514, 244), (514, 196), (466, 196)]),
        box(214, 352, 600, "your HTTP client", "reqwest, ureq, hyper, your own — or, in tests, simulator::Broker", "outside"),
        arrow([(414, 314), (414, 350)], "http::Request", (362, 337)),
        arrow([(614, 352), (614, 316)], "http::Response", (670, 337)),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="From consumer to signer: each step is one request and the value that its reply becomes">'
        f"<style>{STYLE}</style>"
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>' + "".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("flow.svg").write_text(picture(), encoding="utf-8")
