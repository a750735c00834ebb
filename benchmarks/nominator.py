"""The top-k nominator: mask form (ours) against the one-hot form (published code), side by side.

    python benchmarks/nominator.py [--device cpu|cuda]

For each size: median time of forward and backward over interleaved rounds, and the peak memory of
one pass in a separate process. Before anything is timed, both are checked to give the same numbers
and gradients. Writes benchmarks/results/nominator-DEVICE-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "one_hot"))

from results import write  # noqa: E402
from vadkit_one_hot_nominator import OneHotNominator  # noqa: E402
from vadkit_topk_nominator import TopkNominator  # noqa: E402

from vadkit.bench.memory import peak  # noqa: E402

FORMS = {"mask": TopkNominator, "one-hot": OneHotNominator}
SIZES = [(16, 200), (64, 200), (1, 1200)]  # bags, snippets
WIDTH = 512


def build(form: str, device: str) -> TopkNominator:
    torch.manual_seed(0)
    return FORMS[form](WIDTH).to(device)


def one_pass(module: TopkNominator, x: torch.Tensor) -> torch.Tensor:
    module.zero_grad(set_to_none=True)
    torch.manual_seed(1)  # the same noise for both
    out = module(x)["x"]
    (out * x).mean().backward()
    return out


def check(device: str) -> None:
    """Check that both forms agree."""
    x = torch.rand(4, 60, WIDTH, device=device)
    pairs = []
    for form in FORMS:
        module = build(form, device)
        out = one_pass(module, x)
        pairs.append([out.detach(), *(p.grad for p in module.parameters())])
    for one, other in zip(*pairs):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def clock(module: TopkNominator, x: torch.Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize()
    before = time.perf_counter()
    one_pass(module, x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - before) * 1e3


def grown(form: str, bags: int, snippets: int, device: str) -> float:
    """Return by how many MiB the memory of this process (or the device) grows in one pass."""
    module = build(form, device)
    one_pass(module, torch.rand(2, 8, WIDTH, device=device))
    x = torch.rand(bags, snippets, WIDTH, device=device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        one_pass(module, x)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = peak()
    one_pass(module, x)
    return peak() - before


def memory(form: str, bags: int, snippets: int, device: str) -> float:
    command = [sys.executable, __file__, "--grown", form, str(bags), str(snippets), "--device", device]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grown", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.grown:
        print(json.dumps(grown(args.grown[0], int(args.grown[1]), int(args.grown[2]), args.device)))
        return
    check(args.device)
    rows = []
    for bags, snippets in SIZES:
        x = torch.rand(bags, snippets, WIDTH, device=args.device)
        modules = {form: build(form, args.device) for form in FORMS}
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        for number in range(args.rounds + 1):
            for form, module in modules.items():
                value = clock(module, x)
                if number:
                    times[form].append(value)
        ms = {form: statistics.median(values) for form, values in times.items()}
        mib = {form: memory(form, bags, snippets, args.device) for form in FORMS}
        rows.append(
            {
                "bags x snippets": f"{bags} x {snippets}",
                **{f"{form}, ms": round(value, 1) for form, value in ms.items()},
                "time ratio": round(ms["one-hot"] / ms["mask"], 1),
                **{f"{form}, MiB": round(value, 1) for form, value in mib.items()},
                "memory ratio": round(mib["one-hot"] / max(mib["mask"], 0.1), 1),
            }
        )
    conditions = {"width": WIDTH, "draws": 100, "rounds": args.rounds, "pass": "forward and backward in training mode"}
    write("nominator", "Nominator: mask form against one-hot form", rows, conditions, args.device)


if __name__ == "__main__":
    main()
