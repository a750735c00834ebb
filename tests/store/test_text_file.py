"""Features as text: what is wrong is said with file, line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vadkit.problems import VadkitError
from vadkit.store.text_file import checked_shape, open_text, text_shape

ROWS = np.random.default_rng(0).random((4, 5)).astype(np.float32)


def written(folder: Path, text: str) -> Path:
    path = folder / "Arson009_x264_C.txt"
    path.write_text(text)
    return path


def lines(rows: np.ndarray = ROWS) -> list[str]:
    return [" ".join(f"{x:.6f}" for x in row) for row in rows]


@pytest.mark.parametrize("text", ["\n".join(lines()) + "\n", "\n\n".join(lines()), "\r\n".join(lines()) + "\r\n\r\n"])
def test_what_is_read(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    assert checked_shape(path) == text_shape(path) == (4, 5)
    np.testing.assert_allclose(open_text(path)[0], ROWS, atol=1e-6)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "0.1 0.2 x 0.4 0.5", ":3:9: 'x' is no number"),
        (0, "0.1 0.2 0.3,0.4 0.5", ":1:9: '0.3,0.4' is no number"),
        (3, "0.1 0.2 0.3 0.4", ":4: has 4 numbers, but line 1 has 5"),
        (1, "0.1 0.2 0.3 0.4 0.5 0.6", ":2: has 6 numbers, but line 1 has 5"),
    ],
)
def test_a_wrong_line_is_said_with_its_place(tmp_path: Path, line: int, text: str, message: str) -> None:
    own = lines()
    own[line] = text
    path = written(tmp_path, "\n".join(own))
    for read in (checked_shape, open_text):
        with pytest.raises(VadkitError) as caught:
            read(path)
        assert caught.value.problems[0].message == f"{path}{message}"


def test_lines_are_counted_with_the_empty_ones(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match=r"_C.txt:5: has 1 number, but line 3 has 5"):
        checked_shape(written(tmp_path, "\n\n" + "\n".join([*lines()[:2], "1"])))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_numbers(tmp_path: Path, text: str) -> None:
    for read in (checked_shape, text_shape, open_text):
        with pytest.raises(VadkitError, match="is empty|holds no numbers"):
            read(written(tmp_path, text))


def test_another_width_than_the_store(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="features are 5 wide, but the store says 4096"):
        open_text(written(tmp_path, "\n".join(lines())), 4096)
