"""Keys of configs that were written before update rules and schedules were components, read as what they are now.

``{name: sgd, momentum: 0.8}`` is ``{use: sgd, args: {momentum: 0.8}}``.
"""

from __future__ import annotations

from vadkit.graph.yaml_reader import Tree

ARGUMENTS = {
    "optimizer": ("betas", "momentum"),
    "schedule": ("end_factor", "milestones", "gamma"),
}


def rename(config: Tree) -> None:
    """Rename the former keys of one file, in place; each value keeps its place."""
    train = _mapping(_mapping(config).get("train"))
    for section, arguments in ARGUMENTS.items():
        keys = _mapping(train.get(section))
        if "name" in keys and "use" not in keys:
            keys["use"] = keys.pop("name")
        moved = [key for key in arguments if key in keys]
        if moved and isinstance((args := keys.setdefault("args", Tree({}, train[section].place))).value, dict):
            args.value.update((key, keys.pop(key)) for key in moved)
    log = train.get("log")
    if log is not None and isinstance(log.value, list):
        log.value = [entry for entry in log.value if entry.value != "jsonl"]  # log.jsonl is always written


def _mapping(tree: Tree | None) -> dict[str, Tree]:
    return tree.value if tree is not None and isinstance(tree.value, dict) else {}
