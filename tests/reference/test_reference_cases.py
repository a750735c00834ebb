"""Every reference case of a folder, each with its own tolerances. See the folder's README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import systems
import torch
from cases import list_cases, load_case
from compare import compare

CASES = Path(__file__).parent / "cases"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--cases", None) or CASES
        paths = list_cases(folder)
        if not paths:
            raise pytest.UsageError(f"there is no reference case in {folder}")
        metafunc.parametrize("path", paths, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """A record was made on one thread; more would only add another order of the same sums."""
    torch.set_num_threads(1)


def test_case(path: Path, record_property: Callable[[str, object], None]) -> None:
    case = load_case(path)
    record_property("system", case.system)
    try:
        results = systems.run(case)
    except (systems.NoSuchSystem, systems.NoSuchFile) as reason:
        pytest.skip(str(reason))
    differences = compare(case, results)
    worst = max(differences, key=lambda d: d.share)
    record_property("share", worst.share)
    record_property("absolute", max(d.absolute for d in differences))
    record_property("where", f"{case.name} {worst.output}")
    wrong = [str(d) for d in differences if not d.equal]
    assert not wrong, "\n".join([f"{case.name}:", *wrong])
