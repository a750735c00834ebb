"""The page of one video: the video, its score over time, events, sound, and what each stream adds.

All figures are drawn here as SVG, so they are there without a script; ``player.js`` lets them seek
the video and moves the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vadkit import __version__
from vadkit.predict.events import Event
from vadkit.predict.result import Result
from vadkit.report import Html, Line, escape, line_chart, page, script_json, section, table, warning_box, wave_chart
from vadkit.report.ticks import clock, linear_axis, moment, time_label

LEFT = 58  # pixels left of every chart, so that their time axes lie one below the other
STYLE = """
#stage{position:sticky;top:0;z-index:1;background:var(--paper);padding:.3rem 0}
video{display:block;width:100%;max-height:min(42vh,26rem);background:#000;border-radius:4px}
figure[data-timeline] .plot{cursor:pointer;touch-action:pan-y;scroll-margin-top:45vh}
.playhead{stroke:var(--ink);stroke-width:2}
.control{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .8rem}.control[hidden]{display:none}
.control input{flex:1 1 12rem;accent-color:var(--alarm);min-height:2rem}
button{font:inherit;padding:.2rem .8rem;border:1px solid var(--soft);border-radius:4px;background:var(--panel);
color:inherit}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}dt{color:var(--soft)}dd{margin:0}
@media (max-width:520px){dl{grid-template-columns:1fr}dt{margin-top:.4rem}video{max-height:34vh}}
"""


def video_page(result: Result, source: str | None) -> str:
    """Return the page as HTML.

    Args:
        source: what the video element plays, a relative URL or a data URL; None if there is nothing.
    """
    events = result.events
    body = [
        warning_box(result.warnings),
        _stage(result, source),
        _score(result, events),
        _events(result, events, source),
        _sound(result, events),
        _contributions(result, events),
        _about(result),
        _data(result, source),
    ]
    return page(
        result.video.name,
        body,
        subtitle=_summary(result, events),
        footer=f"Made by vadkit {__version__}. The same figures are in {result.name}.json and {result.name}.csv.",
        style=STYLE,
        script=Path(__file__).with_name("player.js").read_text(encoding="utf-8"),
    )


def _summary(result: Result, events: list[Event]) -> str:
    scores, edges = result.scores, result.edges
    top = max(range(len(scores)), key=scores.__getitem__)
    found = f"{len(events)} event{'s' if len(events) != 1 else ''}"
    return (
        f"{_seconds(result.extracted.duration)} scored by {result.system.path.name}: {found} at or above "
        f"{result.system.threshold:g}; highest score {scores[top]:.3f} at {moment((edges[top] + edges[top + 1]) / 2)}."
    )


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else f"{clock(value)} ({'min:s' if value < 3600 else 'h:min:s'})"


def _stage(result: Result, source: str | None) -> Html:
    if source is None:
        return Html('<p class="soft">There is no video on this page; see the note above.</p>')
    return Html(
        f'<div id="stage"><video id="video" controls preload="metadata" playsinline src="{escape(source)}">'
        "</video></div>"
        '<p id="no-video" class="warnings" hidden>The video cannot be shown. It is looked for at a place '
        "relative to this page: has one of the two been moved? With --embed it is put into the page.</p>"
        '<p class="soft needs-script" hidden>Click on a chart to go there; with the keyboard: arrows, '
        'Page Up and Down, Home, End, space. Now: <span id="now"></span>.</p>'
    )


def _spans(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.start, event.end) for event in events]


def _score(result: Result, events: list[Event]) -> Html:
    threshold, scores, end = result.system.threshold, result.scores, result.edges[-1]
    bounds = _score_bounds(result)
    chart = line_chart(
        [Line("score", result.edges, scores, step=True)],
        x_label=time_label(end),
        y_label="score",
        x_bounds=(0.0, end),
        y_bounds=bounds,
        time=True,
        spans=_spans(events),
        levels=[(threshold, f"threshold {threshold:.2f}")],
        left=LEFT,
        data=' id="score" data-timeline',
        description=f"Score over time, from {min(scores):.3f} to {max(scores):.3f}. {_summary(result, events)}",
    )
    slider = (
        '<p class="control needs-script" hidden><label for="threshold">Threshold</label>'
        f'<input id="threshold" type="range" min="{bounds[0]!r}" max="{bounds[1]!r}" step="any" '
        f'value="{threshold!r}"><output id="threshold-value" for="threshold">{threshold:.2f}</output>'
        '<button id="reset" type="button">Reset</button></p>'
    )
    return section("Score", chart, Html(slider))


def _score_bounds(result: Result) -> tuple[float, float]:
    if result.system.model.output_range == "probability":
        return 0.0, 1.0
    axis = linear_axis([*result.scores, result.system.threshold])
    return axis.low, axis.high


def _events(result: Result, events: list[Event], source: str | None) -> Html:
    rows = [[_link(e.start, source), moment(e.end), _link(e.peak_time, source), f"{e.peak:.3f}"] for e in events]
    shown = table(rows, ["start", "end", "peak at", "peak score"], caption="Stretches at or above the threshold")
    none = "No score reaches the threshold."
    return section(
        "Events",
        Html(
            f'<p class="soft"><span id="count">{len(events)}</span> found; times in min:s.</p>'
            f'<div id="events"{"" if events else " hidden"}>{shown}</div>'
            f'<p id="no-events"{" hidden" if events else ""}>{none}</p>'
        ),
    )


def _link(seconds: float, source: str | None) -> Html:
    if source is None:
        return escape(moment(seconds))
    url = _linked(source)
    return Html(f'<a href="{escape(url)}#t={seconds:g}" data-time="{seconds!r}">{moment(seconds)}</a>')


def _linked(source: str | None) -> str:
    """Return what a time links to without a script: the file, or the player if the file is in the page."""
    return "" if source is None or source.startswith("data:") else source


def _sound(result: Result, events: list[Event]) -> Html:
    end = result.edges[-1]
    if not result.extracted.has_sound:
        silent = "silent" if result.packing.sound else "missing"
        return section("Sound", f"The sound of this video is {silent}, so there is nothing to draw.")
    chart = wave_chart(
        result.extracted.envelope,
        result.extracted.envelope_rate,
        end,
        x_label=time_label(end),
        spans=_spans(events),
        left=LEFT,
        data=" data-timeline",
        description="Loudness of the sound over time",
    )
    return section("Sound", chart)


def _contributions(result: Result, events: list[Event]) -> Html:
    end = result.edges[-1]
    chart = line_chart(
        [Line(name, result.edges, values, step=True) for name, values in result.contributions.items()],
        x_label=time_label(end),
        y_label="change of the score",
        x_bounds=(0.0, end),
        time=True,
        spans=_spans(events),
        left=LEFT,
        height=180,
        data=" data-timeline",
        description="Change of the score by each stream over time: " + ", ".join(result.contributions),
    )
    names = ", ".join(result.contributions)
    only = len(result.contributions) == 1
    return section(
        "What each stream adds" if not only else f"What the stream {names} adds",
        Html(
            "<p>The score minus the score that the model gives when one stream is replaced by its own mean "
            "over the video, the other streams staying as they are. Above 0, what happens in that stream "
            "raises the score; the curves need not add up to the score.</p>"
        ),
        chart,
    )


def _about(result: Result) -> Html:
    system, found = result.system, result.extracted
    spec, clock_ = system.header["spec"], system.clock
    backbones = ", ".join(f"{name}: {told['use']}" for name, told in spec["inputs"].items())
    post = ", ".join(step["use"] for step in (spec.get("eval") or {}).get("post") or []) or "none"
    sound = result.packing.sound or "none"
    look = system.model.lookahead
    facts = {
        "Video": f"{result.video} - {found.size[1]} x {found.size[0]}, {found.fps:.4g} frames/s, "
        f"{found.num_frames} frames, {result.packing.video}, sound: {sound}",
        "Model": f"{system.path.name} - {spec.get('about') or 'no description'}",
        "SHA-256": system.sha256,
        "Streams": backbones,
        "Protocol": f"snippets of {clock_['snippet_frames']} frames, one crop, whole video at once "
        f"(looks ahead: {look if look == 'all' else f'{look} snippets'}), after-treatment: {post}",
        "Trained": _trained(system.header.get("extra", {})),
        "Ran on": f"{system.device}, vadkit {__version__}",
    }
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    return section("How it was made", Html(f"<dl>{items}</dl>"))


def _trained(extra: Mapping[str, Any]) -> str:
    """Return what the model file says of its training, with the remark if its figures flatter."""
    told = [f"{key} {extra[key]}" for key in ("seed", "steps", "select") if extra.get(key) is not None]
    return "; ".join([", ".join(told) or "the model file does not say", *filter(None, [extra.get("note")])])


def _data(result: Result, source: str | None) -> Html:
    data = {
        "edges": result.edges,
        "scores": result.scores,
        "threshold": result.system.threshold,
        "link": _linked(source),
    }
    return Html(f'<script type="application/json" id="data">{script_json(data)}</script>')
