"""``python -m tests.fuzz``: many mutants of every target."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "support")]

from .harness import run  # noqa: E402
from .targets import TARGETS  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--mutants", type=int, default=5000, metavar="N", help="of each target (default: 5000)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="one kind of file (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first mutant (default: 0)")
    args = parser.parse_args()
    findings = 0
    for name in args.target or TARGETS:
        start = time.perf_counter()
        outcome = run(TARGETS[name], range(args.seed, args.seed + args.mutants))
        took = time.perf_counter() - start
        kinds = Counter((finding.cause.split("'")[0][:60], finding.where) for finding in outcome.findings)
        shown = {(finding.cause.split("'")[0][:60], finding.where): finding for finding in reversed(outcome.findings)}
        print(
            f"{name}: {outcome.mutants} mutants, seeds {args.seed} to {args.seed + args.mutants - 1}, in {took:.0f} s; "
            f"{len(outcome.messages)} different messages; {len(outcome.findings)} findings of {len(kinds)} kinds",
            flush=True,
        )
        for key, count in kinds.most_common():
            print(f"  {count} x {shown[key]}", flush=True)
        findings += len(outcome.findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
