"""Exporting is slow, so most tests run without it."""

from __future__ import annotations

import pytest

from vadkit.testing import CHECKS, machines


@pytest.fixture(autouse=True)
def exporting_only_where_it_matters(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Exporting takes most of the time, so only the tests whose names say so wait for it."""
    if "export" not in request.node.name:
        for kind, checks in CHECKS.items():
            monkeypatch.setitem(CHECKS, kind, [check for check in checks if check is not machines.exports])
