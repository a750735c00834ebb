"""What a config is, a system (a folder of configs), and a key of a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vadkit.cli.tables import print_table
from vadkit.plugin_manager import configs_in
from vadkit.problems import plural


def find_config(folders: Sequence[Path], name: str) -> Path | None:
    """Return the file of a config, by its path or its name."""
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        return Path(name)
    return next((file for file in configs_in(folders) if file.stem == name), None)


def systems(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the configs of each system: the files in ``graphs/SYSTEM``."""
    found: dict[str, list[Path]] = {}
    for file in configs_in(folders):
        if file.parent.parent.name == "graphs":
            found.setdefault(file.parent.name, []).append(file)
    return found


def config_facts(folders: Sequence[Path], file: Path) -> dict[str, Any]:
    """Return what a config says, with what it extends: sizes and defaults are left to ``vadkit build``.

    Raises VadkitError for a file that cannot be read.
    """
    from vadkit.cli.describe_recipe import recipe_facts
    from vadkit.graph.load import load_config
    from vadkit.graph.schema_check import is_recipe
    from vadkit.systems.card import read_cards
    from vadkit.systems.standing import standing

    source = load_config(str(file), (), folders)
    if is_recipe(source):
        return recipe_facts(source, file)
    data, origin = source.data, standing(source, read_cards(folders), folders)
    return {
        "config": file.stem,
        "file": str(file),
        "system": str(origin) if origin is not None else None,
        "about": data.get("about") or "",
        "made of": source.files,
        "inputs": data.get("inputs") or {},
        "nodes": {name: _use(node) for name, node in (data.get("nodes") or {}).items()},
        "losses": {name: _use(loss) for name, loss in (data.get("losses") or {}).items()},
        "output": data.get("output"),
        "settings": {key: data[key] for key in ("data", "train", "eval") if data.get(key)},
    }


def _use(entry: Any) -> str:
    return str(entry.get("use")) if isinstance(entry, dict) else str(entry)


def print_config(facts: dict[str, Any]) -> None:
    """Print what ``config_facts`` returned."""
    if "recipe" in facts:
        from vadkit.cli.describe_recipe import print_recipe

        print_recipe(facts)
        return
    print(f"{facts['config']}: config, {facts['file']}\n")
    if facts["about"]:
        print(f"{facts['about']}\n")
    rows = [[name, "input", _use(shape)] for name, shape in facts["inputs"].items()]
    rows += [[name, "node", use] for name, use in facts["nodes"].items()]
    rows += [[name, "loss", use] for name, use in facts["losses"].items()]
    print_table(["name", "what", "component"], rows)
    print(f"\noutput: {facts['output']}")
    if facts["system"]:
        print(f"system: {facts['system']}")
    if len(facts["made of"]) > 1:
        print(f"made of: {', '.join(facts['made of'])}")
    settings = list(_flat(facts["settings"]))
    if settings:
        print()
        print_table(["key", "value"], settings)
    print(f"\n'vadkit build {facts['config']}' checks it and gives sizes; '--resolved' adds every default.")


def _flat(settings: dict[str, Any], before: str = "") -> list[list[str]]:
    rows = []
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{before}{key}.")
        else:
            rows.append([f"{before}{key}", str(value)])
    return rows


def system_facts(files: list[Path]) -> dict[str, Any]:
    """Return the configs of a system with what each says about itself."""
    from vadkit.cli.list import about

    return {
        "system": files[0].parent.name,
        "configs": [{"name": f.stem, "about": about(f), "file": str(f)} for f in files],
    }


def print_system(facts: dict[str, Any]) -> None:
    """Print what ``system_facts`` returned."""
    print(f"{facts['system']}: system, {plural(len(facts['configs']), 'config')}\n")
    print_table(["config", "about"], [[c["name"], c["about"]] for c in facts["configs"]])
    print(f"\n'vadkit info CONFIG' shows one; 'vadkit models info {facts['system']}' says how faithful they are.")


def key_facts(path: str) -> list[dict[str, str]]:
    """Return the keys at and below ``path``. Raises VadkitError if there is none."""
    from vadkit.graph.schema import describe

    return [row._asdict() for row in describe(path)]


def print_keys(rows: list[dict[str, str]]) -> None:
    """Print keys of a config: as a table, or one with all its words."""
    if len(rows) == 1:
        row = rows[0]
        print(f"{row['key']}: key of a config\n\n{row['meaning']}\n\ntype: {row['type']}\ndefault: {row['default']}")
        return
    columns = ["key", "default", "type", "meaning"]
    print_table(columns, [[row[name] for name in columns] for row in rows])
