"""``vadkit distill``: a student follows scores and features of a teacher, and is a model of its own afterwards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny_runs import tiny_config, tiny_run
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.distill.run import size_of
from vadkit.graph.model_file import read_header, save
from vadkit.problems import VadkitError

STUDENT: dict[str, Any] = {
    "inputs": {"audio": "b t 4"},
    "nodes": {
        "narrow": {"use": "dense", "in": "audio", "args": {"dim": 3}},
        "score": {"use": "causal_conv", "in": "narrow", "args": {"kernel": 1}},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"batch": 4, "sampler": {"use": "uniform_pad", "args": {"length": 16}}},
    "train": {"steps": 30, "epochs": None, "optimizer": {"lr": 0.05}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("distill")
    store = root / "store"
    teacher = tiny_run(root / "teacher", store, "train.steps=20")
    student = root / "student.yaml"
    student.write_text(yaml.safe_dump(STUDENT, sort_keys=False))
    found = vadkit.distill(teacher, student=student, data=store, out=root / "out", device="cpu", seed=3)
    return SimpleNamespace(root=root, store=store, teacher=teacher, student=student, out=root / "out", found=found)


def test_the_student_is_a_model_of_its_own(made: SimpleNamespace) -> None:
    model = vadkit.load(made.out)
    assert made.found.model_path == made.out / "model.safetensors"
    assert model.input_sizes == model.training_sizes == {"audio": 4}
    assert set(model.spec["nodes"]) == {"narrow", "score"} and set(model.spec["losses"]) == {"mil"}
    assert model.spec["data"]["args"]["root"] == str(made.store) and model.spec["data"]["targets"] is None
    assert list(model.spec) == list(vadkit.build(made.student).spec)
    figures = vadkit.evaluate(made.out, device="cpu").figures  # on the store as it is, without the teacher
    assert figures["ap"] == made.found.training.figures["ap"]


def test_targets_are_the_scores_of_the_teacher(made: SimpleNamespace) -> None:
    targets = read_targets(made.out / "teacher" / "targets.safetensors")
    dataset = vadkit.evaluate(made.teacher, split="train", device="cpu", set="eval.post=[]")
    assert sorted(targets.rows) == sorted(dataset.scores) and len(targets.rows) == 16
    for name, scores in dataset.scores.items():
        np.testing.assert_allclose(targets.rows[name][:, 0], scores, atol=1e-6)
        assert (targets.rows[name][:, 1] == 1).all()


def test_features_are_what_the_head_of_the_teacher_takes(made: SimpleNamespace) -> None:
    assert made.found.features == ("context.x", "narrow.x")
    name = next(iter(read_targets(made.out / "teacher" / "targets.safetensors").rows))
    kept = np.load(made.out / "teacher" / "teacher_features" / f"{name}.npy")
    np.testing.assert_array_equal(kept, np.load(made.store / "rgb" / f"{name}.npy"))  # the context is an identity
    assert main(["store", "check", str(made.out / "teacher")]) == 0


def test_the_file_says_whom_it_learned_from(made: SimpleNamespace) -> None:
    extra = read_header(made.out / "model.safetensors")["extra"]
    assert extra["distilled"]["teacher"] == "model.safetensors" and extra["distilled"]["features"] == [
        "context.x",
        "narrow.x",
    ]
    assert extra["seed"] == 3 and set(extra["recipes"]) == {"audio"}


def test_sizes_count_what_scores_need(made: SimpleNamespace) -> None:
    assert made.found.student == size_of(vadkit.load(made.out))
    assert made.found.student.parameters == 4 * 3 + 3 + 3 + 1
    assert made.found.teacher.parameters == 16 + 1
    assert made.found.student.flops == 2 * (4 * 3 + 3 + 1)  # the head multiplies its bias by 1


def test_a_student_is_nearer_to_its_teacher_than_one_that_was_trained_alone(made: SimpleNamespace) -> None:
    alone = vadkit.train(
        str(made.student), out=made.root / "alone", set=f"data.args.root={made.store}", device="cpu", seed=3
    )
    wanted = vadkit.evaluate(made.teacher, device="cpu", split="train").scores

    def apart(path: Path | None) -> float:
        own = vadkit.evaluate(path or "", device="cpu", split="train").scores
        return float(np.mean([np.abs(own[name] - wanted[name]).mean() for name in wanted]))

    assert apart(made.found.model_path) < 0.8 * apart(alone.model_path)


def test_it_resumes_and_gives_the_same_bytes(made: SimpleNamespace) -> None:
    before = (made.out / "model.safetensors").read_bytes()
    arguments = {"student": made.student, "data": made.store, "out": made.out, "device": "cpu", "seed": 3}
    with pytest.raises(VadkitError, match="already holds a model"):
        vadkit.distill(made.teacher, **arguments)
    vadkit.distill(made.teacher, **arguments, resume=True)
    assert (made.out / "model.safetensors").read_bytes() == before


def test_another_teacher_is_refused_in_the_same_folder(made: SimpleNamespace) -> None:
    other = tiny_run(made.root / "other", made.store, seed=9)
    with pytest.raises(VadkitError, match=r"was written from other inputs: teacher differs"):
        vadkit.distill(other, student=made.student, data=made.store, out=made.out, device="cpu", seed=3, resume=True)


def test_scores_alone_need_no_second_store(made: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    out = made.root / "scores_alone"
    command = ["distill", str(made.teacher), "--student", str(made.student), "--data", str(made.store)]
    command += ["--out", str(out), "--no-features", "--device", "cpu", "--set", "train.steps=3"]
    command += ["--set", "losses.distill_scores.weight=0.5"]
    assert main(command) == 0
    assert sorted(path.name for path in (out / "teacher").iterdir()) == [".written-by-vadkit", "targets.safetensors"]
    losses = read_header(out / "training" / "model.safetensors")["spec"]["losses"]
    assert set(losses) == {"mil", "distill_scores"} and losses["distill_scores"]["weight"] == 0.5
    shown = capsys.readouterr().out
    assert "operations per snippet" in shown and f"wrote {out / 'model.safetensors'}" in shown


def test_a_student_that_takes_targets_keeps_its_losses(made: SimpleNamespace, tmp_path: Path) -> None:
    own = {**STUDENT, "losses": {"follow": {"use": "target_loss", "in": {"scores": "score", "targets": "targets"}}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own, sort_keys=False))
    found = vadkit.distill(
        made.teacher,
        student=tmp_path / "own.yaml",
        data=made.store,
        out=tmp_path / "out",
        set="train.steps=3",
        features=False,
        device="cpu",
    )
    assert set(found.training.model.spec["losses"]) == {"follow"}


@pytest.mark.parametrize(
    "features, message",
    (
        (("contxt", "narrow"), "unknown value 'contxt' in the graph of the teacher"),
        (("context", "score"), "'score' of the student is of shape b t; features are b t WIDTH"),
    ),
)
def test_wrong_nodes_are_named(made: SimpleNamespace, tmp_path: Path, features: tuple[str, str], message: str) -> None:
    with pytest.raises(VadkitError, match=message):
        vadkit.distill(
            made.teacher, student=made.student, data=made.store, out=tmp_path / "out", features=features, device="cpu"
        )
    assert not (tmp_path / "out").exists()


def test_a_teacher_whose_scores_are_no_probabilities_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    config = {**tiny_config(made.store), "losses": {}}
    config["nodes"] = {"score": {"use": "batch_norm_head", "in": "rgb", "args": {"ratios": [2, 4]}}}
    model = vadkit.build(config)
    with pytest.raises(VadkitError, match="a student learns from probabilities"):
        vadkit.distill(
            save(model, tmp_path / "m.safetensors", {}), student=made.student, data=made.store, out=tmp_path / "out"
        )


def test_features_of_several_crops_and_packed_stores(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "store", crops={"rgb": 3})
    teacher = tiny_run(tmp_path / "teacher", store)
    (tmp_path / "student.yaml").write_text(yaml.safe_dump(STUDENT, sort_keys=False))
    assert main(["store", "pack", str(store)]) == 0
    vadkit.distill(
        teacher,
        student=tmp_path / "student.yaml",
        data=store,
        out=tmp_path / "out",
        set="train.steps=3",
        device="cpu",
    )
    (first, *_) = sorted((tmp_path / "out" / "teacher" / "teacher_features").glob("*.npy"))
    assert np.load(first).shape[0] == 3 and np.load(first).shape[2] == 16
    assert torch.isfinite(next(iter(vadkit.load(tmp_path / "out").parameters()))).all()
