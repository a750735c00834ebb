from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_scenes import write_scene

from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.kinds import Backbone

NAMES = ("fair", "market", "street")


class Colours(Backbone):
    """Mean colours of a snippet, of the whole picture and of its left half, as two crops."""

    name = "colours"
    modality = "rgb"
    dim = 3
    num_crops = 2

    def recipe(self) -> dict[str, Any]:
        return {"crops": 2}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        halves = [[s.mean((0, 1, 2)), s[:, :, : s.shape[2] // 2].mean((0, 1, 2))] for s in snippets]
        return np.array(halves, np.float32)


class Loudness(Backbone):
    """Loudness of a snippet's sound, and its peak."""

    name = "loudness"
    modality = "audio"
    dim = 2

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": 8000, "window": 4000, "weights": "random", "pretrained": False}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.array([[np.sqrt(np.mean(s**2)), np.abs(s).max()] for s in snippets], np.float32)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    return {name: write_scene(folder / f"{name}.mp4", 40 + 20 * seed, seed) for seed, name in enumerate(NAMES)}


@pytest.fixture
def colours() -> type[Backbone]:
    return Colours


Extract = Callable[..., Path]


@pytest.fixture(scope="session")
def extract(scenes: dict[str, Path]) -> Extract:
    """Return a maker of stores: ``extract(out, "fair", "street", fps=25.0)``."""

    def make(out: Path, *names: str, **clock: Any) -> Path:
        entries = [{"name": name, "file": str(scenes[name])} for name in names or NAMES]
        backbones = {"rgb": Colours(), "sound": Loudness()}
        extract_store(entries, backbones, out, clock=Clock(**clock), resources=Resources(workers=0))  # type: ignore[arg-type]
        return out

    return make


@pytest.fixture(scope="session")
def whole(extract: Extract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extract(tmp_path_factory.mktemp("whole") / "store")


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    """A store of its own for a test that spoils it."""
    return shutil.copytree(whole, tmp_path / "store")
