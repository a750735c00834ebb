"""Every promise is broken once on purpose. Runs last, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty import ALL_CHECKS, SEEN


def test_every_promise_was_broken_once(request: pytest.FixtureRequest) -> None:
    folder = Path(__file__).parent
    if sum(item.path.parent == folder for item in request.session.items) < 100:
        pytest.skip("only some tests were selected")
    promises = {str(check.__doc__) for checks in ALL_CHECKS.values() for check in checks}
    assert {promise for promise in promises - SEEN if "CUDA" not in promise} == set()
