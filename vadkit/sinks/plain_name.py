"""Names of sources where only letters, digits, dash and underscore are allowed: files, topics."""

from __future__ import annotations

import hashlib
import re

LONGEST = 60


def plain_name(source: str) -> str:
    """Return a name of letters, digits, '-' and '_'. Of sources that differ, the names differ."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", source).strip("_")
    if plain == source and len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}_{hashlib.sha256(source.encode('utf-8', 'backslashreplace')).hexdigest()[:6]}"
