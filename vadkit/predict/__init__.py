"""From video files and one model file to scores, events and pages.

``inputs`` finds the videos and ``result_names`` names their results, ``system`` holds the model with its backbones,
``scored_video`` scores one video, ``lifts`` says what each stream adds, ``playable`` ensures that browsers can show the
video, ``video_page`` and ``index_page`` return the pages, ``result_files`` and ``all_results`` write what belongs to
one video and to all, and ``predict_videos`` does it for many videos.
"""

from vadkit.predict.predict_videos import predict
from vadkit.predict.video_summary import Entry, Outcome

__all__ = ["Entry", "Outcome", "predict"]
