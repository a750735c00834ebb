"""Score videos with a trained model: for each a JSON file, a CSV file and a page that opens without a
server, and an index page over all.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vadkit.problems import fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders with videos")
    parser.add_argument("--model", metavar="FILE", required=True, help="a .safetensors file of vadkit train")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the results")
    parser.add_argument("--threshold", type=_number, metavar="X", help="events score at least this (the model's)")
    parser.add_argument("--embed", action="store_true", help="put the videos into the pages")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="INPUT=FILE",
        help="weight file of an input's backbone, if it is not where it was in training",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (auto)")


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
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.predict import predict

    weights = dict(_weights(text) for text in args.weights)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the model", total=None)

        def progress(number: int, count: int, video: Path, done: float, total: float | None) -> None:
            name = f"{number + 1} of {count}  {_printable(video.name)}"
            # A long file whose length is not known still shows that something moves.
            bar.update(task, description=name, completed=done, total=total)

        outcomes = predict(
            args.videos,
            args.model,
            args.out,
            threshold=args.threshold,
            embed=args.embed,
            device=args.device,
            weights=weights,
            progress=progress,
        )
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    _tell(outcomes, Path(args.out))
    return 0 if not failed else 2 if len(failed) == len(outcomes) else 1


def _tell(outcomes: Any, out: Path) -> None:
    for outcome in outcomes:
        if outcome.summary is None:
            sys.stderr.write(f"{_printable(outcome.error)}\n")
            continue
        found = outcome.summary
        print(
            f"{_printable(str(outcome.video))}: {len(found.events)} events, highest score {found.top:.3f} "
            f"at {found.top_time:.1f} s -> {_printable(str(out / found.name))}.html"
        )
        for text in found.warnings:
            print(f"  note: {_printable(text)}")
    print(f"all videos: {_printable(str(out / 'index.html'))}")


def _printable(text: str) -> str:
    """Return ``text`` without what a terminal would choke on or obey."""
    kept = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    encoding = sys.stdout.encoding or "ascii"
    return kept.encode(encoding, "backslashreplace").decode(encoding)
