"""Clicks: of each event of an abnormal training video one frame, which a labeller clicked on ("glance" supervision).

Legend: t snippets.
"""

from __future__ import annotations

import numpy as np

from vadkit.problems import fail, plural, some
from vadkit.video import Video, VideoDataset

STREAM = "clicks"  # what a sampler sees them as, next to the streams of the graph
HINT = "vadkit store import --clicks FILE adds them; videos.json has them as 'clicks', a list of frames"


def click_rows(video: Video, t: int, snippet_frames: int) -> np.ndarray:
    """Return float32 (t, 1), 1 at the snippets that hold a click; one after the last snippet counts as in it."""
    rows = np.zeros((t, 1), np.float32)
    frames = np.asarray(video.clicks, np.int64)
    if video.segments is None:
        at = frames // snippet_frames
    else:  # the parts of a video are as long as its frames say
        at = frames * t // max(video.num_frames or t, 1)
    rows[np.minimum(at, t - 1)] = 1
    return rows


def check_clicks(dataset: VideoDataset) -> list[str]:
    """Return what the user should know of the clicks. Raises VadkitError if no training video has one."""
    videos = [video for video in dataset.videos("train") if video.label == 1]
    without = [video.name for video in videos if not video.clicks]
    if len(without) == len(videos):
        fail("data.clicks is true, but no abnormal training video has a click", HINT)
    if not without:
        return []
    have = "has" if len(without) == 1 else "have"
    return [f"{len(without)} of {plural(len(videos), 'abnormal training video')} {have} no click: {some(without)}"]
