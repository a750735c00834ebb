"""From video files and one model file to scores, events and pages.

``inputs`` finds the videos, ``system`` holds the model with its backbones, ``scored_video`` scores one
video, ``playable`` ensures that browsers can show it, ``video_page`` and ``index_page`` return the pages, and
``predict_videos`` does it all for many videos.
"""

from vadkit.predict.predict_videos import predict
from vadkit.predict.video_summary import Outcome, Summary

__all__ = ["Outcome", "Summary", "predict"]
