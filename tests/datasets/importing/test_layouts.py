"""Each layout in which people have published features is read as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import SHANGHAI, UCF, XD, Opened, numbers, save, snippets, some
from vadkit_feature_store import FeatureStore

Run = Callable[..., dict[str, Any]]
Open = Callable[[], Opened]


def write_xd(root: Path) -> None:
    """XDVioDet and all who build on it: a file per crop, RGB one snippet longer, one file of sound per video."""
    for video in some("xd_violence", XD):
        t = snippets(video)
        test = "Test" if video.split == "test" else ""
        for crop in range(5):
            for stream, longer in (("RGB", 1), ("Flow", 0)):
                name = f"{video.name}__{crop}.npy"
                save(root / "i3d-features" / f"{stream}{test}" / name, numbers(stream + name, t + longer, 8))
        sound = f"{video.name}__vggish.npy"
        save(root / "vggish-features" / video.split / sound, numbers(sound, t, 4))


def test_xd_violence_with_crops_flow_and_sound(root: Path, run: Run, opened: Open) -> None:
    write_xd(root)
    said = run("xd_violence")
    rows = {(r["split"], r["stream"]): (r["videos"], r["files"], r["crops"], r["width"]) for r in said["found"]}
    assert rows["train", "rgb"] == rows["test", "flow"] == (2, 10, [5], 8)
    assert rows["train", "audio"] == (2, 2, [1], 4)
    assert len(said["absent"]["train"]) == 3952 and len(said["absent"]["test"]) == 798
    store = opened()
    assert list(store.store.dims) == ["rgb", "flow", "audio"]
    assert store.store.data_set == "xd_violence" and store.store.classes[0] == "normal"
    for name in XD:
        sound = np.load(next(root.rglob(f"{name}__vggish.npy")))
        rgb = store.read(name, "rgb")
        assert rgb.shape == (5, len(sound) + 1, 8) and store.read(name, "flow").shape == (5, len(sound), 8)
        np.testing.assert_array_equal(store.read(name, "audio")[0], sound)
        np.testing.assert_array_equal(rgb[3], numbers(f"RGB{name}__3.npy", len(sound) + 1, 8))


def test_labels_classes_and_intervals_come_from_the_annotation(root: Path, run: Run, opened: Open) -> None:
    write_xd(root)
    run("xd_violence")
    videos = opened().videos
    assert [videos[name].label for name in XD] == [1, 0, 1, 0]
    assert videos[XD[0]].classes == ("shooting",) and videos[XD[0]].spans == ()  # training never sees intervals
    assert videos[XD[2]].spans[0] == (142, 296) and videos[XD[2]].split == "test"


def test_training_and_evaluation_read_the_index(root: Path, out: Path, run: Run) -> None:
    write_xd(root)
    run("xd_violence")
    dataset = FeatureStore(root=str(out), streams={"video": "rgb", "sound": "audio"})
    (abnormal, normal) = dataset.videos("test")
    assert dataset.class_index(normal) == 0 and dataset.classes[dataset.class_index(abnormal)] == "car accident"
    assert dataset.shape(normal, "video")[0] == 5 and dataset.read_crop(normal, "sound", 4).shape[1] == 4


@pytest.mark.parametrize("first_crop", ["", "__0"], ids=["pel4vad", "ur_dmu"])
def test_ucf_crime_with_a_file_per_crop(root: Path, run: Run, opened: Open, first_crop: str) -> None:
    for video in some("ucf_crime", UCF):
        for crop in range(10):
            suffix = f"__{crop}" if crop else first_crop
            save(root / video.split / f"{video.name}{suffix}.npy", numbers(f"{video.name}{crop}", snippets(video), 8))
    run("ucf_crime")
    store = opened()
    for video in some("ucf_crime", UCF):
        np.testing.assert_array_equal(store.read(video.name, "rgb")[0], numbers(f"{video.name}0", snippets(video), 8))
        assert store.read(video.name, "rgb").shape == (10, snippets(video), 8)


def test_ucf_crime_of_rtfm_with_all_crops_behind_the_snippets(root: Path, run: Run, opened: Open) -> None:
    for video in some("ucf_crime", UCF):
        folder = f"UCF_{video.split.capitalize()}_ten_crop_i3d"
        save(root / folder / f"{video.name}_i3d.npy", numbers(video.name, snippets(video), 10, 8))
    assert run("ucf_crime")["axes"]["rgb"] == dict.fromkeys(("train", "test"), "snippets crops width")
    for video in some("ucf_crime", UCF):
        expected = numbers(video.name, snippets(video), 10, 8).transpose(1, 0, 2)
        np.testing.assert_array_equal(opened().read(video.name, "rgb"), expected)


def test_training_files_of_32_segments_beside_whole_test_files(root: Path, run: Run, opened: Open) -> None:
    for video in some("ucf_crime", (*UCF, "Abuse002_x264")):
        shape = (10, 32, 8) if video.split == "train" else (snippets(video), 10, 8)
        save(root / f"UCF_{video.split}_i3d" / f"{video.name}_i3d.npy", numbers(video.name, *shape))
    said = run("ucf_crime")
    assert said["axes"]["rgb"] == {"train": "crops snippets width", "test": "snippets crops width"}
    assert said["segments"] is None and "every training video has 32 rows" in said["notes"][0]
    store = opened()
    assert store.read("Abuse001_x264", "rgb").shape == (10, 32, 8)
    assert store.read("Abuse028_x264", "rgb").shape == (10, 88, 8)


def test_ucf_crime_of_sultani_as_text(root: Path, run: Run, opened: Open) -> None:
    for video in some("ucf_crime", UCF):
        path = root / (video.classes[0] if video.classes else "Normal") / f"{video.name}_C.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, numbers(video.name, 32, 6), fmt="%f")
    said = run("ucf_crime")
    assert said["segments"] == 32
    store = opened()
    assert store.videos["Abuse028_x264"].segments == 32 and store.store.dims == {"rgb": 6}
    features = store.read("Abuse028_x264", "rgb")
    np.testing.assert_allclose(features[0], numbers("Abuse028_x264", 32, 6), atol=1e-6)


def test_clip_features_of_vadclip_with_one_crop_for_testing(root: Path, run: Run, opened: Open) -> None:
    for video in some("ucf_crime", UCF):
        for crop in range(10) if video.split == "train" else (5,):
            folder = root / "UCFClipFeatures" / (video.classes[0] if video.classes else "Normal")
            save(folder / f"{video.name}__{crop}.npy", numbers(video.name, snippets(video), 16))
    said = run("ucf_crime")
    assert {row["stream"] for row in said["found"]} == {"clip"}
    assert [row["crops"] for row in said["found"]] == [[10], [1]] and not said["notes"]
    assert opened().read("Abuse028_x264", "clip").shape == (1, 88, 16)


def test_shanghaitech_with_single_underscores(root: Path, run: Run, opened: Open) -> None:
    for video in some("shanghaitech", SHANGHAI):
        for crop in range(10):
            save(root / video.split / f"{video.name}_{crop}.npy", numbers(f"{video.name}{crop}", snippets(video), 8))
    run("shanghaitech")
    store = opened()
    assert sorted(store.videos) == sorted(SHANGHAI)
    np.testing.assert_array_equal(store.read("01_001", "rgb")[4], numbers("01_001" + "4", 764 // 16, 8))


def test_names_with_a_stray_mp4(root: Path, run: Run, opened: Open) -> None:
    video = some("xd_violence", XD)[2]
    for crop in range(5):
        save(root / "RGB" / f"{video.name}.mp4__{crop}.npy", numbers(str(crop), snippets(video), 8))
    run("xd_violence")
    assert opened().read(video.name, "rgb").shape[0] == 5


def test_a_width_tells_the_stream_where_no_folder_does(root: Path, run: Run, opened: Open) -> None:
    video = some("xd_violence", XD)[2]
    for folder, width in (("a", 128), ("b", 512), ("c", 1024)):
        save(root / folder / f"{video.name}.npy", numbers(folder, snippets(video), width))
    run("xd_violence")
    assert opened().store.dims == {"rgb": 1024, "clip": 512, "audio": 128}


def test_half_precision_is_read_as_it_is(root: Path, run: Run, opened: Open) -> None:
    video = some("xd_violence", XD)[2]
    save(root / "RGB" / f"{video.name}__0.npy", numbers("half", snippets(video), 8).astype(np.float16))
    run("xd_violence")
    assert opened().read(video.name, "rgb").dtype == np.float16


def test_the_rule_of_intervals(root: Path, run: Run, opened: Open) -> None:
    video = some("ucf_crime", ["Arson010_x264"])[0]
    save(root / f"{video.name}.npy", numbers("x", snippets(video), 8))
    found = {}
    for rule in ("half_open", "closed", "umil"):
        run("ucf_crime", "--intervals", rule, "--replace")
        found[rule] = opened().videos[video.name].spans
        assert opened().store.intervals == rule
    assert [(s, e + 1) for s, e in found["half_open"]] == list(found["closed"])
    assert video.changed is not None and found["umil"] == video.changed != found["half_open"]


def test_an_evaluation_says_by_which_rule_intervals_were_read(root: Path, out: Path, run: Run) -> None:
    from torch import nn

    from vadkit.evaluate.score import evaluate

    class Mean(nn.Module):
        input_sizes = {"rgb": 8}

        def forward(self, rgb: Any, crops: int = 1) -> Any:
            return rgb.mean(-1)

    for video in some("ucf_crime", UCF):
        save(root / f"{video.name}.npy", numbers(video.name, snippets(video), 8))
    run("ucf_crime", "--intervals", "closed")
    result = evaluate(Mean(), FeatureStore(root=str(out)))
    assert result.protocol["truth"].endswith("; the annotated last frame is included (RTFM)")
    assert result.figures["positives"] == 76  # of Abuse028, 165-240 with its last frame


def test_features_of_segments_are_scored_on_their_own_parts(root: Path, out: Path, run: Run) -> None:
    from vadkit.evaluate.truth import snippet_truth

    root.mkdir()
    for video in some("ucf_crime", UCF):
        np.savetxt(root / f"{video.name}_C.txt", numbers(video.name, 32, 6), fmt="%f")
    run("ucf_crime")
    dataset = FeatureStore(root=str(out))
    (abnormal, _) = dataset.videos("test")
    positives, frames = snippet_truth(abnormal, 32, 16)
    assert frames.sum() == abnormal.num_frames == 1412 and positives.sum() == 75


def test_a_wrong_line_of_a_text_file_is_said_with_its_place(root: Path, run: Run) -> None:
    root.mkdir()
    for name in UCF:
        np.savetxt(root / f"{name}_C.txt", numbers(name, 32, 6), fmt="%f")
    path = root / f"{UCF[0]}_C.txt"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:6], rows[6].replace(" ", " oops", 1), *rows[7:]]))
    note = next(note for note in run("ucf_crime")["notes"] if "cannot be used" in note)
    assert note.startswith(f"cannot be used and left out: {UCF[0]}_C.txt:7:") and note.endswith("is no number")
