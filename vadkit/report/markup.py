"""Text that is already HTML, and text that is not: nothing reaches a page unescaped by accident."""

from __future__ import annotations

import html
import json
import os
from urllib.parse import quote


class Html(str):
    """A string that is markup. Every other string is escaped before it is put on a page."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Return ``text`` as markup: an ``Html`` as it is, anything else with ``< > & " '`` escaped."""
    return text if isinstance(text, Html) else Html(html.escape(str(text), quote=True))


def link(path: str) -> str:
    """Return a relative file path as a URL. A first part such as ``a:b`` is kept from being a scheme."""
    parts = path.replace("\\", "/").split("/")
    url = "/".join(quote(os.fsencode(part), safe="") for part in parts)
    return url if parts[0] in ("", ".", "..") else f"./{url}"


def script_json(data: object) -> Html:
    """Return ``data`` as JSON that can stand inside a ``script`` element."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # "</script" and "<!--" would end or confuse the element, whatever quotes they stand in.
    return Html(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
