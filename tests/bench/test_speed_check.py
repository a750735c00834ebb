"""``vadkit bench check``: a planted slowdown is found, noise of the usual size is not reported."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from speed_runs import run
from wrong_json import DAMAGED, spoiled

from vadkit.bench.speed import check
from vadkit.bench.speed.result import Run, read, write
from vadkit.cli import main
from vadkit.problems import VadkitError


def slower(new: Run, old: Run) -> list[str]:
    return [change.key for change in check.changes(new, old) if change.is_slower(check.TOLERANCE)]


def test_a_planted_slowdown_is_found_and_noise_is_not_reported() -> None:
    """In 200 pairs of runs: a graph that is 20 % slower, and 19 equal ones."""
    found, false = 0, 0
    for seed in range(200):
        listed = slower(run(2 * seed + 1, slower=1.2), run(2 * seed))
        found += "g0" in listed
        false += len(listed) - ("g0" in listed)
    assert found >= 190
    assert false <= 0.01 * 200 * 19


def test_a_figure_with_a_restatement_is_compared_with_it() -> None:
    against = {change.key: change.against for change in check.changes(run(1), run(2))}
    assert against["g0"] == "the authors' way" and against["g2"] == "the limit"


def test_a_machine_that_is_twice_as_slow_is_no_slowdown() -> None:
    new = run(1)
    for row in new.rows.values():
        for times in (row.ours_ms, row.product_ms, row.copy_ms, row.plain_ms or []):
            times[:] = [2 * ms for ms in times]
    assert [round(change.change, 6) for change in check.changes(new, run(1))] == [0.0] * 20


def test_the_command_says_what_got_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "stored" / "old.json", tmp_path / "new.json"
    old.parent.mkdir()
    (old.parent / "other.json").write_text('{"title": "Start-up time", "rows": []}')
    write(run(1), old)
    write(run(2, slower=1.3), new)
    assert main(["bench", "check", str(new), "--against", str(old.parent)]) == 1
    said = capsys.readouterr().out
    assert "g0" in said and "the authors' way" in said and "g1 " not in said
    assert f"20 figures compared with {old}, tolerance 5%: 1 slower" in said
    assert main(["bench", "check", str(new), "--against", str(old), "--tolerance", "0.5"]) == 0


def test_more_memory_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grown = run(2)
    grown.growth["g0"].sizes[-1].peak_mib = 1600.0
    write(run(1), tmp_path / "old.json")
    write(grown, tmp_path / "new.json")
    assert main(["bench", "check", str(tmp_path / "new.json"), "--against", str(tmp_path / "old.json")]) == 1
    assert "g0: scoring 20,000 snippets takes 1,600 MiB, 1,400 before" in capsys.readouterr().out


def test_figures_that_vary_too_much_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, name in enumerate(("old.json", "new.json")):
        write(run(seed, noise=0.3), tmp_path / name)
    main(["bench", "check", str(tmp_path / "new.json"), "--against", str(tmp_path)])
    assert "figures varied too much to show a slowdown of 20%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("machine", "message"),
    [("CPU, 64 cores", "only runs of one device can be compared"), ("CPU, 2 cores", "have no figure in common")],
)
def test_runs_that_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], machine: str, message: str
) -> None:
    other = run(1)
    other.machine = msgspec.structs.replace(other.machine, device=machine)
    other.rows = {f"other {key}": row for key, row in other.rows.items()}
    write(other, tmp_path / "other.json")
    write(run(2), tmp_path / "new.json")
    assert main(["bench", "check", str(tmp_path / "new.json"), "--against", str(tmp_path / "other.json")]) == 2
    assert message in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["bench", "check", str(tmp_path / "new.json"), "--against", str(tmp_path / "none")]) == 2
    assert "has no other run on CPU, 2 cores with 2 threads" in capsys.readouterr().err


def test_every_key_of_a_run(tmp_path: Path) -> None:
    path, whole = tmp_path / "run.json", run(1, count=1)
    for row in whole.rows.values():
        row.product_ms, row.copy_ms, row.plain_ms = row.product_ms[:1], row.copy_ms[:1], None
    write(whole, path)
    wrong = 0
    for data in spoiled(json.loads(path.read_text())):
        path.write_text(json.dumps(data))
        try:
            read(path)
        except VadkitError as error:
            assert str(error).startswith(f"{path}: ")
            wrong += 1
    assert wrong > 50


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.json"
    path.write_bytes(content)
    assert main(["bench", "check", str(path), "--against", str(path)]) == 2
    assert str(path) in capsys.readouterr().err
