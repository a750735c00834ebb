"""The loggers that ``train.log`` names, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vadkit.components import build_component, find_component
from vadkit.engine.run_log import Writer
from vadkit.files import make_folder, why
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail


class Guarded:
    """A logger whose refusal to write is reported like that of log.jsonl, wherever it comes from."""

    def __init__(self, name: str, logger: Any, folder: Path, keep: int | None) -> None:
        self.name, self.logger, self.folder = name, logger, folder
        make_folder(folder)
        _refuse_links(folder)
        self._call(logger.open, folder, keep)

    def write(self, record: dict[str, Any]) -> None:
        self._call(self.logger.write, dict(record))

    def close(self) -> None:
        self._call(self.logger.close)

    def _call(self, method: Any, *args: Any) -> None:
        try:
            method(*args)
        except OSError as error:
            fail(
                f"the logger {self.name} cannot write in {self.folder}: {why(error)}",
                hint="what was saved before is intact; make room, or leave it out of train.log, then use --resume",
            )


def _refuse_links(folder: Path) -> None:
    """A file that a logger goes on with is its own: a link might lead to a file of somebody else's."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            fail(f"{path} is a link, and loggers only write to files of their own", hint="move it away")


def open_logger(entry: Mapping[str, Any], folder: Path, keep: int | None, plugins: Plugins) -> Writer:
    """Return the logger of an entry of ``train.log``, open in FOLDER/NAME; see ``vadkit.kinds.Logger.open``."""
    component = find_component(entry["use"], "logger", plugins)
    logger = build_component(component, entry["args"], "train.log")
    return Guarded(component.name, logger, folder / component.name, keep)
