"""A headless Chromium driven through a pipe, for tests that must see a page as a reader does.

    with Chromium() as browser:
        browser.open(path)
        browser.run("document.title")
        pixels = browser.screenshot()  # uint8 (height, width, 3)

It speaks the DevTools protocol over file descriptors 3 and 4, so no driver and no package is needed.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0  # seconds for one answer; a busy machine is slow to start a browser


class NavigatedAwayError(AssertionError):
    """The page that a script was sent to has given way to the next one, as after a click on a link."""


def find_chromium() -> str:
    """Return the path of a browser, or skip the test."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return found


class Chromium:
    """One browser with one page. ``requests`` and ``errors`` gather what the page asked for and complained of."""

    def __init__(self, width: int = 1000, height: int = 1400) -> None:
        program = find_chromium()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._count, self._text, self._session = 0, b"", ""
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={self._folder}", "about:blank"]
        # The shell puts the pipe where the browser looks for it, without code between fork and exec.
        shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command]
        self._process = subprocess.Popen(
            shell, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._attach()
        self.resize(width, height)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._send("Browser.close", session=False)
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.visit(path.resolve().as_uri())

    def visit(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self._events.clear()
        self._send("Page.navigate", url=url)
        self.wait_until(lambda: any(e["method"] == "Page.loadEventFired" for e in self._events), "the page to load")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        result = self._send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        self.wait_until(lambda: self.run(f"Boolean({condition})"), condition)

    def wait_until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a function returns true, also while one page gives way to another."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(NavigatedAwayError):  # the next page is asked in the next round
                if condition():
                    return
                self._send("Runtime.evaluate", expression="0")  # takes in what has happened meanwhile
            time.sleep(0.03)
        raise TimeoutError(f"waited in vain for {what}")

    def click(self, x: float, y: float) -> None:
        """Click with a real mouse event, at pixels of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def press(self, key: str) -> None:
        """Press and release a key such as ArrowRight."""
        for kind in ("keyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def resize(self, width: int, height: int) -> None:
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, on: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])

    def paper(self) -> None:
        """Lay pages out as on paper, for a reader whose screen is dark."""
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        self._send("Emulation.setEmulatedMedia", media="print", features=[dark])

    def scripts(self, on: bool) -> None:
        """Allow scripts or not, from the next page on."""
        self._send("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self, keep: Path | None = None) -> np.ndarray:
        """Return the window as uint8 (height, width, 3)."""
        data = base64.b64decode(self._send("Page.captureScreenshot", format="png")["data"])
        if keep is not None:
            keep.write_bytes(data)
        with av.open(io.BytesIO(data)) as image:
            pixels: np.ndarray = next(image.decode(video=0)).to_ndarray(format="rgb24")
        return pixels

    def _attach(self) -> None:
        targets = self._send("Target.getTargets", session=False)["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        answer = self._send("Target.attachToTarget", session=False, targetId=page, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._send(f"{domain}.enable")

    def _send(self, method: str, session: bool = True, **params: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(end)
            if answer.get("id") == self._count:
                if "error" in answer:
                    text = f"{method}: {answer['error']['message']}"
                    raise NavigatedAwayError(text) if "navigated" in text else AssertionError(text)
                return answer["result"]  # type: ignore[no-any-return]

    def _receive(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._text:
            if not select.select([self._in], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self._in, 1 << 16)
            if not piece:
                raise AssertionError(f"the browser ended with {self._process.wait()}")
            self._text += piece
        text, _, self._text = self._text.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._note(message)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        params = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
