"""What the runs of a comparison were measured on, and why their figures mean little if they do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from vadkit import json_file
from vadkit.problems import VadkitError, as_sentence, plural


class CountsJson(msgspec.Struct):
    """How much the figures of a run were measured on."""

    videos: int | None = None
    abnormal_videos: int | None = None
    snippets: int | None = None
    frames: int | None = None


class ProtocolJson(msgspec.Struct):
    """On what a run was measured."""

    data_set: str | None = None
    split: str | None = None


class ProvenanceJson(msgspec.Struct):
    """The part of a result.json that states where its figures come from."""

    figures: CountsJson
    protocol: ProtocolJson | None = None
    note: str | None = None


def provenance(files: Iterable[Path]) -> tuple[str, str | None]:
    """Return what the runs were measured on, and what must be said of their figures, from their result.json files.

    Where runs differ, each sentence is there once. What a file does not state is left out.
    """
    measured, notices = [], []
    for file in files:
        try:
            run = json_file.read(file, ProvenanceJson)
        except VadkitError:  # its figures are sound, or the comparison would have ended
            continue
        measured.append(_measured_on(run))
        notices.append(run.note)
    known = dict.fromkeys(as_sentence(text) for text in notices if text)
    return "; ".join(dict.fromkeys(filter(None, measured))) or "data unknown", " ".join(known) or None


def _measured_on(run: ProvenanceJson) -> str:
    counts, protocol = run.figures, run.protocol or ProtocolJson()
    if counts.videos is None or counts.frames is None:
        return ""
    abnormal = "" if counts.abnormal_videos is None else f" ({counts.abnormal_videos} abnormal)"
    snippets = "" if counts.snippets is None else f", {plural(counts.snippets, 'snippet')}"
    where = f"{protocol.data_set or 'data set unknown'}, split {protocol.split or 'unknown'}"
    return f"{where}: {plural(counts.videos, 'video')}{abnormal}{snippets}, {plural(counts.frames, 'frame')}"
