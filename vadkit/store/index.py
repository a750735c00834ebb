"""Read and check the two JSON files of a feature store: what streams it has, and its videos.

STORE/store.json   {"vadkit_store": 1, "snippet_frames": 16, "streams": {NAME: {"dim": D, "recipe": {...}}},
                    "classes": ["normal", ...]}
STORE/videos.json  [{"name", "split", "label", "classes", "num_frames", "fps", "spans", "file", "tags"}, ...]

A store may also be an index of features that lie elsewhere, as people have published them. Then store.json has
"root", the folder of the files, and an entry of videos.json has "files": {STREAM: FILE or [FILE of crop 0, ...]}.
A stream of store.json may say "axes" (how a file of all crops is laid out, for all videos or by split) and
"packed" (``vadkit.store.pack``). At the top, "segments": N says that features are of N equal parts of each video,
"data_set" names a published one, and "intervals" the rule by which its spans were read.

Everything that is wrong with a file is told at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.problems import Place, Problem, VadkitError, fail, nearest
from vadkit.video import SPLITS, Video

VERSION = 1
HEAD, VIDEOS, MANIFEST = "store.json", "videos.json", "manifest.jsonl"
KEYS = ("name", "split", "label", "classes", "num_frames", "fps", "spans", "file", "tags", "files")
AXES = ("crops snippets width", "snippets crops width")
MAKE = "a feature store is a folder with store.json, videos.json and one folder per stream"


@dataclass(frozen=True)
class Store:
    """The index of a feature store. ``dims``, ``recipes``, ``axes`` and ``packed`` are by stream.

    ``base`` is the folder that the files of ``Video.files`` are relative to; ``axes`` are by split, too.
    """

    root: Path
    snippet_frames: int
    dims: dict[str, int]
    recipes: dict[str, dict[str, Any]]
    classes: tuple[str, ...]
    videos: tuple[Video, ...]
    warnings: tuple[str, ...] = field(default=())
    base: Path = field(default=Path())
    axes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)
    data_set: str | None = None
    intervals: str = "half_open"
    segments: int | None = None


def is_plain_name(name: object) -> bool:
    """Tell whether ``name`` is a file name that cannot leave its folder or hide in it."""
    if not isinstance(name, str) or not name or name.startswith(".") or len(name.encode(errors="surrogatepass")) > 240:
        return False
    return not any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in name)


def read_store(root: Path | str) -> Store:
    """Return the index of the store in ``root``. Raises VadkitError with every problem found."""
    root = Path(root)
    if not root.exists():
        fail(f"{root}: there is no such folder", hint=MAKE)
    if not root.is_dir():
        fail(f"{root}: is not a folder", hint=MAKE)
    if not any(root.iterdir()):
        fail(f"{root}: the folder is empty", hint=MAKE)
    if (root / MANIFEST).exists() and not (root / VIDEOS).exists():
        fail(
            f"{root / VIDEOS}: is not there: perhaps the extraction was stopped before it ended",
            hint="start it again with the same words: it goes on where it was",
        )
    head, listed = read_json(root / HEAD, MAKE), read_json(root / VIDEOS, MAKE)
    dims, recipes, snippet_frames = _head(root / HEAD, head)
    classes = _classes(root / HEAD, head, listed)
    videos, warnings = _Videos(root / VIDEOS, classes, dims, head.get("segments")).read(listed)
    about = head["streams"]
    return Store(
        root,
        snippet_frames,
        dims,
        recipes,
        classes,
        videos,
        warnings,
        base=root / head.get("root", ""),
        axes={name: _by_split(about[name]["axes"]) for name in dims if "axes" in about[name]},
        packed={name: about[name]["packed"] for name in dims if "packed" in about[name]},
        data_set=head.get("data_set"),
        intervals=head.get("intervals", "half_open"),
        segments=head.get("segments"),
    )


def _by_split(axes: str | Mapping[str, str]) -> Mapping[str, str]:
    return dict.fromkeys(SPLITS, axes) if isinstance(axes, str) else axes


def read_json(path: Path, hint: str | None = None) -> Any:
    """Return what a JSON file holds. Raises VadkitError for one that is missing, empty or cut off."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})", hint=hint)
    except OSError as error:
        fail(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}", hint=hint)
    if not text.strip():
        fail(f"{path}: is empty", hint="write it again: a run that made it was probably interrupted")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        _fail_json(path, text, error)
    except RecursionError:
        fail(f"{path}: is nested too deeply", hint=hint)
    except ValueError as error:
        fail(f"{path}: is not JSON: {error}", hint=hint)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


def _fail_json(path: Path, text: str, error: json.JSONDecodeError) -> None:
    lines = text.splitlines()
    source = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    place = Place(str(path), error.lineno, error.colno, source if len(source) <= 200 else "")
    cut = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated")
    message = "the file is cut off here" if cut else f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"
    fail(message, hint="write it again: a run that made it was probably interrupted" if cut else None, place=place)


def _head(path: Path, head: Any) -> tuple[dict[str, int], dict[str, dict[str, Any]], int]:
    """Return widths and recipes by stream, and the frames of a snippet."""
    if not isinstance(head, dict) or "vadkit_store" not in head:
        fail(f"{path}: has no 'vadkit_store', so it does not describe a feature store", hint=MAKE)
    if head["vadkit_store"] != VERSION:
        fail(
            f"{path}: is a store of version {head['vadkit_store']!r}; this vadkit reads version {VERSION}",
            hint="install a newer vadkit, or extract the features again",
        )
    problems = []
    frames, streams = head.get("snippet_frames"), head.get("streams")
    if not _is_whole(frames, 1):
        problems.append(Problem(f"{path}: snippet_frames must be a whole number above 0, got {frames!r}"))
    if not isinstance(streams, dict) or not streams:
        problems.append(Problem(f"{path}: streams must map at least one stream to its width, got {streams!r}"))
        streams = {}
    for name, about in streams.items():
        if not is_plain_name(name):
            problems.append(Problem(f"{path}: stream name {name!r} is not a plain folder name"))
        elif not isinstance(about, dict) or not _is_whole(about.get("dim"), 1):
            problems.append(Problem(f"{path}: stream '{name}' needs a whole number 'dim' above 0"))
        else:
            problems += _layout(path, name, about)
    if head.get("segments") is not None and not _is_whole(head["segments"], 1):
        problems.append(Problem(f"{path}: segments must be a whole number above 0, got {head['segments']!r}"))
    for key in ("root", "data_set", "intervals"):
        if not isinstance(head.get(key, ""), str):
            problems.append(Problem(f"{path}: {key} must be text, got {head[key]!r}"))
    if problems:
        raise VadkitError(problems)
    recipes = {name: about.get("recipe") or {} for name, about in streams.items()}
    return {name: about["dim"] for name, about in streams.items()}, recipes, int(head["snippet_frames"])


def _layout(path: Path, name: str, about: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with how a stream's files are laid out."""
    problems = []
    axes = about.get("axes", AXES[0])
    if not all(axes in AXES for axes in (axes.values() if isinstance(axes, dict) else [axes])):
        problems.append(Problem(f"{path}: stream '{name}' has axes {axes!r}", hint="they are " + " or ".join(AXES)))
    if "packed" in about and not is_plain_name(about["packed"]):
        problems.append(Problem(f"{path}: stream '{name}' is packed in {about['packed']!r}, not a plain file name"))
    return problems


def _classes(path: Path, head: Mapping[str, Any], listed: Any) -> tuple[str, ...]:
    """Return the class names, normal first; those the videos use where store.json names none."""
    classes = head.get("classes")
    if classes is None:
        entries = [v for v in listed if isinstance(v, dict)] if isinstance(listed, list) else []
        named = [v["classes"] for v in entries if isinstance(v.get("classes"), list)]
        used = {c for names in named for c in names if isinstance(c, str)}
        return ("normal", *sorted(used - {"normal"}))
    if not isinstance(classes, list) or not classes or not all(isinstance(c, str) and c for c in classes):
        fail(f"{path}: classes must be a list of names, normal first, got {classes!r}")
    twice = sorted({c for c in classes if classes.count(c) > 1})
    if twice:
        fail(f"{path}: classes names '{twice[0]}' twice")
    return tuple(classes)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class _Videos:
    """Checks the entries of videos.json one by one and collects what is wrong."""

    def __init__(self, path: Path, classes: Iterable[str], streams: Iterable[str], segments: int | None = None) -> None:
        self.path, self.classes, self.streams, self.segments = path, tuple(classes), tuple(streams), segments
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.where = ""

    def read(self, listed: Any) -> tuple[tuple[Video, ...], tuple[str, ...]]:
        if not isinstance(listed, list):
            fail(f"{self.path}: must hold a list of videos, not {type(listed).__name__}")
        if not listed:
            fail(f"{self.path}: names no video")
        videos = [self._video(number, entry) for number, entry in enumerate(listed)]
        self._refuse_twice([v.name for v in videos if v is not None])
        if self.problems:
            raise VadkitError(self.problems)
        return tuple(v for v in videos if v is not None), tuple(self.warnings)

    def _tell(self, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(f"{self.path}: {self.where}{message}", hint=hint))

    def _refuse_twice(self, names: list[str]) -> None:
        seen: set[str] = set()
        self.where = ""
        for name in names:
            if name in seen:
                self._tell(f"two videos are called '{name}'", "names must be unique: they are file names")
            seen.add(name)

    def _video(self, number: int, entry: Any) -> Video | None:
        self.where = f"video number {number + 1} "
        if not isinstance(entry, dict):
            self._tell(f"is {type(entry).__name__}, not a mapping with a name, split and label")
            return None
        name = entry.get("name")
        if not is_plain_name(name):
            self._tell(f"has the name {name!r}", "a name is a plain file name: no slash, no leading dot")
            return None
        self.where = f"video '{name}' "
        before = len(self.problems)
        self._keys(entry)
        split, label = self._split(entry.get("split")), self._label(entry.get("label"))
        num_frames, fps = self._count(entry.get("num_frames")), self._fps(entry.get("fps"))
        classes = self._class_names(entry.get("classes") or [], label)
        spans = self._spans(entry.get("spans") or [], num_frames)
        file, tags = self._file(entry.get("file")), self._tags(entry.get("tags"))
        files = self._files(entry.get("files"))
        self._together(split, label, spans)
        if len(self.problems) > before:
            return None
        return Video(str(name), split, label, classes, num_frames, fps, spans, file, tags, files, self.segments)

    def _keys(self, entry: Mapping[str, Any]) -> None:
        for key in entry:
            if key not in KEYS:
                close = nearest(key, KEYS)
                self._tell(
                    f"has an unknown key '{key}'",
                    f"did you mean '{close}'?" if close else "what is your own goes under 'tags'",
                )

    def _split(self, split: Any) -> str:
        if split not in SPLITS:
            self._tell(f"has split {split!r}; it is one of {', '.join(SPLITS)}")
        return str(split)

    def _label(self, label: Any) -> int:
        if isinstance(label, bool) or not isinstance(label, int) or label not in (0, 1):
            self._tell(f"has label {label!r}", "a label is 0 (normal) or 1 (something abnormal in it)")
            return 0
        return label

    def _count(self, count: Any) -> int | None:
        if count is not None and not _is_whole(count, 1):
            self._tell(f"has num_frames {count!r}; it must be a whole number above 0")
            return None
        return None if count is None else int(count)

    def _fps(self, fps: Any) -> float | None:
        if fps is None:
            return None
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < 1e6:
            self._tell(f"has fps {fps!r}; it must be a number above 0")
            return None
        return float(fps)

    def _class_names(self, classes: Any, label: int) -> tuple[str, ...]:
        if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
            self._tell(f"has classes {classes!r}; it must be a list of names")
            return ()
        for name in classes:
            if name not in self.classes:
                close = nearest(name, self.classes)
                known = f"store.json knows {', '.join(self.classes)}"
                self._tell(f"is of class '{name}', which is unknown", f"did you mean '{close}'?" if close else known)
        normal = [c for c in classes if c == self.classes[0]]
        if label == 0 and len(normal) != len(classes):
            self._tell(f"is normal (label 0) but of class '{next(c for c in classes if c not in normal)}'")
        if label == 1 and normal:
            self._tell(f"is abnormal (label 1) but of class '{normal[0]}'")
        return tuple(classes) if label else ()

    def _spans(self, spans: Any, num_frames: int | None) -> tuple[tuple[int, int], ...]:
        if not isinstance(spans, list):
            self._tell(f"has spans {spans!r}; they are a list of [start, end) in frames")
            return ()
        return tuple(tuple(span) for span in spans if self._is_span(span, num_frames))

    def _is_span(self, span: Any, num_frames: int | None) -> bool:
        if not isinstance(span, list) or len(span) != 2 or not all(_is_whole(x, -(2**60)) for x in span):
            self._tell(f"has a span {span!r}; a span is [start, end) in whole frames")
        elif span[0] >= span[1]:
            self._tell(f"has a span {span} that ends before it has begun", "the end is the first frame after it")
        elif span[0] < 0 or (num_frames is not None and span[1] > num_frames):
            self._tell(f"has a span {span} outside of its {num_frames or '?'} frames", "spans count frames from 0")
        else:
            return True
        return False

    def _file(self, file: Any) -> str | None:
        if file is not None and not isinstance(file, str):
            self._tell(f"has file {file!r}; it is a path or absent")
            return None
        return file

    def _tags(self, tags: Any) -> dict[str, Any]:
        if tags is not None and not isinstance(tags, dict):
            self._tell(f"has tags {tags!r}; they are a mapping")
            return {}
        return tags or {}

    def _files(self, files: Any) -> dict[str, tuple[str, ...]]:
        if files is None:
            return {}
        if not isinstance(files, dict):
            self._tell(f"has files {files!r}; they map streams to a file, or to a list with a file per crop")
            return {}
        found = {}
        for stream, named in files.items():
            paths = [named] if isinstance(named, str) else named
            if stream not in self.streams:
                self._tell(f"has files of a stream '{stream}'", f"store.json knows {', '.join(self.streams)}")
            elif not isinstance(paths, list) or not paths or not all(isinstance(p, str) and p for p in paths):
                self._tell(f"has files {named!r} of stream '{stream}'; they are a file, or a list with one per crop")
            else:
                found[stream] = tuple(paths)
        return found

    def _together(self, split: str, label: int, spans: tuple[tuple[int, int], ...]) -> None:
        if label == 0 and spans:
            self._tell("is normal (label 0) but has abnormal spans", "set the label to 1 or take the spans out")
        if label == 1 and not spans and split == "test":
            self.warnings.append(
                f"{self.path}: {self.where}is an abnormal test video without spans; "
                "nobody knows which of its frames are abnormal, so frame figures leave it out"
            )
