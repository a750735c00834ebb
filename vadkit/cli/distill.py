"""Train a smaller graph on the scores and features of a trained model, besides its own losses.

  vadkit distill runs/big --student demo_student --data STORE --out runs/student

The teacher scores every training video as it is evaluated: its scores are the targets of a loss distill_scores, what
its head takes is a stream that a loss distill_features compares with what the head of the student takes. --set changes
both as any other key: --set losses.distill_features.weight=0.1

Writes model.safetensors, the student alone, into DIR; the run is in DIR/training, what the teacher says in DIR/teacher.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.cli.completion import config_names
from vadkit.cli.options import add_device, add_set, add_without

if TYPE_CHECKING:
    from vadkit.distill.run import Distilled, Size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "teacher", metavar="TEACHER", help="a model of vadkit train: its file, or the folder of the run"
    )
    graph = parser.add_argument("--student", required=True, metavar="GRAPH", help="name of a graph, or its YAML file")
    graph.completer = config_names  # type: ignore[attr-defined]
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the features of both")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the student")
    add_set(parser, "losses.distill_features.weight=0.1", short=("--batch", "--epochs", "--lr"))
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--features", metavar="NODE=NODE", help="the nodes to compare, the teacher's first (default: what heads take)"
    )
    which.add_argument("--no-features", action="store_true", help="learn from the scores alone")
    parser.add_argument("--resume", action="store_true", help="continue what is in DIR, or start it")
    parser.add_argument("--overwrite", action="store_true", help="replace the training in DIR")
    add_device(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the run (default: train.seed of the graph)")
    add_without(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.api.distill import distill
    from vadkit.api.train import Interrupted
    from vadkit.api.train_progress import TrainProgress

    try:
        found = distill(
            args.teacher,
            student=args.student,
            data=args.data,
            out=args.out,
            set=args.set,
            features=_features(args),
            resume=args.resume,
            overwrite=args.overwrite,
            device=args.device,
            seed=args.seed,
            without=args.without,
            progress=TrainProgress(),
        )
    except Interrupted as stop:
        command = shlex.join(["vadkit", *sys.argv[1:], *([] if args.resume else ["--resume"])])
        sys.stderr.write(f"stopped after step {stop.steps} and saved; resume with: {command}\n")
        return 128 + signal.Signals(stop.signal)
    _print(found)
    return 0


def _features(args: argparse.Namespace) -> tuple[str, str] | bool:
    from vadkit.problems import fail

    if args.features is None:
        return not args.no_features
    teacher, equals, student = args.features.partition("=")
    if not (teacher and equals and student):
        fail(f"--features is '{args.features}'", "give two nodes, as --features TEACHER_NODE=STUDENT_NODE")
    return teacher, student


def _print(found: Distilled) -> None:
    from vadkit.cli.tables import print_table

    rows = [["teacher", *_size(found.teacher)], ["student", *_size(found.student)]]
    print_table(["", "parameters", "operations per snippet"], rows, right=("parameters", "operations per snippet"))
    for name in ("ap", "auc"):
        value = found.training.figures.get(name)
        if value is not None:
            print(f"{name} {value:.4f}")
    if found.features:
        print(f"features: {found.features[1]} follows the teacher's {found.features[0]}")
    for line in filter(None, (found.training.note, f"wrote {found.model_path}")):
        print(line)


def _size(size: Size) -> list[str]:
    return [f"{size.parameters:,}", "unknown" if size.flops is None else f"{size.flops:,.0f}"]
