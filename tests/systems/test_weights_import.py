"""``vadkit weights import`` and ``vadkit.import_weights``: what is taken over, and what is said of wrong files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import vadkit
from vadkit.cli import main
from vadkit.graph import model_file

GRAPH = {
    "inputs": {"rgb": "b t 6"},
    "nodes": {
        "embed": {"use": "dense", "in": "rgb", "args": {"dim": 4}},
        "score": {"use": "mlp_head", "in": "embed", "args": {"hidden": [3]}},
    },
    "output": "score",
}
TABLE = """
embed.weight   embed.linear.weight transposed
embed.bias     embed.linear.bias
again.bias     =embed.bias
.              score: mlp_head
idle.          -
@second.pth    cls_head.
"""


def checkpoint() -> dict[str, Tensor]:
    torch.manual_seed(0)
    shapes = {
        "embed.weight": (6, 4),
        "embed.bias": (4,),
        "cls_head.mlp.0.weight": (3, 4, 1),
        "cls_head.mlp.0.bias": (3,),
    }
    shapes |= {"cls_head.mlp.2.weight": (1, 3), "cls_head.mlp.2.bias": (1,), "idle.w": (9,)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text(TABLE)
    return tmp_path / "names.txt"


def saved(folder: Path, state: Any, name: str = "theirs.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


def refused(table: Path, *files: Path | str, graph: Any = GRAPH) -> str:
    with pytest.raises(vadkit.VadkitError) as error:
        vadkit.import_weights(graph, files, names=table)
    return str(error.value)


def test_weights_are_taken_over(tmp_path: Path, table: Path) -> None:
    state = checkpoint()
    file = saved(tmp_path, {f"module.{name}": x for name, x in state.items()})
    model = vadkit.import_weights(GRAPH, file, names=table, out=tmp_path / "m.safetensors")
    own = model.state_dict()
    assert torch.equal(own["embed.linear.weight"], state["embed.weight"].t())
    assert torch.equal(own["score.layers.0.weight"], state["cls_head.mlp.0.weight"][..., 0])
    x = torch.randn(2, 5, 6)
    assert torch.equal(vadkit.load(tmp_path / "m.safetensors")(rgb=x), model(rgb=x))
    about = model_file.read_header(tmp_path / "m.safetensors")["extra"]["imported"]
    assert [entry["file"] for entry in about["files"]] == ["theirs.pth"]
    assert about["unused"] == 1


def test_half_precision_becomes_ours(tmp_path: Path, table: Path) -> None:
    file = saved(tmp_path, {name: x.half() for name, x in checkpoint().items()})
    assert {x.dtype for x in vadkit.import_weights(GRAPH, file, names=table).state_dict().values()} == {torch.float32}


def test_several_files_have_prefixes(tmp_path: Path, table: Path) -> None:
    state = checkpoint()
    head = {n.removeprefix("cls_head."): state.pop(n) for n in list(state) if n.startswith("cls_head.")}
    one, two = saved(tmp_path, state), saved(tmp_path, head, "second.pth")
    other = saved(tmp_path, head, "other.pth")
    by_table = vadkit.import_weights(GRAPH, [one, two], names=table)
    by_hand = vadkit.import_weights(GRAPH, [one, f"cls_head.={other}"], names=table)
    for name, x in by_table.state_dict().items():
        assert torch.equal(x, by_hand.state_dict()[name])
    assert f"{other}: 'mlp.0.weight' is not a weight of this graph" in refused(table, one, other)
    assert "is also in" in refused(table, one, two, f"cls_head.={other}")


def test_extra_missing_and_wrongly_shaped_names_are_reported_at_once(tmp_path: Path, table: Path) -> None:
    state = checkpoint()
    state["cls_hed.mlp.2.bias"] = state.pop("cls_head.mlp.2.bias")
    state["embed.bias"] = torch.zeros(5)
    state["whatever"] = torch.zeros(1)
    said = refused(table, saved(tmp_path, state))
    assert "'embed.bias' is 5, and 4 is needed for our 'embed.linear.bias'" in said
    assert "'cls_hed.mlp.2.bias' is not a weight of this graph\n  hint: 'cls_head.mlp.2.bias' is missing" in said
    assert "'cls_head.mlp.2.bias' is missing: it is our 'score.layers.1.bias'" in said
    assert "hint: there is 'cls_hed.mlp.2.bias'" in said
    assert "'whatever' is not a weight of this graph" in said


def test_what_is_registered_twice_must_be_the_same(tmp_path: Path, table: Path) -> None:
    state = {**checkpoint(), "again.bias": torch.ones(4)}
    assert "'again.bias' holds other numbers than 'embed.bias'" in refused(table, saved(tmp_path, state))
    state["again.bias"] = state["embed.bias"].clone()
    vadkit.import_weights(GRAPH, saved(tmp_path, state), names=table)
    del state["embed.bias"]
    model = vadkit.import_weights(GRAPH, saved(tmp_path, state), names=table)
    assert torch.equal(model.state_dict()["embed.linear.bias"], state["again.bias"])


class Evil:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_no_code_is_run(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = saved(tmp_path, {**checkpoint(), "x": Evil()})
    assert "damaged or of no supported format" in refused(table, file)
    file.write_bytes(pickle.dumps(Evil()))
    refused(table, file)
    assert not (tmp_path / "ran").exists()


WRONG: dict[str, tuple[Any, str]] = {
    "not a number": ({"embed.bias": torch.full((4,), float("nan"))}, "holds numbers that are not finite"),
    "complex": ({"embed.bias": torch.zeros(4, dtype=torch.complex64)}, "holds numbers that are not finite"),
    "another axis": ({"embed.weight": torch.zeros(4, 6)}, "'embed.weight' is 4x6, and 6x4 is needed"),
    "a name with control characters": ({"a\x1b[31m\n": torch.zeros(1)}, "'a?[31m ' is not a weight of this graph"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_wrong_weights(tmp_path: Path, table: Path, change: dict[str, Tensor], words: str) -> None:
    assert words in refused(table, saved(tmp_path, {**checkpoint(), **change}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "are empty"),
        (b"<html><body>404</body></html>", "are a web page"),
        (b"x" * 99, "damaged or of no supported"),
    ],
)
def test_files_that_hold_no_weights(tmp_path: Path, table: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    assert words in refused(table, tmp_path / "x.pth")


def test_a_graph_without_a_table(tmp_path: Path) -> None:
    with pytest.raises(vadkit.VadkitError, match="no table of official names is known"):
        vadkit.import_weights(GRAPH, saved(tmp_path, checkpoint()))


def test_no_file_at_all(table: Path) -> None:
    assert "files is empty" in refused(table)


def test_the_command_line(tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tmp_path / "graph.yaml"
    graph.write_text(
        "inputs: {rgb: b t 6}\nnodes:\n  score: {use: mlp_head, in: rgb, args: {hidden: [4]}}\noutput: score\n"
    )
    state = {"cls_head.mlp.0.weight": torch.zeros(4, 6), "cls_head.mlp.0.bias": torch.zeros(4)}
    state |= {"cls_head.mlp.2.weight": torch.zeros(1, 4), "cls_head.mlp.2.bias": torch.zeros(1)}
    file, out = saved(tmp_path, state), tmp_path / "m.safetensors"
    words = ["weights", "import", str(graph), str(file), "--names", str(table), "-o", str(out)]
    assert main(words) == 0
    assert f"imported 4 tensors (33 values)\nwrote {out}\n" == capsys.readouterr().out
    assert main(words) == 0  # an import may be done again
    vadkit.build(str(graph), out=tmp_path / "fresh.safetensors")
    assert main([*words[:-1], str(tmp_path / "fresh.safetensors")]) == 2
    assert main([*words[:-1], str(tmp_path / "x.pth")]) == 2
    assert "a model file ends in .safetensors" in capsys.readouterr().err
