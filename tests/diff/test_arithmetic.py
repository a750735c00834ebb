"""Stores of other devices and precisions: named as the cause, with the difference that is to be expected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadkit.cli import main
from vadkit.diff.arithmetic import arithmetic_of
from vadkit.diff.cause import Cause
from vadkit.diff.compare import compare
from vadkit.kinds import Backbone

Make = Callable[..., Path]
EXACT = {"precision": "fp32"}
GPU = {"precision": "fp32", "device": "cuda"}
TF32 = {"precision": "tf32", "device": "cuda"}
TIMED = {**TF32, "algorithms": "timed"}
BF16 = {"precision": "bf16"}


@pytest.fixture(scope="module")
def base(make: Make, backbone: Callable[..., Backbone]) -> Path:
    return make(rgb=backbone("probe_rgb", crops="five"))


def computed(store: Path, out: Path, recipe: dict[str, str], error: float, stream: str = "rgb", **more: Any) -> Path:
    """Return a store as another device or precision would give it: rows off by a part of their length."""
    shutil.copytree(store, out)
    head = json.loads((out / "store.json").read_text())
    entry = head["streams"].pop("rgb")
    entry["recipe"] = {**entry["recipe"], **recipe, **more}
    (out / "store.json").write_text(json.dumps({**head, "streams": {stream: entry}}))
    (out / "rgb").rename(out / stream)
    manifest = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(manifest.replace('"rgb":', f'"{stream}":'))
    draws = np.random.default_rng(len(out.name))
    for path in (out / stream).glob("*.npy"):
        x = np.load(path)
        noise = draws.normal(size=x.shape)
        noise *= error * np.linalg.norm(x, axis=-1, keepdims=True) / np.linalg.norm(noise, axis=-1, keepdims=True)
        np.save(path, (x + noise).astype(np.float32))
    return out


def causes(a: Path, b: Path, stream: str = "rgb") -> list[Cause]:
    (found,) = compare(a, b, [stream])[0].streams
    assert not {"precision", "device", "algorithms"} & {*found.other_fields}
    return found.causes


@pytest.mark.parametrize(
    ("a", "b", "error", "says"),
    [
        (EXACT, GPU, 1e-6, "fp32 on a CPU in A, fp32 on a GPU in B"),
        (EXACT, TF32, 3e-4, "tf32 on a GPU in B; rows differ by 0.0003 of their length, about 0.001 at most"),
        (EXACT, BF16, 2.2e-3, "fp32 on a CPU in A, bf16 on a CPU in B"),
        (TF32, TIMED, 2e-4, "tf32 on a GPU in A, tf32 on a GPU, algorithms by timing in B"),
        (TIMED, TIMED, 2e-4, "algorithms by timing in A"),
    ],
)
def test_the_device_and_precision_are_the_cause(
    base: Path, tmp_path: Path, a: Any, b: Any, error: float, says: str
) -> None:
    one, two = computed(base, tmp_path / "a", a, 0), computed(base, tmp_path / "b", b, error)
    cause, *others = causes(one, two)
    assert [other.name for other in others] == (["arithmetic"] if error < 1e-5 else [])
    assert (cause.name, cause.certainty, cause.field) == ("computed", "certain", "precision")
    assert says in cause.text and "not measured" in cause.text or "measured on" in cause.text


def test_a_difference_that_is_too_large_has_another_cause(base: Path, tmp_path: Path) -> None:
    one, two = computed(base, tmp_path / "a", EXACT, 0), computed(base, tmp_path / "b", GPU, 1e-3)
    first, *others = causes(one, two)
    assert (first.name, first.certainty) == ("computed", "likely") and first.text.endswith("more than that explains")
    assert others


def test_flow_of_another_device_is_not_measured(base: Path, tmp_path: Path) -> None:
    one, two = (
        computed(base, tmp_path / name, recipe, error, "flow", flow="tvl1")
        for name, recipe, error in (("a", EXACT, 0), ("b", GPU, 0.05))
    )
    first = causes(one, two, "flow")[0]
    assert first.name == "computed" and first.certainty == "likely"
    assert "what is expected of flow on another device is not measured" in first.text


def test_another_field_is_blamed_as_well(base: Path, tmp_path: Path) -> None:
    one = computed(base, tmp_path / "a", EXACT, 0)
    two = computed(base, tmp_path / "b", BF16, 2e-3, normalise="x / 128 - 1")
    found = {cause.name: cause.certainty for cause in causes(one, two)}
    assert found["computed"] == "likely" and "normalise" in found


def test_equal_recipes_and_those_without_a_precision_say_nothing() -> None:
    assert arithmetic_of(EXACT, EXACT, False) is None and arithmetic_of({}, EXACT, False) is None
    assert arithmetic_of({"backbone": "logmel_stats"}, EXACT, False) is None
    assert arithmetic_of(TIMED, TIMED, False) is not None


def test_the_command_says_so(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = computed(base, tmp_path / "a", EXACT, 0), computed(base, tmp_path / "b", TF32, 3e-4)
    assert main(["store", "diff", str(one), str(two)]) == 1
    assert "precision and device: fp32 on a CPU in A, tf32 on a GPU in B" in capsys.readouterr().out
