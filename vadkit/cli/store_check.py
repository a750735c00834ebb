"""Check a store against its manifest, the annotation of its data set, and published label files.

Files are compared with the manifest, if there is one: length, shape and SHA-256; recipes and indexes with each other.
Every store is checked for missing and unlisted files, NaN, constant rows, lengths that do not fit, and the same
features under two names. Where the data set is known, so are videos, labels, splits and intervals. Where names show
the film, channel or camera of a video, test videos that share it with training are counted.

Exit code 0: no faults. 1: faults.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.cli.tables import print_table

if TYPE_CHECKING:
    from vadkit.datasets.auditing.run import Checked
    from vadkit.store.check.finding import Finding

DATA_SETS = ("xd_violence", "ucf_crime", "shanghaitech")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("store", type=Path, metavar="STORE", help="a store, or the index of an import")
    parser.add_argument(
        "--annotation",
        choices=DATA_SETS,
        metavar="NAME",
        help=f"the published data set that it should be: {', '.join(DATA_SETS)} (default: as the store says)",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="also check a flat .npy of published frame labels")
    parser.add_argument(
        "--labels-list",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="also check a list file; that of test videos gives the order of --labels",
    )
    parser.add_argument("--labels-intervals", type=Path, metavar="FILE", help="also check a text file of intervals")
    parser.add_argument(
        "--videos", action="store_true", help="also check that the video files are those the features came from"
    )
    parser.add_argument(
        "--sources",
        metavar="REGEX",
        help="how names show which videos are of one film or camera: a regular expression with one named group, such "
        "as '(?P<film>.+?)__#' (default: as the store or the data set says)",
    )
    parser.add_argument("--quick", action="store_true", help="headers and lengths only: no NaN, hashes, duplicates")
    parser.add_argument(
        "--show", type=int, default=5, metavar="N", help="findings of a kind to show, 0 for all (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with every finding")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.datasets.auditing.run import LabelFiles, check

    with bar() as progress:
        found = check(
            args.store,
            annotation=args.annotation,
            content=not args.quick,
            videos=args.videos,
            label_files=LabelFiles(args.labels, args.labels_list, args.labels_intervals),
            sources=args.sources,
            progress=progress,
        )
    if args.json:
        print(json.dumps(found.plain(), indent=1))
    else:
        _print(found, args)
    return 1 if found.faults else 0


def _print(found: Checked, args: argparse.Namespace) -> None:
    from vadkit.store.check.finding import KINDS, first_of_each, kinds

    print(f"{found.root}: {found.data_set or 'your own data set'}, {found.bytes / 2**20:.4g} MiB\n")
    if found.streams:
        _print_streams(found)
        _print_classes(found)
        print()
    shown = first_of_each(found.findings, args.show or len(found.findings))
    faults, notes = ([finding for finding in shown if finding.fault == fault] for fault in (True, False))
    if faults:
        print_table(("kind", "video", "file", "what", "what to do"), [_row(finding) for finding in faults])
    for note in notes:
        print("note: " + "; ".join(part for part in (note.video, note.what, note.todo) if part))
    if faults or notes:
        print()
    if not found.faults:
        print("no faults found" + (" (headers only)" if args.quick else ""))
        return
    counts = kinds(found.findings)
    print_table(("kind", "faults", "what it is"), [(kind, str(count), KINDS[kind]) for kind, count in counts.items()])
    hidden = found.faults - len(faults)
    more = f"; {hidden} are not shown: --show 0 or --json shows all" if hidden else ""
    print(f"\n{found.faults} fault{'s' * (found.faults > 1)}{more}")


def _row(finding: Finding) -> tuple[str, ...]:
    return finding.kind, finding.video or "-", finding.file or "-", finding.what, finding.todo or "-"


def _print_streams(found: Checked) -> None:
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
        for row in found.streams
    ]
    print_table(("split", "stream", "videos", "files", "snippets", "lengths", "width"), rows)


def _print_classes(found: Checked) -> None:
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
