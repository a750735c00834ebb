"""Train a graph on features.

Writes model.safetensors (the whole system in one file), result.json, log.jsonl and config.yaml into the
folder OUT, and checkpoints from which --resume goes on bit for bit, also after a kill. Several processes:
torchrun --nproc-per-node 2 -m vadkit train ...
"""

from __future__ import annotations

import argparse
import shlex
import signal
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="name of a graph, or path of a YAML file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the file, e.g. train.optimizer.lr=1e-4"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in OUT, or begin it")
    parser.add_argument("--overwrite", action="store_true", help="delete the run in OUT and begin again")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (auto)")
    parser.add_argument("--seed", type=int, metavar="N", help="instead of train.seed")
    parser.add_argument("--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out")


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from vadkit.cli.train_progress import TrainProgress
    from vadkit.engine.train import train
    from vadkit.problems import fail

    if args.resume and args.overwrite:
        fail("--resume and --overwrite exclude each other")
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    resume = _resume_words(args)
    try:
        result = train(
            args.config,
            args.set,
            args.out,
            resume=args.resume,
            overwrite=args.overwrite,
            device=args.device,
            seed=args.seed,
            progress=TrainProgress(console),
            without=args.without,
        )
    except KeyboardInterrupt:
        say(f"stopped at once; go on with: {resume}")
        return 130
    if result.signal is not None:
        say(f"stopped after step {result.steps} and saved; go on with: {resume}")
        return 128 + signal.Signals(result.signal)
    _print(result, args.out)
    return 0


def _resume_words(args: argparse.Namespace) -> str:
    """Return the command that goes on with the run."""
    words = ["vadkit", "train", args.config]
    for option, values in (("--set", args.set), ("--without", args.without)):
        words += [word for value in values for word in (option, value)]
    words += ["--device", args.device] if args.device != "auto" else []
    words += ["--seed", str(args.seed)] if args.seed is not None else []
    return shlex.join([*words, "--out", str(args.out), "--resume"])


def _print(result: Any, out: Path) -> None:
    from vadkit.cli.tables import print_table
    from vadkit.engine import distributed

    if distributed.launched_rank() != 0:
        return
    label = " (test_best: flatters)" if result.note else ""
    print(f"{out}: weights of step {result.chosen} of {result.steps}{label}\n")
    figures = {name: value for name, value in result.figures.items() if isinstance(value, float) or value is None}
    rows = [(name, "not defined" if value is None else f"{value:.4f}") for name, value in figures.items()]
    if rows:
        print_table(("figure", "value"), rows, right=("value",))
        print()
    for line in filter(None, (result.note, f"wrote {result.model_path}")):
        print(line)
