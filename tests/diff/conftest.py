from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moving_scenes import write_scene
from unpackaged import unpackaged

from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.kinds import Backbone
from vadkit.plugin_manager import load_plugins

PROBES = Path(__file__).parent.parent / "support" / "probes"
FRAMES = {"fair": 200, "market": 152, "street": 232}


@pytest.fixture(scope="module", autouse=True)
def probes() -> Iterator[None]:
    """Make the probes known, as a user does with a module that is not packaged."""
    with unpackaged("vadkit_probe", PROBES):
        yield


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    return {name: write_scene(folder / f"{name}.mp4", n, seed) for seed, (name, n) in enumerate(FRAMES.items())}


@pytest.fixture(scope="module")
def backbone(probes: None) -> Callable[..., Backbone]:
    def build(name: str, **args: object) -> Backbone:
        component = load_plugins().components.find(name, "backbone")
        assert component is not None
        return component(**args)

    return build


@pytest.fixture(scope="session")
def make(videos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a maker of stores: ``make(rgb=backbone, fps=25.0)`` gives its folder."""

    def extract(**given: object) -> Path:
        streams = {name: value for name, value in given.items() if isinstance(value, Backbone)}
        clock = {name: value for name, value in given.items() if name not in streams}
        out = tmp_path_factory.mktemp("store")
        entries = [{"name": name, "file": str(path)} for name, path in videos.items()]
        extract_store(entries, streams, out, clock=Clock(**clock), resources=Resources(workers=0))
        return out

    return extract
