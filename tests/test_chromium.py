"""The browser of the tests waits through a change of page."""

from __future__ import annotations

from pathlib import Path

from chromium import Chromium


def test_a_page_that_gives_way_while_it_is_asked_is_waited_for(tmp_path: Path) -> None:
    """A click on a link may take effect while a script runs; the answer is then an error of the browser."""
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    first.write_text("<title>first</title>")
    second.write_text("<title>second</title>")
    leave = f"document.title === 'second' || new Promise(() => {{ location.href = '{second.as_uri()}' }})"
    with Chromium() as browser:
        browser.open(first)
        browser.wait_until(lambda: browser.run(leave), "the second page")
        assert browser.run("document.title") == "second"
