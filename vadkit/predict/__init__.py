"""From video files and one model file to scores, events and pages.

``inputs`` finds the videos, ``system`` holds the model with its backbones, ``result`` scores one
video, ``playable`` sees to it that browsers can show it, ``video_page`` and ``index_page`` write what
people look at, and ``run`` does it all for many.
"""

from vadkit.predict.outcome import Outcome, Summary
from vadkit.predict.run import predict

__all__ = ["Outcome", "Summary", "predict"]
