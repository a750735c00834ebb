"""Many videos in, a feature store out: the folder that training reads.

STORE/store.json            {"vadkit_store": 1, "snippet_frames": 16,
                             "streams": {NAME: {"dim": D, "recipe": {...}, "licence": ...}}, "classes": ["normal", ...],
                             "made_with": {"vadkit": VERSION, "av": ..., "libavcodec": ..., "torch": ..., "numpy": ...}}
STORE/videos.json           the videos that have features, with labels and intervals; written when a run ends
STORE/manifest.jsonl        the state of each video, one JSON line each, see ``vadkit.store.manifest``:
                            source {bytes, sample}, fps, native_fps, num_frames, duration, size, has_sound, snippets,
                            clip_start, clip_step, arrays {STREAM: {shape, bytes, sha256}}, warnings; or, for a
                            broken one, the cause
STORE/<stream>/<name>.npy   float32 (t, dim), or (crops, t, dim) if the backbone takes several crops
STORE/.lock                 empty; processes that write to the store lock parts of it

A recipe holds backbone, snippet_frames, stride, fps (null: the video's own), tail, decoder and crops, and what the
backbone's own ``recipe()`` adds: weights ("random" permanently marks a store of random weights), pretrained, resize,
normalise, precision, and so on. ``sha256`` is that of the whole .npy file, as ``sha256sum`` gives it. ``spans`` and
``num_frames`` of videos.json are frames at its ``fps``, which is that of the manifest.

Every file appears whole or not at all, and a video's line in the manifest comes last, so a run that is killed
resumes where it stopped. How videos are spread over processes changes no byte of the finished store; on a GPU last
digits may, if its algorithms are chosen by timing ("algorithms": "timed", of --precision tf32).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from vadkit.extract.executors import Resources, find_executor
from vadkit.extract.one_video import Extractor, Job, Task, Within, broken
from vadkit.extract.snippets import Clock
from vadkit.extract.stages import device_of
from vadkit.files import remove_leftovers
from vadkit.kinds import Backbone
from vadkit.problems import Problem, VadkitError
from vadkit.results_folder import claim
from vadkit.store.listing import VideoEntry, check_names, read_listing, write_listing
from vadkit.store.lock import StoreLock
from vadkit.store.manifest import Line, append_line, put_in_order, read_manifest, source_of
from vadkit.store.names import HEAD, MANIFEST, VIDEOS, array_path
from vadkit.store.shards import Share
from vadkit.store.store_json import Absent, read_head, start_store

__all__ = ["Clock", "Progress", "Resources", "StoreResult", "VideoEntry", "extract_store"]

Progress = Callable[[str, int, int], None]  # a video's name, videos done, videos in all


@dataclass
class StoreResult:
    """The outcome for each video, by name.

    ``failed`` gives the causes, also of those that were found broken earlier. ``notes`` are about the store.
    """

    extracted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extract_store(
    videos: Sequence[VideoEntry],
    backbones: Mapping[str, Backbone],
    out: str | Path,
    *,
    clock: Clock | None = None,
    classes: Sequence[str] = (),
    left_out: Collection[str] = (),
    resources: Resources | None = None,
    share: Share | None = None,
    retry_broken: bool = False,
    progress: Progress | None = None,
    within: Within | None = None,
) -> StoreResult:
    """Extract the features of all videos into the store ``out``; skip those that it has already.

    Args:
        videos: see ``VideoEntry``. Names become file names, so they are checked.
        backbones: backbone by stream name.
        clock: how videos are cut into snippets; by default 16 frames each, at the video's own rate.
        classes: names of the classes, normal first; those of the store, or normal alone, if there are none.
        left_out: names that are no longer to be in videos.json, such as those of videos without a label.
        resources: processes, and where they are.
        share: the shard of the videos to extract; other runs do the rest, into the same store.
        retry_broken: retry videos that were found broken and have not changed since.
        progress: called when a video is finished.
        within: called now and then within a video, where the work is done in this process.

    A video that cannot be used does not stop the others; the manifest keeps the cause, and it is not in
    videos.json. Raises VadkitError for bad names, for a store of another recipe or one that another process
    writes to, for a disk that cannot be written, and if no video could be used.
    """
    job = Job(Path(out), dict(backbones), clock or Clock())
    check_names(videos, list(backbones))
    # What will be needed in the end, and backbones without weights, are reported before anything is written.
    read_listing(job.out)
    streams = job.new_streams()
    resources, share = resources or Resources(), share or Share()
    run = find_executor(resources.executor)
    with _locked(job.out, share) as lock:
        result = StoreResult()
        with lock.alone_with_manifest():
            _claim(job, videos)
            result.notes += start_store(job.out, job.clock.snippet_frames, streams, classes)
            lines, wrong = read_manifest(job.out)
        result.notes += wrong
        if not lock.works:
            result.notes.append(f"{job.out} is on a file system without locks: no other process must write to it")
        mine = share.pick(videos, lambda video: video["name"])
        tasks = _sort_out(job, mine, lines, retry_broken, result)
        resources = replace(resources, gpu=any(map(_on_gpu, backbones.values())))
        if resources.executor == "local" and len(videos) < 2 and resources.timeout is None:
            resources = replace(resources, workers=0)  # a single video needs no process, and can report its progress
        here = resources.executor == "local" and resources.workers < 1
        make = partial(Extractor, job, within if here else None)
        done = len(mine) - len(tasks)
        try:
            for line in run(make, tasks, _lost, resources) if tasks else ():
                line = _after(job.out, lines.get(line.name), line)
                with lock.alone_with_manifest():
                    append_line(job.out, line)
                done += 1
                _note(line, result)
                if progress:
                    progress(line.name, done, len(mine))
        finally:
            result.notes += _settle(job.out, videos, left_out, lock)
    if mine and len(result.failed) == len(mine):
        raise VadkitError([Problem(text) for text in result.failed.values()])
    return result


def _claim(job: Job, videos: Sequence[VideoEntry]) -> None:
    """Refuse to replace files in a folder that is no store yet, or of streams that are not in the store yet."""
    known = read_head(job.out).streams if (job.out / HEAD).exists() else None
    new = [stream for stream in job.backbones if known is None or stream not in known]
    claim([array_path(job.out, stream, video["name"]) for stream in new for video in videos])
    claim([job.out / VIDEOS, job.out / MANIFEST] if known is None else ())


@contextlib.contextmanager
def _locked(root: Path, share: Share) -> Iterator[StoreLock]:
    lock = StoreLock(root)
    try:
        lock.take(share)
        yield lock
    finally:
        lock.close()


def _sort_out(
    job: Job, videos: Sequence[VideoEntry], lines: Mapping[str, Line], retry_broken: bool, result: StoreResult
) -> list[Task]:
    """Return what is left to do, and note the rest in the result."""
    tasks = []
    for video in videos:
        name, line = video["name"], lines.get(video["name"])
        same = line is not None and line.source == source_of(video["file"])
        if line is not None and same and line.state == "broken" and not retry_broken:
            result.failed[name] = line.cause
            continue
        whole = {s for s in job.backbones if same and line is not None and _is_stored(job.out, name, s, line)}
        if whole == job.backbones.keys():
            result.skipped.append(name)
        else:
            tasks.append(Task(name, video["file"], tuple(s for s in job.backbones if s not in whole)))
    return tasks


def _is_stored(root: Path, name: str, stream: str, line: Line) -> bool:
    """Return whether the array exists and is as long as it should be; ``vadkit store check`` looks closer."""
    array = line.arrays.get(stream)
    try:
        return array is not None and array_path(root, stream, name).stat().st_size == array.bytes
    except OSError:
        return False


def _after(root: Path, before: Line | None, line: Line) -> Line:
    """Return a line that also lists the streams that an earlier run extracted from the same file.

    Those of another version of the file, or of one that is now found broken, are removed.
    """
    if before is None:
        return line
    kept, new = before.arrays, line.arrays
    if line.state == "done" and before.source == line.source:
        gaps = {stream: found for stream, found in before.gaps.items() if stream not in new} | line.gaps
        return msgspec.structs.replace(line, arrays={**kept, **new}, absent=gaps or None)
    for stream in (kept.keys() - new.keys()) & read_head(root).streams.keys():  # other folders are not the store's
        array_path(root, stream, line.name).unlink(missing_ok=True)
    filled: dict[str, Absent] = {stream: [] for stream in before.gaps if stream in new}  # takes them out of VIDEOS
    return msgspec.structs.replace(line, absent=filled | line.gaps or None)


def _on_gpu(backbone: Backbone) -> bool:
    return "cuda" in device_of(backbone)


def _lost(task: Task, how: str) -> Line:
    cause = f"{task.file}: its process {how}, and so was a second one; it may need too much memory"
    return broken(task, source_of(task.file), cause)


def _note(line: Line, result: StoreResult) -> None:
    if line.state == "broken":
        result.failed[line.name] = line.cause
        return
    result.extracted.append(line.name)
    if line.warnings:
        result.warnings[line.name] = line.warnings


def _settle(root: Path, videos: Sequence[VideoEntry], left_out: Collection[str], lock: StoreLock) -> list[str]:
    """Put the store in order, unless other runs still write to it: the last one will. Return what is to be reported."""
    lock.give_back()
    if not lock.take_all():
        return []
    lines, _ = read_manifest(root)
    put_in_order(root, lines.values())
    notes = write_listing(root, videos, lines, left_out)
    for folder in (root, *(path for path in root.iterdir() if path.is_dir())):
        remove_leftovers(folder)
    return notes
