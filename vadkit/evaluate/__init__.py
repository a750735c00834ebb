"""Ground truth from intervals, figures, and scoring a whole data set.

Metric plugins build on what is named here; loaded when first used, so that importing is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.evaluate.score import evaluate
    from vadkit.evaluate.scorebook import ScoreBook
    from vadkit.evaluate.uninformed import floors

__all__ = ["ScoreBook", "evaluate", "floors"]

__getattr__ = lazily(
    "vadkit.evaluate",
    {
        "vadkit.evaluate.score": ("evaluate",),
        "vadkit.evaluate.scorebook": ("ScoreBook",),
        "vadkit.evaluate.uninformed": ("floors",),
    },
)
