"""What is laid over the graph of a student so that it learns from a teacher: targets, one stream, one node, two losses.

Legend: ``b`` bags x crops, ``t`` snippets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.plan import Plan, Ref
from vadkit.plugin_manager import Plugins
from vadkit.problems import VadkitError, fail, unknown
from vadkit.shapes import Pattern

STREAM = "teacher_features"
PROJECTION = "teacher_projection"
SCORES_LOSS, FEATURES_LOSS = "distill_scores", "distill_features"
OWN = (f"nodes.{PROJECTION}", f"losses.{SCORES_LOSS}", f"losses.{FEATURES_LOSS}")  # keys that only the overlay has


@dataclass(frozen=True)
class Hidden:
    """A value (b, t, width) in a graph, "node" or "node.port"."""

    name: str
    width: int


def plan_of(config: str, sets: Sequence[str], plugins: Plugins) -> Plan:
    """Return the plan of the student as it is without a teacher. Raises VadkitError."""
    own = [text for text in sets if not text.strip().startswith(OWN)]
    laid = {"extends": config, "data": {"targets": "targets.safetensors"}}  # a loss of it may take them
    return compile_plan(load_config(laid, own, plugins.config_folders), plugins)


def hidden(plan: Plan, name: str | None, whose: str) -> Hidden | None:
    """Return the value of a name, or what the head of the scores takes; None if that is no value of a node."""
    widths = {f"{step.name}.{port}": pattern for step in plan.steps for port, pattern in step.outputs.items()}
    if name is None:
        head = plan.step(plan.output.name)
        found = next((str(ref) for ref in head.refs if not ref.batch and _is_wide(widths.get(str(ref)))), None)
        return None if found is None else Hidden(found, widths[found].width)
    first = {step.name: f"{step.name}.{next(iter(step.outputs))}" for step in plan.steps}
    full = first.get(name, name)
    if full not in widths:
        raise VadkitError([unknown(name, [*first, *widths], "value", f"in the graph of the {whose}")])
    if not _is_wide(widths[full]):
        fail(f"'{name}' of the {whose} is of shape {widths[full]}; features are b t WIDTH", "name another node")
    return Hidden(full, widths[full].width)


def _is_wide(pattern: Pattern | None) -> bool:
    """Return whether a value has a vector for each snippet."""
    return pattern is not None and pattern.tokens[:2] == ("b", "t") and len(pattern.tokens) == 3


def taught(
    config: str, plan: Plan, root: Path, targets: Path, features: tuple[Hidden, Hidden] | None
) -> dict[str, Any]:
    """Return the student's graph with what it learns from a teacher, as a config that extends it.

    ``features`` are the teacher's value, which is the stream ``STREAM`` of the store ``root``, and the student's. A
    student whose losses take ``targets`` already keeps them as they are.
    """
    streams = {name: (plan.spec["data"]["streams"] or {}).get(name, name) for name in plan.inputs}
    found: dict[str, Any] = {
        "extends": config,
        "losses": {},
        "data": {"args": {"root": str(root)}, "targets": str(targets), "streams": streams},
    }
    if not any(_takes_targets(step.refs) for step in plan.losses):
        wires = {"scores": str(plan.output), "teacher": "targets"}
        found["losses"][SCORES_LOSS] = {"use": "distillation", "in": wires, "weight": 1.0}
    if features is not None:
        theirs, own = features
        streams[STREAM] = STREAM
        found["inputs"] = {STREAM: f"b t {theirs.width}"}
        args = {"dim": theirs.width, "activation": "none"}
        found["nodes"] = {PROJECTION: {"use": "dense", "in": own.name, "args": args, "when": "train"}}
        wires = {"x": PROJECTION, "teacher": STREAM}
        found["losses"][FEATURES_LOSS] = {"use": "feature_distillation", "in": wires, "weight": 1.0}
    return found


def _takes_targets(refs: Sequence[Ref]) -> bool:
    return any(ref.batch and ref.name == "targets" for ref in refs)


def without_teacher(spec: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved graph of ``taught`` without what is of the teacher, with the student's ``data`` section."""
    left = {
        **{key: value for key, value in spec.items() if key not in ("inputs", "nodes", "losses", "data")},
        "inputs": {name: value for name, value in spec["inputs"].items() if name != STREAM},
        "nodes": {name: value for name, value in spec["nodes"].items() if name != PROJECTION},
        "losses": {name: v for name, v in spec["losses"].items() if name not in (SCORES_LOSS, FEATURES_LOSS)},
        "data": dict(data),
    }
    return {key: left[key] for key in spec}
