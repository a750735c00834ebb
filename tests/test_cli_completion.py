"""Completion in the shell, by the protocol of argcomplete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = "import sys; from vadkit.cli import main; main([])"


def completed(line: str, tmp_path: Path) -> list[str]:
    answer = tmp_path / "answer"
    given = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9",
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", ASK], env={**os.environ, **given}, check=True, timeout=120)
    return [word.strip() for word in answer.read_text().splitlines()]


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("vadkit tr", ["train"]),
        ("vadkit weights che", ["check"]),
        ("vadkit bench swap x --see", ["--seeds"]),
        ("vadkit bench comp", ["compare"]),
        ("vadkit build ur_dmu_", ["ur_dmu_ucf", "ur_dmu_xd"]),
        ("vadkit info train.prec", ["train.precision"]),
        ("vadkit info tca", ["tca", "tca_retrieval_xd", "tca_vad_sht", "tca_vad_ucf"]),
    ],
)
def test_a_word_is_completed(line: str, among: list[str], tmp_path: Path) -> None:
    assert completed(line, tmp_path) == among


def test_a_file_of_the_users_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("about: mine")
    monkeypatch.chdir(tmp_path)
    assert completed("vadkit build mi", tmp_path) == ["mine.yaml"]


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    ask = (
        "import sys; from vadkit.cli.completion import names_to_look_up; names_to_look_up('t'); "
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
