"""``vadkit.extract``: features of videos, into a store that training reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch

from vadkit.api.arguments import Changes, Config, as_changes, as_config, as_model, as_names, as_path, as_paths
from vadkit.api.progress import Progress, showing
from vadkit.devices import choose_device
from vadkit.extract.labels import Labels, label, read_labels, read_list
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.extract.snippets import find_tail
from vadkit.extract.streams import build_backbones, streams_of_graph, streams_of_options
from vadkit.kinds import Backbone
from vadkit.plugin_manager import load_plugins
from vadkit.predict.inputs import find_videos
from vadkit.predict.like import like_model
from vadkit.problems import fail
from vadkit.rendered.mark import mark_store
from vadkit.store.listing import VideoEntry, read_listing
from vadkit.store.shards import parse_share

CROPS = {"1": "centre", "center": "centre", "5": "five", "10": "ten"}
Streams = Mapping[str, str | Mapping[str, Any]] | str | Iterable[str]


@dataclass(frozen=True)
class Extraction:
    """What became of each video, by name.

    Attributes:
        store: folder of the store.
        extracted, skipped: videos extracted now, and those whose features existed before.
        failed: the cause by video, of those found broken earlier, too.
        warnings: what the user should know of each video.
        notes: of the store.
        labels: the data set or file that labels the videos; None if they have no labels.
        unlabelled: videos that the labels do not name; they are not in videos.json.
        unknown: videos of the store whose label is unknown; they are not trained on and count in no figure.
    """

    store: Path
    extracted: list[str]
    skipped: list[str]
    failed: dict[str, str]
    warnings: dict[str, list[str]]
    notes: list[str]
    labels: str | None
    unlabelled: list[str]
    unknown: list[str]


def extract(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    *,
    out: str | PathLike[str],
    config: Config | None = None,
    streams: Streams | None = None,
    like: str | PathLike[str] | None = None,
    set: Changes = (),
    video_list: str | PathLike[str] | None = None,
    labels: str | PathLike[str] | None = None,
    fps: float | None = None,
    snippet_frames: int = 16,
    tail: str = "repeat",
    crops: str | int | None = None,
    precision: str | None = None,
    device: str | torch.device | None = None,
    random_weights: bool = False,
    executor: str = "local",
    workers: int = 0,
    threads: int = 1,
    shard: str | None = None,
    timeout: float | None = None,
    retry_broken: bool = False,
    without: str | Iterable[str] = (),
    progress: Progress = None,
) -> Extraction:
    """Extract features from videos into a store: each video is decoded once for all streams.

    Call it again to resume: finished videos are skipped, changed ones re-extracted.

    Args:
        videos: a file or folder, or several; folders are searched for videos.
        out: folder of the store.
        config: a graph whose inputs name their backbones: a name, a path or a mapping.
        streams: instead of ``config``, the backbone of each stream: {"rgb": "i3d_rgb"},
            {"rgb": {"use": "i3d_rgb", "args": {"weights": FILE}}}, or strings "rgb=i3d_rgb,weights=FILE".
        like: instead of ``config``, a model file or the folder of a run: backbones, crops, frame rate and snippets are
            those of its training.
        set: changes to the graph, one or a list.
        video_list: instead of ``videos``, a file with a path per line, or CSV with the column "file".
        labels: "xd_violence", "ucf_crime", "shanghaitech", or a CSV file with video, label[, split, ...].
        fps: frames per second, picked by time; None is the video's own rate.
        snippet_frames: frames of a snippet.
        tail: trailing frames that do not fill a snippet: "repeat" the last one, "drop" them, or "xd_violence".
        crops: "centre", 5, 10, "five_ur_dmu" or "ten_ur_dmu", for every backbone that takes crops.
        precision: "fp32", "tf32" (GPUs), "bf16" or "auto", for backbones that support it. "auto" is a rule: on a GPU
            TF32, on a CPU bf16 if it has instructions for it.
        device: "cpu", "cuda", "cuda:1", ..., for every backbone that takes one.
        random_weights: run backbones without a weight file; the store is permanently marked.
        executor: "local" or "ray".
        workers: processes, each with its networks; 0 works in this one. A script that uses more needs
            ``if __name__ == "__main__":``, because each process imports it.
        threads: threads in each process; another number changes the last digits.
        shard: "I/N", to process shard I of N; the last to finish writes the final index.
        timeout: seconds; a video that exceeds them twice is skipped.
        retry_broken: try videos again that could not be used and have not changed.
        without: plugins to leave out.
        progress: True for a bar, or a function (videos done, videos in all, name).

    Returns:
        An ``Extraction``. The store holds float32 (t, width), or (crops, t, width), per video and stream, t snippets.

    Raises:
        VadkitError: for arguments that do not fit, a store with other recipes, and if no video could be used.
        KeyboardInterrupt: after Ctrl-C; the finished videos are kept, and the same call resumes.

    Example:
        >>> done = vadkit.extract("videos", config="raw_three_stream", labels="labels.csv", out="STORE")
        >>> len(done.extracted), done.failed
        (120, {})
    """
    folder = as_path(out, "out")
    if sum(given is not None for given in (config, streams, like)) != 1:
        fail(
            "name the backbones by config, by streams or by like",
            "config is a graph; streams is {'rgb': 'i3d_rgb'}; like is a trained model",
        )
    _check(set, streams, workers, threads, timeout)
    plugins = load_plugins(as_names(without, "without"))
    common = _common(crops, precision, device, random_weights)
    clock = Clock(fps, snippet_frames, find_tail(tail))
    wanted = None
    if like is not None:
        _leave_to_the_model(common, clock)
        wanted = like_model(as_model(like, "like"), as_changes(set), plugins)
        named, clock = wanted.streams, wanted.clock
    elif config is not None:
        named = streams_of_graph(as_config(config), as_changes(set), plugins)
    else:
        named = _named(streams or ())
    backbones = build_backbones(named, plugins, common)
    if wanted is not None:
        wanted.check(backbones)
    notes = _precision_notes(backbones)
    entries, known = find_entries(videos, video_list, folder, notes)
    known = known if labels is None else read_labels(fspath(labels))
    unlabelled: list[str] = []
    if known is not None:
        entries, unlabelled = label(entries, known)
    # In order of name, so that every way to a store gives the same bytes.
    entries = sorted(entries, key=lambda entry: entry["name"])
    with showing(progress, "videos") as callback:
        result = extract_store(
            entries,
            backbones,
            folder,
            clock=clock,
            classes=known.classes if known else (),
            left_out=unlabelled,
            resources=Resources(executor, workers, threads, timeout),  # type: ignore[arg-type]
            share=parse_share(shard) if shard else None,
            retry_broken=retry_broken,
            **_watch(callback, len(entries)),
        )
    mark_store(folder, [entry["file"] for entry in entries])
    return Extraction(
        folder,
        result.extracted,
        result.skipped,
        result.failed,
        result.warnings,
        [*notes, *result.notes, *(known.notes if known else ())],
        known.source if known else None,
        unlabelled,
        [entry["name"] for entry in read_listing(folder) if entry["label"] is None],
    )


def _watch(callback: Any, count: int) -> dict[str, Any]:
    """Return what ``extract_store`` reports to: after each video, and now and then within one."""
    done = 0

    def progress(name: str, finished: int, total: int) -> None:
        nonlocal done
        done = finished
        callback(finished, total, name)

    def within(name: str, seconds: float, total: float | None) -> None:
        callback(done + (min(1.0, seconds / total) if total else 0.0), count, name)

    return {"progress": progress, "within": within}


def _leave_to_the_model(common: Mapping[str, Any], clock: Clock) -> None:
    """Raise VadkitError if the caller says how to cut, too: of ``like`` that is what the model says."""
    usual = Clock()
    own = [name for name in ("fps", "snippet_frames", "tail") if getattr(clock, name) != getattr(usual, name)]
    own += [name for name in common if name != "device"]
    if own:
        fail(f"like takes {', '.join(own)} from the model", "leave them out")


def _check(changes: Changes, streams: Streams | None, workers: int, threads: int, timeout: float | None) -> None:
    if as_changes(changes) and streams is not None:
        fail("set changes a graph, so it needs config or like")
    for name, value, least, most in (
        ("workers", workers, 0, 1024),
        ("threads", threads, 1, 1024),
    ):
        if not least <= value <= most:
            fail(f"{name} is {value}; it must be from {least} to {most}")
    if timeout is not None and not timeout > 0:
        fail(f"timeout is {timeout:g}; it must be above 0")


def _common(
    crops: str | int | None, precision: str | None, device: str | torch.device | None, random_weights: bool
) -> dict[str, Any]:
    """Return the arguments that go to every backbone that takes them."""
    given = {
        "crops": None if crops is None else CROPS.get(str(crops), str(crops)),
        "precision": precision,
        "device": None if device is None else str(choose_device(str(device))),
        "random_weights": random_weights or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _precision_notes(backbones: Mapping[str, Backbone]) -> list[str]:
    """Return what should be known of the precision of the networks, each sentence once."""
    notes = [getattr(getattr(backbone, "frozen", None), "note", None) for backbone in backbones.values()]
    return list(dict.fromkeys(note for note in notes if note))


def _named(streams: Streams) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the backbone and its arguments by stream."""
    if not isinstance(streams, Mapping):
        return streams_of_options(as_names(streams, "streams"))
    named: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, given in streams.items():
        if isinstance(given, str):
            named[name] = given, {}
        elif isinstance(given, Mapping) and isinstance(given.get("use"), str) and given.keys() <= {"use", "args"}:
            named[name] = given["use"], dict(given.get("args") or {})
        elif isinstance(given, Backbone):
            fail(f"streams['{name}'] is a backbone object", f"name it: {{'{name}': '{type(given).name}'}}")
        else:
            fail(
                f"streams['{name}'] is {given!r}; it names no backbone",
                f"write {{'{name}': 'i3d_rgb'}}, or {{'{name}': {{'use': 'i3d_rgb', 'args': {{...}}}}}}",
            )
    return named


def find_entries(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    video_list: str | PathLike[str] | None,
    out: Path,
    notes: list[str],
) -> tuple[list[VideoEntry], Labels | None]:
    """Return the videos that are meant, and their labels if a list gives them; ``notes`` gets what was left out.

    Accents in names are composed, as in tables: some systems store file names with decomposed ones.
    """
    paths = as_paths(videos, "videos")
    if bool(paths) == (video_list is not None):
        fail("name videos or folders, or give a list of them", "the list is a file: video_list, or --list FILE")
    if video_list is not None:
        return read_list(Path(video_list))
    found = find_videos(paths, out, notes)
    return [{"name": unicodedata.normalize("NFC", path.stem), "file": str(path)} for path in found], None
