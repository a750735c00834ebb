"""The words of the glossary in .github/CONTRIBUTING.md that a native reader stumbles on are in no text of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("vadkit", "plugins", "registry_configs", "benchmarks", ".github")
SUFFIXES = {".py", ".yaml", ".yml", ".md", ".txt", ".html", ".toml"}
# What is never right here, whatever the sense. Left out are words with a good sense, too: tell apart, stand-in, beside.
PATTERN = re.compile(
    r"\b(told|anew|for ever|whence|mends?|mended|strangers?|nobody|ahead of|behind (the|it|each|a)\b"
    r"|(is|are|was|were) told|goes on where|lies in|lie in|lies beside|made (with|of|from) (its|the) features)\b",
    re.IGNORECASE,
)


def texts() -> Iterator[tuple[Path, int, str]]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    files += [ROOT / name for name in ("README.md", "CHANGELOG.md")]
    for path in files:
        if "results" not in path.parts and path.name != "CONTRIBUTING.md":  # recorded; and the glossary itself
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield path.relative_to(ROOT), number, line


def test_no_word_of_the_glossary_is_left() -> None:
    lines = list(texts())
    assert len({path for path, _, _ in lines}) > 300
    found = [f"{path}:{number}: {line.strip()}" for path, number, line in lines if PATTERN.search(line)]
    assert not found, "\n".join(found)
