"""Operations of a train step, and what it saves for the backward pass: our graphs against the restatements.

    python benchmarks/kernels.py [--bags 8] [--snippets 200] [GRAPH ...]

Counted on the CPU, as a stand-in for the kernels that a GPU would be given: every operation that torch dispatches but
views. Weights and the batch itself are not part of what is saved. Takes about 20 seconds, and writes
benchmarks/results/kernels-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parent / "restatements"))

from results import write  # noqa: E402

import vadkit  # noqa: E402
from vadkit.bench.timing import Load, random_batch  # noqa: E402

GRAPHS = ["ur_dmu_xd", "pel4vad_xd", "seed_xd_rgb", "seed_xd_rgb_flow", "seed_xd_three_stream"]
NO_KERNEL = {
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "_local_scalar_dense",
    "promote_types",
    "_unsafe_view",
}


class Operations(TorchDispatchMode):
    """Counts the operations that compute something."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        is_view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        self.count += (
            not is_view
            and not func._schema.name.endswith("view")
            and func._schema.name.removeprefix("aten::") not in NO_KERNEL
        )
        return func(*args, **(kwargs or {}))


def count(module: nn.Module, loss: Callable[[], Tensor], batch: dict[str, Any]) -> dict[str, Any]:
    """Return the operations of a train step and the MiB that wait for its backward pass."""
    loss()  # what is kept between calls is built here
    own = [*module.parameters(), *module.buffers(), *(x for x in batch.values() if isinstance(x, Tensor))]
    ours = {x.untyped_storage().data_ptr() for x in own}
    saved: dict[int, Tensor] = {}

    def save(x: Tensor) -> Tensor:
        saved[x.untyped_storage().data_ptr()] = x
        return x

    with Operations() as operations:
        with torch.autograd.graph.saved_tensors_hooks(save, lambda x: x):
            total = loss()
        forward = operations.count
        total.backward()
    kept = sum(x.untyped_storage().nbytes() for pointer, x in saved.items() if pointer not in ours)
    return {"operations": operations.count, "of them forward": forward, "saved, MiB": round(kept / 2**20, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="*", default=GRAPHS)
    parser.add_argument("--bags", type=int, default=8)
    parser.add_argument("--snippets", type=int, default=200)
    args = parser.parse_args()
    files = sorted((Path(__file__).parent / "restatements").glob("vadkit_*.py"))
    classes = [found for file in files for found in importlib.import_module(file.stem).vadkit_restatements()]
    plain = {graph: (found, arguments) for found in classes for graph, arguments in found.graphs.items()}
    rows = []
    for graph in args.graphs:
        model = vadkit.build(graph).train()
        batch = random_batch(model, Load(args.bags, args.snippets), torch.device("cpu"))
        rows.append({"train step": graph, **count(model, lambda m=model, b=batch: m.loss(b)["total"], batch)})
        found, arguments = plain[graph]
        restated = found(**arguments).train()
        ways = count(restated, lambda m=restated, b=batch: m.loss(b), batch)
        rows.append({"train step": f"{graph}, the authors' way", **ways})
        print(*rows[-2:], sep="\n", flush=True)
    write("kernels", "Operations of a train step", rows, {"bags": args.bags, "snippets": args.snippets}, "cpu")


if __name__ == "__main__":
    main()
