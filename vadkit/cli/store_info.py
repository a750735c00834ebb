"""Show what is in a store of features, and its recipes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vadkit.store.summary import Stream, Summary

BROKEN = 5  # broken videos that are listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", metavar="STORE", help="the store's folder")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    from vadkit.store.summary import summarise

    summary = summarise(args.store)
    if args.json:
        print(json.dumps(summary.as_json(), indent=1, allow_nan=False))
    else:
        print("\n".join(lines(summary)))
    return 0


def lines(summary: Summary) -> Iterator[str]:
    """Yield the lines about a store."""
    from vadkit.cli.tables import plain_table

    yield f"{summary.root}: {_videos(summary)}"
    if summary.data_set:
        yield f"data set {summary.data_set}"
    yield f"classes: {', '.join(summary.classes)}"
    yield ""
    columns = ("stream", "backbone", "width", "crops", "weights", "rows", "size")
    yield plain_table(columns, [_row(name, stream) for name, stream in summary.streams.items()])
    for name, stream in summary.streams.items():
        yield ""
        yield from _recipe(name, stream)
    yield ""
    yield f"snippets of {summary.snippet_frames} frames{_times(summary)}"
    if summary.made_with:
        yield "extracted with " + ", ".join(f"{name} {version}" for name, version in summary.made_with.items())
    if summary.broken:
        yield f"{len(summary.broken)} videos could not be used:"
        yield from (f"  {name}: {cause}" for name, cause in [*summary.broken.items()][:BROKEN])


def _videos(summary: Summary) -> str:
    splits = [
        f"{split} {' + '.join(f'{n} {label}' for label, n in sorted(counts.items()))}"
        for split, counts in summary.splits.items()
    ]
    hours = "" if summary.hours is None else f", {summary.hours:.4g} hours"
    return f"{summary.videos} videos ({'; '.join(splits)}){hours}"


def _row(name: str, stream: Stream) -> tuple[str, ...]:
    lacking = f" ({stream.unreadable} unreadable)" if stream.unreadable else ""
    return (
        name,
        str(stream.recipe.get("backbone", "unknown")),
        str(stream.dim),
        "?" if stream.crops is None else str(stream.crops),
        _weights(stream),
        f"{stream.rows}{lacking}",
        f"{stream.bytes / 2**20:.4g} MiB",
    )


def _weights(stream: Stream) -> str:
    weights = stream.recipe.get("weights")
    if stream.recipe.get("made_up"):
        return "MADE UP: means nothing"
    if stream.random:
        return "RANDOM: means nothing"
    if isinstance(weights, str):
        return f"{weights[:12]}..."
    return "none" if stream.recipe else "unknown"


def _recipe(name: str, stream: Stream) -> Iterator[str]:
    if not stream.recipe:
        yield f"{name}: its recipe is unknown"
        return
    yield f"{name}"
    for key, value in stream.recipe.items():
        yield f"  {key}: {_text(key, value)}"
    if len(stream.order) > 1:
        yield "  order of crops: " + "; ".join(f"{i} {what}" for i, what in enumerate(stream.order))
    if stream.packed:
        yield f"  packed in {stream.packed}"
    if isinstance(stream.recipe.get("weights"), str) and not stream.random:
        yield f"  licence of the weights: {stream.licence or 'unknown'}"


def _text(key: str, value: Any) -> str:
    if key == "fps" and value is None:
        return "each video's own"
    return value if isinstance(value, str) else json.dumps(value)


def _times(summary: Summary) -> str:
    if not summary.clip_times:
        return ""
    times = "; ".join(f"from {start:g} s on, every {step:.4g} s" for start, step in summary.clip_times[:3])
    return f", {times}" + (f" (and {len(summary.clip_times) - 3} more rates)" if len(summary.clip_times) > 3 else "")
