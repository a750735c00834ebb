"""Packing a store: what is read is what was read before, the pack belongs to its files, and nothing is half done."""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_store import DIMS, write_tiny_store
from vadkit_feature_store import FeatureStore
from vadkit_segment_mean import SegmentMean

from vadkit.cli import main
from vadkit.data.batches import TrainBatches
from vadkit.data.whole_videos import iterate
from vadkit.problems import VadkitError
from vadkit.store import pack as module
from vadkit.store.pack import pack, unpack
from vadkit.store.packed import Packed

NAME = "v=ab0_Q-x__#0_label_A_train0"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_tiny_store(tmp_path / "store", train=3, test=2, crops={"rgb": 3})


def everything(store: Path) -> dict[tuple[str, str], np.ndarray]:
    dataset = FeatureStore(root=str(store))
    videos = [video for split in ("train", "test") for video in dataset.videos(split)]
    return {(v.name, stream): np.array(dataset.read(v, stream)) for v in videos for stream in DIMS}


def same(one: dict[tuple[str, str], np.ndarray], other: dict[tuple[str, str], np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def file_of(store: Path, stream: str = "rgb") -> Path:
    return store / json.loads((store / "store.json").read_text())["streams"][stream]["packed"]


def source(store: Path, stream: str = "rgb") -> Path:
    return store / stream / f"{NAME}.npy"


def per_crop(store: Path) -> None:
    """Make the rgb features files of single crops in another folder, as published ones."""
    elsewhere = store.parent / "elsewhere"
    elsewhere.mkdir()
    videos = json.loads((store / "videos.json").read_text())
    for video in videos:
        x = np.load(store / "rgb" / f"{video['name']}.npy")
        for crop in range(3):
            np.save(elsewhere / f"{video['name']}__{crop}.npy", x[crop])
        video["files"] = {"rgb": [f"{video['name']}__{crop}.npy" for crop in range(3)]}
    (store / "videos.json").write_text(json.dumps(videos))
    head = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps({**head, "root": str(elsewhere)}))


def crops_last(store: Path) -> None:
    """Lay a file of all crops out as (snippets, crops, width)."""
    for path in (store / "rgb").iterdir():
        np.save(path, np.ascontiguousarray(np.load(path).swapaxes(0, 1)))
    head = json.loads((store / "store.json").read_text())
    head["streams"]["rgb"]["axes"] = "snippets crops width"
    (store / "store.json").write_text(json.dumps(head))


def as_it_is(store: Path) -> None:
    pass


@pytest.mark.parametrize("layout", [as_it_is, per_crop, crops_last])
def test_a_packed_store_is_read_as_before(store: Path, layout: Callable[[Path], None]) -> None:
    layout(store)
    before = everything(store)
    plain = FeatureStore(root=str(store))
    results = pack(store)
    assert [(r.stream, r.videos, r.is_new) for r in results] == [(stream, 10, True) for stream in DIMS]
    assert same(everything(store), before)
    dataset = FeatureStore(root=str(store))
    for video in dataset.videos("train"):
        assert dataset.shape(video, "rgb") == plain.shape(video, "rgb")
        for stream, crop in (("rgb", 0), ("rgb", 2), ("clip", 2)):
            one = dataset.read_crop(video, stream, crop)
            assert np.array_equal(one, plain.read_crop(video, stream, crop)) and not one.flags.writeable
    assert file_of(store).stat().st_size == results[0].size + 128


def test_training_and_scoring_get_the_same_bits(store: Path) -> None:
    def batches() -> list[torch.Tensor]:
        with TrainBatches(FeatureStore(root=str(store)), SegmentMean(length=7), list(DIMS), 4, 0) as made:
            return [made.batch(step)[stream].clone() for step in range(4) for stream in DIMS]

    def videos() -> list[torch.Tensor]:
        return [
            x for _, streams in iterate(FeatureStore(root=str(store)), "test", list(DIMS)) for x in streams.values()
        ]

    before = batches(), videos()
    pack(store)
    for old, new in zip(before, (batches(), videos())):
        assert len(old) == len(new) and all(map(torch.equal, old, new))


def test_float16_takes_half_the_room_and_is_read_as_float32(store: Path) -> None:
    before = everything(store)
    full = pack(store)[0].size
    half = pack(store, "float16")[0]
    assert half.size * 2 == full and half.path == file_of(store) and half.path.name.startswith("rgb-float16-")
    assert all(np.array_equal(x, before[key].astype(np.float16)) for key, x in everything(store).items())
    assert len(list(store.glob("rgb-*.npy"))) == len(list(store.glob("rgb-*.json"))) == 1  # the other one went
    with TrainBatches(FeatureStore(root=str(store)), SegmentMean(length=7), ["rgb"], 2, 0) as batches:
        assert batches.batch(0)["rgb"].dtype == torch.float32


def test_packing_again_does_nothing_while_nothing_changed(store: Path) -> None:
    pack(store)
    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    assert not any(result.is_new for result in pack(store))
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_the_recipe_and_whatever_else_the_store_says_is_kept(store: Path) -> None:
    head = json.loads((store / "store.json").read_text())
    pack(store, streams=["clip"])
    after = json.loads((store / "store.json").read_text())
    assert after["streams"]["clip"].pop("packed").startswith("clip-float32-")
    assert after == head
    assert Packed(next(store.glob("clip-*.npy")), 8).recipe == {"backbone": "made up clip"}


# -- it belongs to its files --------------------------------------------------------------------------
def refused(store: Path) -> str:
    with pytest.raises(VadkitError) as error:
        FeatureStore(root=str(store))
    return str(error.value)


def longer(path: Path) -> None:
    np.save(path, np.ones((3, 99, 16), np.float32))


def other_values(path: Path) -> None:
    x = np.load(path)
    np.save(path, x + 1)
    os.utime(path, ns=(0, 1))


@pytest.mark.parametrize("change", [longer, other_values])
def test_a_file_that_changed_makes_the_pack_stale(store: Path, change: Callable[[Path], None]) -> None:
    pack(store)
    old = file_of(store)
    change(source(store))
    message = refused(store)
    assert f"{source(store)}: has changed since it was packed in {old}" in message
    assert "vadkit store pack" in message
    results = pack(store)
    assert [result.is_new for result in results] == [True, False, False, False] and not old.exists()
    dataset = FeatureStore(root=str(store))
    video = next(video for video in dataset.videos("train") if video.name == NAME)
    assert np.array_equal(dataset.read(video, "rgb"), np.load(source(store)))


def test_a_file_of_another_time_and_the_same_content_is_good(store: Path) -> None:
    """As in a store that was copied."""
    pack(store)
    os.utime(source(store), ns=(0, 1))
    (warning,) = FeatureStore(root=str(store)).warnings
    assert "the time stamps of 1 file changed after packing; the content was read and is the same" in warning
    assert pack(store)[0].is_new and FeatureStore(root=str(store)).warnings == []


def test_a_pack_can_be_used_without_the_files_it_was_made_from(store: Path) -> None:
    before = everything(store)
    pack(store)
    for path in (store / "rgb").iterdir():
        path.unlink()
    assert same(everything(store), before)


def test_a_recipe_that_changed_is_reported(store: Path) -> None:
    pack(store)
    head = json.loads((store / "store.json").read_text())
    head["streams"]["rgb"]["recipe"] = {"backbone": "another"}
    (store / "store.json").write_text(json.dumps(head))
    assert "was packed when store.json had another recipe of the stream" in refused(store)
    assert pack(store)[0].is_new and FeatureStore(root=str(store)).recipes["rgb"] == {"backbone": "another"}


def test_a_video_that_came_later_is_reported(store: Path) -> None:
    pack(store, streams=["rgb"])
    videos = json.loads((store / "videos.json").read_text())
    for stream in DIMS:
        np.save(store / stream / "late.npy", np.load(store / stream / f"{NAME}.npy"))
    (store / "videos.json").write_text(json.dumps([*videos, {"name": "late", "split": "train", "label": 0}]))
    with pytest.raises(VadkitError, match="stream 'rgb' of video 'late'"):
        FeatureStore(root=str(store)).videos("train")
    assert [result.is_new for result in pack(store)] == [True] * 4
    assert any(video.name == "late" for video in FeatureStore(root=str(store)).videos("train"))


def test_unpacking_reads_the_files_again(store: Path) -> None:
    before, head = everything(store), json.loads((store / "store.json").read_text())
    pack(store)
    assert len(unpack(store, ["rgb"])) == 1 and len(unpack(store)) == 3 and unpack(store) == []
    assert same(everything(store), before) and json.loads((store / "store.json").read_text()) == head
    assert not list(store.glob("*-float32-*"))


# -- what cannot be packed, and what is damaged -------------------------------------------------------
def spoil(value: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        x = np.load(path)
        x[1, 2, 3] = value
        np.save(path, x)

    return change


@pytest.mark.parametrize(
    ("change", "dtype", "message"),
    [
        (spoil(np.nan), "float32", f"stream 'rgb' of video '{NAME}': NaN in snippet row 2"),
        (spoil(1e6), "float16", f"stream 'rgb' of video '{NAME}' holds 1e+06, beyond the largest float16"),
        (Path.unlink, "float32", "is missing; it should hold stream 'rgb'"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "float32", "is truncated"),
        (lambda path: None, "int8", "a store is packed as float32 or float16, not 'int8'"),
    ],
)
def test_what_cannot_be_packed(store: Path, change: Callable[[Path], None], dtype: str, message: str) -> None:
    change(source(store))
    before = files(store)
    with pytest.raises(VadkitError) as error:
        pack(store, dtype)
    assert message in str(error.value) and files(store) == before


@pytest.mark.guards("D23")
def test_a_disk_without_room(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left free is a quarter of the pack: a small store fits on a small disk."""
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=40_000))
    before = files(store)
    with pytest.raises(VadkitError, match="takes 40.1 kB when packed, and 10 kB are left free, but the disk has 40 kB"):
        pack(store, streams=["rgb"])
    assert files(store) == before
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=51_000))
    assert pack(store, streams=["rgb"])[0].is_new


def test_an_interrupted_packing_leaves_the_store_as_it_was(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    before, content = everything(store), files(store)
    monkeypatch.setattr(module, "check_finite", killed)  # in the middle of the first file
    with pytest.raises(KeyboardInterrupt):
        pack(store)
    assert files(store) == content
    monkeypatch.undo()
    monkeypatch.setattr(module, "_set_packed", killed)  # when all is written but the store does not know
    with pytest.raises(KeyboardInterrupt):
        pack(store)
    assert same(everything(store), before)
    monkeypatch.undo()
    assert pack(store)[0].is_new and same(everything(store), before)


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:-40])


def edit(**changes: object) -> Callable[[Path], None]:
    return lambda path: Path.write_text(path, json.dumps({**json.loads(path.read_text()), **changes})) and None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cut off"),
        (edit(vadkit_pack=2), "is of version 2; this vadkit reads version 1"),
        (edit(dim=5), "says that the stream is 5 wide, but store.json 16"),
        (edit(videos={NAME: [0, 3, 999]}), f"rows, too few for video '{NAME}'"),
        (edit(videos={NAME: [0, 3]}), f"videos.{NAME} must be a list of 3 items, got [0, 3]"),
        (edit(sources={NAME: [["1", 2, "3"]]}), f"sources.{NAME}[0][0] must be a whole number"),
        (edit(sources=[]), "sources must be a mapping"),
        (Path.unlink, "cannot be read: no such file"),
    ],
)
def test_a_damaged_index(store: Path, damage: Callable[[Path], None], message: str) -> None:
    pack(store)
    damage(file_of(store).with_suffix(".json"))
    assert message in refused(store)
    assert pack(store)[0].is_new and FeatureStore(root=str(store)).warnings == []


def test_a_pack_that_was_cut_short(store: Path) -> None:
    pack(store)
    path = file_of(store)
    path.write_bytes(path.read_bytes()[:-1])
    assert "is truncated" in refused(store)


def test_a_stream_that_is_not_there(store: Path) -> None:
    with pytest.raises(VadkitError, match="the store has no stream 'rbg'\n  hint: did you mean 'rgb'?"):
        pack(store, streams=["rbg"])


@pytest.mark.guards("D23", "5.5")
@pytest.mark.parametrize("left", [0, 100, 128, 1000])
def test_a_pack_that_is_cut_while_it_is_in_use(store: Path, left: int) -> None:
    """A mapped file would end the process with SIGBUS."""
    before = everything(store)
    pack(store)
    dataset = FeatureStore(root=str(store))
    video = next(video for video in dataset.videos("train") if video.name == NAME)
    kept = dataset.read(video, "rgb")
    os.truncate(file_of(store), left)
    for read in (lambda: dataset.read(video, "rgb"), lambda: dataset.read_crop(video, "rgb", 2)):
        with pytest.raises(VadkitError, match=f"{file_of(store)}: was cut while it was in use: it has only {left} b"):
            read()
    assert np.array_equal(kept, before[NAME, "rgb"])


@pytest.mark.guards("D23", "5.5")
def test_a_pack_that_is_cut_during_a_training(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def cut() -> None:
        while not (tmp_path / "run" / "log.jsonl").exists():
            time.sleep(0.02)
        os.truncate(packed, 200)

    pack(store, streams=["rgb"])
    packed = file_of(store)
    graph = {
        "inputs": {"rgb": "b t 16"}, "nodes": {"score": {"use": "causal_conv", "in": "rgb"}}, "output": "score",
        "losses": {"mil": {"use": "topk_mil", "in": "score"}}, "train": {"steps": 10**6, "epochs": None},
        "data": {"sampler": {"args": {"length": 16}}, "batch": 2, "args": {"root": str(store)}},
    }  # fmt: skip
    (tmp_path / "g.yaml").write_text(json.dumps(graph))
    threading.Thread(target=cut, daemon=True).start()
    assert main(["train", str(tmp_path / "g.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert f"{packed}: was cut while it was in use" in capsys.readouterr().err


def test_the_command(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "pack", str(store), "--dtype", "float16", "--streams", "rgb", "clip"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [[s, "10", "0.00", "written"] for s in ("rgb", "clip")]
    assert main(["store", "pack", str(store), "--dtype", "float16", "--streams", "rgb"]) == 0
    assert "up to date" in capsys.readouterr().out
    path = file_of(store)
    assert main(["store", "pack", str(store), "--remove"]) == 0
    assert f"deleted {path}" in capsys.readouterr().out and not path.exists()
    assert main(["store", "pack", str(store / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_the_help_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    from vadkit.cli import store_pack

    parser = argparse.ArgumentParser(description=store_pack.__doc__)
    store_pack.add_arguments(parser)
    assert "--dtype" in parser.format_help()
