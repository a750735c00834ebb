"""What to say when the memory does not suffice, or the process may not have it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from vadkit.memory import address_limit

TRAINING = "a smaller data.batch, shorter data.sampler.args.length or another --device may help"
HINTS = {
    "train": TRAINING,
    "bench": TRAINING,
    "build": "smaller sizes in the graph, or --snippets, may help",
    "extract": "fewer --workers or another --device may help",
    "predict": "another --device may help",
    "eval": "another --device may help",
}
WITHOUT_TORCH = ("list", "info", "new-plugin", "weights")
ENOUGH = 8 << 30  # bytes of addresses with which a limit is no cause of an error
SPARE = 1 << 29  # bytes that Python and other packages take


def check_limit(verb: str) -> None:
    """Raise MemoryError if the addresses that this process may have do not hold torch, which would then abort."""
    limit = address_limit()
    if limit is not None and limit < ENOUGH and verb not in WITHOUT_TORCH:
        needed = _size_of_torch() + SPARE
        if limit < needed:
            raise MemoryError(f"torch takes about {needed / 2**30:.1f} GiB")


def out_of_memory(error: Exception, arguments: Sequence[str]) -> str | None:
    """Return what to say about an error that means a lack of memory, of Python or torch; None for another error."""
    limit = address_limit()
    if limit is not None and limit < ENOUGH:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        return (
            f"the process may use only {limit / 2**30:.2f} GiB of memory: {text}\n"
            "  hint: raise the limit, such as with 'ulimit -v unlimited'"
        )
    said = "allocate memory" in str(error) or "out of memory" in str(error)
    if not (isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or said):
        return None
    where = " on the GPU" if "CUDA" in str(error) else ""
    hint = HINTS.get(arguments[0] if arguments else "")
    return f"there is not enough memory{where}" + (f"\n  hint: {hint}" if hint else "")


def _size_of_torch() -> int:
    """Return the bytes of torch's libraries, and half of those for CUDA, not all of which it loads; without torch."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return 0
    folder = Path(spec.origin).parent
    own, cuda = folder.glob("lib/*.so*"), folder.parent.glob("nvidia/*/lib/*.so*")
    return sum(file.stat().st_size for file in own) + sum(file.stat().st_size for file in cuda) // 2
