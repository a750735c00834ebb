"""Made-up features stay marked: in the store, the model, every figure and page."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from vadkit.bench.comparison.page import comparison_page
from vadkit.bench.comparison.table import as_csv, as_markdown
from vadkit.cli import main
from vadkit.datasets.generating.layouts import LAYOUTS
from vadkit.graph.load import load_config
from vadkit.graph.model_file import read_header
from vadkit.plugin_manager import own_configs
from vadkit.problems import as_sentence

pytestmark = pytest.mark.guards("2.5")
GRAPHS = sorted((Path(__file__).parents[3] / "registry_configs/graphs").rglob("*.yaml"))
DATA_SETS = {"xd": "xd_violence", "ucf": "ucf_crime", "sht": "shanghaitech"}
MARK = "made-up features (input 'rgb': stand-in of shanghaitech, seed 3): figures mean nothing"
GRAPH = {
    "inputs": {"rgb": "b t 4"},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}},
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"sampler": {"use": "uniform_pad", "args": {"length": 8}}, "batch": 2},
    "train": {"steps": 2},
}


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stand-in") / "out"
    assert (
        main(
            [
                "store",
                "generate",
                "shanghaitech",
                "--out",
                str(out),
                "--fraction",
                "0.01",
                "--width",
                "4",
                "--seed",
                "3",
            ]
        )
        == 0
    )
    return out


@pytest.fixture
def store(stand_in: Path, tmp_path: Path) -> Path:
    assert main(["store", "import", "shanghaitech", "--root", str(stand_in), "--out", str(tmp_path / "store")]) == 0
    return tmp_path / "store"


def recipes(store: Path) -> dict[str, dict[str, str]]:
    return {
        name: stream["recipe"] for name, stream in json.loads((store / "store.json").read_text())["streams"].items()
    }


def test_the_store_is_marked(stand_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    assert main(["store", "import", "shanghaitech", "--root", str(stand_in), "--out", str(store)]) == 0
    assert recipes(store) == dict.fromkeys(("rgb", "flow", "clip"), {"made_up": "stand-in of shanghaitech, seed 3"})
    assert "note: made-up features (streams 'rgb', 'flow', 'clip': stand-in of" in capsys.readouterr().out
    assert main(["store", "info", str(store)]) == 0
    assert capsys.readouterr().out.count("MADE UP: means nothing") == 3


def test_a_part_of_it_and_links_to_it_are_marked(stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/rgb").symlink_to(stand_in / "train")
    (tmp_path / "root/flow").symlink_to(stand_in / "flow-features")
    for number, root in enumerate((stand_in / "flow-features", tmp_path / "root")):
        out = tmp_path / f"store{number}"
        assert main(["store", "import", "shanghaitech", "--root", str(root), "--out", str(out)]) == 0
        assert all(recipe["made_up"] for recipe in recipes(out).values())


def test_streams_of_ones_own_next_to_it_are_not_marked(stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    shutil.copytree(stand_in / "train", tmp_path / "root/rgb/train")
    (tmp_path / "root/flow").symlink_to(stand_in / "flow-features")
    assert (
        main(["store", "import", "shanghaitech", "--root", str(tmp_path / "root"), "--out", str(tmp_path / "s")]) == 0
    )
    assert recipes(tmp_path / "s")["rgb"] == {} and recipes(tmp_path / "s")["flow"]["made_up"]


def test_the_model_and_its_figures_are_marked(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.yaml").write_text(json.dumps(GRAPH))
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "g.yaml"), "--data", str(store), "--out", str(run), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert MARK in said.err and MARK in said.out and "test_best" not in said.out
    extra = read_header(run / "model.safetensors")["extra"]
    assert extra["recipes"]["rgb"]["made_up"]
    result = json.loads((run / "result.json").read_text())
    assert result.pop("seconds") > 0  # of the run, so not in the model
    assert result == {**extra, "note": MARK}
    # On features of another origin, too.
    streams = json.loads((store / "store.json").read_text())
    for stream in streams["streams"].values():
        stream["recipe"] = {}
    (store / "store.json").write_text(json.dumps(streams))
    arguments = ["eval", "--model", str(run / "model.safetensors"), "--data", str(store), "--out", str(tmp_path / "e")]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith(f"notice: {as_sentence(MARK)}")
    assert json.loads((tmp_path / "e/results.json").read_text())["notice"] == as_sentence(MARK)


def test_comparisons_are_marked() -> None:
    run = {"ap": 0.5, "auc": 0.5, "auc_abnormal": None, "ap_abnormal": None}
    variant = {
        "name": "a",
        "note": MARK,
        "runs": [{"seed": 0, "state": "finished", "why": None, "figures": run}],
        "figures": [run],
        "parameters": 1,
        "gflop": 1.0,
        "train_ms": 1.0,
        "score_ms": 1.0,
        "memory_mib": 1.0,
    }
    machine = {
        "device": "CPU, x",
        "threads": 1,
        "system": "x",
        "python": "3",
        "packages": {},
        "commit": "x",
        "date": "x",
    }
    load = {"rounds": 1, "bags": 2, "snippets": 3}
    results = {"about": "a comparison", "seeds": [0], "machine": machine, "load": load, "variants": [variant]}
    results |= {"measured_on": "a set", "notice": as_sentence(MARK)}
    assert "Made-up features (input 'rgb'" in as_markdown(results)
    assert MARK in as_csv(results)
    assert 'role="note"' in comparison_page(results) and "figures mean nothing" in comparison_page(results)
    del variant["note"]
    results["notice"] = None
    assert "nothing" not in as_markdown(results) + as_csv(results)
    assert 'role="note"' not in comparison_page(results)


# Graphs whose features nobody published as one data set, in one layout.
OTHERS = {
    "avadclip_": "sound as Wav2CLIP describes it",
    "cnn_vit_tsan_": "I3D-ResNet50 and CLIP, each of its own source",
    "hsn_": "pictures of people, cut out by a tracker",
    "mate_": "X3D maps",
    "motion_aware_ucf_rgb_flow": "C3D, and the codes of a flow autoencoder",
}


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_a_stand_in_has_what_a_shipped_graph_reads(path: Path) -> None:
    """Each stream, at the published width; a single stream of another backbone is made by ``--width``."""
    if why := next((why for name, why in OTHERS.items() if path.stem.startswith(name)), None):
        pytest.skip(f"there is no stand-in of these features: {why}")
    data_set = next(DATA_SETS[part] for part in path.stem.split("_") if part in DATA_SETS)
    widths = {stream.name: stream.width for stream in LAYOUTS[data_set]}  # type: ignore[index]
    inputs = load_config(path, (), [own_configs()]).data["inputs"]
    read = {name: math.prod(map(int, str(shape).split()[2:])) for name, shape in inputs.items()}
    assert read.keys() <= widths.keys()
    assert len(read) == 1 or read.items() <= widths.items()
