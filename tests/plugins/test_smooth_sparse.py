"""smooth_sparse, in the forms of each system, against loops over videos."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_smooth_sparse import SmoothSparse

from vadkit.testing import check_component

FORMS = {
    "sultani": {},
    "rtfm": {"sparse_form": "norm", "across": True, "smooth": 8e-4, "sparse": 8e-3},
    "mgfn": {"sparse_form": "norm", "sparse_of": "normal", "smooth_of": "all", "smooth": 8e-4, "sparse": 8e-3},
    "lstc": {"smooth": 0.0, "sparse": 0.01, "sparse_form": "mean"},
    "umil": {"smooth_of": "all", "sparse_of": "all", "per_video": True, "smooth": 0.01, "sparse": 0.001},
}
BATCHES = [([1, 0, 1], [6, 6, 6]), ([0, 1, 1, 0, 1], [6, 6, 2, 1, 1]), ([0, 0], [6, 3]), ([1], [1])]


def rows(scores, labels, lengths, which):
    keep = {"abnormal": (1,), "normal": (0,), "all": (0, 1)}[which]
    return [row[:n].tolist() for row, label, n in zip(scores, labels, lengths) if label in keep]


def by_hand(scores, labels, lengths, smooth=8e-5, sparse=8e-5, smooth_of="abnormal", sparse_of="abnormal", **form):
    smoothed, counted = rows(scores, labels, lengths, smooth_of), rows(scores, labels, lengths, sparse_of)
    runs = [sum(smoothed, [])] if form.get("across") else smoothed
    first = sum((b - a) ** 2 for run in runs for a, b in zip(run, run[1:]))
    values = sum(counted, [])
    kind = form.get("sparse_form", "sum")
    second = math.sqrt(sum(v * v for v in values)) if kind == "norm" else sum(values)
    if kind == "mean":
        second /= max(len(values), 1)
    if form.get("per_video"):
        first, second = first / max(len(smoothed), 1), second / max(len(counted), 1)
    return smooth * first, sparse * second


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_equals_a_loop(labels, lengths, form):
    if form == "rtfm":
        lengths = [6] * len(labels)  # the authors' batches have no padding
    torch.manual_seed(len(labels))
    scores = torch.rand(len(labels), 6, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    found = SmoothSparse(**FORMS[form])(scores, torch.tensor(labels).float(), mask)
    smooth, sparse = by_hand(scores, labels, lengths, **FORMS[form])
    assert found["smooth"].item() == pytest.approx(smooth, abs=1e-14)
    assert found["sparse"].item() == pytest.approx(sparse, abs=1e-14)
    assert found["total"] == found["smooth"] + found["sparse"]
    found["total"].backward()
    assert scores.grad.isfinite().all() and not scores.grad[~mask].any()


def test_scores_of_crops_are_averaged():
    scores, labels = torch.rand(6, 5), torch.tensor([1.0, 0.0])
    loss = SmoothSparse()
    assert loss(scores, labels, crops=3)["total"] == loss(scores.reshape(2, 3, 5).mean(1), labels)["total"]


@pytest.mark.parametrize("form", FORMS)
def test_contract(form):
    check_component(SmoothSparse, **FORMS[form])
