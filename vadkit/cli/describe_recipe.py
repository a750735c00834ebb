"""A recipe of rounds, for ``vadkit build`` and ``vadkit info``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vadkit.cli.tables import print_table
from vadkit.problems import fail, plural


def build_recipe(args: argparse.Namespace, plugins: Any) -> int:
    """Check every round of a recipe and print them; ``args`` are those of ``vadkit build``."""
    from vadkit.graph.yaml_reader import write_text
    from vadkit.rounds import read_recipe

    for option, given in (("--diagram", args.diagram), ("--out", args.out)):
        if given:
            fail(f"{option} is of one graph, and {args.config} is a recipe", "give one of the configs that it trains")
    recipe = read_recipe(args.config, args.set, plugins)
    if args.resolved:
        print(write_text(recipe.spec()), end="")
        return 0
    rounds = [
        {**entry, "name": name, "parameters": _parameters(recipe.round(name).plan)}
        for name, entry in recipe.spec()["rounds"].items()
    ]
    if args.json:
        print(json.dumps({"recipe": str(args.config), "about": recipe.about, "rounds": rounds}, indent=2))
        return 0
    print(f"{recipe.about or args.config}\n")
    rows = [[*_row(each["name"], each), f"{each['parameters']:,}"] for each in rounds]
    print_table(["round", "trains", "starts from", "targets from", "labeller", "parameters"], rows, ("parameters",))
    print(f"\n{plural(len(rounds), 'round')}; the graph of each is sound")
    return 0


def _parameters(plan: Any) -> int:
    from vadkit.graph.cost import parameters
    from vadkit.graph.module import without_weights

    return int(parameters(without_weights(plan)))


def _row(name: str, entry: dict[str, Any]) -> list[str]:
    targets = entry.get("targets") or {}
    args = [f"{key} {value}" for key, value in (targets.get("args") or {}).items()]
    args += [f"{key} {targets[key]}" for key in ("passes", "history") if targets.get(key, 1) != 1]
    use = f"{targets['use']} ({', '.join(args)})" if args else str(targets.get("use") or "")
    return [name, str(entry.get("train")), str(entry.get("start") or ""), str(targets.get("from") or ""), use]


def recipe_facts(source: Any, file: Path) -> dict[str, Any]:
    """Return what a recipe says, unchecked, as ``vadkit info`` shows it."""
    data = source.data
    return {
        "recipe": file.stem,
        "file": str(file),
        "about": data.get("about") or "",
        "made of": source.files,
        "rounds": data["rounds"] if isinstance(data["rounds"], dict) else {},
    }


def print_recipe(facts: dict[str, Any]) -> None:
    """Print what ``recipe_facts`` returned."""
    print(f"{facts['recipe']}: recipe, {facts['file']}\n")
    if facts["about"]:
        print(f"{facts['about']}\n")
    rows = []
    for name, entry in facts["rounds"].items():
        entry = entry if isinstance(entry, dict) else {}
        targets = entry.get("targets")
        entry = {**entry, "targets": targets if isinstance(targets, dict) and targets.get("use") else None}
        rows.append([*_row(name, entry), str(entry.get("times") or 1)])
    print_table(["round", "trains", "starts from", "targets from", "labeller", "times"], rows, ("times",))
    print(
        f"\n'vadkit build {facts['recipe']}' checks every round; 'vadkit train {facts['recipe']} --out OUT' runs them."
    )
