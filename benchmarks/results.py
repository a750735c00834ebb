"""Write a benchmark's rows with the machine they were measured on."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import torch

from vadkit.bench.machine import machine

FOLDER = Path(__file__).parent / "results"


def write(name: str, title: str, rows: list[dict[str, Any]], conditions: dict[str, Any], device: str) -> None:
    """Write results/NAME-DEVICE-MONTH.json and .md and print the table."""
    where = machine(torch.device(device))
    short = "cpu" if device == "cpu" else re.sub(r"[^a-z0-9]+", "-", where["device"].lower()).strip("-")
    stem = FOLDER / f"{name}-{short}-{time.strftime('%Y-%m')}"
    FOLDER.mkdir(exist_ok=True)
    data = {"title": title, "rows": rows, "conditions": conditions, "machine": where}
    stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    text = markdown(title, rows, conditions, where)
    stem.with_suffix(".md").write_text(text)
    print(text)


def markdown(title: str, rows: list[dict[str, Any]], conditions: dict[str, Any], where: dict[str, Any]) -> str:
    """Return the table with its conditions below."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"# {title}", "", "| " + " | ".join(names) + " |", "|---" + "|---:" * (len(names) - 1) + "|"]
    lines += ["| " + " | ".join(str(row.get(name, "-")) for name in names) + " |" for row in rows]
    packages = ", ".join(f"{name} {number}" for name, number in where["packages"].items())
    stated = ", ".join(f"{key}: {value}" for key, value in conditions.items())
    lines += [
        "",
        f"{stated}.",
        "",
        f"{where['device']}, {where['threads']} threads; {where['system']}, Python "
        f"{where['python']}, {packages}; commit {where['commit']}, {where['date']}.",
    ]
    return "\n".join(lines) + "\n"
