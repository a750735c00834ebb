"""Dataset: a feature store, the folder that ``vadkit.features`` writes.

STORE/store.json            streams with widths and recipes, classes, frames per snippet
STORE/videos.json           names, splits, labels, classes, intervals
STORE/<stream>/<name>.npy   float32 (t, dim) or (crops, t, dim)

or the index that ``vadkit store import`` writes for published features, which stay in place, or a packed
store (``vadkit store pack``).

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vadkit import Dataset, Problem, VadkitError, Video, fail, hookimpl, nearest
from vadkit.store import Overlap, StoredFeatures, meaningless_warnings, overlap, read_store, source_rule

WAY_OUT = "a graph that takes 'presence' does without it (README, Missing streams)"
COMPARED = 20  # missing files for which the intended name is looked up: it is slow, and no more are shown


class FeatureStore(Dataset):
    """Read a feature store. Files are memory-mapped, so only the crops in use are read.

    A video may lack a stream if the graph takes ``presence``: because videos.json says so ("absent"), because it has no
    file, or because the whole store lacks the stream. Other graphs need every file, and are given what is in it.

    Raises VadkitError, naming file and cause, for a store that cannot be used: when it is opened for
    its two JSON files, in ``videos`` for missing features, in ``read`` for a file's content.

    Args:
        root: the folder.
        streams: which stream of the store feeds which input of the graph; null if their names are equal.
        sources: how names show which videos are of one film or camera, a regular expression with one named group
            such as "(?P<film>.+?)__#"; null is what the store says.
        partial: whether videos may lack streams, though not all; it is set for graphs that take ``presence``.
        only: use these videos only, by their tags: {"scene": ["yard_1", "hall_1"]}; null uses all.
    """

    name = "feature_store"
    fidelity = "ours"

    def __init__(
        self,
        *,
        root: str,
        streams: dict[str, str] | None = None,
        sources: str | None = None,
        partial: bool = False,
        only: dict[str, list[str]] | None = None,
    ) -> None:
        self.store = read_store(root)
        self._chosen = _with_tags(self.store.videos, only or {}, self.store.root)
        self.stored = StoredFeatures(self.store)
        self.root = self.store.root
        self.snippet_frames = self.store.snippet_frames
        self.classes = self.store.classes
        self.intervals = self.store.intervals
        self.streams = dict(streams) if streams else {name: name for name in self.store.dims}
        self.partial = partial
        self.warnings = [*self.store.warnings, *self.stored.warnings]
        self._checked: dict[str, list[Video]] = {}
        self._refuse_unknown_streams()
        given = sources or self.store.sources
        self.sources = source_rule(given, "data.args.sources") if given else None
        here = {name: stream for name, stream in self.streams.items() if stream in self.store.dims}
        self.recipes = {name: self.store.recipes[stream] for name, stream in here.items()}
        self.notice = self.store.notice
        self.warnings += [self.notice] if self.notice else []
        self.warnings += meaningless_warnings(self.recipes, "input")

    def videos(self, split: str) -> list[Video]:
        """Return the videos of a split, in the order of videos.json; each has all its files unless it is partial."""
        if split not in self._checked:
            videos = [video for video in self._chosen if video.split == split]
            if videos:  # an index of files elsewhere has no folder of its own
                self._refuse_missing(videos)
            self._checked[split] = videos
        return list(self._checked[split])

    def absent(self, video: Video, stream: str) -> tuple[tuple[int, int | None], ...]:
        """Return the spans of snippets in which a video lacks a stream; none unless videos may."""
        return self.stored.absent(video, self.streams.get(stream, stream)) if self.partial else ()

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim), memory-mapped. ``stream`` is an input's name."""
        return self.stored.read(video, self.streams.get(stream, stream))

    def read_crop(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim), memory-mapped."""
        return self.stored.read_crop(video, self.streams.get(stream, stream), crop)

    def shape(self, video: Video, stream: str) -> tuple[int, int, int]:
        """Return (crops, t, dim) without reading the features."""
        return self.stored.shape(video, self.streams.get(stream, stream))

    def path(self, video: Video, stream: str) -> Path:
        """Return the file of a video's features; of several, one per crop, the first."""
        return self.stored.paths(video, self.streams.get(stream, stream))[0]

    def class_index(self, video: Video) -> int:
        """Return the index of the main class: 0 normal, -1 if the label, or an abnormal video's class, is unknown."""
        if video.label == 0:
            return 0
        return self.classes.index(video.classes[0]) if video.classes else -1

    def source_overlap(self, split: str) -> Overlap | None:
        """Return which videos of a split share their source with training videos.

        None if names do not show sources, or the store has no training video.
        """
        names = {s: [video.name for video in self._chosen if video.split == s] for s in ("train", split)}
        if self.sources is None or split == "train" or not names["train"]:
            return None
        return overlap(self.sources, names[split], names["train"])

    def _refuse_unknown_streams(self) -> None:
        problems = []
        for graph_input, stream in self.streams.items():
            if stream not in self.store.dims:
                close = nearest(stream, self.store.dims)
                if self.partial and not close and any(s in self.store.dims for s in self.streams.values()):
                    self.warnings.append(f"{self.root}: has no stream '{stream}': input '{graph_input}' is absent")
                    continue
                known = f"the store has {', '.join(self.store.dims)}; {WAY_OUT}"
                problems.append(
                    Problem(
                        f"{self.root}: input '{graph_input}' wants stream '{stream}', which the store lacks",
                        hint=f"did you mean '{close}'?" if close else known,
                    )
                )
        if problems:
            raise VadkitError(problems)

    def _refuse_missing(self, videos: list[Video]) -> None:
        """Raise for every video of ``videos`` without a file it needs; warn of files without a video."""
        if self.partial:
            self._refuse_empty(videos)
            return
        known = {video.name for video in self.store.videos}
        problems = []
        for stream in dict.fromkeys(self.streams.values()):
            if self.stored.is_elsewhere(stream, videos):
                problems += [self._gone(video, stream) for video in videos if self.stored.missing(video, stream)]
                continue
            there = self._names(stream)
            missing = [video for video in videos if video.name not in there]
            problems += [self._missing(v, stream, there, n < COMPARED) for n, v in enumerate(missing)]
            self._warn_of_unlisted(stream, sorted(there - known))
        if problems:
            raise VadkitError(problems)

    def _refuse_empty(self, videos: list[Video]) -> None:
        """Raise for every video that lacks all streams; warn of those without a file that videos.json misses."""
        streams = [stream for stream in dict.fromkeys(self.streams.values()) if stream in self.store.dims]
        gone = {stream: [v for v in videos if self.stored.missing(v, stream)] for stream in streams}
        lost = set.intersection(*({video.name for video in lacking} for lacking in gone.values()))
        if lost:
            raise VadkitError(
                [
                    Problem(
                        f"{self.root}: video '{video.name}' has no features of any stream ({', '.join(streams)})",
                        hint=f"extract it, or remove it from {self.root / 'videos.json'}",
                    )
                    for video in videos
                    if video.name in lost
                ]
            )
        for stream, lacking in gone.items():
            unsaid = [video.name for video in lacking if stream not in video.absent]
            if unsaid:
                self.warnings.append(
                    f"{self.root / stream}: {len(unsaid)} of {len(videos)} videos have no features and count as "
                    f"absent; the first is '{unsaid[0]}'"
                )

    def _gone(self, video: Video, stream: str) -> Problem:
        """Describe a file that the index lists and that does not exist."""
        path = self.stored.missing(video, stream)[0]
        moved = not self.store.base.is_dir()
        hint = f"its folder is missing: set 'root' in {self.root / 'store.json'} to where the files are now"
        return Problem(
            f"{path}: no such file, and the index lists it as stream '{stream}' of video '{video.name}'",
            hint=hint if moved else f"restore it, or re-import the data set; {WAY_OUT}",
        )

    def _names(self, stream: str) -> set[str]:
        try:
            return {entry.name[:-4] for entry in os.scandir(self.root / stream) if entry.name.endswith(".npy")}
        except OSError as error:
            fail(
                f"{self.root / stream}: cannot be read: {(error.strerror or str(error)).lower()}",
                hint=f"store.json lists the stream '{stream}', so a folder with its features must exist",
            )

    def _missing(self, video: Video, stream: str, there: set[str], look: bool) -> Problem:
        """Describe a missing file; ``look`` for the name that was meant."""
        # Names differ in a suffix such as __0 more often than in a letter.
        longer = (name for name in sorted(there) if name.startswith(video.name))
        close = (next(longer, None) or nearest(video.name, there)) if look else None
        listed = self.root / "videos.json"
        what = f"did you mean '{close}.npy'?" if close else f"extract it, or remove it from {listed};"
        hint = f"{what} {WAY_OUT}"
        return Problem(f"{self.root / stream}: no features of video '{video.name}'", hint=hint)

    def _warn_of_unlisted(self, stream: str, names: list[str]) -> None:
        if not names:
            return
        count = "1 feature file is" if len(names) == 1 else f"{len(names)} feature files are"
        text = f"{self.root / stream}: {count} not listed in videos.json; the first is '{names[0]}.npy'"
        if text not in self.warnings:
            self.warnings.append(text)


def _with_tags(videos: Sequence[Video], only: Mapping[str, Sequence[str]], root: Path) -> list[Video]:
    """Return the videos that have one of the given values of each tag. Raises VadkitError for a value of no video."""
    problems = []
    for tag, wanted in only.items():
        known = {str(video.tags[tag]) for video in videos if tag in video.tags}
        for value in wanted:
            if str(value) not in known:
                close = nearest(str(value), known)
                hint = f"did you mean '{close}'?" if close else f"its tags are in {root / 'videos.json'}"
                problems.append(Problem(f"{root}: data.args.only: no video has the {tag} '{value}'", hint=hint))
    if problems:
        raise VadkitError(problems)
    chosen = {tag: {str(value) for value in wanted} for tag, wanted in only.items()}
    return [v for v in videos if all(str(v.tags.get(tag)) in values for tag, values in chosen.items())]


@hookimpl
def vadkit_components() -> list[type]:
    return [FeatureStore]
