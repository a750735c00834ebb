"""The package that ``vadkit new-plugin`` writes: text files with ``$name`` and ``$Class`` to fill in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent
# How to use the new component in an existing graph; part of the package's README.
_USES = {
    "temporal": "In an existing graph: `vadkit build seed_xd_rgb --set nodes.context.use=$name`.",
    "fusion": "In an existing graph: `--set nodes.NODE.use=$name` for a node that joins streams.",
    "head": "In an existing graph: `--set nodes.score.use=$name`.",
    "source": "In an existing graph, add a node without `in`, such as `bank: {use: $name}`, and name it as a source.",
    "selector": "In an existing graph, add a node `chosen: {use: $name, in: context, when: train}` for losses to name.",
    "loss": "In an existing graph, add a loss: `main: {use: $name, in: score}`.",
    "sampler": "In an existing graph: `--set data.sampler.use=$name`.",
    "postprocess": "In an existing graph: `--set 'eval.post=[{use: $name}]'`.",
    "backbone": "In an existing graph, as an input: `rgb: {use: $name}`.",
    "dataset": "In an existing graph: `--set data.use=$name --set data.args.root=FOLDER`.",
    "metric": "In Python: `vadkit.evaluate.evaluate(model, dataset, book=$Class())`.",
    "labeller": "In a recipe: `targets: {from: ROUND, use: $name}`.",
    "optimizer": "In an existing graph: `--set train.optimizer.use=$name`.",
    "schedule": "In an existing graph: `--set train.schedule.use=$name`.",
    "logger": "In an existing graph: `--set 'train.log=[$name]'`.",
    "corruption": "On videos: `vadkit corrupt VIDEOS --with $name:3 --out DIR`.",
    "sink": "In a list of sinks: `sinks: [{use: $name}]`.",
}
KINDS = tuple(_USES)


def package_files(kind: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return path -> text of a plugin package. ``values`` are name, dashed, Class, version."""
    name = values["name"]
    values = {**values, "kind": kind, "use": Template(_USES[kind]).substitute(values)}
    sources = {
        "pyproject.toml": "pyproject.toml.txt",
        "README.md": "README.md.txt",
        f"vadkit_{name}.py": f"component/{kind}.txt",
        f"vadkit_{name}_graphs/{name}.yaml": f"graph/{kind}.txt",
        f"tests/test_{name}.py": "test_plugin.py.txt",
    }
    return {path: _fill(source, values) for path, source in sources.items()}


def _fill(source: str, values: Mapping[str, str]) -> str:
    return Template((_FOLDER / source).read_text("ascii")).substitute(values)
