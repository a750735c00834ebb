"""Videos that lack streams: throughout, for spans of snippets, or because a file is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from robust import plain_config, robust_config
from tiny_store import DIMS
from vadkit_feature_store import FeatureStore
from vadkit_segment_mean import SegmentMean
from vadkit_uniform_pad import UniformPad

import vadkit
from vadkit.data.absent import Without, lost_blocks
from vadkit.data.batches import TrainBatches
from vadkit.data.validation_split import Carved
from vadkit.data.whole_videos import load
from vadkit.kinds import Sampler
from vadkit.presence import THROUGHOUT, present_rows, spans_of
from vadkit.problems import VadkitError

STREAMS = ["rgb", "flow", "audio"]
SIZES = {name: DIMS[name] for name in STREAMS}


def named(store: Path, split: str, label: int) -> list[str]:
    videos = json.loads((store / "videos.json").read_text())
    return [video["name"] for video in videos if video["split"] == split and video["label"] == label]


def remove(store: Path, stream: str, name: str) -> None:
    (store / stream / f"{name}.npy").unlink()


def partial(store: Path) -> FeatureStore:
    return FeatureStore(root=str(store), streams={name: name for name in STREAMS}, partial=True)


def batches(dataset: object, sampler: Sampler | None = None, **more: object) -> TrainBatches:
    sampler = sampler or UniformPad(length=16)
    return TrainBatches(dataset, sampler, STREAMS, 4, 0, sizes=SIZES, presence=True, workers=0, **more)  # type: ignore[arg-type]


# -- spans -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("rows", ["", "0", "1", "0110", "1100101", "11111"])
def test_spans_are_those_of_the_rows(rows: str) -> None:
    lost = np.array([c == "1" for c in rows], bool)
    assert np.array_equal(present_rows(spans_of(lost), len(lost)), (~lost).astype(np.float32))


def test_a_share_is_lost_in_blocks_that_grow() -> None:
    quarter, most = (lost_blocks(share, block=5, seed=3)("video", 203) for share in (0.25, 0.75))
    assert quarter.sum() == 51 and most.sum() == 152 and not (quarter & ~most).any()
    assert len(spans_of(quarter)) <= 51 / 5 + 3
    assert not np.array_equal(quarter, lost_blocks(0.25, block=5, seed=4)("video", 203))
    assert lost_blocks(1.0)("video", 7).all() and not lost_blocks(0.0)("video", 7).any()


# -- the store -------------------------------------------------------------------------------------
def test_a_missing_file_is_an_absent_stream(store: Path) -> None:
    first, second = named(store, "train", 1)[:2]
    remove(store, "audio", first)
    with pytest.raises(VadkitError, match="no features of video") as caught:
        FeatureStore(root=str(store)).videos("train")
    assert "takes 'presence'" in str(caught.value)
    dataset = partial(store)
    video, whole = (next(v for v in dataset.videos("train") if v.name == name) for name in (first, second))
    assert dataset.absent(video, "audio") == THROUGHOUT and dataset.absent(video, "rgb") == ()
    assert dataset.absent(whole, "audio") == ()
    assert any(
        f"1 of 16 videos have no features and count as absent; the first is '{first}'" in w for w in dataset.warnings
    )


def test_what_is_declared_absent_needs_no_warning_and_no_file(store: Path, edit: Callable[..., None]) -> None:
    first, second = named(store, "test", 1)[:2]
    remove(store, "audio", first)

    def declare(videos: list[dict[str, object]]) -> None:
        for video in videos:
            video |= {first: {"absent": {"audio": True}}, second: {"absent": {"flow": [[2, 4]]}}}.get(video["name"], {})  # type: ignore[call-overload]

    edit(declare)
    dataset = partial(store)
    one, other = (next(v for v in dataset.videos("test") if v.name == name) for name in (first, second))
    assert not any("count as absent" in warning for warning in dataset.warnings)
    assert dataset.absent(one, "audio") == THROUGHOUT and dataset.absent(other, "flow") == ((2, 4),)
    assert FeatureStore(root=str(store), streams={"flow": "flow"}).absent(other, "flow") == ()  # as before


def test_a_store_may_lack_a_stream_altogether_but_not_all(store: Path, edit: Callable[..., None]) -> None:
    edit(lambda head: head["streams"].pop("audio") and None, "store.json")
    dataset = partial(store)
    video = dataset.videos("train")[0]
    assert dataset.absent(video, "audio") == THROUGHOUT
    assert any("has no stream 'audio'" in warning for warning in dataset.warnings)
    with pytest.raises(VadkitError, match="did you mean 'rgb'"):
        FeatureStore(root=str(store), streams={"rgb": "rgbb", "flow": "flow"}, partial=True)
    with pytest.raises(VadkitError, match="wants stream 'audio', which the store lacks"):
        FeatureStore(root=str(store), streams={"audio": "audio"}, partial=True)


def test_a_video_without_any_stream_is_refused(store: Path) -> None:
    name = named(store, "train", 0)[0]
    for stream in STREAMS:
        remove(store, stream, name)
    with pytest.raises(VadkitError, match="has no features of any stream"):
        partial(store).videos("train")


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ({"sound": True}, "lacks a stream 'sound'"),
        ({"audio": [[3, 3]]}, "ends before it begins"),
        ({"audio": 3}, "absent"),
        ({"audio": [[-1, 3]]}, "absent"),
    ],
)
def test_a_wrong_declaration_is_refused(
    store: Path, edit: Callable[..., None], absent: dict[str, object], message: str
) -> None:
    edit(lambda videos: videos[0].update(absent=absent))
    with pytest.raises(VadkitError, match=message):
        FeatureStore(root=str(store))


# -- whole videos ----------------------------------------------------------------------------------
def test_the_length_is_that_of_the_first_stream_that_is_there(store: Path) -> None:
    name = named(store, "test", 1)[0]  # its rgb has a snippet more than the others
    remove(store, "rgb", name)
    dataset = partial(store)
    video = next(v for v in dataset.videos("test") if v.name == name)
    found = load(dataset, video, STREAMS, SIZES, presence=["more", *STREAMS])
    assert list(found) == [*STREAMS, "presence"] and found["rgb"].shape == (1, 9, 16) and not found["rgb"].any()
    assert found["presence"].shape == (1, 9, 4) and found["presence"][0, 0].tolist() == [0, 0, 1, 1]


def test_rows_beyond_a_streams_end_are_absent(dataset: FeatureStore) -> None:
    found = load(dataset, dataset.videos("test")[0], STREAMS, SIZES, presence=STREAMS)
    assert found["presence"][0].sum(0).tolist() == [10, 9, 9]


def test_a_data_set_without_streams(dataset: FeatureStore) -> None:
    video = dataset.videos("test")[1]
    t = dataset.shape(video, "audio")[1]
    rows = np.arange(t) < 3
    less = Without(dataset, {"audio": {video.name: rows}, "flow": True, "rgb": False})
    assert less.snippet_frames == dataset.snippet_frames and less.videos("test") == dataset.videos("test")
    found = load(less, video, STREAMS, SIZES, presence=STREAMS)
    assert not found["flow"].any() and not found["audio"][0, :3].any() and found["audio"][0, 3:].any()
    assert found["presence"][0, :, 2].tolist() == (~rows).astype(float).tolist()
    plain = load(less, video, STREAMS, SIZES)  # a graph that does not take presence gets the zeros
    assert all(torch.equal(plain[name], found[name]) for name in STREAMS)
    with pytest.raises(VadkitError, match="give a bool for each snippet"):
        load(Without(dataset, {"audio": lambda name, t: np.ones(t + 1, bool)}), video, STREAMS, SIZES)
    with pytest.raises(VadkitError, match="lacks every stream"):
        load(Without(dataset, dict.fromkeys(STREAMS, True)), video, STREAMS, SIZES, presence=STREAMS)


# -- batches ---------------------------------------------------------------------------------------
def test_a_batch_of_whole_videos_is_as_without_presence(dataset: FeatureStore) -> None:
    with batches(dataset) as some, TrainBatches(dataset, UniformPad(length=16), STREAMS, 4, 0, workers=0) as plain:
        found, wanted = some.batch(3), plain.batch(3)
    assert found.pop("presence").eq(1).all() and found.keys() == wanted.keys()
    assert all(
        torch.equal(found[k], wanted[k]) if torch.is_tensor(wanted[k]) else found[k] == wanted[k] for k in wanted
    )


@pytest.mark.parametrize("sampler", [UniformPad(length=12, fill="ramp", count="nonzero"), SegmentMean(length=12)])
def test_absent_streams_are_zeros_and_lengths_stay(store: Path, sampler: Sampler) -> None:
    names = named(store, "train", 0)
    for name in names:
        remove(store, "rgb", name)
    with batches(partial(store), sampler) as some:
        batch = some.batch(0)
    normal = batch["labels"] == 0
    assert not batch["rgb"][normal].any() and batch["rgb"][~normal].any()
    assert not batch["presence"][normal][..., 0].any() and batch["presence"][~normal][..., 0].all()
    assert batch["presence"][..., 1:].all() and batch["mask"].any(1).all()


def test_a_mean_over_a_gap_is_that_of_what_is_there(store: Path, edit: Callable[..., None]) -> None:
    edit(lambda videos: [video.update(absent={"audio": [[0, 1]]}) for video in videos] and None)
    dataset = partial(store)
    with batches(dataset, SegmentMean(length=1)) as some:
        bags, batch = some.rows(0), some.batch(0)
    for row, bag in enumerate(bags):
        x = np.load(store / "audio" / f"{bag.video.name}.npy")
        share = batch["presence"][row, 0, 2]
        assert share == pytest.approx(1 - 1 / len(x))
        if len(x) > 1:
            np.testing.assert_allclose(batch["audio"][row, 0], x[1:].mean(0), rtol=1e-4, atol=1e-5)


def test_a_carved_validation_split_keeps_the_gaps(store: Path) -> None:
    name = named(store, "train", 1)[0]
    remove(store, "flow", name)
    carved = Carved(partial(store), 0.5, 0)
    video = next(v for split in ("train", "val") for v in carved.videos(split) if v.name == name)
    assert carved.absent(video, "flow") == THROUGHOUT


# -- end to end ------------------------------------------------------------------------------------
def test_training_evaluation_and_scores_with_missing_streams(store: Path, tmp_path: Path) -> None:
    lacking = [named(store, "train", 1)[0], named(store, "train", 0)[1], named(store, "test", 1)[1]]
    for name in lacking:
        remove(store, "audio", name)
    with pytest.raises(VadkitError, match="no features of video"):
        vadkit.train(plain_config(store), out=tmp_path / "plain", device="cpu")
    run = vadkit.train(robust_config(store), out=tmp_path / "robust", device="cpu")
    found = vadkit.evaluate(run.model_path, device="cpu")
    share = found.protocol["absent_share"]
    assert share["rgb"] == 0 and 0 < share["audio"] < 0.5
    assert any("stream 'audio' is absent in 1 of 8 videos" in warning for warning in found.warnings)
    assert "audio in" in found.page()
    scorer = vadkit.Scorer(run.model_path)
    for name, scores in found.scores.items():
        there = [s for s in STREAMS if s != "audio" or name not in lacking]
        streams = {stream: np.load(store / stream / f"{name}.npy") for stream in there}
        assert np.array_equal(scorer.features(streams), scores)
    without = vadkit.evaluate(run.model_path, device="cpu", absent={"audio": True})
    assert without.protocol["absent"] == {"audio": "absent throughout"}
    assert np.array_equal(without.scores[lacking[2]], found.scores[lacking[2]])
    assert not np.array_equal(without.scores[name], found.scores[name])
    with pytest.raises(VadkitError, match="no input of the model"):
        vadkit.evaluate(run.model_path, device="cpu", absent={"sound": True})


def test_a_plain_model_can_be_measured_with_zeros(store: Path, tmp_path: Path) -> None:
    run = vadkit.train(plain_config(store), out=tmp_path / "plain", device="cpu")
    name = named(store, "test", 0)[0]
    streams = {stream: np.load(store / stream / f"{name}.npy") for stream in STREAMS}
    lost = np.arange(len(streams["audio"])) % 2 == 0
    zeros = {**streams, "audio": streams["audio"] * ~lost[:, None]}
    found = vadkit.evaluate(run.model_path, device="cpu", absent={"audio": {name: lost}})
    assert np.array_equal(found.scores[name], vadkit.score(run.model_path, zeros))
    assert np.array_equal(found.scores[name], vadkit.score(run.model_path, streams, absent={"audio": lost}))
    with pytest.raises(VadkitError, match="needs the stream 'audio'"):
        vadkit.score(run.model_path, {"rgb": streams["rgb"], "flow": streams["flow"]})


def test_a_resumed_run_drops_the_same(store: Path, tmp_path: Path) -> None:
    config = robust_config(store, video=0.4, block=0.3)
    whole = vadkit.train(config, out=tmp_path / "whole", device="cpu")
    short = {**config, "train": {**config["train"], "steps": 3}}
    vadkit.train(short, out=tmp_path / "parts", device="cpu")
    again = vadkit.train(config, out=tmp_path / "parts", device="cpu", resume=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
