"""Write the figures of a finished comparison as results of the book, each with the record of its runs.

Nothing of a measured result is typed: figure, spread, seeds, commit and device are those of the comparison's
results.json, the protocol is that of the resolved graph, and the recipe of the features that of the runs.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vadkit import json_file
from vadkit.components import takes_presence
from vadkit.data.from_config import open_dataset
from vadkit.data.whole_videos import Align
from vadkit.engine.run_folder import RESULT
from vadkit.evaluate.truth import Tail
from vadkit.evaluate.uninformed import Floors, floors
from vadkit.files import make_folder, write_text_atomic
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.source import Source
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail
from vadkit.rounds import read_recipe, recipe_source
from vadkit.systems.card import read_cards
from vadkit.systems.result import FLOORS, METRICS, PROTOCOL, modalities, read_result
from vadkit.systems.standing import Standing, standing

COMPARISON = "results.json"
DEFAULT_METRICS = ("ap", "auc")
TRAPEZOID = "constant_trapezoid"
DIGITS = 4  # of a fraction: a hundredth of a percent
Fact = dict[str, Any]


def record(
    comparison: Path,
    out: Path,
    dataset: str,
    plugins: Plugins,
    metrics: Sequence[str] = DEFAULT_METRICS,
    recipe: str | None = None,
    data: str | None = None,
) -> tuple[list[Path], list[str]]:
    """Write a result per variant and metric to ``out``/SYSTEM/NAME.yaml.

    Args:
        comparison: the folder of a ``vadkit bench swap``.
        dataset: what the data set is called in the book.
        metrics: names of ``METRICS``.
        recipe: how the features were extracted, where the runs no longer exist to say so.
        data: where the features are, to measure the floors of a comparison that has none.

    Returns the files, and a sentence for each variant that has no result. Raises VadkitError, and then wrote nothing.
    """
    results = _read(comparison)
    shared = {"dataset": dataset, "recipe": recipe, "comparison": comparison, "results": results}
    measured: dict[str, Floors] = {}
    cards = read_cards(plugins.config_folders)
    files: dict[Path, str] = {}
    left_out = []
    for variant in results["variants"]:
        if not variant["figures"]:
            left_out.append(f"'{variant['name']}' has no finished run")
            continue
        source, spec = _graph(variant, plugins)
        facts = _facts(variant, shared, source, spec, standing(source, cards, plugins.config_folders))
        low = variant.get("floors") or (_floors(spec, data, plugins, measured) if data else {})
        for metric in metrics:
            values = [figures[metric] for figures in variant["figures"] if figures.get(metric) is not None]
            if len(values) == len(variant["figures"]):
                record = {**facts["record"], **_floors_of(low, metric)}
                path, text = _file(out, comparison, {**facts, "metric": metric, "record": record}, values)
                files[path] = text
            else:
                left_out.append(f"{METRICS[metric]} of '{variant['name']}' is not defined in every run")
    for path, text in files.items():
        make_folder(path.parent)
        write_text_atomic(path, text)
    return list(files), left_out


def _graph(variant: Mapping[str, Any], plugins: Plugins) -> tuple[Source, Mapping[str, Any]]:
    """Return what a variant trained, as it was written and resolved: a graph, of a recipe that of its last round."""
    if recipe_source(variant["config"], plugins):
        last = read_recipe(variant["config"], variant["set"], plugins).rounds[-1]
        return last.source, last.plan.spec
    source = load_config(variant["config"], variant["set"], plugins.config_folders)
    return source, compile_plan(source, plugins).spec


def _read(comparison: Path) -> dict[str, Any]:
    path = comparison / COMPARISON
    if not path.is_file():
        fail(f"{comparison} is no comparison: there is no {COMPARISON}", "give the --out of a 'vadkit bench swap'")
    results = json_file.load(path)
    known = isinstance(results, dict) and isinstance(results.get("variants"), list)
    if not known or not isinstance(results.get("machine"), dict):
        hint = "'vadkit bench swap' writes both; finished runs that were compared later state no commit"
        fail(f"{path} does not say on which commit and machine it was measured", hint)
    return dict(results)


def _floors(spec: Mapping[str, Any], root: str, plugins: Plugins, known: dict[str, Floors]) -> Floors:
    """Return the floors on the features in a folder; those of equal streams are measured once."""
    data = {**spec["data"], "args": {**(spec["data"].get("args") or {}), "root": root}}
    section, streams = spec["eval"], list(spec["inputs"])
    key = json.dumps([streams, data.get("streams"), data.get("align"), section.get("split"), section.get("tail")])
    if key not in known:
        align: Align = data.get("align") or "first"
        tail: Tail = section.get("tail") or "real"
        split = section.get("split") or "test"
        partial = takes_presence(spec, plugins)
        dataset = open_dataset(data, plugins, partial)
        known[key] = floors(dataset, split, streams=streams, align=align, tail=tail, partial=partial)
    return known[key]


def _floors_of(found: Floors, metric: str) -> Fact:
    """Return the floors of a metric, as a record has them. A constant score has an area by the trapezoid of its own."""
    known = {name: found[name].get(metric) for name in FLOORS if name in found}
    if metric == "ap" and "constant" in found:
        known[TRAPEZOID] = found["constant"].get("ap_trapezoid")
    kept = {name: round(value, DIGITS) for name, value in known.items() if value is not None}
    return {"floors": kept} if kept else {}


def _facts(
    variant: Mapping[str, Any], shared: Fact, source: Source, spec: Mapping[str, Any], found: Standing | None
) -> Fact:
    """Return what all results of a variant share, as in their files."""
    results, machine = shared["results"], shared["results"]["machine"]
    runs = [run for run in variant["runs"] if run["state"] == "finished"]
    return {
        "system": found.card.name if found else Path(variant["config"]).stem,
        "graph": found.graph if found else Path(variant["config"]).stem,
        "variant": variant["name"],
        "dataset": shared["dataset"],
        "modalities": modalities(spec["inputs"]),
        "level": "frame",
        "supervision": found.card.supervision if found else "video",
        "protocol": protocol_of(spec),
        "record": {
            "commit": machine["commit"],
            "date": machine["date"],
            "seeds": [run["seed"] for run in runs],
            "recipe": shared["recipe"] or _recipe([shared["comparison"] / run["folder"] for run in runs], source.data),
            "device": f"{machine['device']}, torch {machine['packages']['torch']}",
            "measured_on": results["measured_on"],
            "file": (shared["comparison"] / COMPARISON).as_posix(),
            **_changed(found),
        },
        "note": variant["note"] or results["notice"],
    }


def _changed(found: Standing | None) -> Fact:
    return {"changed": list(found.changed)} if found and found.changed else {}


def protocol_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the protocol of a resolved graph, in the words of a result."""
    section, sampler = spec["eval"], spec["eval"].get("sampler")
    post = ", ".join(_component(item) for item in section.get("post") or ())
    return {
        "selection": spec["train"]["select"],
        "length": f"resized or cut by {_component(sampler)}" if sampler else "native",
        "crops": str(section.get("crops") or "as they are"),
        "smoothing": post or "none",
        "decision_period": "whole video",
    }


def _component(item: Any) -> str:
    return str(item["use"] if isinstance(item, dict) else item)


def _recipe(folders: Iterable[Path], config: Mapping[str, Any]) -> str:
    """Return how the features were extracted: as the first existing run says, or as the config asks."""
    for folder in folders:
        if (folder / RESULT).is_file():
            result = json_file.load(folder / RESULT)
            recipes = result.get("recipes") if isinstance(result, dict) else None
            named = {name: r.get("backbone", "unknown") for name, r in (recipes or {}).items() if isinstance(r, dict)}
            return _listed(named) or "unknown"
    wanted = {name: entry.get("use") for name, entry in config["inputs"].items() if isinstance(entry, dict)}
    if not wanted or len(wanted) < len(config["inputs"]) or None in wanted.values():
        fail("no run is left to say how its features were extracted", "give it with --recipe TEXT")
    return _listed(wanted)


def _listed(backbones: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {backbone}" for name, backbone in backbones.items())


def _file(out: Path, comparison: Path, facts: Fact, values: Sequence[float]) -> tuple[Path, str]:
    """Return the path and the text of a result. Raises VadkitError if a published one is there."""
    spread = {"spread": round(statistics.stdev(values), DIGITS)} if len(values) > 1 else {}
    figure = {"figure": round(statistics.fmean(values), DIGITS), "unit": "fraction"}
    whole = {**facts, **figure, "record": {**facts["record"], **spread}}
    order = ("system", "graph", "variant", "dataset", "modalities", "metric", "figure", "unit", "level", "supervision",
             "protocol", "record", "note")  # fmt: skip
    ordered = {key: whole[key] for key in order if whole.get(key) is not None}
    name = "_".join(_slug(text) for text in (facts["dataset"], comparison.name, facts["variant"], facts["metric"]))
    path = out / str(facts["system"]) / f"{name}.yaml"
    if path.is_file() and read_result(path).record is None:
        fail(f"{path} is a published result", "move it, or write to another folder with --out")
    return path, as_yaml(ordered)


def as_yaml(facts: Mapping[str, Any]) -> str:
    """Return a result as its file says it: one line per key, and the record in lines of its own."""
    return yaml.dump(dict(facts), Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=False)


class _Dumper(yaml.SafeDumper):
    pass


def _flow(dumper: yaml.SafeDumper, value: Any) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


def _mapping(dumper: yaml.SafeDumper, value: Any) -> yaml.Node:
    return dumper.represent_mapping(
        "tag:yaml.org,2002:map", value.items(), flow_style=set(value) <= {*PROTOCOL, *FLOORS}
    )


_Dumper.add_representer(list, _flow)
_Dumper.add_representer(dict, _mapping)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "x"
