"""Events as files: one JSON file each."""

from __future__ import annotations

from pathlib import Path

from vadkit import Sink, hookimpl
from vadkit.sinks import Event, plain_name, write_file


class FolderSink(Sink):
    """Write a JSON file for each event, SOURCE-ID.json, with its latest state; ``clip`` in it is the path of its video.

    A file is replaced as a whole, so that a reader never sees half of one.
    """

    name = "folder"

    def open(self, folder: Path) -> None:
        self.folder = folder

    def send(self, event: Event) -> None:
        write_file(self.folder / f"{plain_name(event.source)}-{event.id}.json", event.as_json().encode() + b"\n")


@hookimpl
def vadkit_components() -> list[type]:
    return [FolderSink]
