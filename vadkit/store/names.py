"""The names of the files in a store, and which names videos and streams may have."""

from __future__ import annotations

HEAD, VIDEOS, MANIFEST = "store.json", "videos.json", "manifest.jsonl"
LONGEST = 240  # bytes; a file system takes 255, and suffixes are added


def is_plain_name(name: object) -> bool:
    """Return whether ``name`` is a file name that cannot leave its folder or hide in it."""
    if not isinstance(name, str) or not name or name.startswith("."):
        return False
    if len(name.encode(errors="surrogatepass")) > LONGEST:
        return False
    return not any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in name)
