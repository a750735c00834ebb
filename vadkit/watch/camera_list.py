"""A list of cameras, as YAML or CSV.

YAML: ``cameras: [{name: door, source: "rtsp://{USER}:{PASS}@10.0.0.5/1", sound: false, transport: udp}, ...]``.
CSV: a line per camera under ``name,source,sound,transport``. Only ``source`` is needed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vadkit.datasets.delimited import read_rows
from vadkit.graph.wording import say
from vadkit.graph.yaml_reader import Tree, read_file
from vadkit.problems import Place, Problem, VadkitError, unknown
from vadkit.watch.cameras import NAMED, Entry
from vadkit.watch.secrets import hide

KEYS = ("name", "source", "sound", "transport")
TRANSPORTS = ("tcp", "udp")
TRUTHS = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}
EXAMPLE = 'cameras: [{name: door, source: "rtsp://{USER}:{PASS}@10.0.0.5/1"}]'


def read_cameras(path: Path) -> list[Entry]:
    """Return the entries of a list of cameras. Raises VadkitError with all that is wrong, each at its place."""
    problems: list[Problem] = []
    entries = _of_table(path, problems) if path.suffix.lower() in (".csv", ".tsv") else _of_yaml(path, problems)
    if not entries and not problems:
        problems.append(Problem(f"{path}: lists no camera", hint=EXAMPLE))
    if problems:
        raise VadkitError(map(_without_login, problems))
    return entries


def _without_login(problem: Problem) -> Problem:
    """Return the problem with no login in the line that it shows."""
    place = problem.place
    shown = None if place is None else replace(place, source=hide(place.source))
    return replace(problem, place=shown, message=hide(problem.message))


def _of_table(path: Path, problems: list[Problem]) -> list[Entry]:
    columns, rows = read_rows(path, {key: key for key in KEYS})
    if "source" not in columns:
        problems.append(Problem(f"{path}: has no column 'source'", hint="its first line is name,source"))
    entries = []
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
            continue
        truth = row["sound"].lower()
        if truth not in TRUTHS:
            problems.append(Problem(f"sound is '{row['sound']}'; write true or false", row.place))
        given = {"name": row["name"] or None, "source": row["source"], "sound": TRUTHS.get(truth, True)}
        entries.append(_checked({**given, "transport": row["transport"] or "tcp"}, row.place, problems))
    return entries


def _of_yaml(path: Path, problems: list[Problem]) -> list[Entry]:
    reading = read_file(path)
    problems += reading.problems
    if reading.problems or reading.tree is None:
        return []
    top = reading.tree.value
    cameras = top.get("cameras") if isinstance(top, dict) else None
    if not isinstance(top, dict) or cameras is None or not isinstance(cameras.value, list):
        problems.append(Problem("a list of cameras is a mapping with the list 'cameras'", reading.tree.place, EXAMPLE))
        return []
    problems += [unknown(k, ("cameras",), "key", "", v.key_place) for k, v in top.items() if k != "cameras"]
    return [_of_tree(tree, problems) for tree in cameras.value]


def _of_tree(tree: Tree, problems: list[Problem]) -> Entry:
    if not isinstance(tree.value, dict):
        problems.append(Problem(f"a camera must be a mapping, got {say(tree.plain())}", tree.place, EXAMPLE))
        return Entry("")
    for key, value in tree.value.items():
        if key not in KEYS:
            problems.append(unknown(key, KEYS, "key", "of a camera", value.key_place))
    plain = {key: value.plain() for key, value in tree.value.items()}
    given = {"name": None, "sound": True, "transport": "tcp", **plain}
    return _checked(given, tree.place, problems)


def _checked(given: dict[str, Any], place: Place, problems: list[Problem]) -> Entry:
    name, source = given["name"], given.get("source")
    if isinstance(source, int) and not isinstance(source, bool):
        source = str(source)  # the number of a device
    if not isinstance(source, str) or not source:
        problems.append(Problem("a camera has no source", place, EXAMPLE))
    if name is not None and not (isinstance(name, str) and NAMED.fullmatch(f"{name}=x")):
        problems.append(Problem(f"the name {say(name)} may hold letters, digits, '_' and '-' only", place))
    if not isinstance(given["sound"], bool):
        problems.append(Problem(f"sound is {say(given['sound'])}; write true or false", place))
    if given["transport"] not in TRANSPORTS:
        problems.append(Problem(f"transport is {say(given['transport'])}; it is one of {', '.join(TRANSPORTS)}", place))
    return Entry(str(source), name, bool(given["sound"]), given["transport"], place)
