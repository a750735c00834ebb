"""Any temporal module, fusion, head or loss in the place of another: it works, or a sentence names the port.

A fixed sample of the pairs, and of those that work a smaller one that is trained. All pairs:
``python benchmarks/swap_matrix.py``.
"""

from __future__ import annotations

import zlib
from functools import cache

import adapt
import pytest
import swap_matrix
import torch
from swap_matrix import DEFECT, WORKS, Outcome, Pair

import vadkit
from vadkit.problems import Problem, VadkitError

ONE_OF = 80  # of so many pairs one is compiled
TRAINED = 12


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@cache
def every_pair() -> list[Pair]:
    return swap_matrix.every_pair()


@cache
def sample() -> list[Pair]:
    """Return pairs by their names, so that a new system changes nothing in the choice from the others."""
    return [pair for pair in every_pair() if zlib.crc32(pair.title.encode()) % ONE_OF == 0]


@cache
def outcomes() -> list[Outcome]:
    return [swap_matrix.outcome(pair) for pair in sample()]


def test_each_pair_works_or_is_refused_by_a_port() -> None:
    defects = [f"{o.pair.title}: {o.message}" for o in outcomes() if o.state == DEFECT]
    assert not defects, "\n".join(defects)
    states = {o.state for o in outcomes()}
    assert states == {WORKS, swap_matrix.REFUSED} and len(outcomes()) > len(every_pair()) / ONE_OF / 2


def test_every_system_and_kind_is_in_the_matrix() -> None:
    graphs = swap_matrix.largest_graphs()
    assert {pair.system for pair in every_pair()} == set(graphs)
    kinds = {swap_matrix.found(pair.component).kind for pair in every_pair()}
    assert kinds == set(swap_matrix.KINDS)
    for kind in kinds:
        swapped = {p.component for p in every_pair() if swap_matrix.found(p.component).kind == kind}
        assert swapped == set(swap_matrix.of_kind(kind))


@pytest.mark.parametrize("number", range(TRAINED))
def test_what_works_can_be_trained(number: int) -> None:
    """Two steps of the small graph: the losses are finite, and weights change."""
    working = sorted((o.pair for o in outcomes() if o.state == WORKS), key=lambda p: zlib.crc32(p.title[::-1].encode()))
    pair = working[number]
    sets = swap_matrix.changes(pair, adapt.model(pair.graph).plan)
    model = vadkit.build(adapt.small_network(pair.graph), set=sets, seed=0).train()
    before = {name: x.clone() for name, x in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        total = model.loss(adapt.batch(model, [0, 0, 1, 1], 8))["total"]
        assert total.isfinite()
        total.backward()
        optimizer.step()
    assert any(not torch.equal(x, before[name]) for name, x in model.named_parameters())
    assert all(x.isfinite().all() for x in model.parameters())


def test_a_sentence_without_a_port_is_a_defect() -> None:
    pair = next(iter(every_pair()))
    assert swap_matrix.refusal(pair, VadkitError([Problem("something is wrong")])).state == DEFECT
    named = VadkitError([Problem("score (mlp_head) needs 'x' (b t dim), but nothing is wired to it")])
    assert swap_matrix.refusal(pair, named).port == "x"
    both = VadkitError([*named.problems, Problem("and more")])
    assert swap_matrix.refusal(pair, both).state == DEFECT
    silent = VadkitError([Problem("score (mlp_head) refused its arguments: no")])
    assert swap_matrix.refusal(pair, silent).state == DEFECT
