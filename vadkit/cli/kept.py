"""What one call of the command line keeps for the next: a JSON file of each name, in the user's cache folder.

What is kept holds as long as the fingerprint that it was kept with. A damaged file, or no folder, is no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from vadkit.files import write_atomically
from vadkit.problems import VadkitError


def kept(name: str, fingerprint: str | None) -> Any:
    """Return what was kept under a name and a fingerprint; None if there is nothing, or no fingerprint."""
    try:
        content = json.loads(_file(name).read_bytes())
        if fingerprint is not None and content["fingerprint"] == fingerprint:
            return content["content"]
    except (OSError, ValueError, LookupError, TypeError):  # none, or a damaged one
        pass
    return None


def keep(name: str, fingerprint: str | None, content: Any) -> None:
    """Keep JSON data under a name and a fingerprint; without one nothing is kept."""
    if fingerprint is None:
        return
    try:
        _file(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(name), json.dumps({"fingerprint": fingerprint, "content": content}).encode())
    except (OSError, VadkitError):  # no home, or a read-only one: the next call takes its seconds again
        pass


def _file(name: str) -> Path:
    """Return the path of a file; each environment has its own."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "vadkit" / f"{name}-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]}.json"
