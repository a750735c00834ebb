"""extract, train, eval, predict and bench swap on a GPU, one after the other, as a user runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clips import alarm, make_clip

from vadkit.cli import main
from vadkit.store.manifest import read_manifest

pytestmark = pytest.mark.cuda
GRAPH = {
    "about": "I3D with random weights, and a linear head",
    "inputs": {"rgb": {"use": "i3d_rgb", "args": {"random_weights": True}}},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": []}}},
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"sampler": {"args": {"length": 4}}, "batch": 2},
    "train": {"steps": 20, "epochs": None, "optimizer": {"lr": 0.01}},
}


def run(capfd, *arguments):
    """Run a command; return what it printed."""
    code = main([str(a) for a in arguments])
    out, err = capfd.readouterr()
    assert code == 0, err
    assert "Traceback" not in err
    return out


def extract(folder, device, workers):
    source = ["--list", folder / "list.txt", "--labels", folder / "labels.csv", "--config", folder / "graph.yaml"]
    how = ["--crops", "centre", "--device", device, "--workers", workers, "--out", folder / f"store-{workers}"]
    assert main([str(a) for a in ("extract", *source, *how)]) == 0
    return folder / f"store-{workers}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with six short videos, their list and labels, and the graph."""
    folder = tmp_path_factory.mktemp("commands")
    rows = ["video,label,split"]
    for i in range(6):
        make_clip(folder / f"clip{i}.mp4", 4, colour=alarm(1, 3) if i % 2 else alarm(9, 9), sound=None)
        rows.append(f"clip{i},{i % 2},{'train' if i < 4 else 'test'}")
    (folder / "list.txt").write_text("".join(f"{folder}/clip{i}.mp4\n" for i in range(6)))
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "graph.yaml").write_text(json.dumps(GRAPH))
    return folder


@pytest.fixture(scope="module")
def store(folder, device):
    """Return a store extracted on the device, in a process of its own, as is the rule there."""
    return extract(folder, device, workers=1)


def test_extract(store):
    lines, _ = read_manifest(store)
    assert len(lines) == 6 and {line["state"] for line in lines.values()} == {"done"}
    feature = np.load(store / "rgb" / "clip1.npy")
    assert feature.shape[-1] == 1024 and np.isfinite(feature).all()


def test_extracting_on_the_cpu_gives_nearly_the_same(folder, store):
    other = extract(folder, "cpu", workers=0)
    for i in range(6):
        one, two = (np.load(root / "rgb" / f"clip{i}.npy") for root in (store, other))
        assert np.linalg.norm(one - two) <= 1e-3 * np.linalg.norm(two)


def test_train_eval_and_predict_agree(folder, store, device, capfd):
    model = folder / "run" / "model.safetensors"
    root = f"data.args.root={store}"
    run(capfd, "train", folder / "graph.yaml", "--set", root, "--device", device, "--out", folder / "run")
    trained = json.loads((folder / "run" / "result.json").read_text())
    assert trained["device"] == device.partition(":")[0]

    evaluated = json.loads(run(capfd, "eval", "--model", model, "--set", root, "--device", device, "--json"))
    for name, value in trained["figures"].items():
        if isinstance(value, float):
            assert evaluated["figures"][name] == pytest.approx(value, abs=1e-6), name

    run(capfd, "predict", folder / "clip5.mp4", "--model", model, "--device", device, "--out", folder / "pages")
    scores = [s["score"] for s in json.loads((folder / "pages" / "clip5.json").read_text())["scores"]]
    run(capfd, "predict", folder / "clip5.mp4", "--model", model, "--device", "cpu", "--out", folder / "cpu")
    on_cpu = [s["score"] for s in json.loads((folder / "cpu" / "clip5.json").read_text())["scores"]]
    assert scores == pytest.approx(on_cpu, abs=1e-3) and len(scores) == 2
    assert (folder / "pages" / "clip5.html").stat().st_size > 1000


def test_bench_swap(systems, tmp_path, device, capfd):
    sizes = ["--bags", "4", "--snippets", "20", "--rounds", "1", "--seeds", "1", "--set", "train.steps=3"]
    config, *sets = systems["small"]
    command = ["bench", "swap", config, *sets, *sizes, "--node", "context", "--with", "tca,identity"]
    run(capfd, *command, "--device", device, "--out", tmp_path / "bench")
    results = json.loads((tmp_path / "bench" / "results.json").read_text())
    assert [v["name"] for v in results["variants"]] == ["tca", "identity"]
    for variant in results["variants"]:
        assert variant["train_ms"] > 0 and variant["score_ms"] > 0 and variant["memory_mib"] > 0
    assert (tmp_path / "bench" / "index.html").exists()
