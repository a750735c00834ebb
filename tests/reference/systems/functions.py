"""Cases of single functions that several systems share: smoothing, lengths, losses on given features.

Legend: b rows, v videos, t snippets, c channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cases import Case
from torch import Tensor

from systems.harness import component, listen, numpy, tensor


def smoothing(case: Case) -> dict[str, Any]:
    """score_smoothing for every window, mode and length that is asked for; "fixed" at its padded length."""
    results = {}
    for output in case.outputs:
        mode, kappa, length = output.split(".")
        scores = case.inputs[f"score{length[1:]}"].reshape(-1)
        smooth = component("score_smoothing")(kappa=int(kappa[1:]), mode=mode)
        results[output] = smooth.blocks(scores) if mode == "fixed" else smooth(scores)
    return results


def lengths(case: Case) -> dict[str, Any]:
    """uniform_pad on single videos, and its ramp on a batch of two streams."""
    from vadkit_uniform_pad import even_rows

    wanted = case.config["max_seqlen"]
    sampler = component("uniform_pad")(length=wanted)
    results: dict[str, Any] = {}
    for name, video in case.inputs.items():
        if name.startswith("video"):
            rows = name.removeprefix("video")
            results[f"processed.{rows}"] = sampler.sample({"x": video}, np.random.default_rng(0))[0]["x"]
            results[f"index.{rows}"] = even_rows(len(video), wanted) if len(video) > wanted else np.arange(len(video))
    return {**results, **_ramps(case)}


def _ramps(case: Case) -> dict[str, Any]:
    batch = {name: x for name, x in case.inputs.items() if not name.startswith("video")}
    if not batch:
        return {}
    sampler = component("uniform_pad")(fill="ramp", count="nonzero")
    streams, real = ready(sampler, batch)
    return {"seq_len": numpy(real), **{f"{name}_ramped": numpy(x) for name, x in streams.items()}}


def ready(sampler: Any, batch: dict[str, np.ndarray]) -> tuple[dict[str, Tensor], Tensor]:
    """Bring a batch of padded streams (b, t, c) to what a training step gets, first stream first."""
    t = next(iter(batch.values())).shape[1]
    sampler.length = t
    real = []
    for row in zip(*batch.values()):
        _, count = sampler.sample(dict(zip(batch, row)), np.random.default_rng(0))
        real.append(count)
    return sampler.finish({name: tensor(x) for name, x in batch.items()}, torch.tensor(real))


def contrast(case: Case) -> dict[str, Any]:
    """The inter-class form of magnitude_contrastive, with given dropout masks, for several margins."""
    half = len(case.inputs["features"]) // 2
    labels = torch.tensor([0.0] * half + [1.0] * half)
    masks = torch.cat([tensor(case.inputs[f"drop_{name}"]) for name in ("normal", "abnormal")])
    results: dict[str, Any] = {}
    margins = case.config.get("margins", [case.config.get("margin", 100)])
    for margin in margins:
        x = tensor(case.inputs["features"]).requires_grad_()
        loss = component("magnitude_contrastive")(
            dim=x.shape[-1], k=case.config["k"], margin=margin, single_pair="authors"
        )
        loss.draw_noise = lambda shape, like: masks
        chosen, compared = listen(loss, "choose"), listen(loss, "compare")
        value = loss(x, labels)["total"]
        weighted = case.config["weight_in_loss"] * value
        (slope,) = torch.autograd.grad(weighted, x)
        for name, result in (("loss", value), ("loss_weighted", weighted), ("grad_features", slope)):
            results[f"{name}.m{margin}"] = results[name] = numpy(result)
        results |= magnitudes(loss, compared[0][0], labels)
        results |= _choice(case, chosen[0][1])
    return results


def magnitudes(loss: Any, compared: tuple[Tensor, Tensor, Tensor], labels: Tensor) -> dict[str, Any]:
    """Return what the loss compared, normal and abnormal videos apart."""
    magnitude, real, _ = compared
    distance, _ = loss.pair_distance(magnitude, real, labels)
    return {
        "mag_abnormal": numpy(magnitude[labels > 0.5, 0]),
        "mag_normal": numpy(magnitude[labels < 0.5, 0]),
        "distance": numpy(distance),
    }


def _choice(case: Case, index: Tensor) -> dict[str, Any]:
    normal, abnormal = index.chunk(2)
    results = {"index_normal": normal, "index_abnormal": abnormal}
    if "scores" in case.inputs:
        mean = tensor(case.inputs["scores"]).gather(1, index).mean(1, keepdim=True)
        results["score_normal"], results["score_abnormal"] = mean.chunk(2)
    return {name: numpy(value) for name, value in results.items()}


def prompts(case: Case) -> dict[str, Any]:
    """prompt_alignment on given features (b, c, t) and scores, with gradients."""
    h = tensor(case.inputs["h"]).requires_grad_()
    scores = tensor(case.inputs["scores"]).requires_grad_()
    classes = first_classes(case.given["classes"])
    loss = component("prompt_alignment")(dim=h.shape[1], temperature=case.config["temp"])
    with torch.no_grad():
        loss.logit_scale.fill_(case.config["logit_scale"])
    aligned, diverged = listen(loss, "logits"), listen(loss, "divergence")
    value = loss(h.transpose(1, 2), scores, tensor(case.inputs["prompt_rows"]), classes, (classes > 0).float())
    value["total"].backward()
    return {
        "loss": numpy(value["total"]),
        **alignment(aligned[0], diverged[0]),
        "grad_h": numpy(h.grad) if h.grad is not None else None,
        "grad_scores": numpy(scores.grad) if scores.grad is not None else None,
        "grad_logit_scale": numpy(loss.logit_scale.grad),
    }


def alignment(aligned: Any, diverged: Any) -> dict[str, Any]:
    """Return the rows that exist, from the recorded calls of ``logits`` and ``divergence``."""
    (rows, _), _ = aligned
    (logits, kinds, exists), _ = diverged
    return {
        "video_feat": numpy(rows[exists]),
        "video_labels": numpy(kinds[exists]),
        "v2t_logits": numpy(logits[exists][:, exists]),
    }


def first_classes(classes: list[Any]) -> Tensor:
    """Return one class per video: of several labels the first counts."""
    return torch.tensor([c[0] if isinstance(c, list) else c for c in classes])
