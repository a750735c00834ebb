"""Training batches: what is in them, that they are pure in (seed, step), and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import DIMS, LENGTHS, write_tiny_store
from vadkit_feature_store import FeatureStore
from vadkit_segment_mean import SegmentMean
from vadkit_uniform_pad import UniformPad

from vadkit import Sampler
from vadkit.data.batches import TrainBatches
from vadkit.problems import VadkitError

Edit = Callable[..., None]
LENGTH = 20


class RandomWindow(Sampler):
    """Draws, so that a wrong random stream shows; does nothing in ``finish``."""

    name = "random_window"

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        start = rng.random()
        picked = {}
        for name, x in streams.items():
            rows = (np.arange(4) + int(start * len(x))) % len(x)
            picked[name] = x[rows] + np.float32(start)
        return picked, 4


def make(dataset: Any, **changes: Any) -> TrainBatches:
    arguments: dict[str, Any] = {
        "dataset": dataset,
        "sampler": UniformPad(length=LENGTH),
        "streams": list(DIMS),
        "batch": 4,
        "seed": 1,
    }
    return TrainBatches(**{**arguments, **changes})


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one)


def copy(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in batch.items()}


def test_what_a_batch_holds(dataset: FeatureStore) -> None:
    with make(dataset) as batches:
        batch = batches.batch(0)
        bags = batches.rows(0)
    for stream, dim in DIMS.items():
        assert batch[stream].shape == (8, LENGTH, dim) and batch[stream].dtype == torch.float32
    assert batch["labels"].tolist() == [0.0] * 4 + [1.0] * 4 == [float(bag.video.label) for bag in bags]
    assert batch["classes"].tolist() == [dataset.class_index(bag.video) for bag in bags]
    lengths = [min(LENGTH, bag.video.num_frames // 16) for bag in bags]
    assert batch["mask"].dtype == torch.bool and batch["mask"].sum(1).tolist() == lengths
    assert batch["crops"] == 1 and "prompts" not in batch


def test_rows_are_the_sampled_features_of_their_video(dataset: FeatureStore) -> None:
    with make(dataset, sampler=SegmentMean(length=5)) as batches:
        for step in range(3):
            batch = batches.batch(step)
            for row, bag in enumerate(batches.rows(step)):
                features = dataset.read(bag.video, "flow")[0]
                wanted = SegmentMean(length=5).sample({"flow": np.asarray(features)}, np.random.default_rng(0))[0][
                    "flow"
                ]
                np.testing.assert_array_equal(batch["flow"][row].numpy(), wanted)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_batch_depends_on_seed_and_step_alone(dataset: FeatureStore, workers: int) -> None:
    with (
        make(dataset, sampler=RandomWindow(), workers=0) as plain,
        make(dataset, sampler=RandomWindow(), workers=workers) as batches,
    ):
        wanted = {step: copy(plain.batch(step)) for step in (0, 1, 2, 7, 8)}
        for step in (0, 1, 2, 7, 8, 1, 0, 0, 8):  # in order, jumping ahead, back, and twice
            assert same(batches.batch(step), wanted[step])
    with make(dataset, sampler=RandomWindow(), seed=2) as other:
        assert not same(other.batch(0), wanted[0])


@pytest.mark.parametrize("next_step", [1, 9])
def test_a_batch_stays_as_it_is_until_the_second_call_after_it(dataset: FeatureStore, next_step: int) -> None:
    with make(dataset, sampler=RandomWindow()) as batches:
        batches.batch(0)
        first = batches.batch(0)  # another step than the prefetched one
        kept = copy(first)
        second = batches.batch(next_step)
        kept_second = copy(second)
        assert batches._next is not None
        batches._next[1].result()  # what was prefetched is written by now
        assert same(first, kept) and same(second, kept_second)


def test_epoch_length(dataset: FeatureStore, tmp_path: Path) -> None:
    with make(dataset, batch=3) as batches:
        assert len(batches) == 2
    five = FeatureStore(root=str(write_tiny_store(tmp_path / "five", crops={"rgb": 5})))
    with make(five, batch=32) as batches:
        assert len(batches) == 1
    with make(five, batch=4, crops="first") as batches:
        assert len(batches) == 2


def test_every_crop_is_a_bag(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, crops={"rgb": 3})))
    with make(dataset, batch=24, sampler=SegmentMean(length=4)) as batches:
        bags, batch = batches.rows(0), batches.batch(0)
    assert {(bag.video.name, bag.crops) for bag in bags} == {
        (video.name, (crop,)) for video in dataset.videos("train") for crop in range(3)
    }
    row = next(i for i, bag in enumerate(bags) if bag.crops == (2,))
    wanted = SegmentMean(length=4).sample({"rgb": dataset.read(bags[row].video, "rgb")[2]}, np.random.default_rng())[0]
    np.testing.assert_array_equal(batch["rgb"][row].numpy(), wanted["rgb"])


def test_all_crops_are_one_bag_and_lie_side_by_side(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, crops={"rgb": 3})))
    with make(dataset, crops="all", sampler=RandomWindow()) as batches:
        bags, batch = batches.rows(1), batches.batch(1)
    assert batch["crops"] == 3 and batch["rgb"].shape == (24, 4, 16) and batch["labels"].shape == (8,)
    clip = batch["clip"].view(8, 3, 4, 8)  # its one crop is repeated, and all are sampled alike
    assert torch.equal(clip[:, 0], clip[:, 1]) and torch.equal(clip[:, 0], clip[:, 2])
    assert not torch.equal(batch["rgb"].view(8, 3, 4, 16)[:, 0], batch["rgb"].view(8, 3, 4, 16)[:, 1])
    assert bags[0].crops == (0, 1, 2)


# Long enough that the longest bag, to which a batch is cut, is on one rank only.
@pytest.mark.parametrize("sampler", [UniformPad(length=60, fill="ramp"), RandomWindow()])
@pytest.mark.parametrize("crops", ["each", "all"])
def test_the_ranks_together_have_the_batch_of_one_process(tmp_path: Path, sampler: Sampler, crops: str) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, crops={"rgb": 2})))
    with make(dataset, sampler=sampler, crops=crops) as alone:
        whole = copy(alone.batch(3))
        lengths = whole["mask"].sum(1).view(2, 2, -1).amax((0, 2))  # by label, rank, rest
    assert isinstance(sampler, RandomWindow) or lengths[0] != lengths[1]
    parts = []
    for rank in range(2):
        with make(dataset, sampler=sampler, crops=crops, rank=rank, world_size=2) as batches:
            parts.append(copy(batches.batch(3)))
    for key in [*DIMS, "mask", "labels", "classes"]:
        halves = [part[key].chunk(2) for part in parts]  # normal bags in front, on every rank
        assert torch.equal(torch.cat([h[0] for h in halves] + [h[1] for h in halves]), whole[key]), key


def test_streams_cut_to_the_shortest_before_they_are_sampled(store: Path, dataset: FeatureStore) -> None:
    name = replace(store, "rgb", 1, lambda x: np.concatenate([x, x[-1:]]))  # one row more than the others
    seen: dict[str, set[tuple[int, ...]]] = {"first": set(), "shortest": set()}

    class Counting(UniformPad):
        def sample_into(self, streams: Any, rng: Any, out: Any) -> int:
            seen[align].add(tuple(map(len, streams.values())))
            return super().sample_into(streams, rng, out)

    for align in seen:
        with make(FeatureStore(root=str(store)), sampler=Counting(length=8), align=align, workers=0) as batches:
            for step in range(len(batches)):
                batches.batch(step)
    assert any(max(lengths) == min(lengths) + 1 for lengths in seen["first"]), name
    assert all(max(lengths) == min(lengths) for lengths in seen["shortest"])


@pytest.mark.parametrize("paired", [True, False])
def test_listed_batches_have_the_order_of_the_store(dataset: FeatureStore, paired: bool) -> None:
    videos = dataset.videos("train")
    with make(dataset, paired=paired, listed=True, crops="first") as batches:
        for step in (0, len(batches)):
            rows = [bag.video for bag in batches.rows(step)]
            wanted = [[v for v in videos if v.label == label][:4] for label in (0, 1)]
            assert rows == ([*wanted[0], *wanted[1]] if paired else videos[:4])


def test_the_epoch_of_a_batch_is_that_of_its_number(dataset: FeatureStore) -> None:
    with make(dataset) as batches:
        assert len(batches) > 1
        assert [batches.batch(step)["epoch"] for step in (0, len(batches) - 1, len(batches), 7 * len(batches))] == [
            0,
            0,
            1,
            7,
        ]


def test_unpaired_batches_draw_from_all_videos(dataset: FeatureStore) -> None:
    with make(dataset, paired=False, batch=6) as batches:
        assert len(batches) == 3
        sizes = [len(batches.batch(step)["labels"]) for step in range(4)]
        names = sorted(bag.video.name for step in range(3) for bag in batches.rows(step))
    assert sizes == [6, 6, 4, 6]
    assert names == sorted(video.name for video in dataset.videos("train"))


def test_unpaired_batches_need_no_normal_video(store: Path, edit: Edit) -> None:
    edit(lambda videos: [v for v in videos if v["label"] == 1])
    with make(FeatureStore(root=str(store)), paired=False) as batches:
        assert batches.batch(0)["labels"].tolist() == [1.0] * 4


# -- classes, targets, epochs --------------------------------------------------------------------
ORDER = ["normal", "car accident", "explosion", "riot"]


def test_class_sets_in_the_order_given(store: Path, edit: Edit) -> None:
    edit(lambda videos: [v.update(classes=["riot", "explosion"]) for v in videos if v["label"] == 1][:0] or None)
    with make(FeatureStore(root=str(store)), classes=ORDER) as batches:
        batch = batches.batch(0)
    assert batch["class_set"].tolist() == [[1, 0, 0, 0]] * 4 + [[0, 0, 1, 1]] * 4
    assert batch["classes"].tolist() == [0] * 4 + [3] * 4
    with make(FeatureStore(root=str(store))) as batches:
        assert "class_set" not in batches.batch(0)


def test_prompts_are_in_the_order_given(dataset: FeatureStore, tmp_path: Path) -> None:
    rows = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.save(tmp_path / "prompts.npy", rows)
    with make(dataset, classes=ORDER, prompts=tmp_path / "prompts.npy") as batches:
        batch, bags = batches.batch(0), batches.rows(0)
    for prompt, bag in zip(batch["prompts"].numpy(), bags):
        name = bag.video.classes[0] if bag.video.classes else "normal"
        np.testing.assert_array_equal(prompt, rows[[0, ORDER.index(name)]])


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["normal", "riott", "explosion"], "unknown class 'riott' in data.classes"),
        (
            ["riot", "normal", "explosion", "car accident"],
            "begins with 'riot', but the normal class of the data set is",
        ),
        (["normal", "riot"], "data.classes lacks '(explosion|car accident)', a class of video"),
    ],
)
def test_wrong_orders(dataset: FeatureStore, classes: list[str], message: str) -> None:
    with pytest.raises(VadkitError, match=message):
        make(dataset, classes=classes)


def test_an_abnormal_video_without_a_class(store: Path, edit: Edit) -> None:
    edit(lambda videos: [v.update(classes=[]) for v in videos if v["label"] == 1][:0] or None)
    with pytest.raises(VadkitError, match="is abnormal but has no class, so it is in no column of data.classes"):
        make(FeatureStore(root=str(store)), classes=ORDER)


def test_targets_come_with_the_rows_that_are_taken(dataset: FeatureStore) -> None:
    """The number of a row is its target, so that it shows where each row went."""

    def targets(video: Any) -> np.ndarray:
        rows = np.arange(1, video.num_frames // 16 + 1, dtype=np.float32)
        return np.stack([rows, np.ones_like(rows)], 1)

    for sampler in (
        UniformPad(length=LENGTH, fill="ramp"),
        UniformPad(length=LENGTH, cut=False),
        SegmentMean(length=5),
    ):
        with make(dataset, sampler=sampler, targets=targets) as batches:
            batch = copy(batches.batch(3))
            bags = batches.rows(3)
        assert batch["targets"].shape == batch["target_weight"].shape == batch["mask"].shape
        assert torch.equal(batch["target_weight"] > 0, batch["mask"])
        for row, bag in zip(batch["targets"].numpy(), bags):
            wanted, length = sampler.sample({"x": targets(bag.video)}, np.random.default_rng(0))
            np.testing.assert_array_equal(row, wanted["x"][: len(row), 0])


def test_targets_do_not_depend_on_threads_or_ranks(dataset: FeatureStore) -> None:
    def targets(video: Any) -> np.ndarray:
        return np.full((video.num_frames // 16, 2), len(video.name) + 1, np.float32)

    with make(dataset, targets=targets, workers=0) as whole, make(dataset, targets=targets, workers=3) as threads:
        assert same(copy(whole.batch(2)), copy(threads.batch(2)))
        ranks = [make(dataset, targets=targets, rank=rank, world_size=2) for rank in (0, 1)]
        parts = [copy(part.batch(2)) for part in ranks]
        joined = torch.cat([p["targets"][i * 2 : i * 2 + 2] for i in (0, 1) for p in parts])
        assert torch.equal(joined, whole.batch(2)["targets"])
        for part in ranks:
            part.close()


@pytest.mark.parametrize("accumulate", [1, 2, 3, 50])
def test_epochs_are_those_of_the_run(dataset: FeatureStore, accumulate: int) -> None:
    """As the loop counts: an update takes ``accumulate`` batches, and an epoch has whole updates."""
    with make(dataset, batch=2, accumulate=accumulate) as batches:
        per_epoch = max(1, len(batches) // accumulate)
        for update in (0, 1, 2, 5, 11):
            for step in range(update * accumulate, (update + 1) * accumulate):
                assert batches.epoch(step) == update // per_epoch
        assert batches.batch(7)["epoch"] == batches.epoch(7)


# -- prompts -------------------------------------------------------------------------------------
def test_prompts_are_the_rows_normal_and_own_class(dataset: FeatureStore, tmp_path: Path) -> None:
    rows = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.save(tmp_path / "prompts.npy", rows)
    with make(dataset, prompts=tmp_path / "prompts.npy") as batches:
        batch = batches.batch(0)
    assert batch["prompts"].shape == (8, 2, 5)
    for prompt, index in zip(batch["prompts"].numpy(), batch["classes"].tolist()):
        np.testing.assert_array_equal(prompt, rows[[0, index]])


@pytest.mark.parametrize(("several", "wanted"), [("first", [10, 11]), ("mean", [8, 9])])
def test_a_video_of_several_classes(store: Path, edit: Edit, tmp_path: Path, several: Any, wanted: list[int]) -> None:
    edit(lambda videos: [v.update(classes=["car accident", "riot"][::-1]) for v in videos[:8]] and None)
    np.save(tmp_path / "p.npy", np.array([[0, 0], [4, 5], [10, 11], [6, 7]], np.float32))
    with make(FeatureStore(root=str(store)), prompts=tmp_path / "p.npy", several=several) as batches:
        assert batches.batch(0)["prompts"][-1, 1].tolist() == wanted


def test_prompts_of_another_number_of_classes(dataset: FeatureStore, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.zeros((7, 5), np.float32))
    with pytest.raises(VadkitError, match=r"has 7 class vectors, but the data set has 4 classes \(normal, explosion"):
        make(dataset, prompts=tmp_path / "p.npy")


def test_a_video_without_a_class_has_no_prompt(store: Path, edit: Edit, tmp_path: Path) -> None:
    edit(lambda videos: videos[2].update(classes=[]))
    np.save(tmp_path / "p.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(VadkitError, match="'v=ab2_Q-x__#2_label_B6-0-0_train2' is abnormal but has no class"):
        make(FeatureStore(root=str(store)), prompts=tmp_path / "p.npy")


# -- what is refused -----------------------------------------------------------------------------
def problems(dataset: Any, **changes: Any) -> str:
    with pytest.raises(VadkitError) as caught:
        with make(dataset, **changes) as batches:
            for step in range(len(batches)):
                batches.batch(step)
    return str(caught.value)


def replace(store: Path, stream: str, number: int, change: Callable[[np.ndarray], np.ndarray]) -> str:
    """Change the features of a training video; return its name."""
    name = FeatureStore(root=str(store)).videos("train")[number].name
    path = store / stream / f"{name}.npy"
    np.save(path, change(np.load(path)))
    return name


@pytest.mark.parametrize("workers", [0, 3])
def test_nan_is_reported_with_stream_video_and_row(store: Path, dataset: FeatureStore, workers: int) -> None:
    def spoil(x: np.ndarray) -> np.ndarray:
        x[3, 2] = np.nan
        return x

    name = replace(store, "clip", 1, spoil)
    message = problems(dataset, workers=workers, batch=8)
    assert message.startswith(f"stream 'clip' of video '{name}': NaN in snippet row 3")


@pytest.mark.parametrize("number", [0, 6])  # 9 snippets, 1 snippet
def test_snippet_counts_may_differ_by_two(store: Path, dataset: FeatureStore, number: int) -> None:
    replace(store, "audio", number, lambda x: np.concatenate([x, x[:1], x[:1]]))
    with make(dataset, batch=8) as batches:
        assert batches.batch(0)["audio"].shape == (16, LENGTH, 4)


def test_snippet_counts_that_differ_by_more_are_reported(store: Path, dataset: FeatureStore) -> None:
    name = replace(store, "audio", 0, lambda x: np.concatenate([x, x[:3]]))
    message = problems(dataset)
    assert f"video '{name}': stream 'audio' has 12 snippets, but 'rgb' has 9; up to 2 more or fewer" in message
    name = replace(store, "clip", 2, lambda x: x[:-5])
    message = problems(dataset)
    assert f"video '{name}': stream 'clip' has 35 snippets, but 'rgb' has 40; up to 4" in message


def test_crops_that_do_not_match_are_reported(store: Path, dataset: FeatureStore) -> None:
    name = replace(store, "rgb", 0, lambda x: np.stack([x] * 5))
    replace(store, "flow", 0, lambda x: np.stack([x] * 2))
    assert f"video '{name}': stream 'flow' has 2 crops, but 'rgb' has 5" in problems(dataset)


def test_bags_of_all_crops_need_the_same_number(store: Path, dataset: FeatureStore) -> None:
    name = replace(store, "rgb", 3, lambda x: np.stack([x] * 5))
    assert f"video '{name}' has 5 crops, but" in problems(dataset, crops="all")


def test_widths_are_compared_with_the_graphs_and_reported_once(dataset: FeatureStore) -> None:
    message = problems(dataset, sizes={**DIMS, "rgb": 2560, "clip": 512})
    assert message.count("input 'rgb' of the graph is 2560 wide, but its features are 16 wide") == 1
    assert message.count("input 'clip' of the graph is 512 wide, but its features are 8 wide") == 1


def test_all_unreadable_files_are_reported_at_once(store: Path, dataset: FeatureStore) -> None:
    first, second = (dataset.videos("train")[i].name for i in (0, 9))
    (store / "rgb" / f"{first}.npy").write_bytes(b"")
    (store / "flow" / f"{second}.npy").write_bytes(b"\x80\x04")
    message = problems(dataset)
    assert f"{first}.npy: is empty (0 bytes)" in message and f"{second}.npy: is not a .npy file" in message


def test_an_empty_split(dataset: FeatureStore) -> None:
    assert "the data set has no video in split 'val'" in problems(dataset, split="val")


@pytest.mark.parametrize(("label", "word"), [(0, "normal"), (1, "abnormal")])
def test_paired_batches_need_both_labels(store: Path, edit: Edit, label: int, word: str) -> None:
    edit(lambda videos: [v for v in videos if v["label"] != label])
    assert f"split 'train' has no {word} video, and paired batches need both kinds" in problems(
        FeatureStore(root=str(store))
    )


def test_a_batch_that_cannot_be_shared(dataset: FeatureStore) -> None:
    assert "a batch of 4 bags cannot be shared by 3 processes" in problems(dataset, world_size=3)
    message = problems(dataset, paired=False, batch=5, world_size=5)
    assert "the last batch of an epoch has 1 of 16 bags, too few for 5 processes" in message


def test_a_sampler_that_does_not_keep_its_length(dataset: FeatureStore) -> None:
    class Whole(Sampler):
        name = "whole"

        def sample(self, streams: Any, rng: Any) -> Any:
            return streams, len(streams["rgb"])

    assert "the sampler returned stream 'rgb' of video" in problems(dataset, sampler=Whole())


def test_lengths_of_the_store_are_what_these_tests_assume() -> None:
    assert LENGTHS[0] == 9 and LENGTHS[2] == 40 and LENGTHS[6] == 1


@pytest.mark.guards("2.1")
def test_videos_of_unknown_label_are_in_no_batch(store: Path, edit: Edit, dataset: FeatureStore) -> None:
    names = {v.name for v in dataset.videos("train") if v.label == 0}
    names = set(sorted(names)[:3])
    edit(lambda videos: [v | ({"label": None} if v["name"] in names else {}) for v in videos])
    for paired in (True, False):
        with make(FeatureStore(root=str(store)), paired=paired) as batches:
            assert {bag.video.label for bag in batches.bags} == {0, 1}
            assert not names & {bag.video.name for bag in batches.bags}


@pytest.mark.guards("2.1")
def test_a_split_of_unknown_labels_alone_is_refused(store: Path, edit: Edit) -> None:
    edit(lambda videos: [{**v, "label": None, "classes": [], "spans": []} for v in videos])
    with pytest.raises(VadkitError, match="none of the 16 videos of split 'train' has a known label"):
        make(FeatureStore(root=str(store)), paired=False)
