"""Which stream a feature file belongs to, by the folders above it, its name, or its width.

The nearest folder whose name means a stream decides: in ``i3d-features/Flow`` the files are flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from vadkit.datasets.importing.scan import Found, find_files
from vadkit.problems import fail
from vadkit.store.names import is_stream_name

# A word in a folder's name -> the stream. Of two words in one name the earlier line counts.
WORDS = {
    "flow": "flow",
    "vggish": "audio",
    "audio": "audio",
    "sound": "audio",
    "clip": "clip",
    "vit": "clip",
    "rgb": "rgb",
    "i3d": "rgb",
    "c3d": "rgb",
    "swin": "rgb",
}
WIDTHS = {128: "audio", 512: "clip"}  # where nothing else shows it: VGGish, CLIP ViT-B


def stream_of(folders: Sequence[str], named: str | None) -> str | None:
    """Return the stream by the folders above a file, outermost first, and what its name means."""
    if named is not None:
        return named
    for folder in reversed(folders):
        words = set(re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[a-z]\d[a-z]|[A-Z]\d[A-Z]", folder))
        lower = {word.lower() for word in words} | set(re.split(r"[^a-z0-9]+", folder.lower()))
        found = next((stream for word, stream in WORDS.items() if word in lower), None)
        if found:
            return found
    return None


def by_width(width: int) -> str:
    """Return the stream that features of that width probably are."""
    return WIDTHS.get(width, "rgb")


def given_streams(root: Path, given: Iterable[str]) -> list[tuple[str, Found]]:
    """Return the files of streams that the user assigns, as STREAM=FOLDER, FOLDER below ``root`` or absolute.

    Raises VadkitError for anything else, and for folders without a feature file.
    """
    found = []
    for text in given:
        stream, equals, folder = text.partition("=")
        if not equals or not folder or not is_stream_name(stream):
            fail(f"--stream {text}: must be NAME=FOLDER", hint="for example --stream rgb=i3d-features/RGB")
        place = root / folder
        found += [(stream, Found(file.path, _below(file.path, root))) for file in find_files(place)]
    return found


def _below(path: Path, root: Path) -> PurePosixPath:
    """Return the path below the root; the whole path if it is elsewhere."""
    return PurePosixPath((path.relative_to(root) if path.is_relative_to(root) else path).as_posix())
