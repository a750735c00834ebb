"""List the public weight files that each backbone reads. Nothing is downloaded: fetch a file from its source."""

from __future__ import annotations

import argparse
import dataclasses
import json

from vadkit.cli.tables import print_table
from vadkit.problems import did_you_mean, fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backbone", nargs="?", metavar="BACKBONE", help="only the files of this backbone")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from vadkit.extract.public_weights import DIGITS, published

    found = published()
    names = list(dict.fromkeys(name for name, _ in found))
    if args.backbone and args.backbone not in names:
        hint = did_you_mean(args.backbone, names) or f"there are {', '.join(names)}"
        fail(f"no public weight files are known for a backbone '{args.backbone}'", hint)
    found = [(name, file) for name, file in found if args.backbone in (None, name)]
    if args.json:
        print(json.dumps([{"backbone": name, **dataclasses.asdict(file)} for name, file in found], indent=1))
        return 0
    columns = ("backbone", "file", "arguments", "licence", "SHA-256", "source")
    rows = []
    for name, file in found:
        digest = file.sha256 or "not published"
        begins = "" if len(digest) == DIGITS or not file.sha256 else "..."
        arguments = ", ".join(f"{key}: {value}" for key, value in file.args.items())
        rows.append((name, file.file, arguments, file.licence, digest + begins, file.source))
    print_table(columns, rows)
    print("\n'vadkit weights check FILE' says which one a file is; args: {weights: FILE} uses it.")
    return 0
