"""BN-WVAD at other lengths, widths, kernels and batches, against a second, slow formula."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plain
import pytest
import systems
import torch
import variants as v
from cases import Case, load_case
from compare import compare, difference
from torch import Tensor

NAMES = ("bn1", "bn2")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network(w: Mapping[str, Tensor], config: Mapping[str, Any], x: Tensor, train: bool) -> dict[str, Any]:
    """Every value of the network, official names; x is (b, t, c)."""
    r: dict[str, Any] = {}
    hidden = plain.convolve(w, "embedding.conv_1.0", x, 1).relu()
    y = r["embedding"] = plain.transformer(w, "selfatt.layers.", hidden, 128)
    for level, (norm, kernel) in enumerate(zip(NAMES, config["kernel_sizes"]), 1):
        name = f"normal_head.{norm}"
        f = plain.convolve(w, f"normal_head.conv{level}", y, kernel // 2)
        mean, var = (w[f"{name}.running_{what}"].detach() for what in ("mean", "var"))
        used = mean, var
        if train:
            flat = f.flatten(0, 1)
            used = flat.mean(0), flat.var(0, unbiased=False)
            mean = 0.9 * mean + 0.1 * used[0].detach()
            var = 0.9 * var + 0.1 * flat.var(0).detach()
        y = ((f - used[0]) / (used[1] + 1e-5).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]).relu()
        r |= {f"{norm}_features": f.transpose(1, 2), f"running_mean_{level}": mean, f"running_var_{level}": var}
        r[f"distances_{level}"] = ((f - mean) ** 2 / var).sum(-1).sqrt()
    r["s"] = torch.sigmoid(plain.convolve(w, "normal_head.conv3", y, config["kernel_sizes"][2] // 2))[..., 0]
    return r


def eval_record(case: Case) -> Case:
    x = v.drawn(case, "rgb")
    crops = x.shape[1] if x.ndim == 4 else 1
    with torch.no_grad():
        r = network(v.weights(case), case.config, x.reshape(-1, *x.shape[-2:]), False)
    for name in ("distances_1", "distances_2", "s"):
        r[name] = r[name].unflatten(0, (-1, crops)).mean(1)
    r["scores"] = (r["distances_1"] + r["distances_2"]) * r["s"]
    results = {name: r[name] for name in ("distances_1", "distances_2", "scores")}
    return v.with_record(case, {**results, "snippet_scores": r["scores"].mean(0)})


def chosen(d: Tensor, config: Mapping[str, Any]) -> tuple[list[tuple[int, int]], Tensor]:
    """The places of the chosen snippets of abnormal videos (n, t) in order, and the mask."""
    n, t = d.shape
    mask = torch.zeros(n, t, dtype=torch.long)
    for row in range(n):
        mask[row, d[row].argsort(descending=True)[: int(t * config["ratio_sample"])]] = 1
    mask.view(-1)[d.flatten().argsort(descending=True)[: int(n * t * config["ratio_batch"])]] = 1
    return [(i, j) for i in range(n) for j in range(t) if mask[i, j]], mask


def train_record(case: Case) -> Case:
    w = v.weights(case)
    normal, abnormal = (v.drawn(case, name) for name in ("normal", "abnormal"))
    r, half = network(w, case.config, torch.cat([normal, abnormal]), True), len(normal)
    mpp, counts = torch.zeros((), dtype=torch.float64), []
    for level, weight in ((1, 5.0), (2, 20.0)):
        d = r[f"distances_{level}"]
        places, r[f"selected_mask_{level}"] = chosen(d[half:].detach(), case.config)
        order = d[:half].detach().argsort(dim=1, descending=True)
        near = [d[i, order[i, rank]] for rank in range(order.shape[1]) for i in range(half)][: len(places)]
        far = [d[half + i, j] for i, j in places]
        counts += [len(near), len(far)]
        if places:
            mpp = mpp + weight * plain.mean([(a - b + 1).relu() for a, b in zip(near, far)])
    r["num_selected"] = torch.tensor(counts)
    r["normal_scores_normal_half"] = r["s"][:half]
    r["loss_normal"] = plain.mean([row.square().sum().sqrt() for row in r["s"][:half]])
    r["loss_mpp"], r["loss_total"] = mpp, mpp + r["loss_normal"]
    slopes = v.gradients(case, w, r["loss_total"])
    own = {name: value for name, value in r.items() if name != "s"}
    return v.with_record(case, {**own, **slopes})


def check(case: Case) -> None:
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "record"), [("bn-wvad-eval", eval_record), ("bn-wvad-train", train_record)])
def test_the_second_formula_meets_the_records(name: str, record: Any) -> None:
    case = load_case(v.CASES / f"{name}.json")
    found = [difference(n, case.outputs[n], o.value) for n, o in record(case).outputs.items() if n in case.outputs]
    assert len(found) >= 4 and not [str(d) for d in found if not d.equal]


def narrow(
    raw: dict[str, Any], dim: int = 16, kernels: tuple[int, ...] = (1, 1, 1), ratios: tuple[int, ...] = (2, 4)
) -> None:
    """Give the network ``dim`` channels of 6 inputs, and these kernels and ratios."""
    raw["config"] |= {"len_feature": 6, "ratios": list(ratios), "kernel_sizes": list(kernels)}
    widths = {1024: 6, 512: dim, 32: dim // ratios[0], 16: dim // ratios[1]}
    for name, shape in raw["state"]["shapes"].items():
        wide = {"to_qkv.weight": [2048, dim], "to_out.0.weight": [dim, 1024]}
        found = next((s for n, s in wide.items() if name.endswith(n)), None)
        raw["state"]["shapes"][name] = found or [widths.get(n, n) for n in shape]
    for i, kernel in enumerate(kernels, 1):
        raw["state"]["shapes"][f"normal_head.conv{i}.weight"][2] = kernel
    for entry in raw["inputs"].values():
        if len(entry["draw"]) > 1:
            entry["draw"][-1] = 6


@pytest.mark.parametrize(
    ("t", "kernels"), [(1, (3, 1, 5)), (2, (3, 1, 5)), (5, (3, 1, 5)), (1, (1, 1, 1)), (1200, (1, 1, 1))]
)
def test_scores_videos_of_any_length(t: int, kernels: tuple[int, ...], tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw, kernels=kernels)
        raw["inputs"] = {"rgb": raw["inputs"]["rgb"]}
        v.length(raw, t, 2)

    check(eval_record(v.edited("bn-wvad-eval", edit, tmp_path)))


def test_crops_on_an_axis_of_their_own_are_averaged_before_the_product(tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        raw["inputs"] = {"rgb": {"draw": [2, 3, 11, 6]}}

    case = eval_record(v.edited("bn-wvad-eval", edit, tmp_path))
    assert case.outputs["scores"].value.shape == (2, 11)
    check(case)


@pytest.mark.parametrize(("normal", "abnormal", "t"), [(1, 1, 2), (1, 1, 5), (3, 3, 1), (2, 2, 33), (4, 4, 7)])
@pytest.mark.parametrize("kernels", [(1, 1, 1), (3, 5, 3)])
def test_trains_on_batches_of_any_size(normal: int, abnormal: int, t: int, kernels: Any, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw, kernels=kernels, ratios=(4, 2))
        raw["inputs"] = {"normal": {"draw": [normal, t, 6]}, "abnormal": {"draw": [abnormal, t, 6]}}

    check(train_record(v.edited("bn-wvad-train", edit, tmp_path)))
