"""Score one video, in the pieces that a sampler cuts. Evaluation, prediction and labelling all do it here.

Legend: t snippets, dim the width of a stream, n crops, real the snippets of a piece without its padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from vadkit.data.presence import piece_with_gaps
from vadkit.devices import float32, seed_torch
from vadkit.kinds import Sampler
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail, plural

Crops = Literal["mean", "first"] | int
Streams = Mapping[str, Tensor]  # (crops, t, dim) by input name, in the order of the model's inputs
Run = Callable[[dict[str, Tensor], Tensor | None], Tensor]  # streams (n, s, dim) and mask (n, s): scores (n, s)
# Attention needs t * t numbers per crop and head; so many crops are scored at once that this is not exceeded.
PAIRS = 2**22


def score_video(
    model: nn.Module,
    streams: Streams,
    *,
    sampler: Sampler | None = None,
    crops: Crops = "mean",
    device: str | torch.device | None = None,
    passes: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return the scores of one video, float32 (t,), or (passes, t).

    Args:
        model: called as ``model(*streams, crops=n)`` with float32 (n, t, dim) each; returns (n, t). A piece that a
            sampler cut comes with ``mask``, bool (n, t), and ``presence`` is passed on where ``streams`` has it. It is
            put into eval mode; every module is restored to its own mode afterwards.
        streams: float32 (crops, t, dim) by input name, in the order of the inputs.
        sampler: cuts the video and spreads the scores of the pieces; None scores it as a whole.
        crops: the scores of the crops are averaged, or only the "first" or the N-th from 0 is scored.
        device: where to compute; None is the model's device.
        passes: score so often, and return all scores; more than once is with dropout on, each time another.
        seed: of dropout. Give every video another one. torch's own generators are left as they were.

    Raises VadkitError for a sampler that does not cut or spread as it must, and for several passes of a model without
    dropout.
    """

    def run(part: dict[str, Tensor], mask: Tensor | None) -> Tensor:
        more: dict[str, Tensor] = {} if mask is None else {"mask": mask}
        if PRESENCE in part:
            part, more[PRESENCE] = piece_with_gaps(part, mask, list(getattr(model, "training_sizes", part)))
        scores: Tensor = model(*part.values(), crops=len(next(iter(part.values()))), **more)
        return scores

    def scores() -> np.ndarray:
        parts = parts_of(run, streams, where, sampler=sampler, crops=crops)
        return joined(parts, sampler, _length(streams)).astype(np.float32)

    where = device_of(model, device)
    with evaluating(model, where):
        if passes is None:
            return scores()
        if passes == 1:
            return scores()[None]
        with _dropout_on(model):
            return np.stack([_seeded(scores, (seed, number), where) for number in range(passes)])


def parts_of(
    run: Run, streams: Streams, device: torch.device, *, sampler: Sampler | None = None, crops: Crops = "mean"
) -> list[Tensor]:
    """Return what ``run`` gives of each piece of a video, float32 (crops, real) on the CPU."""
    chosen = {name: _chosen(x, crops) for name, x in streams.items()}
    if sampler is None:
        return [_in_turn(run, chosen, None, device)]
    parts = []
    for piece, real in _pieces(sampler, chosen):
        n, length = next(iter(piece.values())).shape[:2]
        mask = (torch.arange(length) < real).expand(n, -1)
        parts.append(_in_turn(run, piece, mask, device)[:, :real])
    return parts


def joined(parts: Sequence[Tensor], sampler: Sampler | None, t: int) -> np.ndarray:
    """Return float64 (t,) from the scores of the pieces (crops, real), averaged over crops."""
    means = [part.double().mean(0).numpy() for part in parts]
    if sampler is None:
        return means[0]
    spread = np.asarray(sampler.spread(means, t))
    if spread.shape != (t,):
        fail(
            f"sampler '{sampler.name}' spread the scores of {plural(t, 'snippet')} to an array of shape {spread.shape}"
        )
    return spread


def _length(streams: Streams) -> int:
    return next(iter(streams.values())).shape[1]


def _chosen(x: Tensor, crops: Crops) -> Tensor:
    """Return the crops that are scored. Of a video with one crop it is that one, whichever is asked for."""
    if crops == "mean":
        return x
    number = 0 if crops == "first" or len(x) == 1 else int(crops)
    if number >= len(x):
        fail(
            f"eval.crops is {number}, but the features have {len(x)} crops, counted from 0",
            f"choose one from 0 to {len(x) - 1}, or mean",
        )
    return x[number : number + 1]


def _pieces(sampler: Sampler, streams: Streams) -> Iterator[tuple[dict[str, Tensor], int]]:
    """Yield the pieces of all crops together, (crops, s, dim), with their number of real snippets."""
    crops = len(next(iter(streams.values())))
    cut = [sampler.cut({name: x[crop].numpy() for name, x in streams.items()}) for crop in range(crops)]
    if not cut[0]:
        fail(f"sampler '{sampler.name}' cut a video of {plural(_length(streams), 'snippet')} into no piece at all")
    for same in zip(*cut, strict=True):
        arrays = {name: np.stack([piece[name] for piece, _ in same]) for name in streams}
        yield {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}, int(same[0][1])


def _in_turn(run: Run, streams: Streams, mask: Tensor | None, device: torch.device) -> Tensor:
    """Return the scores (crops, s) of a piece, as many crops at once as PAIRS allows."""
    count, s = next(iter(streams.values())).shape[:2]
    at_once = max(1, min(count, PAIRS // (s * s)))
    found = []
    for start in range(0, count, at_once):
        part = {name: x[start : start + at_once].to(device) for name, x in streams.items()}
        shape = next(iter(part.values())).shape
        scores = run(part, None if mask is None else mask[start : start + at_once].to(device))
        if scores.shape != shape[:2]:
            raise ValueError(f"the model returned scores {tuple(scores.shape)} for features {tuple(shape)}")
        found.append(scores.float().cpu())
    return torch.cat(found)


# -- the state of the model ----------------------------------------------------------------------
def device_of(model: nn.Module, device: str | torch.device | None = None) -> torch.device:
    """Return ``device``, or that of the model's weights if it is None."""
    if device is not None:
        return torch.device(device)
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))


@contextmanager
def evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put the model on the device and into eval mode; restore the mode of every module at the end."""
    modes = {module: module.training for module in model.modules()}
    model.to(device).eval()
    try:
        # Not inference_mode: a table that a component makes here and keeps must work in training.
        with torch.no_grad(), float32():  # exact, so that all ways to a figure give the same one
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _dropout_on(model: nn.Module) -> Iterator[None]:
    """Put the dropout of a model in eval mode into train mode, and nothing else."""
    layers = [module for module in model.modules() if isinstance(module, _DropoutNd) and module.p > 0]
    if not layers:
        fail("the model has no dropout, so several passes would all give the same scores", "set passes to 1")
    for layer in layers:
        layer.train()
    yield
    for layer in layers:
        layer.eval()


def _seeded(scores: Callable[[], np.ndarray], seed: tuple[int, int], device: torch.device) -> np.ndarray:
    """Return what ``scores`` gives under a seed."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seed_torch(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))
        return scores()
