"""``vadkit.stream``: a model as a stepper, for streams that never end."""

from __future__ import annotations

from os import PathLike

import torch

from vadkit.api.arguments import as_device, as_model
from vadkit.devices import choose_device
from vadkit.evaluate.score import build_post, crops_of
from vadkit.graph import model_file
from vadkit.graph.module import VadModel
from vadkit.graph.stages import why_whole
from vadkit.graph.stepper import Stepper

Model = str | PathLike[str] | VadModel


def stream(
    model: Model, window: int | None = None, *, smooth: bool = True, device: str | torch.device | None = None
) -> Stepper:
    """Return a stepper: one snippet in, the scores that it makes final out, in memory of a bounded size.

    The scores are those of the whole video. A graph of which a node looks at the whole video is refused, with the name
    of the node; ``window`` runs it in a sliding window instead: each snippet is scored as the last of the latest
    ``window`` ones, which is another score than that of the whole video.

    Args:
        model: a .safetensors file, or a loaded or built model. It is put into evaluation mode.
        window: snippets of the sliding window; None means exact scores.
        smooth: apply those steps of the model's ``eval.post`` that need no whole video; ``left_out`` of the stepper
            names the others.
        device: "cpu", "cuda", ...; None is where a loaded model is, and the CPU for a file.

    Returns:
        A ``Stepper``: ``step(streams)`` takes a snippet, (width,) or (crops, width) by input name, and returns
        (snippet index, score) pairs; ``finish()`` returns the rest; ``lookahead`` is for how many snippets a score
        waits, and ``state_bytes`` what is kept.

    Raises:
        VadkitError: for a graph that cannot be streamed, saying which nodes prevent it, and an unusable file.

    Example:
        >>> stepper = vadkit.stream("runs/causal/model.safetensors")
        >>> stepper.step({"rgb": rgb[0], "clip": clip[0]})  # (1024,), (512,) -> [(0, 0.02)]
    """
    loaded = model if isinstance(model, VadModel) else model_file.load(as_model(model, "model"), "cpu")
    if device is not None or not isinstance(model, VadModel):
        loaded.to(choose_device(as_device(device or "cpu")))
    section = loaded.spec.get("eval") or {}
    post = build_post(section) if smooth else []
    whole = {step: why_whole(step) for step in post}
    left_out = [f"eval.post {step.name} {reason}" for step, reason in whole.items() if reason]
    left_out += [] if smooth or not section.get("post") else ["eval.post, as smooth is off"]
    if window is not None and section.get("sampler"):
        left_out.append(f"eval.sampler {section['sampler']['use']}: each window is scored as it is")
    kept = [step for step, reason in whole.items() if not reason]
    return Stepper(loaded, window=window, post=kept, crops=crops_of(section), left_out=left_out)
