"""The figure that weights are selected by: figures of frames need intervals, which a split may lack."""

from __future__ import annotations

from collections.abc import Sequence

from vadkit.video import Video

# The figure of whole videos that replaces a figure of frames where only the videos' labels are known.
OF_VIDEOS = {"ap": "video_ap", "ap_trapezoid": "video_ap", "auc": "video_auc"}


def metric_for(videos: Sequence[Video], metric: str) -> tuple[str, str | None]:
    """Return the figure to select by on these videos, and a note for the user if it is not ``metric``.

    It is replaced by the figure of whole videos if no abnormal video has intervals.
    """
    abnormal = [video for video in videos if video.label == 1]
    if metric not in OF_VIDEOS or not abnormal or any(video.spans for video in abnormal):
        return metric, None
    instead = OF_VIDEOS[metric]
    return instead, (
        f"the abnormal videos of split '{abnormal[0].split}' have no intervals, so weights are chosen by "
        f"'{instead}' (each video's highest score against its label), not by '{metric}'"
    )
