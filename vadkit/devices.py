"""Which device a verb computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.problems import fail

if TYPE_CHECKING:  # command lines are read before torch is needed
    import torch


def choose_device(name: str) -> torch.device:
    """Return the device that ``--device`` names: "cpu", "cuda", "cuda:1", ..., or "auto", a GPU if there is one.

    Raises VadkitError, with the cause, for a device that cannot be used here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # "meta" is a device, but holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        fail(f"device {name} cannot be used here: {cause}", "auto takes what there is; cpu, cuda and cuda:N name one")
    return device
