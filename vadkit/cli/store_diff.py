"""Compare two stores, folders or files of features, A and B, and say why they differ.

Exit code 0: equal, bit for bit. 1: not equal.

Features alone cannot distinguish all causes. With --video, features of that video are extracted again by the recipe
of a store, with one thing changed at a time (normalisation, colour order, frame rate, first frame, crops, ...), to
see which change gives those of the other side.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.problems import VadkitError, fail, plural, some

if TYPE_CHECKING:
    from vadkit.diff.comparison import Comparison, Outcome, StreamComparison, Trial
    from vadkit.diff.evidence import Evidence
    from vadkit.diff.sides import Side

NAMES = 5  # videos that are listed by name
CAUSES = 8
SHOWN = 6  # outcomes of a trial
AGAIN = 1e-4  # re-extracted features that differ by more than this part of the largest number are reported
SURE = {"certain": "", "likely": "likely: ", "possible": "possible: "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("a", metavar="A", help="a store, a folder of .npy or .txt files, or one such file")
    parser.add_argument("b", metavar="B", help="what to compare with it")
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME[:NAME]",
        help="compare this stream only; A's name and B's where they differ",
    )
    parser.add_argument("--video", metavar="FILE", help="try causes on this video; A or B must be a store")
    parser.add_argument("--name", help="the video's name in A and B, if its file has another name")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[STREAM=]FILE",
        help="weight file of a stream's backbone, if it needs one",
    )
    parser.add_argument(
        "--from",
        type=int,
        default=0,
        dest="first",
        metavar="ROW",
        help="first row to try; later ones say more if a video begins with a still",
    )
    parser.add_argument("--device", default="cpu", help="where networks run: cpu, cuda, auto (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.diff.compare import compare

    with bar() as progress:
        comparison, a, b = compare(args.a, args.b, args.stream, progress)
    if args.video:
        _explain(comparison, a, b, args)
    if args.json:
        print(json.dumps(comparison.as_json(), indent=1, allow_nan=False))
    else:
        print("\n".join(lines(comparison)))
    return 0 if comparison.is_equal else 1


def _explain(comparison: Comparison, a: Side, b: Side, args: argparse.Namespace) -> None:
    from vadkit.api.progress import showing
    from vadkit.devices import choose_device
    from vadkit.diff.trial import explain

    if args.first < 0:
        fail(f"--from {args.first}: rows are counted from 0")
    device, problems = str(choose_device(args.device)), []
    open_features = [stream for stream in comparison.streams if stream.differ and not stream.is_explained]
    with showing(True, "trying") as progress:
        for stream in open_features:
            weights, show = _weights(args.weights, stream), lambda trial: progress(0, None, trial)
            try:
                explain(stream, a, b, Path(args.video), args.name, weights, device, args.first, show)
            except VadkitError as error:
                problems += error.problems
                stream.not_tried = error.problems[0].message
    if problems and len(problems) >= len(open_features):
        raise VadkitError(problems)


def _weights(given: list[str], stream: StreamComparison) -> str | None:
    """Return the weight file for a stream: the one that names it, or else one that names none."""
    files = dict(text.partition("=")[::2] if "=" in text else ("", text) for text in given)
    return files.get(stream.a) or files.get(stream.b) or files.get("")


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines about a comparison."""
    yield f"A  {comparison.a}"
    yield f"B  {comparison.b}"
    for stream in comparison.streams:
        yield ""
        yield from _stream(stream)
    for side, names in (("A", comparison.alone_a), ("B", comparison.alone_b)):
        if names:
            yield f"\nonly {side} has: {', '.join(names)}"


def _stream(stream: StreamComparison) -> Iterator[str]:
    from vadkit.diff.causes import say

    if stream.is_equal:
        yield f"{stream.title}: equal, {plural(stream.videos, 'video')}"
        return
    counts = [f"{plural(stream.videos, 'video')} in both"]
    if stream.videos == stream.equal:
        counts.append("the numbers of all are the same")
    else:
        counts.append(f"{len(stream.differ)} differ" + (f", {stream.equal} are equal" if stream.equal else ""))
    yield f"{stream.title}: {'; '.join(counts)}"
    for side, names in (("A", stream.only_a), ("B", stream.only_b)):
        if names:
            yield f"  only in {side}: {some(names)}"
    yield from (f"  cannot be compared: {text}" for text in stream.unreadable[:NAMES])
    if stream.differ and stream.equal:
        yield f"  differing: {some(stream.differ)}"
    if stream.evidence is not None:
        yield from (f"  {line}" for line in _evidence(stream.evidence))
    if stream.trial is not None:
        yield from (f"  {line}" for line in _trial(stream.trial, stream.maker))
    if stream.not_tried:
        yield f"  not tried on the video: {stream.not_tried}"
    if stream.causes:
        yield "  why"
        for number, cause in enumerate(stream.causes[:CAUSES], 1):
            yield f"    {number}. {SURE[cause.certainty]}{cause.text}"
        if len(stream.causes) > CAUSES:
            yield f"    and {len(stream.causes) - CAUSES} more"
    if stream.other_fields:
        what = "the recipes differ, too, without effect here" if stream.causes else "the recipes differ"
        values = {field: [say(field, value) for value in stream.recipe_fields[field]] for field in stream.other_fields}
        yield f"  {what}: " + "; ".join(f"{field}: {a} in A, {b} in B" for field, (a, b) in values.items())
    if any(cause.certainty == "possible" for cause in stream.causes):
        yield f"  {_lacking(stream)}the numbers alone leave more than one cause"


def _trial(trial: Trial, maker: str) -> Iterator[str]:
    from vadkit.cli.tables import plain_table

    other = "B" if maker == "A" else "A"
    yield f"tried on '{trial.video}', rows {trial.rows[0]} to {trial.rows[1] - 1}, by {maker}'s recipe"
    if trial.again > AGAIN:
        yield f"  re-extracted without a change, {maker}'s rows are off by {trial.again:.1%}: another file or machine?"
    tried = [o for o in trial.outcomes if o.explained is not None]
    yield from plain_table(
        ("  changed", f"explains of {other}", "cosine"), [_row(outcome) for outcome in tried[:SHOWN]]
    ).splitlines()
    if len(tried) > SHOWN:
        yield f"  and {len(tried) - SHOWN} more that explain less"
    without = [o.text for o in trial.outcomes if o.note.startswith("changes nothing")]
    if without:
        yield f"  without effect here: {'; '.join(without)}"
    yield from (f"  {o.text}: {o.note}" for o in trial.outcomes if o.note.startswith("not tried"))
    if not any(o.gives_b for o in trial.outcomes):
        yield f"  no single change gives {other}: other weights, another network, or several things at once"


def _row(outcome: Outcome) -> tuple[str, str, str]:
    explained = 0.0 if outcome.explained is None else outcome.explained
    share = "all" if outcome.exact else f"{explained:.1%}" if explained > 0 else "nothing"
    twins = "".join(f", or {twin}" for twin in outcome.same_as)
    return f"  {outcome.text}{twins}", share, _close(outcome.cosine or 0.0)


def _lacking(stream: StreamComparison) -> str:
    """Say whose recipe is missing."""
    if all(stream.recipes):
        return ""
    if any(stream.recipes):
        return f"{'B' if stream.recipes[0] else 'A'} has no recipe; "
    return "neither has a recipe; "


def _evidence(evidence: Evidence) -> Iterator[str]:
    """Yield the figures, the same for each stream."""
    from vadkit.diff.causes import SURE as SURE_DRIFT

    shapes, numbers = evidence.shapes, evidence.numbers
    yield f"shape {_shape(shapes.a)} {shapes.kinds[0]} in A, {_shape(shapes.b)} {shapes.kinds[1]} in B (first of them)"
    if numbers is None:
        return
    yield (
        f"cosine {_close(numbers.cosine[0])} as they are, {_close(numbers.cosine[1])} put right, "
        f"{_close(numbers.centred)} about the mean row"
    )
    drift = f" {numbers.drift.late:+.2f}" if abs(numbers.drift.late_t) >= SURE_DRIFT else ""
    yield (
        f"scale {numbers.scale:.4g}, offset {numbers.offset:.3g}, time shift {numbers.timing.shift:+d}{drift} rows, "
        f"largest difference {numbers.largest:.3g}"
    )
    yield (
        f"agreement (0 to 1): network {numbers.profile:.2f}, videos {numbers.relations:.2f}; "
        f"{numbers.values.left:.2%} of what distinguishes rows is not explained"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape if shape[0] > 1 else shape[1:]))


def _close(value: float) -> str:
    """Write a cosine so that 0.9999996 is not called 1."""
    return f"{value:.4f}" if value < 0.9999 else f"1 - {max(0.0, 1 - value):.1e}"
