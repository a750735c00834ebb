"""``vadkit.corrupt``: write corrupted copies of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike

from vadkit.api.arguments import as_names, as_path, as_paths
from vadkit.api.progress import Progress, showing
from vadkit.corrupt.chain import parse_all
from vadkit.corrupt.run import Copied, corrupt_videos
from vadkit.problems import fail


def corrupt(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    corruptions: str | Iterable[str],
    out: str | PathLike[str],
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = None,
) -> list[Copied]:
    """Write corrupted copies of videos as mp4 files; the videos themselves are not touched.

    Call it again to resume: finished copies are skipped, those of changed videos are written again.

    Args:
        videos: a file or folder, or several; folders are searched for videos, and links are followed.
        corruptions: "NAME:SEVERITY", or several that are applied in this order; severities are 1 to 5. Pictures and
            sound that none of them damages are only encoded again.
        out: folder for NAME.mp4 per video, and corruptions.json.
        seed: of all that is drawn. The same seed, video name and corruption give the same frames and samples.
        overwrite: replace copies with other corruptions.
        progress: True for a bar, or a function (videos done, videos in all, name); a video counts in fractions.

    Returns:
        For each video, in order: ``video``, ``file`` (its copy), ``warnings``, ``error`` (the cause if there is no
        copy) and ``skipped``.

    Raises:
        VadkitError: if nothing can begin: no video at all, an unknown corruption, a folder that cannot be written.

    Example:
        >>> (found,) = vadkit.corrupt("clip.mp4", corruptions=["blur:3", "noise:2"], out="worse")
        >>> found.file.name
        'clip.mp4'
    """
    return corrupt_with_notes(
        videos, corruptions=corruptions, out=out, seed=seed, overwrite=overwrite, progress=progress
    )[0]


def corrupt_with_notes(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    corruptions: str | Iterable[str],
    out: str | PathLike[str],
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = None,
    report: Callable[[Copied], None] | None = None,
) -> tuple[list[Copied], list[str]]:
    """Do the same; call ``report`` with each copy as it is finished; return the notes, too."""
    texts = as_names(corruptions, "corruptions")
    if not texts:
        fail("corruptions is empty; it must be NAME:SEVERITY, or several", "for example blur:3")
    damages, notes = parse_all(texts), list[str]()
    with showing(progress, "videos") as watch:
        copied = corrupt_videos(
            as_paths(videos, "videos"),
            damages,
            as_path(out, "out"),
            seed=seed,
            overwrite=overwrite,
            watch=watch,
            report=report,
            note=notes.append,
        )
    return copied, notes
