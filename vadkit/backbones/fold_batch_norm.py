"""Fold batch norms into the convolutions before them, while weights are loaded.

In inference a batch norm is a scale and a shift per channel, so that
``w' = w * g / sqrt(var + eps)`` and ``b' = beta + (b - mean) * g / sqrt(var + eps)``, computed in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vadkit.backbones.weights import State, check_names

NORM = ("weight", "bias", "running_mean", "running_var")
# The name of a convolution in the network, in the file, and of its norm in the file (None: it has none).
Pair = tuple[str, str, str | None]


def folded(
    state: Mapping[str, Tensor],
    pairs: Iterable[Pair],
    network: nn.Module,
    eps: float,
    path: str | Path,
    called: str,
    unused: Iterable[str] = (),
    hint: str | None = None,
) -> State:
    """Return the weights of a network whose convolutions all have a bias, from a file with batch norms.

    Args:
        state: the file's tensors.
        pairs: one for each convolution of the network.
        network: gives the sizes; may be on the meta device.
        eps: added to the variance; a property of the program that wrote the file.
        path, called, unused, hint: for ``check_names``, which raises VadkitError if the file does not fit.
    """
    pairs = list(pairs)
    check_names(state, _wanted(state, pairs, network), path, called, unused, hint)
    result: State = {}
    for ours, conv, norm in pairs:
        weight = state[f"{conv}.weight"].double()
        bias = state.get(f"{conv}.bias", torch.zeros(len(weight))).double()
        if norm is not None:
            gain, beta, mean, variance = (state[f"{norm}.{part}"].double() for part in NORM)
            scale = gain / torch.sqrt(variance + eps)
            weight, bias = weight * scale.view(-1, *[1] * (weight.dim() - 1)), beta + (bias - mean) * scale
        result[f"{ours}.weight"], result[f"{ours}.bias"] = weight.float(), bias.float()
    return result


def _wanted(state: Mapping[str, Tensor], pairs: list[Pair], network: nn.Module) -> dict[str, tuple[int, ...]]:
    own, wanted = network.state_dict(), dict[str, tuple[int, ...]]()
    for ours, conv, norm in pairs:
        channels = tuple(own[f"{ours}.bias"].shape)
        wanted[f"{conv}.weight"] = tuple(own[f"{ours}.weight"].shape)
        if norm is None or f"{conv}.bias" in state:
            wanted[f"{conv}.bias"] = channels
        wanted |= {f"{norm}.{part}": channels for part in NORM if norm is not None}
    return wanted
