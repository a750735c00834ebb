"""The students that come with the demo keep the bounds that they are made for."""

from __future__ import annotations

import pytest

import vadkit
from vadkit.distill.run import Size, size_of


@pytest.fixture(scope="module")
def teacher() -> Size:
    return size_of(vadkit.build("demo_three_stream"))


@pytest.mark.parametrize("name", ["demo_student", "demo_student_small"])
def test_a_student_takes_a_tenth_of_the_operations_and_50000_parameters(name: str, teacher: Size) -> None:
    student = size_of(vadkit.build(name))
    assert student.flops is not None and teacher.flops is not None
    assert student.flops <= 0.1 * teacher.flops
    assert student.parameters <= 50_000
