"""What every page must keep to on any screen, seen in a browser."""

from __future__ import annotations

from pathlib import Path

from chromium import Chromium

LOADED = "document.querySelectorAll('main section').length > 0"
# Elements beyond the window, except what a box of its own scrolls. An svg's parts are counted: text may stick out.
OVERFLOW = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll *')).filter(e => {
    const r = e.getBoundingClientRect();
    return r.width && (r.right > innerWidth + 1 || r.left < -1);
}).map(e => `${e.tagName} ${e.getAttribute('class') || ''} ${e.textContent.trim().slice(0, 40)}`)"""
CAPTIONS = """[...document.querySelectorAll('caption, figcaption')].filter(e =>
    e.getBoundingClientRect().width > innerWidth).map(e => e.textContent)"""
# Boxes that scroll sideways without the shade that says so.
NO_CUE = """[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).filter(e =>
    (getComputedStyle(e).backgroundImage.match(/gradient/g) || []).length < 4).length"""


def check_fits(page: Path, width: int = 390) -> None:
    """Check that nothing is wider than the window, light and dark, and that tables which scroll show it."""
    with Chromium(width, 900) as browser:
        for dark in (False, True):
            browser.dark(dark)
            browser.open(page)
            assert browser.run(LOADED)
            assert browser.run("document.documentElement.scrollWidth") <= width
            assert browser.run(OVERFLOW) == []
            assert browser.run(CAPTIONS) == []
            assert browser.run(NO_CUE) == 0
        assert browser.errors == []


def check_without_scripts(page: Path, charts: int) -> None:
    """Check that the charts are drawn with scripts off."""
    with Chromium(1280, 900) as browser:
        browser.scripts(False)
        browser.open(page)
        browser.scripts(True)  # to look at it
        assert browser.run(LOADED)
        drawn = "[...document.querySelectorAll('figure.chart svg')].filter(s => s.clientWidth > 200).length"
        assert browser.run(drawn) >= charts


def check_print(page: Path) -> None:
    """Check that a page on paper has no controls, no box that would be cut, and light colours."""
    with Chromium(700, 900) as browser:
        browser.paper()
        browser.open(page)
        assert browser.run(LOADED)
        assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        shown = "[...document.querySelectorAll('video, button, input')].filter(e => e.clientWidth).length"
        assert browser.run(shown) == 0
        cut = "[...document.querySelectorAll('.scroll')].filter(e => getComputedStyle(e).overflowX != 'visible').length"
        assert browser.run(cut) == 0
        assert browser.run(OVERFLOW.replace(".filter(e => !e.closest('.scroll *'))", "")) == []
