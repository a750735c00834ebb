"""Score videos with a trained model: for each a JSON file, a CSV file and a page that opens without a
server, and an index page over all.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.cli.options import add_device
from vadkit.problems import fail, plural

if TYPE_CHECKING:
    from vadkit.api.predict import Prediction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders with videos")
    parser.add_argument("--model", metavar="FILE", required=True, help="a .safetensors file of vadkit train")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the results")
    parser.add_argument(
        "--threshold",
        type=_number,
        metavar="X",
        help="lowest score of an event (default: eval.threshold of the model)",
    )
    parser.add_argument("--embed", action="store_true", help="put the videos into the pages")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="INPUT=FILE",
        help="weight file of an input's backbone, if it is not where it was in training",
    )
    add_device(parser)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fail(f"--threshold {text} is not a number")


def _weights(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        fail(f"--weights {text}: must be INPUT=FILE", "for example --weights rgb=i3d.pt")
    return name, file


def run(args: argparse.Namespace) -> int:
    from vadkit.api.predict import predict

    predictions = predict(
        args.videos,
        model=args.model,
        out=args.out,
        threshold=args.threshold,
        embed=args.embed,
        weights=dict(_weights(text) for text in args.weights),
        device=args.device,
        progress=True,
    )
    for prediction in predictions:
        _print(prediction)
    print(f"all videos: {Path(args.out) / 'index.html'}")
    failed = [prediction for prediction in predictions if prediction.error is not None]
    return 0 if not failed else 2 if len(failed) == len(predictions) else 1


def _print(found: Prediction) -> None:
    if found.error is not None:
        sys.stderr.write(f"{found.error}\n")
        return
    top = int(found.scores.argmax())
    print(
        f"{found.video}: {plural(len(found.events), 'event')}, highest score {found.scores[top]:.3f} "
        f"at {found.times[top].mean():.1f} s -> {found.files[-1]}"
    )
    for text in found.warnings:
        print(f"  note: {text}")
