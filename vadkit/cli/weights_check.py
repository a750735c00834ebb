"""Say which public weight file a file is, by its SHA-256, and which backbones it fits, by loading it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vadkit.extract.public_weights import Fit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a weight file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Return 1 if the file is of no backbone."""
    from vadkit.extract.public_weights import DIGITS, check

    found = check(args.file)
    fitting = [fit for fit in found.fits if fit.cause is None]
    tried = {fit.backbone for fit in found.fits}
    built_in = [name for name, _ in found.known if name not in tried]
    code = 0 if fitting or built_in else 1
    if args.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
        return code
    print(f"{args.file}: SHA-256 {found.sha256}")
    for name, file in found.known:
        sure = "this is" if len(file.sha256) == DIGITS else f"the digest begins with {file.sha256}, as that of"
        print(f"  {sure} {file.file} (backbone {name}); {file.source}; licence: {file.licence}")
    if not found.known:
        print("  none of the public files whose digest is known; see 'vadkit weights list'")
    for fit in fitting:
        print(f"  fits backbone {_named(fit)}: names and shapes agree, and it runs")
    for name in built_in:
        print(f"  backbone {name} finds it by itself: there is nothing to set")
    if code:
        print("  fits no backbone that takes a weight file:")
        for fit in found.fits:
            print(f"    {_named(fit)}: {fit.cause}")
    return code


def _named(fit: Fit) -> str:
    return " with ".join([fit.backbone, *[f"{key}: {value}" for key, value in fit.args.items()]])
