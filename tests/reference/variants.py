"""Cases without a record: a public case with other sizes, lengths or settings, and ``plain`` as its record.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plain
import torch
from cases import Case, Output, load_case
from rule import sample
from torch import Tensor

CASES = Path(__file__).parent / "cases"
Edit = Callable[[dict[str, Any]], None]


def edited(name: str, edit: Edit, folder: Path) -> Case:
    """Return the public case ``name`` after ``edit`` has changed its JSON; weights and inputs are redrawn."""
    raw = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(CASES / f"{name}.npz") as archive:
        stored = dict(archive)
    edit(raw)
    (folder / f"{name}.json").write_text(json.dumps(raw), encoding="utf-8")
    np.savez(folder / f"{name}.npz", **stored)
    return load_case(folder / f"{name}.json")


def with_record(case: Case, values: Mapping[str, Tensor]) -> Case:
    """Return the case with ``values`` as its outputs, to be met as closely as records are."""
    outputs = {}
    for name, value in values.items():
        full = value.detach().double().numpy()
        scale = float(np.nanmax(np.abs(full), initial=0.0))
        outputs[name] = Output("second formula", full, None, None, 2e-5, 4e-6 * max(scale, 0.1))
    changed = copy.copy(case)
    object.__setattr__(changed, "outputs", outputs)
    return changed


# -- edits ---------------------------------------------------------------------------------------
def length(raw: dict[str, Any], t: int, rows: int | None = None, prefix: str = "") -> None:
    """Give every drawn input ``t`` snippets and, if given, another number of rows."""
    for name, entry in raw["inputs"].items():
        if "draw" not in entry or not name.startswith(prefix):
            continue
        draw = entry["draw"]
        draw[2 if name.endswith("nominator_noise") else 1] = t
        if rows is not None:
            draw[0] = rows // 2 if "dul_noise" in name else rows


def lengths(raw: dict[str, Any], values: list[int], prefix: str = "") -> None:
    """Give the bags of a training batch other lengths, the same in all streams."""
    length(raw, max(values), len(values), prefix)
    for entry in (v for n, v in raw["inputs"].items() if n.startswith(prefix)):
        for op in entry.get("ops", []):
            if op[0] == "zero_after":
                op[1] = values
    raw["given"]["lengths"] = values


# -- records -------------------------------------------------------------------------------------
def weights(case: Case) -> dict[str, Tensor]:
    return {n: torch.tensor(v, dtype=torch.float64).requires_grad_() for n, v in case.state.items()}


def drawn(case: Case, name: str) -> Tensor:
    return torch.tensor(case.inputs[name], dtype=torch.float64)


def streams(case: Case, prefix: str = "") -> dict[str, Tensor]:
    names = ("features", "clip", "flow", "audio")
    return {n: drawn(case, prefix + n) for n in names if prefix + n in case.inputs}


def gradients(case: Case, w: Mapping[str, Tensor], total: Tensor) -> dict[str, Tensor]:
    total.backward()  # type: ignore[no-untyped-call]
    norms, projections = [], []
    for name in case.given["grad_names"]:
        grad = w[name].grad
        direction = torch.from_numpy(sample("direction/" + name, tuple(w[name].shape), case.seed or 0)).double()
        norms.append(float("nan") if grad is None else float(grad.norm()))
        along = float("nan") if grad is None else float((grad * direction).sum()) / w[name].numel() ** 0.5
        projections.append(along)
    return {"grad_norm": torch.tensor(norms), "grad_projection": torch.tensor(projections)}


def seed_eval(case: Case, relu: bool = False) -> Case:
    given = streams(case)
    noise = drawn(case, "nominator_noise") if "nominator_noise" in case.inputs else None
    with torch.no_grad():
        v = plain.seed(weights(case), case.config, given, noise, relu=relu)
        results = {n: v[n] for n in ("logits", "tca", "stage2", "x_t", "gate", "f_urdmu", "z1", "z2") if n in v}
        results |= {n: v[n].transpose(1, 2) for n in ("h", "stage3")}
        results["score"] = v["logits"].mean(0)[:, 0]
        results["score_smooth"] = plain.smooth(results["score"], case.config["kappa"], "slide")
        if noise is not None:
            silent = plain.seed(weights(case), case.config, given, torch.zeros_like(noise), relu=relu)
            results["logits_zero_noise"] = silent["logits"]
    return with_record(case, results)


def seed_losses(case: Case, w: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Every loss of a training batch, ``total`` and ``logits``."""
    given, config, flow = case.given, case.config, "gated_fusion.fc.weight" in w
    real, labels = given["lengths"], given["labels"]
    x = {n: v[:, : max(real)] for n, v in streams(case, prefix).items()}
    three = "gated_fusion2.fc.weight" in w
    x = {n: v if n == "flow" and three else plain.ramp(v, real) for n, v in x.items()}
    latent = torch.zeros(len(labels), max(real), 512, dtype=torch.float64)
    latent[torch.tensor(labels) < 0.5] = drawn(case, prefix + "dul_noise")
    v = plain.seed(w, config, x, drawn(case, prefix + "nominator_noise"), latent)
    scores = v["logits"][..., 0]
    contrasted = v["last"] if flow else v["h"]
    weights = given["loss_weights"]
    mc, abn, nor, distance = plain.contrast(contrasted, labels, min(20, max(real)), config["margin"])
    r = {
        "L_MIL": plain.mil(scores, labels, real),
        "L_MC": mc,
        "mc_abn_l1": abn,
        "mc_nor_l1": nor,
        "mc_distance": distance,
        "logits": v["logits"],
    }
    r["total"] = r["L_MIL"] + weights["L_MC"] * mc
    if weights["L_PEL"]:
        classes = [c[0] if isinstance(c, list) else c for c in given["classes"]]
        r["L_PEL"], r["v2t_logits"] = plain.prompts(
            v["h"], scores, labels, classes, drawn(case, "prompt_rows"), w["logit_scale"]
        )
        r["total"] = r["total"] + weights["L_PEL"] * r["L_PEL"]
    if weights["L_UR"]:
        k = max(real) // 16 + 1
        parts = plain.dual_losses(v, v["gl_mhsa"], labels, real, 1, min(20, max(real)), k)
        r["L_UR"] = weigh(parts) + 0.5 * parts["cos_loss"]
        r |= {f"L_UR.{n}": value for n, value in parts.items()}
        r["total"] = r["total"] + weights["L_UR"] * r["L_UR"]
    return r


def weigh(parts: Mapping[str, Tensor]) -> Tensor:
    answers = parts["A_loss"] + parts["N_Aatt"] + parts["N_loss"] + parts["A_Nloss"]
    return 0.1 * answers + 0.1 * parts["triplet"] + 0.001 * parts["kl_loss"] + 0.0001 * parts["distance"]


def seed_train(case: Case) -> Case:
    w = weights(case)
    r = seed_losses(case, w)
    return with_record(case, {**r, **gradients(case, w, r["total"])})


def pel4vad_eval(case: Case) -> Case:
    with torch.no_grad():
        v = plain.pel4vad(weights(case), case.config, drawn(case, "features"))
    score = v["logits"].mean(0)[:, 0]
    results = {n: v[n] for n in ("logits", "tca", "normed", "dpe")} | {n: v[n].transpose(1, 2) for n in ("x_v", "x_e")}
    for mode in ("fixed", "slide"):
        results[f"score_{mode}"] = plain.smooth(score, case.config[f"kappa_{mode}"], mode)
    return with_record(case, {**results, "score": score})


def pel4vad_train(case: Case) -> Case:
    w, given = weights(case), case.given
    v = plain.pel4vad(w, case.config, drawn(case, "features")[:, : max(given["lengths"])])
    scores = v["logits"][..., 0]
    classes = [c[0] if isinstance(c, list) else c for c in given["classes"]]
    kd, z = plain.prompts(v["x_v"], scores, given["labels"], classes, drawn(case, "prompt_rows"), w["logit_scale"])
    r = {
        "logits": v["logits"],
        "loss_cls": plain.mil(scores, given["labels"], given["lengths"]),
        "loss_kd": kd,
        "v2t_logits": z,
    }
    r["total_loss"] = r["loss_cls"] + case.config["lamda"] * kd
    return with_record(case, {**r, **gradients(case, w, r["total_loss"])})


def ur_dmu_eval(case: Case) -> Case:
    with torch.no_grad():
        v = plain.ur_dmu(weights(case), drawn(case, "features"))
    results = {n: v[n] for n in ("frame", "embedding", "encoder", "cls_in")}
    results |= {"A_aug": v["dual.a_raw"], "N_aug": v["dual.n_raw"], "A_att": v["dual.a"], "N_att": v["dual.n"]}
    return with_record(case, {**results, "score": v["frame"].mean(0)})


def ur_dmu_train(case: Case) -> Case:
    w, labels = weights(case), case.given["labels"]
    x = drawn(case, "features")
    crops = x.shape[1] if x.ndim == 4 else 1
    x = x.reshape(-1, *x.shape[-2:])
    noise = torch.zeros(len(x), x.shape[1], 512, dtype=torch.float64)
    if "noise" in case.inputs:
        noise[torch.tensor(labels).repeat_interleave(crops) < 0.5] = drawn(case, "noise")
    v, t = plain.ur_dmu(w, x, noise), x.shape[1]
    frame = v["frame"].unflatten(0, (-1, crops)).mean(1)
    parts = plain.dual_losses(v, v["encoder"], labels, [t] * len(labels), crops, t // 16 + 1, t // 16 + 1)
    att = plain.mil(frame, labels, [t] * len(labels), normal_ratio=True)
    r = {
        "frame": frame,
        "att_loss": att,
        "N_Aatt_loss": parts["N_Aatt"],
        "A_loss": parts["A_loss"],
        "N_loss": parts["N_loss"],
        "A_Nloss": parts["A_Nloss"],
        "triplet_loss": parts["triplet"],
        "kl_loss": parts["kl_loss"],
        "distance_loss": parts["distance"],
        "total_loss": att + weigh(parts),
    }
    return with_record(case, {**r, **gradients(case, w, r["total_loss"])})
