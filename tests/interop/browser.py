"""A headless Chromium, told what to do by its DevTools protocol, for the time of a `with` block."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from websocket import create_connection

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
# Nothing that a page does takes so long, in seconds.
PATIENCE = 60


class Browser:
    def __init__(self, socket):
        self.socket = socket
        self.number = 0
        self.events: list[dict] = []
        self.command("Page.enable")

    def receive(self) -> dict:
        return json.loads(self.socket.recv())

    def command(self, method: str, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def value_of(self, expression: str):
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for_page(self) -> None:
        """Until the page that is on its way has come, wherever it was sent meanwhile."""
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def open(self, url: str) -> str:
        """Returns what there is to read."""
        self.events.clear()
        failure = self.command("Page.navigate", url=url).get("errorText")
        assert failure is None, f"{url}: {failure}"
        self.wait_for_page()
        return self.text()

    def press(self, button: str) -> str:
        """Clicks on the button of this name, where it is seen, and returns what there is to read then."""
        place = self.value_of(
            "(() => { const it = [...document.querySelectorAll('button')].find((it) => it.innerText === "
            f"{json.dumps(button)}).getBoundingClientRect(); return [it.x + it.width / 2, it.y + it.height / 2]; }})()"
        )
        self.events.clear()
        click = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ["mousePressed", "mouseReleased"]:
            self.command("Input.dispatchMouseEvent", type=kind, **click)
        self.wait_for_page()
        return self.text()

    def text(self) -> str:
        return self.value_of("document.body.innerText")

    def address(self) -> str:
        return self.value_of("location.href")


@contextlib.contextmanager
def browser():
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert program, f"there is none of {', '.join(NAMES)}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ["--headless", "--no-first-run", "--no-proxy-server", "--disable-gpu", "--disable-dev-shm-usage"]
        # Its sandbox takes rights that containers do not give; it sees nothing but the simulator.
        options += ["--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        # Debian's program is a script that starts the browser, which does not end with it: a session of their own does.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([program, *options], start_new_session=True, **quiet)
        try:
            yield Browser(create_connection(page_of(process, Path(folder)), timeout=PATIENCE, suppress_origin=True))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def page_of(process: subprocess.Popen, folder: Path) -> str:
    """Where the browser's one page takes commands."""
    announced, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        if announced.exists() and (lines := announced.read_text().splitlines()):
            with opener.open(f"http://127.0.0.1:{lines[0]}/json/list", timeout=PATIENCE) as response:
                pages = [target for target in json.load(response) if target["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    raise AssertionError("the browser does not get ready")
