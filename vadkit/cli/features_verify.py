"""Check a store of features: every array there, readable, finite and as the manifest says; the indexes consistent.

Exit code 0: sound. 1: something is wrong.
"""

from __future__ import annotations

import argparse
import json

SHOWN = 40  # findings that are listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("store", metavar="STORE", help="the store's folder")
    parser.add_argument(
        "--videos",
        action="store_true",
        help="also look whether the video files are those that the features were made of",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.store.check.verify import verify

    with bar() as tell:
        report = verify(args.store, args.videos, lambda done, total: tell("arrays", done, total))
    if args.json:
        print(json.dumps(report.as_json(), indent=1))
        return 0 if report.is_sound else 1
    for finding in report.findings[:SHOWN]:
        print(f"{report.root / finding.file}: {finding.cause}")
        if finding.hint:
            print(f"  hint: {finding.hint}")
    if len(report.findings) > SHOWN:
        print(f"... and {len(report.findings) - SHOWN} more")
    for note in report.notes:
        print(f"note: {note}")
    what = f"{report.videos} videos, {report.arrays} arrays, {report.bytes / 2**20:.4g} MiB"
    print(f"{report.root}: " + (f"sound: {what}" if report.is_sound else f"{len(report.findings)} faults in {what}"))
    return 0 if report.is_sound else 1
