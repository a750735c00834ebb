"""Write the results book as a page: all systems, sizes and figures, published and measured apart.

The page is one file that needs no network. Its table is sorted by a click and filtered by data set, modality, level
and fidelity; what is certain, guessed and unusual of a system is below it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vadkit.cli.book_rows import add_results, whole_book


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--out", type=Path, default=Path("models.html"), metavar="FILE.html", help="the page (default: models.html)"
    )
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.book_page import book_page
    from vadkit.files import write_text_atomic
    from vadkit.problems import fail
    from vadkit.results_folder import writing

    if args.out.suffix.lower() not in (".html", ".htm"):
        fail(f"--out must be a file that ends in .html, got {args.out}")
    page = book_page(whole_book(args.results))
    with writing(args.out):
        write_text_atomic(args.out, page)
    print(f"wrote {args.out}")
    return 0
