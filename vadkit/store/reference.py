"""A store that refers to another one: some of its videos, whose files stay in place, and room for more streams."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from vadkit import json_file
from vadkit.files import make_folder
from vadkit.problems import fail
from vadkit.store.index import Store, read_store
from vadkit.store.names import VIDEOS, stream_folder, video_file
from vadkit.store.reader import StoredFeatures, originals, without_originals
from vadkit.store.store_json import load_head, write_head
from vadkit.store.videos_json import load_videos
from vadkit.video import Video


def write_reference(
    root: Path, out: Path, videos: Collection[str] | None = None, more: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Write into ``out`` the index of a store with the videos of the store ``root``.

    Args:
        videos: the names to take; None takes all.
        more: streams that the new store has besides, as store.json has them; its folder of each is made, for files.

    Raises VadkitError for a stream of which only the packed file is left: no other store can refer to that.
    """
    store, head = read_store(root), load_head(root)
    if packed := sorted(without_originals(store)):
        fail(
            f"{root}: of stream '{packed[0]}' only the packed file is left, to which another store cannot refer",
            "restore the features that were packed",
        )
    streams = {name: {k: v for k, v in about.items() if k != "packed"} for name, about in head["streams"].items()}
    make_folder(out)
    for name in more or {}:
        make_folder(stream_folder(out, name))
    known, reader = {video.name: video for video in store.videos}, originals(store)
    kept = [entry for entry in load_videos(root) if videos is None or entry["name"] in videos]
    json_file.write(out / VIDEOS, [_entry(entry, known[entry["name"]], store, reader) for entry in kept])
    write_head(out, {**head, "root": os.path.realpath(store.base), "streams": {**streams, **(more or {})}})


def _entry(entry: Mapping[str, Any], video: Video, store: Store, reader: StoredFeatures) -> dict[str, Any]:
    """Return an entry of videos.json whose files are those of the store, below its base folder."""
    files = {
        name: [path.relative_to(store.base).as_posix() for path in reader.paths(video, name)] for name in store.dims
    }
    found = {**entry, "files": files}
    if isinstance(entry.get("file"), str):
        found["file"] = os.path.realpath(video_file(store.root, entry["file"]))
    return found
