"""LSTC's encoder and losses in other settings and sizes, against loops over heads, tokens and pairs.

Legend: t clips, p patches, n tokens of a part, c channels.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vadkit_part_ranking import PartRanking
from vadkit_part_transformer import AT_ONCE, PartTransformer
from vadkit_target_loss import TargetLoss


def layer_norm(x, module):
    if not isinstance(module, torch.nn.LayerNorm):
        return x
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * module.weight.detach().numpy() + module.bias.detach().numpy()


def place(index, side):
    """Return depth, row and column of a patch in a grid that is ``side`` wide."""
    return index // side**2, index // side % side, index % side


def attention(x, layer, depth, side, key, value):
    """Return one head after the other, one query after the other."""
    weights = {name: getattr(layer, name).weight.detach().numpy() for name in ("q", "k", "v", "out")}
    rows = []
    for head in range(layer.heads):
        q, k = (x @ weights[name][head * key : (head + 1) * key].T for name in ("q", "k"))
        v = x @ weights["v"][head * value : (head + 1) * value].T
        seen = np.zeros((len(x), value))
        for i in range(len(x)):
            logits = np.array([q[i] @ k[j] / np.sqrt(key) for j in range(len(x))])
            for j in range(len(x)):
                if layer.bias is not None and i and j:
                    apart = [a - b for a, b in zip(place(i - 1, side), place(j - 1, side))]
                    wide = 2 * side - 1
                    row = ((apart[0] + depth - 1) * wide + apart[1] + side - 1) * wide + apart[2] + side - 1
                    logits[j] += layer.bias.table[row, head].item()
            share = np.exp(logits - logits.max())
            seen[i] = share / share.sum() @ v
        rows.append(seen)
    return np.concatenate(rows, 1) @ weights["out"].T


def slow(module, tokens, depth, side, key, value):
    """Return what an encoder makes of the tokens (n, c) of one part, class token first."""
    x = layer_norm(tokens, module.norm)
    first = x.mean(0, keepdims=True) if module.cls is None else module.cls.detach().numpy()[0]
    x = np.concatenate([first, x])
    if module.positions is not None:
        x = x + module.positions.detach().numpy()[0, : len(x)]
    for layer in module.layers:
        x = layer_norm(x + attention(x, layer, depth, side, key, value), layer.attention_norm)
        ff = {name: (getattr(layer, name).weight.detach().numpy(), getattr(layer, name).bias.detach().numpy())
              for name in ("ff_in", "ff_out")}  # fmt: skip
        hidden = np.maximum(x @ ff["ff_in"][0].T + ff["ff_in"][1], 0)
        x = layer_norm(x + hidden @ ff["ff_out"][0].T + ff["ff_out"][1], layer.ff_norm)
    return x


def build(**args):
    torch.manual_seed(0)
    return PartTransformer(in_dim=6, heads=[2, 3], **args).double().eval()


@pytest.mark.parametrize(
    ("args", "side"),
    [
        ({"patches": 4, "widths": [3, 5, 7], "options": ["learned_cls"]}, 0),
        ({"patches": 4, "widths": [3, 3, 4], "options": ["input_norm", "attention_norm"]}, 0),
        ({"patches": 9, "widths": [2, 4, 5], "options": ["positions", "ff_norm"]}, 0),
        ({"patches": 9, "widths": [2, 2, 5], "window": 3, "options": ["learned_cls", "positions", "input_norm"]}, 3),
        ({"patches": 9, "widths": [5, 1, 5], "window": 4, "run": 2, "options": ["attention_norm", "ff_norm"]}, 4),
        ({"patches": 4, "widths": [4, 2, 3], "window": 2, "run": 3, "options": []}, 2),
        ({"patches": 1, "run": 5, "window": 1, "options": ["xavier"]}, 1),
    ],
)
def test_the_encoder_in_every_setting(args, side):
    module, run = build(**args), args.get("run", 1)
    tokens = torch.randn(3, run * args["patches"], 6, dtype=torch.float64)
    found = module.encode(tokens)
    for number, part in enumerate(tokens.numpy()):
        assert [layer.heads for layer in module.layers] == [2, 3]
        wanted = part_of(module, part, run, side, args.get("widths"))
        np.testing.assert_allclose(found[number].detach().numpy(), wanted, atol=1e-10)
    only = module.encode(tokens, only_first=True)
    torch.testing.assert_close(only, found[:, :1])


def part_of(module, tokens, depth, side, widths):
    """As ``slow``; without widths, each layer has its own: an equal share for each head."""
    if widths is not None:
        return slow(module, tokens, depth, side, *widths[:2])
    x = np.concatenate([tokens.mean(0, keepdims=True), tokens])
    for layer in module.layers:
        width = max(1, 6 // layer.heads)
        x = x + attention(x, layer, depth, side, width, width)
        hidden = np.maximum(x @ layer.ff_in.weight.detach().numpy().T + layer.ff_in.bias.detach().numpy(), 0)
        x = x + hidden @ layer.ff_out.weight.detach().numpy().T + layer.ff_out.bias.detach().numpy()
    return x


@pytest.mark.parametrize("run", [1, 2, 3, 5])
@pytest.mark.parametrize("t", [1, 2, 4, 5, 7, 12])
def test_parts_are_those_of_the_authors_loop(run, t):
    """Their loop cuts x[start : start + run], and x[t - run : t] for the rest: below 0, that counts from the end."""
    module = build(patches=2, run=run, window=2, widths=[2, 2, 4])
    x = torch.randn(1, t, 2, 6, dtype=torch.float64)
    wanted = []
    for start in range(0, t, run):
        left = min(run, t - start)
        part = x[0, start : start + run] if left == run else x[0, t - run : t]
        vector = module.encode(part.reshape(1, -1, 6))[0, 0]
        wanted += [vector] * left
    torch.testing.assert_close(module(x)[0], torch.stack(wanted))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("option", ["unit", "unit_at_test", "ff_norm"])
def test_patches_are_scaled_at_test_or_always(option, training):
    x = 7 * torch.randn(1, 4, 2, 6, dtype=torch.float64)
    module = build(patches=2, widths=[2, 2, 4], options=[option], dropout=[0.0, 0.0, 0.0]).train(training)
    scaled = torch.nn.functional.normalize(x, dim=-1)
    always, now = option == "unit", option == "unit_at_test" and not training
    assert torch.allclose(module(x), module(scaled)) == (always or now)


@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]])
@pytest.mark.parametrize(("over", "per"), [("abnormal", "snippet"), ("flat", "snippet"), ("flat", "part")])
def test_ranking_by_loops(labels, over, per):
    torch.manual_seed(1)
    scores, run = torch.rand(4, 9), 3
    found = PartRanking(run=run, over=over, per=per)(scores, torch.tensor(labels).float())
    parts = scores.view(4, 3, run).mean(2)
    tops = [float(row.max()) for row in parts]
    pairs = [max(0.0, 1 - tops[a] + tops[n]) for a in range(4) for n in range(4) if labels[a] and not labels[n]]
    assert float(found["rank"]) == pytest.approx(np.mean(pairs) if pairs else 0, abs=1e-6)
    rows = parts if per == "part" else scores
    ordered = torch.cat([rows[[i for i in range(4) if labels[i] == label]] for label in (0, 1)])
    abnormal = rows[[i for i in range(4) if labels[i]]].flatten()
    kept = ordered.flatten()[labels.count(0) :] if over == "flat" else abnormal
    assert float(found["sparse"]) == pytest.approx(float(kept.mean()) if len(kept) else 0, abs=1e-6)
    assert float(found["total"]) == pytest.approx(float(found["rank"] + 0.01 * found["sparse"]), abs=1e-6)


@pytest.mark.parametrize("labels", [[0, 1, 1], [1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("form", ["binary", "twice"])
@pytest.mark.parametrize("t", [1, 6, 7])
def test_target_loss_by_loops(labels, form, t):
    torch.manual_seed(2)
    scores, targets, weight = torch.rand(3, t), torch.rand(3, t), torch.randint(0, 2, (3, t)).float()
    args = {"run": 3, "form": form, **({"normal": 0.2, "abnormal": 2.0} if form == "binary" else {})}
    found = TargetLoss(**args)(scores, targets, torch.tensor(labels).float(), weight)
    total, weights = 0.0, 0.0
    for row, label in enumerate(labels):
        for start in range(0, t, 3):
            s, y, w = (float(x[row, start : start + 3].mean()) for x in (scores, targets * label, weight))
            if form == "binary":
                loss = -2.0 * y * np.log(s + 1e-8) - 0.2 * (1 - y) * np.log(1 - s + 1e-8)
            else:
                both = np.exp([1 - s, s])
                loss = -(1 - y) * np.log(both[0] / both.sum()) - y * np.log(both[1] / both.sum())
            total, weights = total + w * loss, weights + w
    assert float(found) == pytest.approx(total / weights if weights else 0, rel=1e-5)


@pytest.mark.parametrize(
    "args", [{"run": 0}, {"heads": []}, {"widths": [1, 2]}, {"options": ["norm"]}, {"window": 1, "run": 2}]
)
def test_wrong_arguments_are_refused(args):
    with pytest.raises(ValueError):
        PartTransformer(**{"patches": 4, "in_dim": 8, "heads": [2], **args})


@pytest.mark.parametrize("t", [2 * AT_ONCE, 2 * AT_ONCE + 1, 5 * AT_ONCE - 1])
def test_a_long_video_is_encoded_in_pieces(t):
    torch.manual_seed(0)
    module = PartTransformer(patches=4, in_dim=8, run=2, heads=[2, 2], options=["unit_at_test", "ff_norm"]).eval()
    x = torch.randn(2, t, 4, 8)
    with torch.no_grad():
        pieces = module(x)
    torch.testing.assert_close(pieces, module(x).detach(), atol=1e-5, rtol=1e-5)
