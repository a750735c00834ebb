"""Videos that videos.json says lack a stream: nothing is missing in a check, a summary or a pack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from vadkit_feature_store import FeatureStore

from vadkit.presence import THROUGHOUT
from vadkit.problems import VadkitError
from vadkit.store.check.verify import verify
from vadkit.store.pack import pack
from vadkit.store.summary import summarise


@pytest.fixture
def lacking(store: Path, edit: Callable[..., None]) -> str:
    """Return the name of the first video, whose sound is declared absent and has no file."""
    name: str = json.loads((store / "videos.json").read_text())[0]["name"]
    (store / "audio" / f"{name}.npy").unlink()
    edit(lambda videos: videos[0].update(absent={"audio": True}))
    return name


def test_a_check_finds_nothing_missing(store: Path, lacking: str, edit: Callable[..., None]) -> None:
    assert not [f for f in verify(store).findings if "audio" in str(f)]
    edit(lambda videos: videos[0].pop("absent") and None)
    assert [f for f in verify(store).findings if lacking in str(f)]


def test_rows_that_are_absent_may_be_as_they_are(store: Path, edit: Callable[..., None]) -> None:
    name = json.loads((store / "videos.json").read_text())[0]["name"]
    path = store / "audio" / f"{name}.npy"
    rows = np.load(path)
    rows[..., 1:4, :] = 0
    np.save(path, rows)

    def found() -> list[str]:
        return [f.kind for f in verify(store).findings if name in str(f) and f.kind in ("constant", "frozen")]

    assert found() == ["constant"]
    edit(lambda videos: videos[0].update(absent={"audio": [[1, 4]]}))
    assert not found()
    rows[...] = rows[..., :1, :]
    np.save(path, rows)
    assert found() == ["frozen"]
    edit(lambda videos: videos[0].update(absent={"audio": True}))
    assert not found()


def test_a_summary_counts_nothing_unreadable(store: Path, lacking: str) -> None:
    assert summarise(store).streams["audio"].unreadable == 0


def test_a_pack_holds_the_others(store: Path, lacking: str) -> None:
    pack(store, streams=["audio"])
    dataset = FeatureStore(root=str(store), streams={"rgb": "rgb", "audio": "audio"}, partial=True)
    first, other = dataset.videos("train")[:2]
    assert first.name == lacking and dataset.absent(first, "audio") == THROUGHOUT
    assert np.array_equal(dataset.read(other, "audio")[0], np.load(store / "audio" / f"{other.name}.npy"))
    pack(store, streams=["audio"])  # is up to date
    with pytest.raises(VadkitError):
        FeatureStore(root=str(store)).videos("train")
