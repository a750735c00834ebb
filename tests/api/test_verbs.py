"""The Python verbs: what they take and return, progress, threads, Ctrl-C, and that they print nothing."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from red_alarm import GRAPH

import vadkit
from vadkit import VadkitError
from vadkit.api.train import Interrupted

VERBS = (
    "build",
    "load",
    "import_weights",
    "train",
    "distill",
    "evaluate",
    "export",
    "predict",
    "extract",
    "score",
    "corrupt",
)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_documented_and_takes_the_rest_by_name(verb: str) -> None:
    function = getattr(vadkit, verb)
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) == (2 if verb in ("score", "import_weights") else 1)
    for section in ("Args:", "Raises:", "Example:"):
        assert section in function.__doc__, section
    for parameter in parameters:
        assert f"{parameter.name}:" in function.__doc__ or f", {parameter.name}" in function.__doc__


def test_a_verb_is_no_module_whatever_is_imported_first() -> None:
    code = (
        "import vadkit, vadkit.extract.run, vadkit.predict.inputs\n"
        "from vadkit.evaluate import curves\n"
        "assert all(callable(getattr(vadkit, verb)) for verb in vadkit.__all__ if verb != '__version__')\n"
        "assert {'train', 'Scorer'} <= set(dir(vadkit))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_importing_vadkit_imports_nothing_heavy() -> None:
    code = "import sys, vadkit; print([m for m in ('torch', 'numpy', 'mmengine', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("change", ["nodes.score.args.hidden=[5]", ["nodes.score.args.hidden=[5]"]])
def test_set_is_one_change_or_a_list(change: str | list[str]) -> None:
    assert vadkit.build(MappingProxyType(GRAPH), set=change).spec["nodes"]["score"]["args"]["hidden"] == [5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vadkit.build(GRAPH, set={"a": 1}), r"set is \{'a': 1\}"),
        (lambda: vadkit.build(GRAPH, set=[3]), r"set is \[3\]"),
        (lambda: vadkit.build(3), "config is of type int"),
        (lambda: vadkit.build(GRAPH, seed=-1), "seed must be from 0"),
        (lambda: vadkit.build(GRAPH, out="m.pt"), "a model file ends in .safetensors"),
        (lambda: vadkit.build(GRAPH, without=[None]), "without is"),
        (lambda: vadkit.load(None), "path is None; it must be the path of a file"),
        (lambda: vadkit.train(GRAPH, out="", progress=None), "out is ''; it must be the path of a folder"),
        (lambda: vadkit.train(GRAPH, out="x", resume=True, overwrite=True), "cannot be combined"),
        (lambda: vadkit.train(GRAPH, out="x", progress="yes"), "progress is 'yes'"),
        (lambda: vadkit.evaluate("x", split="tset"), "no split 'tset'\n  hint: did you mean 'test'"),
        (lambda: vadkit.predict(None, model="x"), "videos is None"),
        (lambda: vadkit.predict([None], model="x"), r"videos\[0\] is None"),
        (lambda: vadkit.extract("x", out="y"), "name the backbones by config, by streams or by like"),
        (lambda: vadkit.extract("x", out="y", streams={"rgb": 3}), r"streams\['rgb'\] is 3; it names no backbone"),
        (lambda: vadkit.extract("x", out="y", streams="rgb=mean_colour", set="a=b"), "so it needs config"),
        (lambda: vadkit.extract(out="y", streams="rgb=mean_colour"), "name videos or folders"),
        (lambda: vadkit.extract("x", out="y", streams="rgb=mean_colour", threads=0), "threads is 0"),
    ],
)
def test_slips_are_named(call, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VadkitError, match=message):
        call()
    assert not list(tmp_path.iterdir())


def test_streams_may_be_named_in_three_ways(made: SimpleNamespace, tmp_path: Path) -> None:
    ways = ("rgb=mean_colour", {"rgb": "mean_colour"}, {"rgb": {"use": "mean_colour"}})
    stores = []
    for number, streams in enumerate(ways):
        vadkit.extract(made.root / "clips" / "clip0.mp4", streams=streams, out=tmp_path / str(number))
        stores.append((tmp_path / str(number) / "rgb" / "clip0.npy").read_bytes())
    assert stores[0] == stores[1] == stores[2]


def test_a_loaded_model_is_evaluated_like_its_file(made: SimpleNamespace) -> None:
    loaded, file = vadkit.evaluate(vadkit.load(made.model)), vadkit.evaluate(made.model, device="cpu")
    assert loaded.figures == file.figures and loaded.figures["videos"] == 2
    assert loaded.scores.keys() == {"clip4", "clip5"} and loaded.note is None


def test_predict_needs_no_folder_and_returns_the_broken(made: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "none.mp4").write_bytes(b"")
    good, bad = vadkit.predict([made.root / "clips/clip5.mp4", tmp_path / "none.mp4"], model=made.model, device="cpu")
    assert good.error is None and good.scores.shape == (12,) and good.times.shape == (12, 2) and good.files == ()
    assert good.contributions["rgb"].shape == (12,)
    assert "none.mp4 is empty" in (bad.error or "") and bad.scores.shape == (0,)
    assert [path.name for path in tmp_path.iterdir()] == ["none.mp4"]


def test_progress_is_a_function_and_nothing_is_printed(
    made: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: dict[str, list[tuple[float, float | None]]] = {
        verb: [] for verb in ("train", "evaluate", "predict", "extract")
    }

    def listen(verb: str):
        return lambda done, total, text: heard[verb].append((done, total))

    clip = made.root / "clips" / "clip4.mp4"
    vadkit.train(made.root / "run" / "config.yaml", out=tmp_path / "run", device="cpu", progress=listen("train"))
    vadkit.evaluate(made.model, device="cpu", progress=listen("evaluate"))
    vadkit.predict(clip, model=made.model, device="cpu", progress=listen("predict"))
    vadkit.extract(clip, streams="rgb=mean_colour", out=tmp_path / "store", progress=listen("extract"))
    assert [call[-1] for call in heard.values()] == [(6, 6), (2, 2), heard["predict"][-1], (1, 1)]
    assert heard["predict"][-1][0] > 0.9 and all(done == sorted(done) for done in heard.values())
    assert capfd.readouterr() == ("", "")


def test_a_bar_draws_nothing_where_there_is_no_terminal(
    made: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    vadkit.evaluate(made.model, device="cpu", progress=True)
    assert capfd.readouterr() == ("", "")


def test_everything_works_outside_the_main_thread(made: SimpleNamespace, tmp_path: Path) -> None:
    found = {}

    def work() -> None:
        store = vadkit.extract(made.root / "clips", config=GRAPH, out=tmp_path / "s", labels=made.root / "labels.csv")
        changes = [f"data.args.root={store.store}", "train.steps=2"]
        run = vadkit.train(GRAPH, out=tmp_path / "run", set=changes, device="cpu")
        found["scores"] = vadkit.predict(made.root / "clips/clip4.mp4", model=run.model_path, device="cpu")[0].scores

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(100)
    assert np.isfinite(found["scores"]).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_raised_and_the_run_resumes(made: SimpleNamespace, tmp_path: Path, number: int) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def press(done: float, total: float | None, text: str) -> None:
        if done == 2 and not text.startswith("stopping"):
            os.kill(os.getpid(), number)

    config = made.root / "run" / "config.yaml"
    with pytest.raises(KeyboardInterrupt) as caught:
        vadkit.train(config, out=tmp_path / "run", device="cpu", progress=press)
    assert isinstance(caught.value, Interrupted) and (caught.value.steps, caught.value.signal) == (2, number)
    assert "resume=True continues the run" in str(caught.value)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    resumed = vadkit.train(config, out=tmp_path / "run", device="cpu", resume=True)
    whole = made.trained.model.state_dict()
    assert resumed.steps == 6 and all((whole[k] == x).all() for k, x in resumed.model.state_dict().items())
