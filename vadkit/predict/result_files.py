"""The files of one video's results: NAME.json, NAME.csv, NAME.html, and a copy of the video where browsers need one.

NAME.json is put in place last, so that it exists only if the others do; it states what the results were computed
from, by which a later call knows whether they still hold.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from vadkit import __version__, json_file
from vadkit.files import replacing
from vadkit.predict.inputs import PREVIEW, identity
from vadkit.predict.playable import transcode, unplayable
from vadkit.predict.scored_video import ScoredVideo, as_csv, as_data, as_json, rule_of
from vadkit.predict.system import System
from vadkit.predict.video_page import video_page
from vadkit.predict.video_summary import entry_of
from vadkit.problems import VadkitError
from vadkit.report import file_url
from vadkit.results_folder import writing

LARGE = 64 << 20  # bytes; with a larger video inside, a page opens slowly, and a warning says so
SUFFIXES = (".html", ".csv", ".json")  # in the order in which they are put in place
LINKED, COPIED, EMBEDDED = "linked", "copied", "embedded"


def results_of(name: str, out: Path) -> list[Path]:
    """Return the files that may be written for a video."""
    return [out / f"{name}{suffix}" for suffix in (*SUFFIXES, PREVIEW)]


def write_files(scored: ScoredVideo, out: Path, embed: bool) -> dict[str, Any]:
    """Write the files of one video, all or none, and return what its NAME.json holds."""
    with writing(*results_of(scored.name, out)), ExitStack() as stack:
        source = _source(scored, out, embed, stack)
        data = as_data(scored)
        texts = {".json": as_json(data), ".csv": as_csv(scored), ".html": video_page(scored, source)}
        for suffix in reversed(SUFFIXES):  # the stack puts the last one in place first
            temporary = stack.enter_context(replacing(out / f"{scored.name}{suffix}"))
            temporary.write_bytes(texts[suffix].encode("utf-8", "backslashreplace"))
    return data


def read_result(path: Path) -> dict[str, Any] | None:
    """Return the content of a NAME.json; None if there is no such file, or it was not written by vadkit predict."""
    try:
        data = json_file.load(path) if path.is_file() else None
    except VadkitError:
        return None
    return data if isinstance(data, dict) and isinstance(data.get("vadkit_predict"), int) else None


def finished(out: Path, name: str, video: Path, system: System, embed: bool) -> dict[str, Any] | None:
    """Return the content of NAME.json if this video as it is now, this model and these settings give it."""
    data = read_result(out / f"{name}.json")
    try:
        if data is None or not _is_same(data, video, system, embed) or not _is_complete(data, out, name):
            return None
        entry_of(name, data)
    except (LookupError, TypeError, ValueError, OSError):  # damaged, or the video has gone
        return None
    return data


def _is_same(data: Mapping[str, Any], video: Path, system: System, embed: bool) -> bool:
    about = video.stat()
    return (
        data["video"]["path"] == str(identity(video))
        and (data["video"]["bytes"], data["video"]["changed_at"]) == (about.st_size, about.st_mtime_ns)
        and (data["model"]["sha256"], data["threshold"]) == (system.sha256, system.threshold)
        and data["rule"] == rule_of(system)
        and data["recipe"] == json.loads(json_file.as_line(system.recipes))
        and data["settings"] == {"embed": embed}
        and data["versions"]["vadkit"] == __version__
    )


def _is_complete(data: Mapping[str, Any], out: Path, name: str) -> bool:
    wanted = [*SUFFIXES, PREVIEW] if data["page"] == COPIED else SUFFIXES
    return all((out / f"{name}{suffix}").is_file() for suffix in wanted)


def _source(scored: ScoredVideo, out: Path, embed: bool, stack: ExitStack) -> str | None:
    """Return what the page plays: the video by relative path, a copy next to the page, or the video itself."""
    reason = unplayable(scored.video, scored.packing, scored.extracted.offset)
    if not embed and reason is None:
        scored.page = LINKED
        return _relative(scored.video, out)
    try:
        if embed:
            source = _embedded(scored, reason is not None)
            scored.page = EMBEDDED
            return source
        with ExitStack() as alone:  # so that a failed copy is deleted and not moved into place
            transcode(scored.video, alone.enter_context(replacing(out / (scored.name + PREVIEW))))
            stack.push(alone.pop_all())
    except VadkitError as error:
        scored.warnings.append(f"The page shows no video. {error.problems[0].message}")
        return None
    scored.page = COPIED
    scored.warnings.append(f"The page plays a copy (H.264 and AAC), because {reason}.")
    return file_url(scored.name + PREVIEW)


def _relative(video: Path, out: Path) -> str:
    try:
        return file_url(os.path.relpath(video.resolve(), out.resolve()))
    except ValueError:  # another drive
        return video.resolve().as_uri()


def _embedded(scored: ScoredVideo, copy: bool) -> str:
    kind = "webm" if scored.video.suffix.lower() == ".webm" and not copy else "mp4"
    if copy:
        with tempfile.TemporaryDirectory() as folder:
            transcode(scored.video, Path(folder) / "copy.mp4")
            data = (Path(folder) / "copy.mp4").read_bytes()
    else:
        data = scored.video.read_bytes()
    if len(data) > LARGE:
        scored.warnings.append(f"The video in this page has {len(data) >> 20} MiB; the page opens slowly.")
    return f"data:video/{kind};base64,{base64.b64encode(data).decode()}"
