"""Snippets of a running source are those of extraction, and pictures do not wait for sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip

from vadkit.extract.media import Picture, Samples
from vadkit.extract.one_pass import extract_video
from vadkit.extract.snippets import Clock
from vadkit.kinds import Backbone
from vadkit.plugin_manager import load_plugins
from vadkit.watch.cuts import Cut, Cutter, windows_of
from vadkit.watch.features import Features
from vadkit.watch.live_input import open_recording


def cuts_of(path: Path, backbones: dict[str, Backbone], clock: Clock, wait: float = 6.0) -> Iterator[Cut]:
    with open_recording(path, sound=True) as media:
        windows = list(windows_of(backbones, clock, media.fps).values())
        yield from Cutter(media, clock, windows, 0, wait, lambda picture: 0.0, lambda piece: None).cuts()


def features_of(path: Path, backbones: dict[str, Backbone], clock: Clock) -> dict[str, np.ndarray]:
    features = Features(backbones)
    rows = []
    for cut in cuts_of(path, backbones, clock):
        rows += features.of([cut], [windows_of(backbones, clock, 8.0)])
    return {name: np.stack([row[name] for row in rows]) for name in backbones}


@pytest.mark.parametrize("fps", [None, 5.0])
@pytest.mark.parametrize("sound", ["beep", None])
def test_features_of_a_watched_file_are_those_of_extraction(
    tmp_path: Path, fps: float | None, sound: str | None
) -> None:
    path = make_clip(tmp_path / "a.mp4", 6.1, sound=sound)
    components = load_plugins().components
    backbones = {"rgb": components.find("mean_colour")(), "audio": components.find("loudness")()}
    clock = Clock(fps=fps, snippet_frames=4)
    found = features_of(path, backbones, clock)
    wanted = extract_video(path, backbones, clock)
    for name, values in wanted.streams.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_features_of_the_demo_backbones_are_those_of_extraction(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 1.4)
    components = load_plugins().components
    names = {"rgb": "efficientnet_lite0", "clip": "efficientnet_lite0", "flow": "dis_flow", "audio": "logmel_stats"}
    backbones = {stream: components.find(name)() for stream, name in names.items()}
    clock = Clock(snippet_frames=8)
    found = features_of(path, backbones, clock)
    for name, values in extract_video(path, backbones, clock).streams.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


class Feed:
    """Stands in for an open source: pictures at 4 a second, sound that ends at 2 s."""

    fps, path, warnings, audio, duration = 4.0, Path("feed"), [], object(), None

    def __init__(self, silent_from: float, seconds: float = 8.0) -> None:
        self.silent_from, self.seconds = silent_from, seconds

    def missing(self, end: float) -> float:
        return 0.0

    def events(self) -> Iterator[Picture | Samples]:
        for i in range(round(self.seconds * 4)):
            yield Picture(i / 4, 0.25, None)
            if i / 4 < self.silent_from:
                yield Samples(i / 4, 8000, np.full(2000, 0.5, np.float32))


def test_pictures_do_not_wait_for_sound_that_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picture, "size", property(lambda self: (8, 8)))
    monkeypatch.setattr(Picture, "rgb", lambda self, h, w: np.full((h, w, 3), 7, np.uint8))
    clock = Clock(snippet_frames=4)
    backbones = {"audio": load_plugins().components.find("loudness")()}
    windows = list(windows_of(backbones, clock, 4.0).values())
    seen: list[float] = []
    feed = Feed(2.0)
    cutter = Cutter(feed, clock, windows, 0, 0.5, lambda p: seen.append(p.time) or 0.0, lambda s: None)
    found = [(cut, seen[-1]) for cut in cutter.cuts()]
    assert [cut.heard for cut, _ in found] == [True, True] + [False] * 6
    assert all(at - cut.end <= 0.75 for cut, at in found)
    levels = [float(np.abs(cut.sound[windows[0]]).max()) for cut, _ in found]
    assert levels[1] > 0.4 and levels[4:] == [0.0] * 4
