"""Score many videos; one that fails does not stop the others."""

from __future__ import annotations

import base64
import os
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from vadkit import json_file
from vadkit.files import make_folder, replacing, write_text_atomic
from vadkit.predict.index_page import index_page
from vadkit.predict.inputs import PREVIEW, distinct_names, find_videos
from vadkit.predict.playable import transcode, unplayable
from vadkit.predict.scored_video import ScoredVideo, as_csv, as_json, score_video
from vadkit.predict.system import System, load_system
from vadkit.predict.video_page import video_page
from vadkit.predict.video_summary import Outcome, summarize
from vadkit.problems import VadkitError, fail
from vadkit.report import file_url

LARGE = 64 << 20  # bytes; with a larger video inside, a page opens slowly, and a warning says so

Progress = Callable[[int, int, Path, float, float | None], None]
"""Called with the video's number, the number of videos, its path, seconds done, seconds in total."""


class EarlierJson(msgspec.Struct):
    """By what a NAME.json of an earlier run is recognised."""

    vadkit_predict: int


def predict(
    videos: Sequence[str | Path],
    model: str | Path,
    out: str | Path | None,
    *,
    threshold: float | None = None,
    embed: bool = False,
    device: str = "auto",
    weights: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    report: Callable[[Outcome], None] | None = None,
    keep: Callable[[ScoredVideo], None] | None = None,
) -> list[Outcome]:
    """Score videos and write NAME.json, NAME.csv and NAME.html for each, and index.html over all.

    Args:
        videos: files, and folders to search for videos.
        model: a .safetensors file whose inputs name their backbones.
        out: folder to write to, created if needed. A file in it is replaced once the new one is
            complete. None writes nothing.
        threshold: a snippet that scores at least this belongs to an event; None takes the model's own.
        embed: store the videos inside the pages instead of linking to them.
        device: "auto", "cpu", "cuda", ...
        weights: weight files of backbones by input name, if they have moved since training.
        report: called with each outcome.
        keep: called with each result, before its outcome: what it takes is not held here.

    Raises VadkitError if nothing can be scored: no such video, a broken model file, a folder that cannot
    be written. A problem of a single video is in its outcome.
    """
    out = None if out is None else Path(out)
    found = find_videos(videos, out or Path(os.devnull))
    system = load_system(Path(model), device, threshold, weights)
    if out is not None:
        make_folder(out)
    outcomes = []
    for number, (video, name) in enumerate(zip(found, distinct_names(found))):
        outcome = _one(system, video, name, out, embed, _of_video(progress, number, len(found), video), keep)
        outcomes.append(outcome)
        if report:
            report(outcome)
    if out is not None:
        write_text_atomic(out / "index.html", index_page(outcomes, system.path.name, system.threshold))
    return outcomes


def _of_video(
    progress: Progress | None, number: int, count: int, video: Path
) -> Callable[[float, float | None], None] | None:
    if progress is None:
        return None
    progress(number, count, video, 0.0, None)
    return lambda done, total: progress(number, count, video, done, total)


def _one(
    system: System,
    video: Path,
    name: str,
    out: Path | None,
    embed: bool,
    progress: Callable[[float, float | None], None] | None,
    keep: Callable[[ScoredVideo], None] | None,
) -> Outcome:
    try:
        if out is not None:
            _refuse_unrelated_file(out / f"{name}.json")
        scored = score_video(system, video, name, progress)
        if out is not None:
            write_files(scored, out, embed)
        if keep:
            keep(scored)
        return Outcome(video, summarize(scored))
    except VadkitError as error:
        return Outcome(video, error="\n".join(problem.render() for problem in error.problems))
    except Exception as error:  # noqa: BLE001 - a decoder or backbone may raise anything; the other videos are still scored
        where = traceback.extract_tb(error.__traceback__)[-1]
        cause = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return Outcome(video, error=f"{video}: {cause}")


def _refuse_unrelated_file(path: Path) -> None:
    """Refuse to replace a JSON file that is not an earlier result, such as labels next to the video."""
    if not path.exists():
        return
    try:
        json_file.read(path, EarlierJson)
    except VadkitError:
        fail(f"{path} exists and was not written by vadkit predict", "choose another folder with --out")


def write_files(scored: ScoredVideo, out: Path, embed: bool) -> None:
    """Write the three files of one video, and a copy of it where browsers need one: all or none."""
    with ExitStack() as stack:
        source = _source(scored, out, embed, stack)
        for suffix, text in (
            ("json", as_json(scored)),
            ("csv", as_csv(scored)),
            ("html", video_page(scored, source)),
        ):
            temporary = stack.enter_context(replacing(out / f"{scored.name}.{suffix}"))
            temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def _source(scored: ScoredVideo, out: Path, embed: bool, stack: ExitStack) -> str | None:
    """Return what the page plays: the video by relative path, a copy next to the page, or the video itself."""
    reason = unplayable(scored.video, scored.packing, scored.extracted.offset)
    if not embed and reason is None:
        return _relative(scored.video, out)
    try:
        if embed:
            return _embedded(scored, reason is not None)
        with ExitStack() as alone:  # so that a failed copy is deleted and not moved into place
            transcode(scored.video, alone.enter_context(replacing(out / (scored.name + PREVIEW))))
            stack.push(alone.pop_all())
    except VadkitError as error:
        scored.warnings.append(f"The page shows no video. {error.problems[0].message}")
        return None
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
