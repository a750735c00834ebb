"""The file that describes a comparison: what it means, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_store import write_tiny_store

from vadkit.bench.comparison.energy import counter_of, energy_of_step
from vadkit.bench.comparison.keys import Keys
from vadkit.bench.comparison.spec import Checked, Suite
from vadkit.bench.comparison.spec_file import from_file
from vadkit.bench.timing import Load
from vadkit.graph.module import model_of
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError

ROOT = Path(__file__).parents[2]
SHIPPED = [*sorted((ROOT / "benchmarks/specs").glob("*.yaml")), ROOT / "benchmarks/table1/rows.yaml"]
WRONG = sorted((Path(__file__).parent / "wrong_specs").glob("*.yaml"))
GRAPH: dict[str, Any] = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {
        "context": {"use": "identity", "in": "rgb"},
        "hidden": {"use": "dense", "in": "context", "args": {"dim": 8}},
        "score": {"use": "causal_conv", "in": "hidden", "args": {"kernel": 1}},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}, "calm": {"use": "smooth_sparse", "in": "score"}},
    "output": "score",
    "data": {"args": {"root": "store"}},
    "train": {"steps": 4, "epochs": None, "optimizer": {"lr": 0.05}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(GRAPH, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, *sets: str) -> tuple[Suite, dict[str, Checked]]:
    Path("spec.yaml").write_text(text)
    suite = from_file(Path("spec.yaml"), sets)
    return suite, suite.check()


def test_candidates_one_at_a_time(folder: Path) -> None:
    suite, found = read("""
        config: tiny.yaml
        seeds: [3, 5]
        swaps:
          context: [identity, layer_norm, {use: dense, args: {dim: 6}, name: narrow}]
          score: [{use: mlp_head, args: {hidden: [4]}, set: [train.optimizer.lr=0.1]}]
          calm: [null, {use: confident_peak, in: {scores: score}, weight: 0.5}]
    """)
    assert list(found) == [
        "base", "context: layer_norm", "context: narrow", "score: mlp_head", "no calm", "calm: confident_peak",
    ]  # fmt: skip
    assert suite.seeds == (3, 5) and suite.base_of(found) == "base"
    specs = {name: each.plan.spec for name, each in found.items()}
    assert specs["context: narrow"]["nodes"]["context"]["args"]["dim"] == 6
    assert specs["score: mlp_head"]["train"]["optimizer"]["lr"] == 0.1 != specs["base"]["train"]["optimizer"]["lr"]
    assert "calm" not in specs["no calm"]["losses"]
    assert specs["calm: confident_peak"]["losses"]["calm"]["weight"] == 0.5


def test_candidates_of_one_node_include_the_base(folder: Path) -> None:
    suite, found = read("{config: tiny.yaml, swaps: {context: [layer_norm, identity]}}")
    assert list(found) == ["identity", "layer_norm"] and suite.base_of(found) == "identity"
    suite, found = read("{config: tiny.yaml, swaps: {context: [layer_norm]}, base: layer_norm}")
    assert list(found) == ["base", "layer_norm"] and suite.base_of(found) == "layer_norm"


def test_the_product_of_candidates(folder: Path) -> None:
    swaps = "swaps: {context: [identity, layer_norm], score: [causal_conv, mlp_head]}"
    _, found = read(f"{{config: tiny.yaml, combine: product, {swaps}}}")
    names = [f"{context} + {head}" for context in ("identity", "layer_norm") for head in ("causal_conv", "mlp_head")]
    assert list(found)[1:] == names or list(found) == names


def test_a_budget_and_data_are_of_all_variants(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    text = """
        config: tiny.yaml
        data: elsewhere
        budget: {epochs: 2}
        variants: {plain: null, slow: {set: [train.optimizer.lr=0.001]}}
    """
    _, found = read(text, "data.batch=3")
    for each in found.values():
        data, train = each.plan.spec["data"], each.plan.spec["train"]
        assert (train["epochs"], train["steps"], data["batch"]) == (2, None, 3)
        assert Path(data["args"]["root"]) == Path("elsewhere")


def test_a_recipe_is_a_variant(folder: Path) -> None:
    rounds = {"first": {"train": "tiny.yaml"}, "second": {"train": "tiny.yaml", "start": "first"}}
    (folder / "two.yaml").write_text(yaml.safe_dump({"rounds": rounds}))
    suite, found = read("{config: tiny.yaml, variants: {once: null, twice: {recipe: two.yaml}}}")
    assert found["twice"].recipe is not None and len(found["twice"].recipe.rounds) == 2
    write_tiny_store(folder / "store")
    keys = Keys(load_plugins())
    assert len({keys.of(each, seed)[0] for each in found.values() for seed in suite.seeds}) == 6


def test_what_a_key_counts(folder: Path) -> None:
    write_tiny_store(folder / "store")

    def key(text: str = "", seed: int = 0, **more: Any) -> str:
        _, found = read(f"{{config: tiny.yaml, variants: {{a: {{set: [{text}]}}}}}}")
        return Keys(load_plugins()).of(found["a"], seed, **more)[0]

    first = key()
    for same in ("about=other", "train.log_every=3", "data.workers=1"):
        assert key(same) == first
    others = [key("train.optimizer.lr=0.1"), key("eval.crops=first"), key("train.steps=5"), key(seed=1)]
    (folder / "store").rename(folder / "moved")
    assert key("data.args.root=moved") == first
    file = next((folder / "moved" / "rgb").glob("*.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    others.append(key("data.args.root=moved"))
    assert len({first, *others}) == 1 + len(others)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_spec_builds_every_variant(path: Path) -> None:
    found = from_file(path).check()
    assert len(found) >= 2 and all(model_of(each.plan) is not None for each in found.values())


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_spec_is_described(path: Path, folder: Path) -> None:
    (folder / path.name).write_text(path.read_text())
    with pytest.raises(VadkitError) as raised:
        from_file(Path(path.name)).check()
    expected = path.with_suffix(".txt")
    assert str(raised.value) == expected.read_text().rstrip("\n")


def test_energy_is_read_or_absent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    _, found = read("{config: tiny.yaml, variants: {a: null}}")
    model, load, cpu = model_of(found["a"].plan), Load(2, 8, 1), torch.device("cpu")
    monkeypatch.setattr("vadkit.bench.comparison.energy.RAPL", folder / "powercap")
    monkeypatch.setattr("vadkit.bench.comparison.energy.LEAST", 0.0)
    assert counter_of(cpu) is None and energy_of_step(model, load, cpu, None) is None
    for zone in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        (folder / "powercap" / zone).mkdir(parents=True)
        (folder / "powercap" / zone / "energy_uj").write_text("1500000\n")
    counter = counter_of(cpu)
    assert counter is not None and counter() == 3.0
    joules = iter([1.0, 1.5])
    monkeypatch.setattr("vadkit.bench.comparison.energy.LEAST", 1e-9)
    assert energy_of_step(model, load, cpu, lambda: next(joules)) == 0.5
    again = iter([7.0, 0.5])  # the counter has begun again
    assert energy_of_step(model, load, cpu, lambda: next(again)) is None
