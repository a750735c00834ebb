"""Packages of third parties: one that new-plugin wrote and a larger one, built as wheels and installed
into a clean folder, next to a broken one that must affect nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from plugin_packages import install, plugins_in, run, write_plugin
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.graph.cost import parameters
from vadkit.plugin_manager import load_plugins
from vadkit.testing import check_component

SAMPLE = Path(__file__).parent / "support" / "sample_plugin"
PARTS = ("average", "bank", "clip", "join", "longest", "near", "pull", "score", "start")
SAMPLES = tuple(f"sample_{part}" for part in PARTS)  # in one graph; sample_labels is in a recipe


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three packages: acme (from new-plugin), sample, and wreck, which cannot be imported."""
    work = tmp_path_factory.mktemp("packages")
    assert main(["new-plugin", "acme", "--out", str(work / "acme")]) == 0
    shutil.copytree(SAMPLE, work / "sample")
    install([work / "acme", work / "sample"], work / "site", work / "wheels")
    write_plugin(work / "site", "wreck", "import a_package_that_is_not_here\n")
    return work / "site"


@pytest.fixture
def third_parties(site: Path) -> Iterator[Path]:
    with plugins_in(site):
        yield site


def test_the_wheel_holds_the_module_and_its_graphs(site: Path) -> None:
    assert (site / "vadkit_acme.py").is_file()
    assert (site / "vadkit_acme_graphs" / "acme.yaml").is_file()


def test_a_package_brings_a_card(third_parties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "sample", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["graphs"]["sample"]["ours"] == parameters(vadkit.build("sample"))
    assert [figure["figure"] for figure in facts["published"]] == [12.5]


def test_they_are_listed_from_their_metadata(site: Path) -> None:
    done = run(["-m", "vadkit", "list", "plugins", "--json"], site)
    listed = {p["name"]: (p["package"], p["version"]) for p in json.loads(done.stdout)["plugins"]}
    assert listed["acme"] == ("vadkit-acme", "0.1.0")
    assert listed["sample"] == ("vadkit-sample", "0.3.0")
    assert listed["wreck"] == ("vadkit-wreck", "1.0")


def test_the_broken_one_affects_nothing_else(third_parties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "broken: wreck (vadkit-wreck 1.0): ModuleNotFoundError: No module named 'a_package_that_" in shown
    assert "acme (vadkit-acme 0.1.0)" in shown
    assert main(["build", "acme"]) == 0
    assert main(["info", "tca"]) == 0


def test_an_unknown_name_mentions_the_broken_one(third_parties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "wrecked_block"]) == 2
    assert "plugin wreck (vadkit-wreck 1.0) could not be loaded" in capsys.readouterr().err


@pytest.mark.parametrize("name", ("acme", "sample_labels", *SAMPLES))
def test_they_pass_the_contract_test(third_parties: Path, name: str) -> None:
    component = load_plugins().components.find(name)
    assert component is not None
    report = check_component(component)
    assert len(report.kept) >= 8


def test_the_package_passes_its_own_tests(site: Path) -> None:
    tests = site.parent / "acme" / "tests"
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests], site, cwd=tests)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_takes_the_place_of_another_component(third_parties: Path) -> None:
    model = vadkit.build("seed_xd_rgb", set=["nodes.context.use=acme"])
    assert type(model.context).__name__ == "Acme"
    streams = [torch.randn(2, 9, size) for size in model.input_sizes.values()]
    assert model.eval()(*streams).shape == (2, 9)


def test_it_trains_inside_the_demo_graph(third_parties: Path, tmp_path: Path) -> None:
    root = write_tiny_store(tmp_path / "store")
    sets = [
        "nodes.context.use=acme",
        "inputs.rgb=b t 16",
        "inputs.clip=b t 16",
        f"data.args.root={root}",
        "data.batch=2",
        "data.workers=0",
        "train.steps=2",
    ]
    words = ["train", "demo_rgb", "--out", str(tmp_path / "run"), *(word for s in sets for word in ("--set", s))]
    assert main(words) == 0
    trained = vadkit.load(tmp_path / "run" / "model.safetensors")
    assert trained.spec["nodes"]["context"]["use"] == "acme"
    fresh = type(trained.context)(in_dim=trained.context.in_dim)
    assert trained.context.state_dict().keys() == fresh.state_dict().keys()


def test_every_sample_component_works_in_one_graph(third_parties: Path) -> None:
    model = vadkit.build("sample")
    used = {model.spec["data"]["sampler"]["use"], model.spec["eval"]["post"][0]["use"]}
    used |= {part["use"] for section in ("nodes", "losses") for part in model.spec[section].values()}
    assert used == set(SAMPLES) and model.spec["eval"]["sampler"] == {"use": "sample_start", "args": {}}
    whole = {name: torch.randn(1, 9, size) for name, size in model.input_sizes.items()}
    pieces = [{name: x[:, part] for name, x in whole.items()} for part in (slice(0, 5), slice(4, 9))]
    first, second = (model(**piece)[0].detach() for piece in pieces)
    wanted = torch.cat([first[:-1], (first[-1:] + second[:1]) / 2, second[1:]]).clamp(max=0.9)
    scores = vadkit.score(model, {name: x[0] for name, x in whole.items()})
    padded = vadkit.score(vadkit.build("sample", set="nodes.context.args.use_mask=true"), whole)
    assert scores.shape == padded.shape == (9,)
    assert torch.allclose(torch.from_numpy(scores)[5:], wanted[5:])  # the first half is padded, and the mask not used
    assert model.lookahead == 2
    batch = {name: torch.randn(4, 9, size) for name, size in model.input_sizes.items()}
    parts = model.loss({**batch, "labels": torch.tensor([1.0, 0.0, 0.0, 1.0])})
    parts["total"].backward()
    assert {"total", "pull", "pull.pull", "pull.calm", "near"} == parts.keys()
    assert all(p.grad is not None for p in model.parameters())


def test_the_rows_of_its_source_come_from_a_file(third_parties: Path, tmp_path: Path) -> None:
    root, rows = write_tiny_store(tmp_path / "store"), np.random.default_rng(0).normal(size=(2, 16))
    np.save(tmp_path / "rows.npy", rows)
    sets = [
        f"data.args.root={root}",
        "data.streams={rgb: rgb, audio: rgb}",
        "train.steps=1",
        "data.batch=2",
        "train.groups=[{nodes: [bank], lr: 0}]",
        f"train.warm_start=[{{file: {tmp_path / 'rows.npy'}, nodes: [bank]}}]",
    ]
    assert main(["train", "sample", "--out", str(tmp_path / "run"), *(w for s in sets for w in ("--set", s))]) == 0
    (tmp_path / "rows.npy").unlink()  # a model file needs nothing else
    trained = vadkit.load(tmp_path / "run" / "model.safetensors")
    assert np.allclose(trained.bank.weight.detach(), rows, atol=1e-6)


def test_its_recipe_trains_on_what_its_labeller_says(third_parties: Path, tmp_path: Path) -> None:
    root = write_tiny_store(tmp_path / "store", dims={"rgb": 16, "audio": 16})
    sets = [f"data.args.root={root}", "data.batch=2", "data.workers=0", "train.steps=2"]
    vadkit.train("sample_rounds", out=tmp_path / "out", set=sets, device="cpu")
    rows = read_targets(tmp_path / "out" / "second" / "targets.safetensors").rows
    assert {float(weight) for x in rows.values() for weight in x[:, 1]} == {3.0}  # one pass agrees with itself
    trained = vadkit.load(tmp_path / "out" / "second" / "model.safetensors")
    assert trained.spec["data"]["targets"] and trained.spec["train"]["warm_start"]


def test_a_plugin_can_be_left_out(third_parties: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--without", "acme"]) == 0
    shown = capsys.readouterr().out
    assert "blocked: acme (vadkit-acme 0.1.0), by --without" in shown
    assert main(["info", "acme", "--without", "acme"]) == 2
    assert "excluded by --without" in capsys.readouterr().err


def test_nothing_remains() -> None:
    assert "acme" not in load_plugins().components.names()
