"""Learn when the scores of a model are an event, so that your own ordinary footage raises a wanted number of
alarms a day, and store it in the model's file. vadkit predict and vadkit watch then use it.

The footage must be ordinary throughout, of the same cameras, and long enough: a rate is learned from at least 3
alarms, so 2 a day need 36 hours. What is printed is the rate with its 95 % interval."""

from __future__ import annotations

import argparse
import json

from vadkit.cli.options import add_device, add_weights, weight_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="FILE", required=True, help="a model of vadkit train: its file, or the folder of the run"
    )
    parser.add_argument(
        "--normal",
        metavar="PATH",
        nargs="+",
        required=True,
        help="ordinary footage: video files, folders with videos, or one store of features",
    )
    parser.add_argument(
        "--alarms-per-day", type=float, metavar="N", required=True, help="events that a day of it may raise"
    )
    parser.add_argument(
        "--least", type=float, default=0.0, metavar="S", help="seconds that an event lasts at least (default: 0)"
    )
    parser.add_argument(
        "--cool-down",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds after an event in which none begins (default: 10)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the model to a new file (default: change its own)")
    parser.add_argument(
        "--fps", type=float, metavar="X", help="frames per second of the videos of a store that does not state them"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="score snippet by snippet, as vadkit watch does (default: as vadkit predict)",
    )
    parser.add_argument(
        "--window", type=int, metavar="N", help="live in a sliding window of N snippets, for graphs that are not causal"
    )
    parser.add_argument("--json", action="store_true", help="print what was learned as JSON, nothing else")
    add_weights(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.api.calibrate import calibrate

    found = calibrate(
        args.model,
        args.normal,
        alarms_per_day=args.alarms_per_day,
        least=args.least,
        cool_down=args.cool_down,
        out=args.out,
        weights=weight_files(args.weights),
        fps=args.fps,
        live=args.live,
        window=args.window,
        device=args.device,
        progress=not args.json,
    )
    if args.json:
        print(json.dumps({**found.as_json(), "file": str(found.file), "notes": found.notes}, indent=1))
        return 0
    learned, rule = found.learned, found.learned.rule
    print(f"an event begins at {rule.on:g} and ends below {rule.off:g}")
    print(
        f"{learned.alarms_per_day:g} alarms a day on ordinary footage, 95 % interval {learned.interval[0]:.2g} to "
        f"{learned.interval[1]:.2g}; learned from {learned.hours:.1f} h with {learned.events} of them"
    )
    for text in found.notes:
        print(f"note: {text}")
    print(f"stored in {found.file}")
    return 0
