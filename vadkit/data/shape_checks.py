"""Check the header of every feature file before anything is computed, without reading its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vadkit.data.presence import streams_there
from vadkit.problems import Problem, VadkitError
from vadkit.store.align import misaligned, uneven_crops
from vadkit.video import Video, VideoDataset, shape_of

ENOUGH = 200  # problems after which checking stops


def check_videos(
    dataset: VideoDataset,
    videos: Iterable[Video],
    streams: Sequence[str],
    sizes: Mapping[str, int] | None = None,
    presence: bool = False,
) -> dict[str, int]:
    """Return the number of crops of each video, by name.

    Args:
        dataset: where the features are.
        videos: the videos to check.
        streams: names of the graph's inputs; the first one sets the snippet count.
        sizes: the graph's width of each input.
        presence: videos may lack streams, though not all of them.

    Raises VadkitError with a problem for each file that cannot be used, each width that is not the
    graph's, and each video whose streams do not belong together.
    """
    problems: list[Problem] = []
    crops: dict[str, int] = {}
    for video in videos:
        wanted = streams_there(dataset, video, streams) if presence else streams
        shapes = _shapes(dataset, video, wanted, problems)
        if len(shapes) == len(wanted):
            problems += check_shapes(video.name, shapes, sizes or {})
            crops[video.name] = max(shape[0] for shape in shapes.values())
        if len(problems) >= ENOUGH:
            break
    if problems:
        raise VadkitError(_once(problems))
    return crops


def check_shapes(name: str, shapes: Mapping[str, tuple[int, int, int]], sizes: Mapping[str, int]) -> list[Problem]:
    """Return what is wrong with the shapes (crops, t, dim) of one video's streams."""
    problems = [
        Problem(
            f"input '{stream}' of the graph is {sizes[stream]} wide, but its features are {dim} wide (video '{name}')",
            hint=f"change the graph's inputs, or data.streams.{stream} to a stream of that width",
        )
        for stream, (_, _, dim) in shapes.items()
        if stream in sizes and dim != sizes[stream]
    ]
    problems += misaligned(name, {stream: shape[1] for stream, shape in shapes.items()})
    return problems + uneven_crops(name, {stream: shape[0] for stream, shape in shapes.items()})


def _shapes(
    dataset: VideoDataset, video: Video, streams: Sequence[str], problems: list[Problem]
) -> dict[str, tuple[int, int, int]]:
    shapes = {}
    for stream in streams:
        try:
            shapes[stream] = shape_of(dataset, video, stream)
        except VadkitError as error:
            problems += error.problems
    return shapes


def _once(problems: list[Problem]) -> list[Problem]:
    """A width that does not fit is wrong in every video; keep the problem of the first."""
    kept: dict[str, Problem] = {}
    for problem in problems:
        kept.setdefault(problem.message.partition(" (video '")[0], problem)
    return list(kept.values())
