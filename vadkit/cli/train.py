"""Train a graph on features, or a recipe of rounds.

Writes model.safetensors (the whole system in one file), result.json, log.jsonl and config.yaml into DIR, and
checkpoints from which --resume continues bit for bit, also after a kill. A recipe writes each round into a folder
of its name in DIR. Several processes: torchrun --nproc-per-node 2 -m vadkit train ...
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_config, add_device, add_set, add_without


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_set(parser, "train.optimizer.lr=1e-4", short=("--data", "--batch", "--epochs", "--lr"))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="resume the run in DIR, or start it if there is none")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in DIR once the new one has begun")
    add_device(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the run (default: train.seed of the graph)")
    add_without(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.api.train import Interrupted, train
    from vadkit.api.train_progress import TrainProgress

    resume = _resume_command(args)
    try:
        result = train(
            args.config,
            out=args.out,
            set=args.set,
            resume=args.resume,
            overwrite=args.overwrite,
            device=args.device,
            seed=args.seed,
            without=args.without,
            progress=TrainProgress(),
        )
    except Interrupted as stop:
        _say(f"stopped after step {stop.steps} and saved; resume with: {resume}")
        return 128 + signal.Signals(stop.signal)
    except KeyboardInterrupt:
        _say(f"stopped at once; resume with: {resume}")
        return 130
    _print(result, args.out)
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _resume_command(args: argparse.Namespace) -> str:
    """Return the command that continues the run."""
    command = ["vadkit", "train", args.config]
    for option, values in (("--set", args.set), ("--without", args.without)):
        command += [argument for value in values for argument in (option, value)]
    command += ["--device", args.device] if args.device != "auto" else []
    command += ["--seed", str(args.seed)] if args.seed is not None else []
    return shlex.join([*command, "--out", str(args.out), "--resume"])


def _print(result: Any, out: Path) -> None:
    from vadkit.cli.tables import print_table
    from vadkit.engine import distributed

    if distributed.launched_rank() != 0:
        return
    label = " (test_best: flatters)" if result.model.spec["train"]["select"] == "test_best" else ""
    print(f"{out}: weights of step {result.chosen} of {result.steps}{label}\n")
    figures = {name: value for name, value in result.figures.items() if isinstance(value, float) or value is None}
    if figures.get("threshold") is None:  # of unbounded scores it is a choice that was not made
        figures.pop("threshold", None)
    rows = [(name, "not defined" if value is None else f"{value:.4f}") for name, value in figures.items()]
    if rows:
        print_table(("figure", "value"), rows, right=("value",))
        print()
    for line in filter(None, (result.note, f"wrote {result.model_path}")):
        print(line)
