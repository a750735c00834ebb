"""The page of the live state: for those with its token only, in a browser, light and dark, wide and narrow."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium
from page_checks import OVERFLOW

from vadkit.events import Event
from vadkit.problems import VadkitError
from vadkit.watch.cameras import Camera
from vadkit.watch.health import Health
from vadkit.watch.live_state import LiveState
from vadkit.watch.page import Page
from vadkit.watch.scores import Score


@pytest.fixture
def state() -> LiveState:
    cameras = [
        Camera("door", "rtsp://{USER}:{PASS}@10.0.0.5/stream1", "rtsp", "rtsp://anna:hush@10.0.0.5/stream1", ("hush",)),
        Camera("a_camera_with_a_long_name_that_must_not_break_the_page", "rtsp://anna:hush@10.0.0.6/1", "rtsp"),
        Camera("yard", "yard.mp4", "file"),
    ]
    state = LiveState(cameras, {camera.name: Health() for camera in cameras}, "model.safetensors", 0.6)
    state.health["door"].enter("live")
    state.health["door"].picture()
    state.health["a_camera_with_a_long_name_that_must_not_break_the_page"].enter("waiting", "no packet came in time")
    for i in range(100):
        state.score("door", Score(1.7e9 + i / 2, 1.7e9 + i / 2 + 0.5, 0.1 if i < 80 else 0.9, {}, 0.2))
    state.event("door", Event("new", "1", "door", 1.7e9 + 40, 1.7e9 + 50, 1.7e9 + 44, 0.91, None, {"rgb": 3.1}))
    state.event("yard", Event("end", "2", "yard", 4.0, 9.5, 5.0, 0.71, None, {}, "clips/yard-2.mp4"))
    state.note("<b>door</b> has no sound")
    return state


@pytest.fixture
def page(state: LiveState) -> Iterator[Page]:
    with Page(state) as page:
        yield page


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_only_the_token_opens_it(page: Page) -> None:
    base = page.url.partition("?")[0]
    assert base.startswith("http://127.0.0.1:")
    for url in (base, f"{base}?token=", f"{base}?token=x", f"{base}state"):
        assert get(url)[0] == 403, url
    assert get(page.url, Host="evil.example")[0] == 403
    assert get(page.url.replace("/?", "/none?"))[0] == 404
    status, text = get(page.url)
    assert status == 200 and "hush" not in text and "<b>door" not in text
    found = json.loads(get(page.url.replace("/?", "/state?"))[1])
    assert [camera["name"] for camera in found["cameras"]][::2] == ["door", "yard"]
    assert found["cameras"][0]["scores"][-1][2] == 0.9 and "hush" not in json.dumps(found)


def test_a_port_in_use_is_refused(page: Page, state: LiveState) -> None:
    with pytest.raises(VadkitError, match="cannot be used for the page"):
        Page(state, page.server.server_address[1])
    with pytest.raises(VadkitError, match="there is no port"):
        Page(state, 70_000)


def test_it_is_live_in_a_browser(page: Page, state: LiveState, tmp_path: Path) -> None:
    with Chromium(1280, 900) as browser:
        for width in (1280, 390):
            browser.resize(width, 900)
            for dark in (False, True):
                browser.dark(dark)
                browser.visit(page.url)
                browser.wait("document.querySelectorAll('.camera svg path').length >= 1")
                assert browser.run("document.documentElement.scrollWidth") <= width
                assert browser.run(OVERFLOW) == []
                browser.screenshot(tmp_path / f"{width}-{'dark' if dark else 'light'}.png")
        assert browser.run("document.querySelectorAll('#events tr').length") == 2
        assert "alarm" in browser.run("document.querySelector('.camera').className")
        state.event("door", Event("end", "1", "door", 1.7e9 + 40, 1.7e9 + 55, 1.7e9 + 44, 0.91))
        browser.wait("document.querySelector('.camera').className === 'camera'")
        page.server.shutdown()
        page.server.socket.close()
        browser.wait("!document.getElementById('lost').hidden")
        assert all(url.startswith((page.url.partition("?")[0], "data:")) for url in browser.requests)
