"""Which figure can choose weights on a split: frames need intervals, which weak supervision often lacks."""

from __future__ import annotations

from collections.abc import Sequence

from vadkit.video import Video

# What a figure of frames becomes where only the videos' labels are known.
OF_VIDEOS = {"ap": "video_ap", "ap_trapezoid": "video_ap", "auc": "video_auc"}


def metric_for(videos: Sequence[Video], metric: str) -> tuple[str, str | None]:
    """Return the figure to choose by on these videos, and a sentence for the user if it is another.

    ``metric`` itself, unless no abnormal video has intervals: then the figure of whole videos.
    """
    abnormal = [video for video in videos if video.label == 1]
    if metric not in OF_VIDEOS or not abnormal or any(video.spans for video in abnormal):
        return metric, None
    instead = OF_VIDEOS[metric]
    return instead, (
        f"the abnormal videos of split '{abnormal[0].split}' have no intervals, so weights are chosen by "
        f"'{instead}' (each video's highest score against its label), not by '{metric}'"
    )
