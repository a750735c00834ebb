"""The pages as a reader sees them: in a browser, opened as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from clips import GREY, RED, make_clip
from models import RECIPES, write_model
from page_colours import DARK, LIGHT, PAPER

from vadkit.predict import predict
from vadkit.predict.events import find_events

NAME = "a #1 50% <i>clip"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    make_clip(folder / "videos" / f"{NAME}.mp4")
    make_clip(folder / "videos" / "old.avi", video="mpeg4", audio="mp3")
    model = write_model(folder / "model.safetensors", audio=True)
    predict([folder / "videos"], model, folder / "out")
    predict([folder / "videos" / "old.avi"], model, folder / "embedded", embed=True)
    return folder / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Chromium, out: Path) -> Iterator[Chromium]:
    """The page of the first video, loaded, with its video ready; any error in its console fails the test."""
    browser.resize(1000, 1500)
    browser.dark(False)
    browser.requests.clear()
    browser.errors.clear()
    browser.open(out / "a #1 50% _i_clip.html")
    browser.wait("document.getElementById('video').readyState >= 2")
    yield browser
    assert browser.errors == []


def data(out: Path) -> dict[str, Any]:
    return json.loads((out / "a #1 50% _i_clip.json").read_text())  # type: ignore[no-any-return]


def box(browser: Chromium, selector: str) -> tuple[int, int, int, int]:
    """Return left, top, width and height of an element."""
    found = browser.run(
        f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height]; })()"
    )
    return tuple(round(v) for v in found)  # type: ignore[return-value]


def near(pixels: np.ndarray, colour: str, slack: int = 40) -> np.ndarray:
    """Return where the pixels have about this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.abs(pixels.astype(int) - wanted).max(-1) <= slack


def curve_height(pixels: np.ndarray, area: tuple[int, int, int, int], colour: str, part: float) -> float:
    """Return how high the curve runs, 0..1, at a part of the width."""
    left, top, width, height = area
    column = near(pixels[top - 2 : top + height + 2, left + round(part * width)], colour)
    rows = np.flatnonzero(column)
    assert rows.size, f"no curve at {part}"
    return 1 - (float(rows.mean()) - 2) / height


def settle(browser: Chromium) -> None:
    browser.wait("!document.getElementById('video').seeking")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


SCORE = "#score .plot > svg"


@pytest.mark.parametrize(("dark", "width"), [(False, 1000), (True, 1000), (False, 375), (True, 375)])
def test_the_score_is_drawn_where_it_belongs(page: Chromium, out: Path, dark: bool, width: int) -> None:
    page.dark(dark)
    page.resize(width, 1500)
    pixels, area = page.screenshot(), box(page, SCORE)
    assert near(pixels[-1, -1:], PAPER["dark" if dark else "light"]).all()
    colour = (DARK if dark else LIGHT)[0]
    for i, snippet in enumerate(data(out)["scores"]):
        part = (i + 0.5) / 12
        assert curve_height(pixels, area, colour, part) == pytest.approx(snippet["score"], abs=0.03)


@pytest.mark.parametrize("width", [1000, 375, 320])
def test_the_page_is_never_wider_than_the_window(page: Chromium, out: Path, width: int) -> None:
    page.resize(width, 800)
    assert page.run("document.documentElement.scrollWidth") <= width
    page.open(out / "index.html")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_texts_of_the_charts_do_not_overlap(page: Chromium) -> None:
    for width in (1000, 375):
        page.resize(width, 1500)
        overlaps = page.run(
            """[...document.querySelectorAll('.plot > svg')].flatMap(svg => {
                const texts = [...svg.querySelectorAll('text')].filter(t => t.getBoundingClientRect().width);
                const boxes = texts.map(t => t.getBoundingClientRect());
                return texts.flatMap((t, i) => texts.slice(i + 1).filter((_, k) => {
                    const [a, b] = [boxes[i], boxes[i + 1 + k]];
                    return a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
                }).map(u => `${t.textContent} / ${u.textContent}`));
            })"""
        )
        assert overlaps == []


def test_the_video_plays_from_its_own_place_and_nothing_else_is_asked_for(page: Chromium) -> None:
    assert page.run("document.getElementById('video').duration") == pytest.approx(6, abs=0.1)
    files = [url for url in page.requests if not url.startswith("data:")]
    assert {url.rsplit("/", 1)[1] for url in files} == {
        "a%20%231%2050%25%20_i_clip.html",
        "a%20%231%2050%25%20%3Ci%3Eclip.mp4",
    }
    assert all(url.startswith("file:///") for url in files)
    assert page.run("document.title") == f"{NAME}.mp4"


def test_a_click_on_the_curve_seeks_the_video(page: Chromium) -> None:
    left, top, width, height = box(page, SCORE)
    page.click(left + width / 2, top + height / 3)
    settle(page)
    assert page.run("document.getElementById('video').currentTime") == pytest.approx(3, abs=0.05)
    assert page.run("document.getElementById('now').textContent").startswith("at 0:03.0 the score is 0.9")
    pixels = page.screenshot()
    shown = box(page, "#video")
    middle = pixels[shown[1] + shown[3] // 4, shown[0] + shown[2] // 2]
    assert middle[0] > 200 and middle[1] < 90, "the picture at 3 s is red"


def test_the_play_head_moves_in_every_chart(page: Chromium) -> None:
    left, top, width, height = box(page, SCORE)
    page.click(left + width / 4, top + height / 2)
    settle(page)
    places = page.run("[...document.querySelectorAll('.playhead')].map(l => l.getAttribute('x1'))")
    assert len(places) == 3
    assert [float(p.rstrip("%")) for p in places] == pytest.approx([25] * 3, abs=0.3)
    column = page.screenshot()[top + 5 : top + height - 5, left + width // 4 - 2 : left + width // 4 + 3]
    assert near(column, "#16191d").any(axis=1).mean() > 0.9


def test_the_play_head_follows_the_playing_video(page: Chromium) -> None:
    page.run("(() => { const v = document.getElementById('video'); v.muted = true; return v.play(); })()")
    page.wait("parseFloat(document.querySelector('.playhead').getAttribute('x1')) > 5")
    page.run("document.getElementById('video').pause()")


def test_the_keyboard_moves_through_the_video(page: Chromium) -> None:
    page.run("document.querySelector('#score .plot').focus()")
    times = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "PageUp"):
        page.press(key)
        settle(page)
        times.append(page.run("Number(document.querySelector('#score .plot').getAttribute('aria-valuenow'))"))
    assert times == pytest.approx([0.5, 1.0, 0.5, 6.0, 0.0, 6.0], abs=0.05)
    assert page.run("document.querySelector('#score .plot').getAttribute('role')") == "slider"


def test_an_event_in_the_table_seeks_the_video(page: Chromium) -> None:
    left, top, width, height = box(page, "#events tbody a")
    page.run(f"window.scrollTo(0, {max(0, top - 900)})")
    left, top, width, height = box(page, "#events tbody a")
    page.click(left + width / 2, top + height / 2)
    settle(page)
    assert page.run("document.getElementById('video').currentTime") == pytest.approx(2, abs=0.05)
    assert page.run("location.hash") == ""


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.9, 0.99, 1.0])
def test_moving_the_threshold_finds_the_events_that_python_finds(page: Chromium, out: Path, threshold: float) -> None:
    page.run(
        f"(() => {{ const s = document.getElementById('threshold'); s.value = {threshold};"
        "s.dispatchEvent(new Event('input')); })()"
    )
    saved = data(out)
    scores, edges = [s["score"] for s in saved["scores"]], [0.0, *(s["end"] for s in saved["scores"])]
    streams = saved["scores"][0]["without"]
    wanted = find_events(scores, edges, threshold, {n: [s["without"][n] for s in saved["scores"]] for n in streams})
    rows = page.run("[...document.querySelectorAll('#events tbody tr')].map(r => [...r.cells].map(c => c.textContent))")
    found = [(float(r[0].split(":")[1]), float(r[1].split(":")[1]), float(r[3])) for r in rows[::2]]
    assert [lift for (lift,) in rows[1::2]] == [event.lift for event in wanted]
    assert found == [(e.start, e.end, pytest.approx(e.peak, abs=6e-4)) for e in wanted]
    assert page.run("document.getElementById('no-events').hidden") == bool(wanted)
    assert page.run("document.querySelectorAll('#score .span').length") == len(wanted)
    level = page.run("Number(document.querySelector('#score .level line').getAttribute('y1'))")
    assert level == pytest.approx(220 * (1 - threshold))


def test_a_calibrated_rule_finds_the_same_events_in_the_page(browser: Chromium, out: Path, tmp_path: Path) -> None:
    learned = {"on": 0.9, "off": 0.2, "least_s": 0.6, "cool_down_s": 1.2}
    model = write_model(tmp_path / "model.safetensors", extra={"recipes": RECIPES, "events": learned})
    red = [(1, 1.5), (2, 3), (3.5, 5), (6, 7)]  # too short, an event, begins within the pause after it, an event
    clip = make_clip(
        tmp_path / "clip.mp4", 8.0, colour=lambda time: RED if any(a <= time < b for a, b in red) else GREY
    )
    predict([clip], model, tmp_path / "out")
    browser.open(tmp_path / "out" / "clip.html")
    browser.wait("document.getElementById('video').readyState >= 2")
    browser.run("document.getElementById('reset').click()")
    rows = browser.run(
        "[...document.querySelectorAll('#events tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    shown = [[float(text.split(":")[1]) for text in row[:2]] for row in rows[::2]]
    events = json.loads((tmp_path / "out" / "clip.json").read_text())["events"]
    assert shown == [[event["start"], event["end"]] for event in events] == [[2.0, 3.0], [6.0, 7.0]]


def test_everything_is_shown_without_scripts(browser: Chromium, out: Path) -> None:
    browser.resize(1000, 1500)
    browser.dark(False)
    browser.scripts(False)
    try:
        browser.open(out / "a #1 50% _i_clip.html")
        pixels = browser.screenshot()
        area = box(browser, SCORE)
        assert curve_height(pixels, area, LIGHT[0], 0.6) > 0.9
        assert curve_height(pixels, area, LIGHT[0], 0.1) < 0.1
        assert browser.run("getComputedStyle(document.querySelector('.control')).display") == "none"
        href = browser.run("document.querySelector('#events tbody a').getAttribute('href')")
        assert href.endswith("clip.mp4#t=2")
    finally:
        browser.scripts(True)


@pytest.mark.parametrize("folder", ["out", "embedded"])
def test_a_video_that_browsers_cannot_play_is_shown_as_a_copy(browser: Chromium, out: Path, folder: str) -> None:
    browser.resize(1000, 1500)
    browser.errors.clear()
    browser.open(out.parent / folder / "old.html")
    browser.wait("document.getElementById('video').readyState >= 2")
    left, top, width, height = box(browser, SCORE)
    browser.click(left + width / 2, top + height / 2)
    settle(browser)
    shown = box(browser, "#video")
    middle = browser.screenshot()[shown[1] + shown[3] // 4, shown[0] + shown[2] // 2]
    assert middle[0] > 200 and middle[1] < 90
    assert browser.errors == []


def test_the_page_says_so_if_the_video_was_moved(browser: Chromium, out: Path, tmp_path: Path) -> None:
    alone = tmp_path / "far" / "away" / "page.html"
    alone.parent.mkdir(parents=True)
    alone.write_bytes((out / "old.html").read_bytes())
    browser.open(alone)
    browser.wait("!document.getElementById('no-video').hidden")
    left, top, width, height = box(browser, SCORE)
    browser.click(left + width / 2, top + height / 2)
    assert browser.run("document.getElementById('now').textContent").startswith("at 0:03.")


def test_the_index_leads_to_the_pages_and_draws_small_curves(browser: Chromium, out: Path) -> None:
    browser.resize(1000, 700)
    browser.dark(False)
    browser.errors.clear()
    browser.open(out / "index.html")
    left, top, width, height = box(browser, ".spark")
    curve = near(browser.screenshot()[top : top + height, left : left + width], LIGHT[0], 110)
    assert curve[-8:, : width // 4].any() and curve[:8, width // 3 : 2 * width // 3].any()
    assert not curve[:8, : width // 4].any()
    left, top, width, height = box(browser, "td a")
    browser.click(left + 5, top + 10)
    browser.wait("document.getElementById('score')")
    assert browser.run("document.title") == f"{NAME}.mp4"
    assert browser.errors == []
