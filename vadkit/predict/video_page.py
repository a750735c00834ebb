"""The page of one video: the video, its score over time, events, sound, and what each stream adds.

All charts are drawn here as SVG, so they are visible without a script; ``player.js`` lets them seek the video and
moves the threshold. The rest of the page is in ``templates/pages/video.html``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vadkit.predict.lifts import NEUTRAL
from vadkit.predict.playable import unplayable
from vadkit.predict.scored_video import ScoredVideo, rule_of
from vadkit.predict.system import System
from vadkit.problems import plural
from vadkit.report import Line, line_chart, render, wave_chart
from vadkit.report.axis_ticks import clock, linear_axis, moment, time_label

Spans = list[tuple[float, float]]
LEFT = 58  # pixels left of every chart, so that the time axes are aligned


def video_page(scored: ScoredVideo, source: str | None) -> str:
    """Return the page as HTML.

    Args:
        source: what the video element plays, a relative URL or a data URL; None without a video.

    All times of a page that plays the file itself are the player's; they count from the first picture elsewhere.
    """
    offset = _offset(scored, source)
    scored = _moved(scored, offset)
    summary = _summary(scored)
    system = scored.system
    spec = system.header["spec"]
    spans = [(event.start, event.end) for event in scored.events]
    return render(
        "video.html",
        title=scored.video.name,
        subtitle=summary,
        notice=system.notice,
        scored=scored,
        source=source,
        offset=offset,
        rule=rule_of(system),
        # What a time links to without a script: the file, or the player if the file is in the page.
        link="" if source is None or source.startswith("data:") else source,
        spec={"about": None, **spec},
        post=", ".join(step["use"] for step in spec["eval"].get("post") or []),
        pieces=_pieces(system),
        crops=_crops(scored),
        trained=_trained(system.header["extra"]),
        sampled=_sampled(scored),
        neutral=NEUTRAL,
        score_bounds=_score_bounds(scored),
        score_chart=_score_chart(scored, summary, spans),
        sound_chart=_sound_chart(scored, spans) if scored.extracted.has_sound else "",
        contributions_chart=_contributions_chart(scored, spans),
    )


def _pieces(system: System) -> str:
    return "whole video at once" if system.sampler is None else f"in the pieces of {system.sampler.name}"


def _crops(scored: ScoredVideo) -> str:
    """Return which crops were scored."""
    count = max(len(x) if x.ndim == 3 else 1 for x in scored.extracted.streams.values())
    if count == 1:
        return "one crop"
    crops = scored.system.crops
    return (
        f"mean of {count} crops" if crops == "mean" else f"crop {0 if crops == 'first' else crops} of {count}, from 0"
    )


def _offset(scored: ScoredVideo, source: str | None) -> float:
    """Return when the player shows the first picture: a copy begins with it."""
    offset = scored.extracted.offset
    copied = unplayable(scored.video, scored.packing, offset) is not None
    return 0.0 if source is None or copied or offset is None else offset


def _moved(scored: ScoredVideo, offset: float) -> ScoredVideo:
    if not offset:
        return scored
    found = scored.extracted
    silence = np.zeros(round(offset * found.envelope_rate), np.float32)
    envelope = np.concatenate([silence, found.envelope])
    edges = [round(edge + offset, 3) for edge in scored.edges]
    return replace(scored, edges=edges, extracted=replace(found, envelope=envelope))


def _summary(scored: ScoredVideo) -> str:
    scores, edges, system = scored.scores, scored.edges, scored.system
    top = max(range(len(scores)), key=scores.__getitem__)
    found = "no threshold, so no events"
    if system.threshold is not None:
        found = f"{plural(len(scored.events), 'event')} at or above {system.threshold:g}"
        found += f", each until the score is below {rule['off']:g}" if (rule := rule_of(system)) else ""
    return (
        f"{_length(scored.extracted.duration)} scored by {system.path.name}: {found}; highest score {scores[top]:.3f} "
        f"at {moment((edges[top] + edges[top + 1]) / 2)}."
    )


def _sampled(scored: ScoredVideo) -> str:
    """Return what of the file was scored: its own frame rate and frames next to those that were sampled."""
    found = scored.extracted
    own = f"{found.native_fps:.4g} frames/s, {plural(found.native_frames, 'frame')}"
    if (round(found.fps, 6), found.num_frames) == (round(found.native_fps, 6), found.native_frames):
        return f"{own} in the file, all of them scored"
    return f"{own} in the file; sampled at {found.fps:.4g} frames/s: {plural(found.num_frames, 'frame')}"


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{clock(seconds)} ({'min:s' if seconds < 3600 else 'h:min:s'})"


def _score_bounds(scored: ScoredVideo) -> tuple[float, float]:
    if scored.system.model.output_range == "probability":
        return 0.0, 1.0
    threshold = scored.system.threshold
    axis = linear_axis(scored.scores if threshold is None else [*scored.scores, threshold])
    return axis.low, axis.high


def _score_chart(scored: ScoredVideo, summary: str, spans: Spans) -> str:
    threshold, end = scored.system.threshold, scored.edges[-1]
    # Without a threshold its line is at the top, above every score, until the reader moves it.
    level = (
        (_score_bounds(scored)[1], "no threshold") if threshold is None else (threshold, f"threshold {threshold:.2f}")
    )
    return line_chart(
        [Line("score", scored.edges, scored.scores, step=True)],
        x_label=time_label(end),
        y_label="score",
        x_bounds=(0.0, end),
        y_bounds=_score_bounds(scored),
        levels=[level],
        data=' id="score" data-timeline',
        description=f"Score over time, from {min(scored.scores):.3f} to {max(scored.scores):.3f}. {summary}",
        time=True,
        spans=spans,
        left=LEFT,
    )


def _sound_chart(scored: ScoredVideo, spans: Spans) -> str:
    return wave_chart(
        scored.extracted.envelope,
        scored.extracted.envelope_rate,
        scored.edges[-1],
        x_label=time_label(scored.edges[-1]),
        spans=spans,
        left=LEFT,
        data=" data-timeline",
        description="Loudness of the sound over time",
    )


def _contributions_chart(scored: ScoredVideo, spans: Spans) -> str:
    end = scored.edges[-1]
    return line_chart(
        [Line(name, scored.edges, values, step=True) for name, values in scored.contributions.items()],
        x_label=time_label(end),
        y_label="logit" if scored.system.unit == "logit" else "score",
        x_bounds=(0.0, end),
        height=180,
        data=" data-timeline",
        description=f"Drop of the {scored.system.unit} without each stream over time: "
        + ", ".join(scored.contributions),
        time=True,
        spans=spans,
        left=LEFT,
    )


def _trained(extra: Mapping[str, Any]) -> str:
    """Return what the model file states about its training, with the note if its figures flatter."""
    facts = ", ".join(f"{key} {extra[key]}" for key in ("seed", "steps", "select") if extra.get(key) is not None)
    return "; ".join(filter(None, [facts or "not stated in the model file", extra.get("note")]))
