"""A second, slow formula of the systems: loops over bags, heads, draws, in float64, official weight names.

Written from the equations and quirks, apart from the components, to have something to compare with
where no record exists: other lengths, other widths, unusual batches. The records hold it in place too.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    """A linear layer, or a convolution of kernel 1, on (..., c)."""
    weight, bias = w[name + ".weight"], w.get(name + ".bias")
    y = x @ weight.reshape(weight.shape[:2]).T
    return y if bias is None else y + bias


def convolve(w: Weights, name: str, x: Tensor, before: int) -> Tensor:
    """A convolution over time on (b, t, c) with zeros outside; output t sees ``before`` earlier rows."""
    weight = w[name + ".weight"]
    y = w[name + ".bias"].expand(*x.shape[:2], -1)
    for k in range(weight.shape[2]):
        shift = k - before
        moved = torch.zeros_like(x)
        for t in range(x.shape[1]):
            if 0 <= t + shift < x.shape[1]:
                moved[:, t] = x[:, t + shift]
        y = y + moved @ weight[:, :, k].T
    return y


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])


# -- blocks --------------------------------------------------------------------------------------
def position(w: Weights, t: int) -> Tensor:
    d = torch.tensor([[float(abs(i - j)) for j in range(t)] for i in range(t)], dtype=torch.float64)
    return torch.exp(-(w["self_attention.loc_adj.w"] * d**2 - w["self_attention.loc_adj.b"]).abs())


def context(w: Weights, x: Tensor, window: int, power_norm: bool) -> Tensor:
    """TCA without its residual."""
    q, k, v = (linear(w, f"self_attention.self_attn.{n}", x) for n in "qkv")
    logits = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + position(w, x.shape[1])
    local = torch.full_like(logits, -1e9)
    for j in range(x.shape[1]):
        for i in range(j - window // 2, j - window // 2 + window):
            if 0 <= i < x.shape[1]:
                local[:, j, i] = logits[:, j, i]
    share = torch.sigmoid(w["self_attention.self_attn.alpha"])
    h = share * (logits.softmax(-1) @ v) + (1 - share) * (local.softmax(-1) @ v)
    if power_norm:
        h = h.relu().sqrt() - (-h).relu().sqrt()
        h = h / (h**2).sum(1, keepdim=True).sqrt().clamp_min(1e-12)
    return linear(w, "self_attention.self_attn.o", h)


def gate(w: Weights, clip: Tensor, noise: Tensor, settings: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The nominator's scores and its gate, whose slope is the authors' transposed estimate."""
    s = linear(w, "self_attention.hard_atten.scorer.fc1", clip).relu()
    s = torch.sigmoid(linear(w, "self_attention.hard_atten.scorer.fc2", s))[..., 0]
    k = min(max(1, int(settings["k_ratio"] * s.shape[1])), settings["k_max"])
    chosen = torch.zeros_like(noise)
    order = (s.detach()[:, None] + settings["sigma"] * noise).argsort(dim=-1, descending=True)
    for rank in range(k):
        chosen.scatter_(-1, order[..., rank : rank + 1], 1.0)
    jacobian = torch.einsum("bnd,bne->bde", chosen, noise) / noise.shape[1] / settings["sigma"]
    return s, chosen.mean(1) + torch.einsum("bd,bde->be", s - s.detach(), jacobian)


def transformer(w: Weights, prefix: str, x: Tensor, width: int) -> Tensor:
    """GL-MHSA: every layer under ``prefix``, heads of ``width`` channels."""
    layer = 0
    while f"{prefix}{layer}.0.norm.weight" in w:
        p = f"{prefix}{layer}."
        x = x + linear(w, p + "0.fn.to_out.0", heads(linear(w, p + "0.fn.to_qkv", norm(w, p + "0.norm", x)), width))
        h = F.gelu(linear(w, p + "1.fn.net.0", norm(w, p + "1.norm", x)))
        x = x + linear(w, p + "1.fn.net.3", h)
        layer += 1
    return x


def heads(qkvt: Tensor, width: int) -> Tensor:
    t, inner = qkvt.shape[1], qkvt.shape[2] // 4
    near = torch.tensor([[math.exp(-abs(i - j) / math.e) for j in range(t)] for i in range(t)], dtype=torch.float64)
    near = near / near.sum(-1)  # broadcast over the last axis: columns, not rows
    out = []
    for h in range(inner // width):
        q, k, v, local = (qkvt[..., n * inner + h * width : n * inner + (h + 1) * width] for n in range(4))
        out += [(q @ k.transpose(1, 2) / math.sqrt(width)).softmax(-1) @ v, near @ local]
    return torch.cat(out, -1)


def memory(bank: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The memory's score (b, t) and its read-out (b, t, c)."""
    a = torch.sigmoid(x @ bank.T / math.sqrt(x.shape[-1]))
    best = a.sort(dim=-1, descending=True).values[..., : len(bank) // 16 + 1]
    return best.mean(-1), a @ bank


def fuse(w: Weights, prefix: str, main: Tensor, other: Tensor) -> Tensor:
    q, k, v = (
        linear(w, f"{prefix}.cross_attention.{n}", x) for n, x in (("query", main), ("key", other), ("value", other))
    )
    attended = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1) @ v + main
    joint = torch.cat([main, attended], -1)
    return linear(w, f"{prefix}.fc", torch.sigmoid(linear(w, f"{prefix}.gate", joint)) * joint)


def duals(w: Weights, x: Tensor, noise: Tensor | None, relu: bool, p: str = "") -> dict[str, Tensor]:
    """UR-DMU's two memories; ``noise`` (b, t, c) goes into the normal read-outs of all rows that have it."""

    def encode(name: str, value: Tensor) -> Tensor:
        y = linear(w, f"{p}{name}.0", value)
        return y.relu() if relu else y

    a_score, a_read = memory(w[p + "Amemory.memory_block"], x)
    n_score, n_read = memory(w[p + "Nmemory.memory_block"], x)
    mu, logvar = encode("encoder_mu", n_read), encode("encoder_var", n_read)
    z = mu if noise is None else mu + noise * (logvar / 2).exp()
    read = encode("encoder_mu", a_read)
    return {
        "a": a_score,
        "n": n_score,
        "a_raw": a_read,
        "n_raw": n_read,
        "mu": mu,
        "logvar": logvar,
        "z": z,
        "read": read,
        "x": read + z,
    }


# -- systems: from streams to scores -------------------------------------------------------------
def seed(
    w: Weights,
    config: Mapping[str, Any],
    streams: Mapping[str, Tensor],
    nominator_noise: Tensor | None,
    latent_noise: Tensor | None = None,
    relu: bool = False,
) -> dict[str, Tensor]:
    """Every value of the seed paper's graph, official names; features are (b, t, c)."""
    s = "self_attention."
    v: dict[str, Tensor] = {"dpe": position(w, streams["features"].shape[1])}
    v["tca"] = context(w, streams["features"], config["win_size"], config["norm"])
    x_c = streams["features"] + v["tca"]
    if s + "conv1.weight" in w:
        assert nominator_noise is not None
        v["scorer"], v["gate"] = gate(w, streams["clip"], nominator_noise, config["nominator"])
        v["x_cnn"], v["x_t"] = linear(w, s + "conv1", x_c).relu(), v["gate"][..., None] * streams["clip"]
        u = s + "UR_DMU."
        v["embedding"] = convolve(w, u + "embedding.conv_1.0", torch.cat([v["x_cnn"], v["x_t"]], -1), 1).relu()
        v["gl_mhsa"] = transformer(w, u + "selfatt.layers.", v["embedding"], 128)
        v |= {f"dual.{n}": x for n, x in duals(w, v["gl_mhsa"], latent_noise, relu, u).items()}
        v["f_urdmu"] = torch.cat([v["gl_mhsa"], v["dual.x"]], -1)
        v["stage2"] = norm(w, s + "norm", v["f_urdmu"] + x_c)
        v["h"] = F.gelu(linear(w, s + "linear1", v["stage2"]) + v["x_cnn"])
    else:
        v["stage2"] = norm(w, s + "norm", x_c)
        v["h"] = F.gelu(linear(w, s + "linear1", v["stage2"]))
    v["stage3"] = v["last"] = F.gelu(linear(w, s + "linear2", v["h"]))
    if "gated_fusion.fc.weight" in w:
        v["f_flow"] = transformer(w, "transformer.layers.", F.gelu(linear(w, "linear", streams["flow"])), 128)
        v["z1"] = v["last"] = fuse(w, "gated_fusion", v["stage3"], v["f_flow"])
    if "gated_fusion2.fc.weight" in w:
        v["f_audio"] = transformer(w, "transformer2.layers.", streams["audio"], 64)
        v["z2"] = v["last"] = fuse(w, "gated_fusion2", F.gelu(linear(w, "linear2", v["z1"])), v["f_audio"])
    v["logits"] = torch.sigmoid(convolve(w, "classifier", v["last"], w["classifier.weight"].shape[2] - 1))
    return v


def pel4vad(w: Weights, config: Mapping[str, Any], x: Tensor) -> dict[str, Tensor]:
    v = {"dpe": position(w, x.shape[1]), "tca": context(w, x, config["win_size"], config["norm"])}
    v["normed"] = norm(w, "self_attention.norm", x + v["tca"])
    v["x_v"] = F.gelu(linear(w, "self_attention.linear1", v["normed"]))
    v["x_e"] = F.gelu(linear(w, "self_attention.linear2", v["x_v"]))
    v["logits"] = torch.sigmoid(convolve(w, "classifier", v["x_e"], w["classifier.weight"].shape[2] - 1))
    return v


def ur_dmu(w: Weights, x: Tensor, noise: Tensor | None = None) -> dict[str, Tensor]:
    v = {"embedding": convolve(w, "embedding.conv_1.0", x, 1).relu()}
    v["encoder"] = transformer(w, "selfatt.layers.", v["embedding"], 128)
    v |= {f"dual.{n}": value for n, value in duals(w, v["encoder"], noise, False).items()}
    v["cls_in"] = torch.cat([v["encoder"], v["dual.x"]], -1)
    hidden = linear(w, "cls_head.mlp.0", v["cls_in"]).relu()
    v["frame"] = torch.sigmoid(linear(w, "cls_head.mlp.2", hidden))[..., 0]
    return v


# -- losses, bag by bag --------------------------------------------------------------------------
def mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()


def top(values: Tensor, k: int) -> Tensor:
    return values.sort(descending=True).values[:k].mean()


def mil(scores: Tensor, labels: Sequence[float], lengths: Sequence[int], normal_ratio: bool = False) -> Tensor:
    terms = []
    for row, label, n in zip(scores, labels, lengths):
        p = top(row[:n], n // 16 + 1 if label or normal_ratio else 1)
        terms.append(-(p if label else 1 - p).log())
    return mean(terms)


def prompts(
    h: Tensor, scores: Tensor, labels: Sequence[float], classes: Sequence[int], rows: Tensor, logit_scale: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss and exp(logit_scale) cosine (n, n)."""
    pooled, texts, kinds = [], [], []
    for i, label in enumerate(labels):
        for which in (0, 1) if label else (0,):
            weight = torch.exp(10 * (scores[i] if which == 0 else 1 - scores[i])) - 1
            pooled.append((weight / weight.sum()) @ h[i])
            texts.append(rows[i, 1 if label and which == 0 else 0])
            kinds.append(classes[i] if which == 0 else 0)
    unit = [torch.stack([v / v.norm() for v in vectors]) for vectors in (pooled, texts)]
    z = logit_scale.exp() * unit[0] @ unit[1].T
    same = torch.tensor([[10.0 if a == b else 0.0 for b in kinds] for a in kinds], dtype=torch.float64)
    target = same.softmax(1)
    return (target * (target.log() - z.log_softmax(1))).sum(1).mean(), z


def contrast(x: Tensor, labels: Sequence[float], k: int, margin: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss, the magnitudes of abnormal and normal bags (p, k), the distances (p, 1)."""
    sides = {label: [i for i, y in enumerate(labels) if y == label] for label in (0, 1)}
    if len(labels) == 2:  # the authors' branch for inference: the normal bag against itself
        sides[1] = sides[0]
    picked = {}
    for label, bags in sides.items():
        order = [x[i].detach().norm(dim=-1).argsort(descending=True)[:k] for i in bags]
        picked[label] = torch.stack([x[i][o].abs().sum(-1) for i, o in zip(bags, order)])
    distance = ((picked[1] - picked[0] + 1e-6) ** 2).sum(1, keepdim=True).sqrt()
    return (margin - distance).relu().square().mean(), picked[1], picked[0], distance


def dual_losses(
    v: Mapping[str, Tensor],
    x: Tensor,
    labels: Sequence[float],
    lengths: Sequence[int],
    crops: int,
    k_top: int,
    k_pool: int,
) -> dict[str, Tensor]:
    """The parts of UR-DMU's loss; rows are videos x crops. ``k_top`` for the answers, ``k_pool`` for the pools."""
    normal, abnormal = ([i for i, y in enumerate(labels) if y == label] for label in (0, 1))

    def of(name: str, i: int) -> Tensor:
        return v[f"dual.{name}"][i * crops : (i + 1) * crops]

    def pool(rows: Tensor, score: str, i: int) -> Tensor:
        own = rows[i * crops : (i + 1) * crops]
        return mean_rows([r[s.argsort(descending=True)[:k_pool]].mean(0) for r, s in zip(own, of(score, i))])

    def bce(p: Tensor) -> Tensor:
        return -p.log().clamp_min(-100)

    anchors = [pool(x, "n", i) for i in normal]
    positives, negatives = ([pool(x, score, i) for i in abnormal] for score in ("n", "a"))
    unit = [[a / a.norm() for a in vectors] for vectors in (anchors, positives, negatives)]
    longer = [pool(v["dual.read"], "a", i).norm() for i in abnormal]
    shorter = [pool(v["dual.z"], "n", i).norm() for i in normal]
    latent = [pair for i in normal for pair in zip(of("mu", i), of("logvar", i))]
    kl = [-0.5 * (1 + lv - mu**2 - lv.exp()).sum(0).mean() for mu, lv in latent]
    return {
        "A_loss": mean([bce(top(of("a", i).mean(0), k_top)) for i in abnormal]),
        "N_Aatt": mean([bce(top(1 - of("n", i).mean(0), k_top)) for i in abnormal]),
        "N_loss": mean([bce(of("n", i).mean(0)[: lengths[i]]).mean() for i in normal]),
        "A_Nloss": mean([bce(1 - of("a", i).mean(0)[: lengths[i]]).mean() for i in normal]),
        "triplet": mean([(apart(a, p) - apart(a, n) + 1).relu() for a, p, n in zip(*unit)]),
        "kl_loss": mean(kl),
        "distance": mean([(100 - p + q).relu() for p, q in zip(longer, shorter)]),
        "cos_loss": mean([1 - a @ n / a.norm() / n.norm() for a, n in zip(anchors, negatives)]),
    }


def mean_rows(rows: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(rows)).mean(0)


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Distance as torch's triplet loss takes it, 1e-6 added to each difference."""
    return (a - b + 1e-6).norm()


def ramp(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Rows from ``lengths`` on as steps between the two rows before; indices below 0 count from the end."""
    x = x.clone()
    for row, n in zip(x, lengths):
        last, before, padding = row[n - 1].clone(), row[n - 2].clone(), len(row) - n
        for i in range(padding):
            row[n + i] = (i + 1) / (padding + 1) * last + (1 - (i + 1) / (padding + 1)) * before
    return x


def smooth(scores: Tensor, kappa: int, mode: str) -> Tensor:
    padded = torch.cat([scores, torch.zeros(kappa, dtype=scores.dtype)])
    start = [i if mode == "slide" else i // kappa * kappa for i in range(len(scores))]
    return torch.stack([padded[i : i + kappa].mean() for i in start])
