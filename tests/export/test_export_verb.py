"""``vadkit export``: the file gives the scores of the model, says how to feed it, or is not written."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.export import formats, write
from vadkit.export.int8 import Trial
from vadkit.graph.model_file import save
from vadkit.problems import VadkitError

GRAPH: dict[str, Any] = {
    "about": "two streams, an attention and a convolution",
    "inputs": {"rgb": "b t 16", "audio": "b t 4"},
    "nodes": {
        "joined": {"use": "concat", "in": ["rgb", "audio"]},
        "context": {"use": "tca", "in": "joined", "args": {"hidden": 8}},
        "score": {"use": "causal_conv", "in": "context", "args": {"kernel": 3}},
    },
    "output": "score",
    "eval": {"threshold": 0.4, "post": [{"use": "score_smoothing", "args": {"kappa": 2}}]},
}
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
RECIPE = {"snippet_frames": 16, "fps": 25.0, "tail": "repeat", "weights": "abc", "backbone": "some_network"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return save(vadkit.build(GRAPH), path, {"recipes": {"rgb": RECIPE}, "notice": "made up.", "seed": 3})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_store(tmp_path_factory.mktemp("store"), train=1, test=2)


@pytest.fixture(scope="module")
def onnx_export(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> write.Exported:
    pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    return vadkit.export(trained, out=tmp_path_factory.mktemp("onnx") / "m.onnx")


@pytest.fixture
def exported_before(onnx_export: write.Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a copy of the ONNX file stand for one that is written again, which takes seconds."""

    def copy(program: Any, inputs: list[str], path: Path, about: dict[str, str]) -> None:
        shutil.copy(onnx_export.files[0], path)

    monkeypatch.setattr(formats, "write_onnx", copy)
    monkeypatch.setitem(formats.FORMATS, "onnx", replace(formats.FORMATS["onnx"], write=copy))


def streams(bags: int, snippets: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(snippets)
    return {name: rng.random((bags, snippets, width), np.float32) for name, width in (("rgb", 16), ("audio", 4))}


def scores_of_model(path: Path, given: dict[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(vadkit.load(path)(**given))


def test_a_torch_program_takes_any_number_of_bags_and_snippets(trained: Path, tmp_path: Path) -> None:
    done = vadkit.export(trained, out=tmp_path / "m.pt2")
    assert done.format == "torch" and done.files == (tmp_path / "m.pt2",)
    assert [(each.bags, each.snippets) for each in done.sizes] == [(1, 1), (1, 2), (2, 7), (3, 64), (1, 500)]
    assert done.worst.worst < 1e-6
    about: dict[str, Any] = {"vadkit.json": ""}
    program: Any = torch.export.load(tmp_path / "m.pt2", extra_files=about).module()
    given = streams(4, 33)
    found = program(**{name: torch.from_numpy(x) for name, x in given.items()}).detach().numpy()
    np.testing.assert_allclose(found, scores_of_model(trained, given), atol=1e-6)
    assert json.loads(json.loads(about["vadkit.json"])["output"])["threshold"] == 0.4


def test_an_onnx_file_says_how_it_is_fed_and_what_its_scores_mean(trained: Path, onnx_export: write.Exported) -> None:
    import onnxruntime

    done = onnx_export
    session = onnxruntime.InferenceSession(str(done.files[0]), providers=["CPUExecutionProvider"])
    given = streams(3, 21)
    np.testing.assert_allclose(session.run(["scores"], given)[0], scores_of_model(trained, given), atol=1e-5)
    assert [(x.name, x.shape) for x in session.get_inputs()] == [
        ("rgb", ["bags", "snippets", 16]),
        ("audio", ["bags", "snippets", 4]),
    ]
    stated = session.get_modelmeta().custom_metadata_map
    assert stated["vadkit.vadkit"] == vadkit.__version__
    assert json.loads(stated["vadkit.inputs"]) == {
        "rgb": {"width": 16, "recipe": RECIPE},
        "audio": {"width": 4, "recipe": None},
    }
    assert json.loads(stated["vadkit.output"]) == {"range": "probability", "threshold": 0.4, "lookahead": "all"}
    assert json.loads(stated["vadkit.clock"]) == {"snippet_frames": 16, "fps": 25.0, "tail": "repeat"}
    assert json.loads(stated["vadkit.model"])["seed"] == 3 and stated["vadkit.notice"] == "made up."
    assert done.scoring == ("vadkit then applies score_smoothing", "of several crops, the scores are averaged")


@needs_openvino
@pytest.mark.usefixtures("exported_before")
def test_an_openvino_file_gives_the_same_scores(trained: Path, tmp_path: Path) -> None:
    done = vadkit.export(trained, out=tmp_path / "m.xml", format="openvino")
    assert done.files == (tmp_path / "m.xml", tmp_path / "m.bin") and done.worst.worst < 1e-5
    model = formats.import_openvino().Core().read_model(str(tmp_path / "m.xml"))
    assert json.loads(model.get_rt_info(["vadkit", "output"]).astype(str))["range"] == "probability"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".written-by-vadkit", "m.bin", "m.xml"]


@needs_openvino
def test_openvino_scores_long_bags_after_one_of_a_single_snippet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = {"context": {"use": "gl_mhsa", "in": "rgb"}, "score": {"use": "mlp_head", "in": "context"}}
    torch.manual_seed(0)
    graph = vadkit.build({"inputs": {"rgb": "b t 16"}, "nodes": nodes, "output": "score"})
    path = save(graph, tmp_path / "model.safetensors", {})
    assert main(["export", str(path), "--out", str(tmp_path / "m.xml")]) == 0  # from 1 snippet to 500, in this order
    assert "compile it as it was compared: INFERENCE_PRECISION_HINT=f32, CPU_" in capsys.readouterr().out


@needs_openvino
def test_importing_openvino_reports_to_nobody(tmp_path: Path) -> None:
    code = (
        "import sys; from vadkit.export.formats import import_openvino; "
        "print(import_openvino().Core().available_devices); "
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]"
    )
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "CPU" in done.stdout and not done.stderr, done.stderr
    assert not list(tmp_path.iterdir())  # where the telemetry keeps the number of its user


def test_it_is_compared_on_videos_of_a_store(
    trained: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(trained), "--out", str(tmp_path / "m.pt2"), "--data", str(store)]) == 0
    shown = capsys.readouterr().out
    assert "compared with the model at 5 sizes, 1 bag of 1 snippet to 1 bag of 500 snippets" in shown
    assert "on 4 test videos: largest difference" in shown
    assert "not in the file: vadkit then applies score_smoothing" in shown
    assert f"wrote {tmp_path / 'm.pt2'}" in shown


def test_a_graph_that_takes_presence_takes_it_in_the_file(tmp_path: Path, store: Path) -> None:
    graph = {
        "inputs": {"rgb": "b t 16", "audio": "b t 4"},
        "nodes": {
            "narrow": {"use": "dense", "in": "rgb", "args": {"dim": 4}},
            "score_of": {"use": "present_sum", "in": {"x": ["narrow", "audio"], "presence": "presence"}},
            "score": {"use": "causal_conv", "in": "score_of", "args": {"kernel": 1}},
        },
        "output": "score",
    }
    path = save(vadkit.build(graph), tmp_path / "m.safetensors", {})
    done = vadkit.export(path, out=tmp_path / "m.pt2", data=store)
    assert done.worst.worst < 1e-6
    program: Any = torch.export.load(tmp_path / "m.pt2").module()
    given = {name: torch.from_numpy(x) for name, x in streams(1, 9).items()}
    silent = {**given, "audio": torch.zeros(1, 9, 4)}  # absent rows are zeros
    deaf = program(**silent, presence=torch.tensor([1.0, 0.0]).expand(1, 9, 2))
    with torch.no_grad():
        torch.testing.assert_close(deaf, vadkit.load(path)(rgb=given["rgb"]))


# -- what is refused -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments, message",
    (
        (["--out", "m.bin"], "--out is m.bin, whose suffix is of no format"),
        (["--out", "m.pt2", "--format", "onnx"], "--out is m.pt2; a file of the format onnx ends in .onnx"),
        (["--out", "m.pt2", "--int8"], "the format torch has no int8"),
        (["--out", "m.onnx", "--int8", "--within", "0"], "--within is 0; it must be above 0 and at most 1"),
    ),
)
def test_what_cannot_be_is_said_before_any_work(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "absent.safetensors", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_package_is_named(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VadkitError, match="the format openvino needs onnx and onnxscript and openvino") as caught:
        vadkit.export(trained, out=tmp_path / "m.xml")
    assert caught.value.problems[0].hint == "pip install 'vadkit[export]'"


def test_a_file_of_the_user_is_kept(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "m.pt2").write_text("mine")
    with pytest.raises(VadkitError, match="exists and was not written by vadkit"):
        vadkit.export(trained, out=tmp_path / "m.pt2")
    assert (tmp_path / "m.pt2").read_text() == "mine"


def test_a_file_that_differs_from_the_model_is_not_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_format = formats.FORMATS["torch"]

    def off(path: Path) -> formats.Runner:
        run = torch_format.open(path)
        return lambda given: run(given) + (0.01 if given["rgb"].shape[1] == 64 else 0.0)

    changed = formats.Format("torch", ".pt2", (), torch_format.write, off)
    monkeypatch.setitem(formats.FORMATS, "torch", changed)
    with pytest.raises(VadkitError, match="differs from the model by 0.01 at 3 bags of 64 snippets, more than 0.0001"):
        vadkit.export(trained, out=tmp_path / "m.pt2")
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".pt2"]


def test_a_graph_that_cannot_be_traced_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(vadkit.build(GRAPH), tmp_path / "m.safetensors", {})

    def branches(self: Any, x: torch.Tensor, **more: Any) -> torch.Tensor:
        return x[..., 0] if float(x.sum()) > 0 else x[..., 1]

    monkeypatch.setattr(type(vadkit.load(path).score), "forward", branches)
    with pytest.raises(VadkitError, match="torch.export cannot trace the graph for any number of bags and snippets"):
        vadkit.export(path, out=tmp_path / "m.pt2")


# -- int8 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "plain, int8, difference, objections",
    (
        ((2.0,) * 8, (1.0,) * 8, 0.001, []),
        ((2.0,) * 8, (1.95,) * 8, 0.001, ["it is not faster"]),  # by less than 5 %
        ((2.0,) * 8, (1.0,) * 5 + (3.0,) * 3, 0.001, ["it is not faster"]),  # not in most rounds
        ((2.0,) * 8, (1.0,) * 8, 0.5, ["it differs by more than 0.01"]),
        ((2.0,) * 8, (3.0,) * 8, float("nan"), ["it is not faster", "it differs by more than 0.01"]),
    ),
)
def test_int8_must_be_faster_and_close(
    plain: tuple[float, ...], int8: tuple[float, ...], difference: float, objections: list[str]
) -> None:
    assert Trial(plain, int8, difference, "video 'a'").objections(0.01) == objections


def int8_file(trained: Path, out: Path, monkeypatch: pytest.MonkeyPatch, int8_ms: float) -> write.Exported:
    monkeypatch.setattr(write, "in_turns", lambda *given: ([2.0] * 9, [int8_ms] * 9))
    return vadkit.export(trained, out=out, int8=True, within=0.2)


@pytest.mark.usefixtures("exported_before")
def test_int8_is_written_where_it_is_faster(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = int8_file(trained, tmp_path / "m.onnx", monkeypatch, 1.0)
    assert done.int8 is not None and done.int8.medians == (2.0, 1.0)
    assert 0 < done.int8.difference <= 0.2 and done.int8.difference == done.worst.worst
    assert b"MatMulInteger" in (tmp_path / "m.onnx").read_bytes()


@pytest.mark.usefixtures("exported_before")
def test_int8_is_refused_with_what_was_measured(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VadkitError, match=r"refused, it is not faster: 2 ms in float32, 4 ms in int8 \(0.50 x\)"):
        int8_file(trained, tmp_path / "m.onnx", monkeypatch, 4.0)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".onnx"]
