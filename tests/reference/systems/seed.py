"""The seed paper's system in all its variants: RGB, RGB + flow, three streams, parts and functions.

Which variant a case is can be read off its state: whether there is a flow or an audio branch, how deep
their transformers are, whether the RGB encoder is that of PEL4VAD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names, load
from torch import Tensor

from systems import functions, protocol
from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, merge, smooth, steps, training_batch
from systems.harness import (
    component,
    give_noise,
    gradients,
    listen,
    no_dropout,
    numpy,
    swap,
    tensor,
    watch,
)

STREAMS = {"features": "rgb", "clip": "clip", "flow": "flow", "audio": "audio"}
COLUMNS = {"L_MIL": "mil", "L_MC": "mc", "L_PEL": "prompt", "L_UR": "memory", "total": "total"}
UR_PARTS = {
    "N_Aatt": "normal_low",
    "A_loss": "abnormal_high",
    "N_loss": "normal_high",
    "A_Nloss": "abnormal_low",
    "triplet": "triplet",
    "kl_loss": "kl",
    "distance": "distance",
    "cos_loss": "cosine",
}


def run(case: Case) -> dict[str, Any]:
    if case.kind == "data-processing":
        return functions.lengths(case)
    mode = case.config["mode"]
    runners = {
        "eval": _eval,
        "train": _train,
        "train-steps": _steps,
        "protocol": _protocol,
        "function": _function,
        "module": _module,
    }
    if mode not in runners:
        raise NotSupported(f"a seed case of mode {mode}")
    return runners[mode](case)


# -- functions and single components -------------------------------------------------------------
def _function(case: Case) -> dict[str, Any]:
    if "kappas" in case.config or any(name.startswith("slide.") for name in case.outputs):
        return functions.smoothing(case)
    if "max_seqlen" in case.config:
        return functions.lengths(case)
    if "prompt_rows" in case.inputs:
        return functions.prompts(case)
    if "drop_abnormal" in case.inputs:
        return functions.contrast(case)
    if "uniform" in case.inputs:
        return _dropout(case)
    raise NotSupported(f"a seed function of {', '.join(case.inputs)}")


def _module(case: Case) -> dict[str, Any]:
    if "main" in case.inputs:
        return _gated(case)
    if "nominator_noise" in case.inputs:
        return _nominator(case)
    return _function(case)


def _dropout(case: Case) -> dict[str, Any]:
    x, uniform = tensor(case.inputs["x"]), tensor(case.inputs["uniform"])  # (b, c, t)
    dropout = component("progressive_dropout")(in_dim=x.shape[1], p=case.config["p"]).train()
    probability = dropout.probabilities(x.transpose(1, 2))
    order = probability.flatten().argsort(stable=True)
    uniform = uniform.view_as(probability)
    give_noise(dropout, uniform)
    y = dropout(x.transpose(1, 2))
    return {
        "y": swap(y),
        "kept": numpy((uniform >= probability).long()),
        "probability_by_rank": numpy(probability.flatten()[order]),
        "order": numpy(order),
    }


def _gated(case: Case) -> dict[str, Any]:
    main, other = (tensor(case.inputs[name]).requires_grad_() for name in ("main", "other"))
    fusion = component("gated_attention")(dims=[main.shape[-1], other.shape[-1]]).train()
    names = Names("wsv_gst", prefix="gated_fusion.")
    ours = {official: names(official).removeprefix("flow_fusion.") for official in case.state}
    load(fusion, case.state, ours)
    attended = listen(fusion.steps[0], "attend")
    with watch(gate=fusion.steps[0].gate) as seen:
        fused = fusion([main, other])
    (fused * tensor(case.inputs["grad_output"])).sum().backward()
    own = dict(fusion.named_parameters())
    return {
        "fused": numpy(fused),
        "attended": numpy(attended[0][1]),
        "gate": numpy(torch.sigmoid(seen["gate"])),
        "grad_main": numpy(main.grad),
        "grad_other": numpy(other.grad),
        **gradients(case, {official: own[name].grad for official, name in ours.items()}),
    }


def _nominator(case: Case) -> dict[str, Any]:
    clip, noise = tensor(case.inputs["clip"]), tensor(case.inputs["nominator_noise"])
    names = Names("wsv_gst", prefix="self_attention.hard_atten.")
    ours = {official: names(official).removeprefix("nominator.") for official in case.state}
    results: dict[str, Any] = {}
    for estimator in ("authors", "textbook"):
        nominator = component("topk_nominator")(in_dim=clip.shape[-1], gradient=estimator, **_nominator_args(case))
        load(nominator, case.state, ours)
        give_noise(nominator.train(), noise)
        results |= _nominator_slopes(case, nominator, ours, "official" if estimator == "authors" else estimator)
    give_noise(nominator, torch.zeros_like(noise))
    return {**results, "gate_zero_noise": numpy(nominator(clip)["gate"])}


def _nominator_slopes(case: Case, nominator: Any, ours: Mapping[str, str], suffix: str) -> dict[str, Any]:
    clip = tensor(case.inputs["clip"]).requires_grad_()
    scored = listen(nominator, "scores")
    out = nominator(clip)
    scores = scored[0][1]
    for value in (out["gate"], scores):
        value.retain_grad()
    (out["x"] * tensor(case.inputs["grad_output"])).sum().backward()
    results = {
        "scores": scores,
        "gate": out["gate"],
        "x_t": out["x"],
        "grad_gate": out["gate"].grad,
        f"grad_scores_{suffix}": scores.grad,
    }
    if suffix != "official":
        return {f"grad_scores_{suffix}": numpy(scores.grad)}
    own = dict(nominator.named_parameters())
    slopes = gradients(case, {official: own[name].grad for official, name in ours.items()})
    return {**{n: numpy(v) for n, v in results.items()}, "grad_clip": numpy(clip.grad), **slopes}


def _nominator_args(case: Case) -> dict[str, Any]:
    settings = case.config.get("nominator", case.config)
    return {
        "ratio": settings["k_ratio"],
        "k_max": settings["k_max"],
        "samples": settings["num_samples"],
        "sigma": settings["sigma"],
    }


# -- the model -----------------------------------------------------------------------------------
def build(case: Case) -> Graph:
    """Return the variant that the case's weights fit, with every value of its config set."""
    state, config = case.state, case.config
    base = f"seed_{config['dataset']}_rgb"
    if any(name.startswith("gated_fusion2.") for name in state):
        base = "seed_xd_three_stream"
    elif any(name.startswith("gated_fusion.") for name in state):
        base += "_flow"
    pel_encoder = "self_attention.UR_DMU.Amemory.memory_block" not in state
    changes = [_settings(case), _branches(case)]
    changes += [_pel_encoder()] if pel_encoder else [_encoder(case)]
    changes += [_losses(case, pel_encoder)]
    return graph(case, base, merge(*changes), Names("wsv_gst"))


def _settings(case: Case) -> dict[str, Any]:
    config = case.config
    context = {
        "hidden": config["hid_dim"],
        "window": config["win_size"],
        "gamma": config["gamma"],
        "beta": config["bias"],
        "power_norm": "time" if config["norm"] else "off",
    }
    return {
        "inputs": {"rgb": f"b t {config['feat_dim']}"},
        "nodes": {
            "context": {"args": context},
            "stage3_conv2": {"args": {"dim": config["out_dim"]}},
            "score": {"args": {"kernel": config["t_step"]}},
        },
    }


def _encoder(case: Case) -> dict[str, Any]:
    config = case.config
    memory = {
        "abnormal_slots": config["a_nums"],
        "normal_slots": config["n_nums"],
        "activation": "relu" if encoder_relu(case) else "none",
    }
    return {
        "nodes": {
            "nominator": {"args": {**_nominator_args(case), "eval_noise": "on"}},
            "memory": {"args": memory},
        }
    }


def encoder_relu(case: Case) -> bool:
    """Return whether a ReLU follows encoder_mu and encoder_var: no weight shows it, so the config must state it."""
    stated = [key for key, value in case.config.items() if value and "relu" in f"{key} {value}".lower()]
    version = [f for f in case.source.get("files", []) if "UR_DMU/model.py@9e9c296" in f]
    remarks = [n for n in case.notes if re.search(r"relu.{0,40}(encoder|mu\b)|encoder.{0,40}relu", n, re.IGNORECASE)]
    return bool(stated or version or remarks)


def _branches(case: Case) -> dict[str, Any]:
    """Depth and heads of the flow and audio transformers, from the shapes of their weights."""
    nodes: dict[str, Any] = {}
    for prefix, node, width in (("transformer.", "flow_attention", 128), ("transformer2.", "audio_attention", 64)):
        layers = [n for n in case.state if n.startswith(prefix) and n.endswith("to_qkv.weight")]
        if layers:
            inner = case.state[layers[0]].shape[0] // 4
            nodes[node] = {"args": {"depth": len(layers), "heads": inner // width, "head_dim": width}}
    if any(n.startswith("gated_fusion2.") for n in case.state) and "audio_attention" not in nodes:
        nodes |= {"audio_attention": None, "audio_fusion": {"in": ["reduce", "audio"]}}
    return {"nodes": nodes}


def _pel_encoder() -> dict[str, Any]:
    """The encoder of PEL4VAD instead of the paper's: no CLIP, no memory, LayerNorm directly after TCA."""
    gone = ("cnn", "nominator", "stage1", "embedding", "attention", "memory", "urdmu", "stage2_sum")
    nodes = {**dict.fromkeys(gone), "stage2": {"in": "context"}, "stage3_conv1": {"in": {"x": "stage2", "skip": None}}}
    # What the base says of training names nodes that are gone.
    return {"inputs": {"clip": None}, "nodes": nodes, "train": {"groups": [], "warm_start": None}}


def _losses(case: Case, pel_encoder: bool) -> dict[str, Any]:
    config = case.config
    weights = case.given.get("loss_weights", {})
    multimodal = any(name.startswith("gated_fusion.") for name in case.state)
    contrast: dict[str, Any] = {
        "args": {"k": config.get("k", 20), "margin": float(config.get("margin", 100)), "single_pair": "authors"}
    }
    losses: dict[str, Any] = {"mc": contrast}
    if "L_MC" in weights:
        contrast["weight"] = weights["L_MC"]
    if "logit_scale" in case.state:
        # The flow version computes L_PEL and then puts 0 in its place.
        weight = weights.get("L_PEL", 0.0 if multimodal else config.get("lamda", 0.0))
        losses["prompt"] = {
            "use": "prompt_alignment",
            "in": {"x": "h", "scores": "score"},
            "weight": weight,
            "args": {"temperature": config["temp"]},
        }
    if _wants_memory_loss(case) and not pel_encoder:
        inside = weights.get("inside L_UR", {})
        args = {"form": "wsv_gst", "cos_weight": inside.get("cos_loss", 0.5)}
        if encoder_relu(case):
            args["pool_k"] = 20  # that file of the authors takes as many for its triplets
        losses["memory"] = {
            "use": "dual_memory_loss",
            "in": {"x": "attention", "from": "memory"},
            "args": args,
            "weight": weights.get("L_UR", config.get("alpha", 0.0)),
        }
    return {"losses": losses}


def _wants_memory_loss(case: Case) -> bool:
    columns = case.given.get("loss_columns", [])
    return "L_UR" in case.outputs or "L_UR" in columns or bool(case.config.get("alpha"))


def _streams(case: Case, prefix: str = "") -> dict[str, np.ndarray]:
    found = {ours: case.inputs[prefix + theirs] for theirs, ours in STREAMS.items() if prefix + theirs in case.inputs}
    return found


# -- running it ----------------------------------------------------------------------------------
def scores(g: Graph, streams: Mapping[str, np.ndarray], noise: np.ndarray | None) -> Tensor:
    """Return evaluation scores (b, t), with the nominator's noise as given, or none."""
    t = next(iter(streams.values())).shape[:2]
    if "nominator" in g.parts:
        nominator = g.parts["nominator"]
        silent = torch.zeros(t[0], nominator.samples, t[1])
        give_noise(nominator, silent if noise is None else tensor(noise))
    wanted = {name: tensor(x) for name, x in streams.items() if name in g.model.input_sizes}
    with torch.no_grad():
        result: Tensor = g.model(**wanted)
    return result


def _eval(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    streams, noise = _streams(case), case.inputs.get("nominator_noise")
    with watch(**g.parts, tca=g.parts["context"].out) as seen:
        logits = scores(g, streams, noise)
    results = _taps(g, seen)
    mean = numpy(logits.mean(0))
    results |= {"logits": numpy(logits)[..., None], "score": mean, "score_smooth": _smooth(case, mean)}
    if "nominator" not in g.parts:
        return results
    results["scorer"] = numpy(g.parts["nominator"].scores(tensor(streams["clip"])))[..., None]
    with watch(nominator=g.parts["nominator"]) as seen:
        silent = scores(g, streams, None)
    return {
        **results,
        "logits_zero_noise": numpy(silent)[..., None],
        "gate_zero_noise": numpy(seen["nominator"]["gate"]),
    }


def _smooth(case: Case, raw: np.ndarray) -> np.ndarray:
    return smooth(raw, case.config["smooth"], case.config["kappa"])


def _taps(g: Graph, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the nodes gave, under the official names and in the official layout."""
    plain = {
        "x_cnn": "cnn",
        "embedding": "embedding",
        "gl_mhsa": "attention",
        "f_urdmu": "urdmu",
        "stage2": "stage2",
        "normed": "stage2",
        "f_flow": "flow_attention",
        "z1": "flow_fusion",
        "f_audio": "audio_attention",
        "z2": "audio_fusion",
        "tca": "tca",
    }
    across = {"h": "h", "stage3": "stage3", "x_v": "h", "x_e": "stage3"}
    results = {name: numpy(seen[node]) for name, node in plain.items() if node in seen}
    results |= {name: swap(seen[node]) for name, node in across.items() if node in seen}
    results["dpe"] = numpy(g.parts["context"].position_encoding(seen["tca"]))
    if "nominator" in seen:
        results |= {"gate": numpy(seen["nominator"]["gate"]), "x_t": numpy(seen["nominator"]["x"])}
    return results


def _prepare(g: Graph, prefix: str = "") -> dict[str, Any]:
    """Return a training batch of the case and lay its noise in."""
    case, given = g.case, g.case.given
    streams = {n: x for n, x in _streams(case, prefix).items() if n in g.model.input_sizes}
    batch = training_batch(g.model, streams, given)
    batch["classes"] = functions.first_classes(given.get("classes", given["labels"])).long()
    if "prompt_rows" in case.inputs:
        batch["prompts"] = tensor(case.inputs["prompt_rows"])
    if "nominator" in g.parts:
        shape = (len(batch["labels"]), g.parts["nominator"].samples, batch["mask"].shape[1])
        drawn = case.inputs.get(prefix + "nominator_noise")
        give_noise(g.parts["nominator"], torch.zeros(shape) if drawn is None else tensor(drawn))
    if "memory" in g.parts:
        give_noise(g.parts["memory"], _latent_noise(case, prefix, batch, g.parts["memory"].in_dim))
    return batch


def _latent_noise(case: Case, prefix: str, batch: Mapping[str, Tensor], width: int) -> Tensor:
    """Return noise for every row: the case has it for the normal ones only."""
    noise = torch.zeros(*batch["mask"].shape, width)
    if prefix + "dul_noise" in case.inputs:
        noise[batch["labels"] < 0.5] = tensor(case.inputs[prefix + "dul_noise"])
    return noise


def _train(case: Case) -> dict[str, Any]:
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    batch = _prepare(g)
    losses = g.model.losses
    aligned = listen(losses["prompt"], "logits") if "prompt" in losses else []
    diverged = listen(losses["prompt"], "divergence") if "prompt" in losses else []
    compared = listen(losses["mc"], "compare")
    with watch(**g.parts, tca=g.parts["context"].out) as seen:
        parts = g.model.loss(batch)
    results = {official: numpy(parts[ours]) for official, ours in COLUMNS.items() if ours in parts}
    results |= {f"L_UR.{o}": numpy(parts[f"memory.{p}"]) for o, p in UR_PARTS.items() if f"memory.{p}" in parts}
    results["L_MC_weighted"] = results["L_MC"] * g.model.spec["losses"]["mc"]["weight"]
    results |= _taps(g, seen) | {"logits": numpy(torch.sigmoid(seen["score"]))[..., None]}
    if aligned:
        results |= functions.alignment(aligned[0], diverged[0])
    results |= _magnitudes(losses["mc"], compared[0][0], batch["labels"])
    results |= _attention(seen, batch["labels"])
    return {**results, **backward(g, parts["total"])}


def _magnitudes(loss: Any, compared: tuple[Tensor, Tensor, Tensor], labels: Tensor) -> dict[str, Any]:
    found = functions.magnitudes(loss, compared, labels)
    return {"mc_abn_l1": found["mag_abnormal"], "mc_nor_l1": found["mag_normal"], "mc_distance": found["distance"]}


def _attention(seen: Mapping[str, Any], labels: Tensor) -> dict[str, Any]:
    if "memory" not in seen:
        return {}
    a, n = (numpy(seen["memory"][f"{kind}_score"]) for kind in ("abnormal", "normal"))
    abnormal = numpy(labels > 0.5)
    return {"A_att": a[abnormal], "N_att": n[~abnormal], "A_Natt": a[~abnormal], "N_Aatt": n[abnormal]}


def _steps(case: Case) -> dict[str, Any]:
    g = build(case)
    results = steps(g, lambda step: _prepare(g, f"step{step}."), COLUMNS)
    probe = scores(g, _streams(case, "probe."), case.inputs.get("probe.nominator_noise"))
    return {**results, "probe_logits": numpy(probe)[..., None]}


def _protocol(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    raw = []
    for video in range(len(case.given["snippets"])):
        streams = _streams(case, f"video{video}.")
        t = streams["rgb"].shape[1]
        streams = {name: protocol.as_long_as(x, t) for name, x in streams.items()}
        raw.append(numpy(scores(g, streams, None).mean(0)))
    finished = [_smooth(case, s) for s in raw]
    return {"score_raw": np.concatenate(raw), "score": np.concatenate(finished), **protocol.figures(case, finished)}
