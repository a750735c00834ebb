"""scores.safetensors of a run: every figure can be computed from it, and nothing else is taken for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from tiny_runs import tiny_run

from vadkit.bench.comparison import scores
from vadkit.bench.comparison.scores import SCORES, of_run, read
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("3")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    tiny_run(folder / "run", folder / "store")
    scores.save(folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def test_the_figures_of_the_file_are_those_of_the_run(run: Path) -> None:
    stated = json.loads((run / "result.json").read_text())["figures"]
    assert read(run).figures == stated
    assert stated["per_class"] and stated["videos"] == 8


def test_the_same_scores_give_the_same_bytes(run: Path) -> None:
    before = (run / SCORES).read_bytes()
    (run / SCORES).unlink()
    of_run(run)
    assert (run / SCORES).read_bytes() == before


def test_scores_of_other_weights_are_computed_again(trained: Path, run: Path, tmp_path: Path) -> None:
    other = tiny_run(tmp_path / "other", trained / "store", seed=1)
    stated = json.loads((other / "result.json").read_text())["figures"]
    shutil.copy(run / SCORES, other / SCORES)  # as if the run had been trained again
    assert of_run(other).figures == stated
    assert read(other).figures == stated


def test_data_elsewhere_is_found_by_its_folder(trained: Path, run: Path, tmp_path: Path) -> None:
    (run / SCORES).unlink()
    model = scores.model_file.load(run / "model.safetensors")
    model.spec["data"]["args"]["root"] = str(tmp_path / "gone")
    header = scores.model_file.read_header(run / "model.safetensors")
    scores.model_file.save(model, run / "model.safetensors", header["extra"])
    with pytest.raises(VadkitError, match="gone"):
        of_run(run)
    assert of_run(run, root=str(trained / "store")).figures["videos"] == 8


def test_other_figures_than_the_run_reports_are_refused(run: Path) -> None:
    (run / SCORES).unlink()
    result = json.loads((run / "result.json").read_text())
    result["figures"]["ap"] += 0.01
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(VadkitError, match="gives ap 0.*, but result.json says 0") as error:
        of_run(run)
    assert "train it again" in str(error.value)
    assert not (run / SCORES).exists()


def test_videos_without_truth_or_label_are_kept(tmp_path: Path) -> None:
    known = scores.VideoScores("a", 1, ("fire",), 24.0, np.array([0.1, 0.7]), np.array([0, 3]), np.array([4, 4]))
    calm = scores.VideoScores("c", 0, (), 24.0, np.array([0.3]), np.array([0]), np.array([4]))
    unknown = scores.VideoScores("b", 1, (), None, np.array([0.2]), None, np.array([4]))
    unlabelled = scores.VideoScores("d", None, (), None, np.array([0.9]), None, np.array([4]))
    before = scores.RunScores((known, unknown, calm, unlabelled), None)
    scores.write(tmp_path / SCORES, before)
    after = read(tmp_path)
    assert [video.name for video in after.videos] == ["a", "b", "c", "d"]
    assert after.videos[1].positives is None and after.videos[0].classes == ("fire",)
    assert after.figures == before.figures and after.figures["unlabelled_videos"] == 1


def _changed(data: bytes, header: dict[str, object] | None = None, **tensors: np.ndarray) -> bytes:
    length = int.from_bytes(data[:8], "little")
    plain = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["vadkit_scores"])
    return save(load(data) | tensors, {"vadkit_scores": json.dumps(plain | (header or {}))})


@pytest.mark.guards("D17", "5.7")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"", "is damaged"),
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda data: b"\x80" + data, "is damaged"),
        (lambda data: save({"scores": np.zeros(3)}), "holds no scores of a run"),
        (lambda data: _changed(data, {"format": 2}), "is of format 2"),
        (lambda data: _changed(data, {"videos": []}), "it lists no video"),
        (lambda data: _changed(data, {"threshold": "x"}), "threshold must be a number"),
        (lambda data: _changed(data, scores=np.zeros(3, np.float32)), "'scores' must have one number"),
        (lambda data: _changed(data, scores=np.full(len(load(data)["scores"]), np.nan)), "is nan"),
        (lambda data: _changed(data, positives=load(data)["positives"] - 9), "fewer than 0"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_with_what_to_do(run: Path, spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    (run / SCORES).write_bytes(spoil((run / SCORES).read_bytes()))
    with pytest.raises(VadkitError) as error:
        read(run)
    assert words in str(error.value) and str(run / SCORES) in str(error.value)
