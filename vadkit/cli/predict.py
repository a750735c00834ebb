"""Score videos with a trained model: for each a JSON file, a CSV file and a page that opens without a
server; over all, summary.json and an index page that grows with each call.

Rerun the same command to resume: finished videos are skipped, changed ones are scored again. A path or video that
cannot be used does not stop the others.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.cli.options import add_device, add_weights, weight_files
from vadkit.problems import fail, plural

if TYPE_CHECKING:
    from vadkit.api.predict import Prediction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders with videos")
    parser.add_argument(
        "--model", metavar="FILE", required=True, help="a model of vadkit train: its file, or the folder of the run"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the results")
    parser.add_argument(
        "--threshold",
        type=_number,
        metavar="X",
        help="lowest score of an event (default: as calibrated, or eval.threshold of the model)",
    )
    parser.add_argument("--embed", action="store_true", help="put the videos into the pages")
    parser.add_argument("--overwrite", action="store_true", help="score finished videos again")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes, each with its own model (default: 0, this one)"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the outcome of every video as JSON, nothing else")
    output.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_weights(parser)
    add_device(parser)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fail(f"--threshold {text} is not a number")


def run(args: argparse.Namespace) -> int:
    from vadkit.api.predict import predict_with_notes

    shown = Shown(silent=args.quiet or args.json)
    predictions, notes, report = predict_with_notes(
        args.videos,
        model=args.model,
        out=args.out,
        threshold=args.threshold,
        embed=args.embed,
        overwrite=args.overwrite,
        workers=args.workers,
        weights=weight_files(args.weights),
        device=args.device,
        progress=not args.quiet,
        report=shown.video,
    )
    if args.json:
        print(json.dumps(report, indent=1, allow_nan=False))
    shown.end(predictions, notes, args.out)
    failed = [prediction for prediction in predictions if prediction.error is not None]
    return 0 if not failed else 2 if len(failed) == len(predictions) else 1


class Shown:
    """Prints a line per video as it is finished, and at the end the notes, equal ones once."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent

    def video(self, found: Prediction) -> None:
        if found.error is not None:
            sys.stderr.write(f"{found.error}\n")
        elif not self.silent:
            top = int(found.scores.argmax())
            print(
                f"{found.video}: {plural(len(found.events), 'event')}, "
                f"highest score {found.scores[top]:.3f} at {found.times[top].mean():.1f} s"
                f"{', finished before' if found.skipped else ''} -> {found.files[-1]}"
            )

    def end(self, predictions: list[Prediction], notes: list[str], out: str) -> None:
        if self.silent:
            return
        about: dict[str, list[Prediction]] = {}
        for prediction in predictions:
            for text in prediction.warnings:
                about.setdefault(text, []).append(prediction)
        for text in notes:
            print(f"note: {text}")
        for text, those in about.items():
            whose = Path(those[0].video or "").name if len(those) == 1 else plural(len(those), "video")
            print(f"note ({whose}): {text}")
        print(f"all videos: {Path(out) / 'index.html'}")
