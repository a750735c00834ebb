"""The names that users type are pinned: one that vanishes or changes shows in review.

After a deliberate change, rewrite the file with ``python tests/test_names.py``.
"""

from __future__ import annotations

from pathlib import Path

from vadkit.kinds import KINDS
from vadkit.plugin_manager import load_plugins

PINNED = Path(__file__).parent / "names.txt"


def names_now() -> list[str]:
    """Return 'kind name' of every component that vadkit itself brings."""
    plugins = load_plugins()
    own = {plugin.name for plugin in plugins.plugins if plugin.package == "vadkit"}
    owners = plugins.components.owners
    return sorted(f"{c.kind} {c.name}" for c in owners if owners[c] in own)


def test_names_are_those_that_are_pinned() -> None:
    pinned, now = PINNED.read_text("ascii").splitlines(), names_now()
    gone, new = sorted(set(pinned) - set(now)), sorted(set(now) - set(pinned))
    assert not gone, f"no longer registered: {gone}. Some graph may name them"
    assert not new, f"not pinned yet: {new}. Run 'python tests/test_names.py'"


def test_a_name_belongs_to_one_kind() -> None:
    names = [line.split()[1] for line in PINNED.read_text("ascii").splitlines()]
    kinds = {line.split()[0] for line in PINNED.read_text("ascii").splitlines()}
    assert len(names) == len(set(names))
    assert kinds <= set(KINDS)


if __name__ == "__main__":
    PINNED.write_text("\n".join(names_now()) + "\n", "ascii")
