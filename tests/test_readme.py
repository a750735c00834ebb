"""What the README says is run: its Python, its graph, its error message, its table of components.

``python tests/test_readme.py`` rewrites the table of components.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from tiny_store import write_tiny_store

import vadkit
from vadkit import plugin_manager
from vadkit.bench.comparison.spec_file import from_file
from vadkit.kinds import KINDS
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.rounds import read_recipe
from vadkit.systems.card import read_cards

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- components -->", "<!-- end components -->"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def component_table() -> str:
    """Return the table of every component that comes with vadkit, in order of kind and name."""
    components = load_plugins().components
    lines = ["| kind | name | what it is |", "|---|---|---|"]
    for kind in KINDS:
        for name in components.names(kind):
            found = components.find(name)
            first = (found.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
            lines.append(f"| {kind} | `{name}` | {re.sub(' +', ' ', first).replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def test_the_table_of_components_is_that_of_vadkit_list(monkeypatch):
    monkeypatch.setenv(plugin_manager.EXTRA, "")  # without the plugins of other tests
    text = README.read_text(encoding="utf-8")
    shown = text.split(BEGIN)[1].split(END)[0].strip()
    assert shown == component_table(), "run python tests/test_readme.py to rewrite it"


def test_the_table_of_systems_names_each_graph_and_its_fidelity():
    cards = read_cards([own_configs()])
    stated = {graph: facts.fidelity for card in cards.values() for graph, facts in card.graphs.items()}
    table = README.read_text(encoding="utf-8").split("| system | graphs |")[1].split("\n\n")[0]
    shown = {}
    for line in table.splitlines()[2:]:
        _, _, graphs, fidelity, *_ = line.split("|")
        patterns = re.findall("`(.*?)`", graphs.split("recipe")[0])
        for pattern in patterns:
            shown |= {graph: fidelity for graph in (fnmatch.filter(stated, pattern) or [f"no graph is {pattern}"])}
    assert sorted(shown) == sorted(stated)
    assert {graph: word for graph, word in stated.items() if word not in shown[graph]} == {}


def test_the_graph_builds():
    graph, *_ = (yaml.safe_load(block) for block in blocks("yaml"))
    assert vadkit.build(graph).input_sizes == {"rgb": 1024, "audio": 128}


def test_the_recipe_is_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph, recipe, _ = blocks("yaml")
    taught = yaml.safe_load(graph)
    taught["losses"]["taught"] = {"use": "distillation", "in": {"scores": "score", "teacher": "targets"}}
    for name in ("short_network", "long_network", "short_on_labels"):
        config = yaml.safe_load(graph) if name == "short_network" else taught
        Path(f"{name}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    rounds = read_recipe(yaml.safe_load(recipe), (), plugin_manager.load_plugins()).rounds
    assert [each.name for each in rounds] == ["short", "long", "again"]


def test_the_comparison_is_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *_, spec = blocks("yaml")
    Path("spec.yaml").write_text(spec)
    assert list(from_file(Path("spec.yaml")).check()) == [
        "base", "context: identity", "context: gl_mhsa", "context: deep", "no mc", "mc: score_triplet", "RGB",
        "with flow",
    ]  # fmt: skip


def test_the_message_is_what_vadkit_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph, *_ = blocks("yaml")
    Path("mine.yaml").write_text(graph.replace("{use: tca, in: rgb, args: {window: 9}}", "{use: tcaa, in: rgb}"))
    with pytest.raises(vadkit.VadkitError) as caught:
        vadkit.build("mine.yaml")
    (shown,) = blocks("text")
    assert str(caught.value).strip() == shown.strip()


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_the_python_runs(number, tmp_path, monkeypatch):
    code = blocks("python")
    assert len(code) == 4
    monkeypatch.chdir(tmp_path)
    write_tiny_store(tmp_path / "STORE", train=2, test=2, dims={"rgb": 1024})
    space: dict[str, object] = {"__name__": "readme"}
    exec(compile(code[number], f"README block {number}", "exec"), space)  # noqa: S102
    if "Shift" in space:
        from vadkit.testing import check_component

        check_component(space["Shift"])


def commands() -> list[list[str]]:
    """Return the arguments of every command of vadkit in a console block."""
    lines = "\n".join(blocks("console")).replace("\\\n", " ").splitlines()
    pieces = [piece.strip() for line in lines for piece in line.partition("  #")[0].removeprefix("$ ").split("&&")]
    return [shlex.split(piece)[1:] for piece in pieces if piece.startswith("vadkit ")]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_is_one_that_vadkit_takes(command):
    verb = import_module(f"vadkit.cli.{command[0].replace('-', '_')}")
    parser, arguments = argparse.ArgumentParser(), command[1:]
    if hasattr(verb, "VERBS"):
        verb, arguments = import_module(f"vadkit.cli.{command[0]}_{command[1]}"), command[2:]
    verb.add_arguments(parser)
    parser.parse_args(arguments)


def test_there_are_commands_of_most_verbs():
    from vadkit.cli import VERBS

    assert {command[0] for command in commands()} >= VERBS.keys() - {"list"}


if __name__ == "__main__":
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{component_table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
