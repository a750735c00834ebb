"""The URL of a file next to a page."""

from __future__ import annotations

import os
from urllib.parse import quote


def file_url(path: str) -> str:
    """Return a relative file path as a URL. A first part such as ``a:b`` is not read as a scheme."""
    parts = path.replace("\\", "/").split("/")
    url = "/".join(quote(os.fsencode(part), safe="") for part in parts)
    return url if parts[0] in ("", ".", "..") else f"./{url}"
