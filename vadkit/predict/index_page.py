"""The page over all videos of a run: what was found in each, and which could not be scored and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vadkit.predict.video_summary import Outcome
from vadkit.problems import plural
from vadkit.report import render, spark_chart


def index_page(outcomes: Sequence[Outcome], model: str, threshold: float) -> str:
    """Return the page as HTML. It links to the pages of the videos, which are in the same folder."""
    scored = [o.summary for o in outcomes if o.summary is not None]
    failed = [o for o in outcomes if o.error is not None]
    values = [v for summary in scored for v in summary.curve] + [threshold, 0.0, 1.0]
    count = f"{len(scored)} of {plural(len(outcomes), 'video')}" if failed else plural(len(scored), "video")
    return render(
        "videos.html",
        model=model,
        subtitle=f"{count} scored; events are stretches with a score of {threshold:g} or more.",
        scored=scored,
        failed=failed,
        spark=partial(spark_chart, bounds=(min(values), max(values)), level=threshold),
    )
