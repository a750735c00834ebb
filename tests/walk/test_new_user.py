"""A new user's first hour, as a script that anybody can run: see new_user.sh."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WALK = Path(__file__).parent
ROOT = WALK.parent.parent


@pytest.mark.guards("6")
def test_a_new_user_gets_from_installing_to_scores(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "SITE": " ".join(
            path for path in sys.path if path.endswith("site-packages")
        ),  # torch and others are not loaded
        "PIP_ARGS": "--no-deps --no-build-isolation --no-index",
    }
    for name in ("VADKIT_PLUGINS", "PYTHONPATH"):
        environment.pop(name, None)
    done = subprocess.run(
        ["bash", WALK / "new_user.sh", ROOT, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "Traceback" not in said
    assert "Warning" not in said, said
    labels = {video["name"]: video["label"] for video in json.loads((tmp_path / "store" / "videos.json").read_text())}
    assert labels["\u00dcberfall 1"] == labels["\u00dcberfall 3"] == 1
    assert labels["street 2"] == labels["street 3"] == 0
    assert "street 4" not in labels  # it has no label
    imported = json.loads((tmp_path / "imported" / "videos.json").read_text())
    assert sum(video["label"] for video in imported) == 8
    assert len(imported) == 16
    table = list(csv.DictReader((tmp_path / "swap" / "table.csv").open()))
    assert [row["variant"] for row in table] == ["tca", "identity", "layer_norm"]
    assert (tmp_path / "pages" / "index.html").is_file()
    assert (tmp_path / "model.pt2").is_file()
