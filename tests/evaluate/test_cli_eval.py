"""``vadkit eval``: tables, JSON, files, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.data import open_dataset
from vadkit.evaluate.score import evaluate
from vadkit.graph.model_file import save
from vadkit.results_folder import RECORD

GRAPH = {
    "inputs": {"rgb": "b t 16", "clip": "b t 8"},
    "nodes": {
        "join": {"use": "concat", "in": ["rgb", "clip"]},
        "score": {"use": "mlp_head", "in": "join", "args": {"hidden": [4]}},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "eval": {"post": [{"use": "score_smoothing", "args": {"kappa": 2}}], "threshold": 0.4},
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_tiny_store(tmp_path / "store", crops={"rgb": 2})


@pytest.fixture
def model_file(tmp_path: Path, store: Path) -> Path:
    torch.manual_seed(0)
    model = vadkit.build({**GRAPH, "data": {"args": {"root": str(store)}}})
    return save(model, tmp_path / "model.safetensors", {"note": "figures of test_best flatter"})


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["eval", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_tables_name_figures_and_protocol(capsys: Any, model_file: Path) -> None:
    code, out, _ = run(capsys, "--model", model_file)
    assert code == 0
    lines = out.splitlines()
    counts = "8 videos (4 abnormal), 155 snippets, 2464 frames, 409 of them positive"
    assert lines[0] == f"feature_store, split test: {counts}"
    assert any(line.startswith("ap ") and "average precision over all frames" in line for line in lines)
    assert any(line.startswith("ap_trapezoid ") for line in lines)
    assert any(line.startswith("explosion ") for line in lines)
    assert "  post: score_smoothing {'kappa': 2, 'mode': 'slide', 'pad': 'zero'}" in lines
    assert "  threshold: 0.4" in lines and lines[-1] == "note: figures of test_best flatter"


def test_json_and_files_are_what_python_gives(capsys: Any, model_file: Path, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, _ = run(capsys, "--model", model_file, "--json", "--out", out, "--set", "eval.post=[]")
    assert code == 0
    printed = json.loads(text)
    dataset = open_dataset({"args": {"root": str(store)}})
    wanted = evaluate(vadkit.load(model_file), dataset, threshold=0.4)
    assert printed["figures"] == wanted.figures
    assert printed["protocol"]["post"] == [] and printed["note"] == "figures of test_best flatter"
    assert json.loads((out / "results.json").read_text())["figures"] == wanted.figures
    assert len((out / "scores.csv").read_text().splitlines()) == 1 + printed["figures"]["snippets"]


def test_another_store_and_split(capsys: Any, model_file: Path, tmp_path: Path) -> None:
    other = write_tiny_store(tmp_path / "other", val=2, seed=5)
    code, out, _ = run(capsys, "--model", model_file, "--set", f"data.args.root={other}", "--split", "val")
    assert code == 0 and "split val: 4 videos (2 abnormal)" in out


def test_features_of_another_recipe_are_reported(capsys: Any, model_file: Path, store: Path, tmp_path: Path) -> None:
    known = {"rgb": {"backbone": "made up rgb"}, "clip": {"backbone": "ViT-B/16", "weights": "0a1b"}}
    other = save(vadkit.load(model_file), tmp_path / "other.safetensors", {"recipes": known})
    code, out, _ = run(capsys, "--model", other)
    assert code == 0 and out.splitlines()[-1] == (
        "note: the features of input 'clip' have another recipe than those the model was trained on "
        "(backbone: 'ViT-B/16' then, 'made up clip' now, weights: '0a1b' then, None now): the scores say little"
    )


@pytest.mark.guards("3")
def test_json_is_alone_on_stdout_and_equals_the_file(model_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vadkit", "eval", "--model", str(model_file), "--json", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "results.json").read_text())
    wrote = [f"wrote {Path('out', name)}" for name in ("results.json", "scores.csv", "index.html")]
    assert done.stderr.splitlines() == wrote
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {RECORD, "index.html", "results.json", "scores.csv"}


@pytest.mark.guards("3")
def test_the_page_has_the_figures_and_the_name_of_the_model(capsys: Any, model_file: Path, tmp_path: Path) -> None:
    code, text, _ = run(capsys, "--model", model_file, "--json", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert code == 0 and f"AP {json.loads(text)['figures']['ap']:.4f}" in page
    assert "Evaluation of model.safetensors" in page and "figures of test_best flatter" in page
    assert "threshold 0.40" in page and "kappa" in page


@pytest.mark.guards("2.5", "3")
def test_a_notice_of_the_model_is_printed_first_and_is_on_the_page(
    capsys: Any, model_file: Path, tmp_path: Path
) -> None:
    notice = "stand-in features: figures mean nothing"
    extra = {"notice": notice, "note": f"selected on test; {notice}"}
    marked = save(vadkit.load(model_file), tmp_path / "marked.safetensors", extra)
    code, text, _ = run(capsys, "--model", marked, "--out", tmp_path / "out")
    sentence = "Stand-in features: figures mean nothing."
    assert code == 0 and text.splitlines()[0] == f"notice: {sentence}"
    assert text.splitlines()[-1] == "note: selected on test"  # what the notice says is not repeated
    assert (tmp_path / "out" / "index.html").read_text().count(sentence) >= 3
    assert json.loads((tmp_path / "out" / "results.json").read_text())["notice"] == sentence


@pytest.mark.guards("2.5", "3")
def test_random_weights_are_a_notice_and_no_second_note(
    capsys: Any, model_file: Path, store: Path, tmp_path: Path
) -> None:
    head = json.loads((store / "store.json").read_text())
    head["streams"]["rgb"]["recipe"]["weights"] = "random"
    (store / "store.json").write_text(json.dumps(head))
    code, text, _ = run(capsys, "--model", model_file, "--out", tmp_path / "out")
    said = "features of input 'rgb' are of networks with random weights"
    assert code == 0 and text.startswith(f"notice: The {said}") and text.count(said) == 1
    assert "no figure means anything" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.guards("3")
def test_data_is_short_for_its_key_and_the_split_is_the_models_own(capsys: Any, store: Path, tmp_path: Path) -> None:
    other = write_tiny_store(tmp_path / "other store", val=3, seed=5)
    trained_for_val = vadkit.build({**GRAPH, "eval": {"split": "val"}, "data": {"args": {"root": str(store)}}})
    model = save(trained_for_val, tmp_path / "val.safetensors", {})
    short, long = (
        run(capsys, "--model", model, "--json", "--device", "cpu", *arguments)
        for arguments in (["--data", other], ["--set", f'data.args.root="{other}"'])
    )
    assert short == long and short[0] == 0
    protocol = json.loads(short[1])["protocol"]
    assert (protocol["split"], protocol["root"], protocol["device"]) == ("val", str(other), "cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "nodes.score.args.hidden=[8]"], "only keys of data and eval can be changed"),
        (["--set", "eval.treshold=0.3"], "did you mean 'threshold'?"),
        (["--set", "eval.threshold=3"], "eval.threshold must be a number from 0 to 1"),
        (["--set", "data.args.roots=x"], "data.args.roots: feature_store has no such argument"),
        (["--set", "data.use=feature_stor"], "unknown dataset 'feature_stor'"),
        (["--set", "data.args.root=/nowhere/at/all"], "/nowhere/at/all: there is no such folder"),
        (["--set", "data.streams.rgb=flow"], "input 'rgb' of the graph is 16 wide, but its features are 12 wide"),
        (["--out", __file__], "test_cli_eval.py is a file\n  hint: choose another --out"),
        (["--split", "val"], "the data set has no video in split 'val'"),
        (["--device", "cuda:77"], "device cuda:77 cannot be used here"),
        (["--device", "nonsense"], "device nonsense cannot be used here"),
    ],
)
def test_what_is_refused(capsys: Any, model_file: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(capsys, "--model", model_file, *arguments)
    assert code == 2 and out == "" and message in err and "Traceback" not in err


def test_a_model_file_that_does_not_exist(capsys: Any, tmp_path: Path) -> None:
    code, _, err = run(capsys, "--model", tmp_path / "no.safetensors")
    assert code == 2 and "no.safetensors" in err


@pytest.mark.guards("D5", "4")
@pytest.mark.parametrize("name", ["results.json", "scores.csv"])
def test_files_of_the_users_are_not_replaced(capsys: Any, model_file: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    assert run(capsys, "--model", model_file, "--out", out)[0] == 0
    assert run(capsys, "--model", model_file, "--out", out)[0] == 0  # its own are
    (out / name).write_text('{"mine": 1}')
    other = [path.read_bytes() for path in out.iterdir() if path.name != name]
    code, printed, err = run(capsys, "--model", model_file, "--out", out)
    assert code == 2 and printed == "" and f"{out / name} has been changed since vadkit wrote it" in err
    assert (out / name).read_text() == '{"mine": 1}'
    assert [path.read_bytes() for path in out.iterdir() if path.name != name] == other


@pytest.mark.guards("2.1")
def test_unknown_labels_are_counted_apart(capsys: Any, model_file: Path, store: Path) -> None:
    videos = json.loads((store / "videos.json").read_text())
    for video in videos[-2:]:
        video.update(label=None, classes=[], spans=[])
    (store / "videos.json").write_text(json.dumps(videos))
    code, out, _ = run(capsys, "--model", model_file)
    assert code == 0 and "split test: 6 videos (" in out and "; 2 more of unknown label, in no figure" in out


@pytest.mark.guards("2.4")
def test_a_store_without_test_videos_is_refused_with_a_way_on(capsys: Any, model_file: Path, store: Path) -> None:
    videos = json.loads((store / "videos.json").read_text())
    for video in videos:
        video["split"] = "train"
    (store / "videos.json").write_text(json.dumps(videos))
    code, _, error = run(capsys, "--model", model_file)
    assert code == 2 and "no video in split 'test' (there are 24 videos in 'train')" in error
    assert "--test-share 0.2), or choose another split: --split" in error
    assert run(capsys, "--model", model_file, "--split", "train")[0] == 0
