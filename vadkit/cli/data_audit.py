"""Check a store end to end: is what the files say what the annotation, the other files and the field say?

Videos, labels and intervals against the published ones; missing and left-over files; crops and lengths; NaN and
constant rows; the same features under two names; and files that published code reads: a flat vector of labels,
lists, intervals as text. The exit code is 1 if there are faults.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.cli.tables import print_table

if TYPE_CHECKING:
    from vadkit.datasets.auditing.finding import Finding
    from vadkit.datasets.auditing.run import Audit

DATA_SETS = ("xd_violence", "ucf_crime", "shanghaitech")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="a store, or the index of an import")
    parser.add_argument("--data-set", choices=DATA_SETS, help="which one it should be (what the store says)")
    parser.add_argument(
        "--legacy-truth", type=Path, metavar="FILE", help="a flat .npy of frame labels, as published code has it"
    )
    parser.add_argument(
        "--legacy-list",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a list file; that of test videos gives the order of --legacy-truth",
    )
    parser.add_argument("--legacy-intervals", type=Path, metavar="FILE", help="a text file of intervals")
    parser.add_argument("--quick", action="store_true", help="read headers only: no NaN, constant rows, duplicates")
    parser.add_argument("--show", type=int, default=5, metavar="N", help="findings of a kind to show (5; 0 is all)")
    parser.add_argument("--json", action="store_true", help="print JSON, with every finding")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.datasets.auditing.run import audit

    with bar() as progress:
        found = audit(
            args.store,
            data_set=args.data_set,
            content=not args.quick,
            legacy_truth=args.legacy_truth,
            legacy_lists=args.legacy_list,
            legacy_intervals=args.legacy_intervals,
            progress=progress,
        )
    if args.json:
        print(json.dumps(found.plain(), indent=1))
    else:
        _tell(found, args)
    return 1 if found.faults else 0


def _tell(found: Audit, args: argparse.Namespace) -> None:
    from vadkit.datasets.auditing.finding import KINDS, first_of_each, kinds

    print(f"{found.store}: {found.data_set or 'your own data set'}\n")
    _tell_streams(found)
    _tell_classes(found)
    shown = first_of_each(found.findings, args.show or len(found.findings))
    faults, notes = ([finding for finding in shown if finding.fault == fault] for fault in (True, False))
    if faults:
        print()
        print_table(("kind", "video", "file", "what", "what to do"), [_row(finding) for finding in faults])
    for note in notes:
        print("note: " + "; ".join(part for part in (note.video, note.what, note.todo) if part))
    print()
    if not found.faults:
        print("no faults found" + (" (headers only)" if args.quick else ""))
        return
    counts = kinds(found.findings)
    print_table(("kind", "faults", "what it is"), [(kind, str(count), KINDS[kind]) for kind, count in counts.items()])
    hidden = found.faults - len(faults)
    print(f"\n{found.faults} faults" + (f"; {hidden} are not shown: --show 0 or --json shows all" if hidden else ""))


def _row(finding: Finding) -> tuple[str, ...]:
    return finding.kind, finding.video or "-", finding.file or "-", finding.what, finding.todo or "-"


def _tell_streams(found: Audit) -> None:
    rows = [
        (
            row["split"],
            row["stream"],
            _of(row["videos"], row["of"]),
            str(row["files"]),
            str(row["snippets"]),
            f"{row['shortest']}-{row['longest']}",
            str(row["width"]),
        )
        for row in found.snippets
    ]
    print_table(("split", "stream", "videos", "files", "snippets", "lengths", "width"), rows)


def _tell_classes(found: Audit) -> None:
    """Print classes as rows and splits as columns."""
    splits = [split for split in ("train", "val", "test") if any(row["split"] == split for row in found.videos)]
    cells: dict[str, dict[str, str]] = {}
    for row in found.videos:
        cells.setdefault(row["class"], {})[row["split"]] = _of(row["videos"], row["published"])
    rows: list[list[Any]] = [[name, *(own.get(split, "0") for split in splits)] for name, own in cells.items()]
    print()
    print_table(("class (main one)", *splits), rows)


def _of(count: int, whole: int | None) -> str:
    return str(count) if whole is None or count == whole else f"{count} of {whole}"
