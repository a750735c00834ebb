"""The package that ``vadkit new-plugin`` writes: text files with ``$name`` and ``$Class`` to fill in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent
# How a graph that is already there takes the new component; shown in the package's README.
_USES = {
    "temporal": "In a graph that is already there: `vadkit build seed_xd_rgb --set nodes.context.use=$name`.",
    "fusion": "In a graph that is already there: `--set nodes.NODE.use=$name` for a node that joins streams.",
    "head": "In a graph that is already there: `--set nodes.score.use=$name`.",
    "loss": "In a graph that is already there, add a loss: `main: {use: $name, in: score}`.",
    "sampler": "In a graph that is already there: `--set data.sampler.use=$name`.",
    "postprocess": "In a graph that is already there: `--set 'eval.post=[{use: $name}]'`.",
    "backbone": "In a graph that is already there, as an input: `rgb: {use: $name}`.",
}
KINDS = tuple(_USES)


def package_files(kind: str, words: Mapping[str, str]) -> dict[str, str]:
    """Return path -> text of a plugin package. ``words`` are name, dashed, Class, version."""
    name = words["name"]
    words = {**words, "kind": kind, "use": Template(_USES[kind]).substitute(words)}
    sources = {
        "pyproject.toml": "pyproject.toml.txt",
        "README.md": "README.md.txt",
        f"vadkit_{name}.py": f"component/{kind}.txt",
        f"vadkit_{name}_graphs/{name}.yaml": f"graph/{kind}.txt",
        f"tests/test_{name}.py": "test_plugin.py.txt",
    }
    return {path: _fill(source, words) for path, source in sources.items()}


def _fill(source: str, words: Mapping[str, str]) -> str:
    return Template((_FOLDER / source).read_text("ascii")).substitute(words)
