"""Options that several verbs share, in one wording."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from vadkit.cli.completion import config_names
from vadkit.problems import fail

# Short forms of the keys that people type most: option -> (key, metavar, what it is).
SHORT = {
    "--data": ("data.args.root", "DIR", "folder of the features"),
    "--batch": ("data.batch", "N", "videos of each label per batch"),
    "--epochs": ("train.epochs", "N", "epochs to train"),
    "--lr": ("train.optimizer.lr", "RATE", "learning rate"),
}


class _SetKey(argparse.Action):
    """Appends KEY=VALUE to the changes, in the order in which they are written."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        key, metavar, _ = SHORT[str(self.option_strings[0])]
        value = json.dumps(values) if metavar == "DIR" else values  # a folder called 12 is text all the same
        namespace.set = [*namespace.set, f"{key}={value}"]


def add_config(parser: argparse.ArgumentParser, **more: Any) -> None:
    """Take CONFIG."""
    argument = parser.add_argument("config", metavar="CONFIG", help="name of a config, or path of a YAML file", **more)
    argument.completer = config_names  # type: ignore[attr-defined]


def add_set(parser: argparse.ArgumentParser, example: str, short: Sequence[str] = ()) -> None:
    """Take ``--set`` and the ``short`` forms of keys."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"change one value of the config, for example {example}; may be repeated",
    )
    for option in short:
        key, metavar, what = SHORT[option]
        parser.add_argument(
            option, action=_SetKey, dest="set", metavar=metavar, help=f"{what}: short for --set {key}={metavar}"
        )


def add_without(parser: argparse.ArgumentParser) -> None:
    """Take ``--without``."""
    parser.add_argument(
        "--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out; may be repeated"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Take ``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Take ``--weights``; ``weight_files`` reads it."""
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="INPUT=FILE",
        help="weight file of an input's backbone, if it is not where it was in training",
    )


def weight_files(texts: Sequence[str]) -> dict[str, str]:
    """Return what ``--weights`` gives, by input name."""
    files = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            fail(f"--weights {text}: must be INPUT=FILE", "for example --weights rgb=i3d.pt")
        files[name] = file
    return files
