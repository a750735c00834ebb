"""prompt_tower: what is learned, what is frozen, what is kept from call to call. Its numbers: tests/reference."""

from __future__ import annotations

import copy

import pytest
import torch
from vadkit_prompt_tower import PromptTower

SMALL = PromptTower.example


def tower(**changes):
    torch.manual_seed(0)
    return PromptTower(**{**SMALL, **changes})


def test_only_the_learned_words_are_trained():
    built = tower().train()
    assert [name for name, p in built.named_parameters() if p.requires_grad] == ["prompts"]
    built().square().sum().backward()
    # start, 2 learned, one or two words, 1 learned, end: what follows the end of the longest sentence gets nothing
    touched = built.prompts.grad.abs().sum(1) > 0
    assert touched.tolist() == [False, True, True, False, True, True] + [False] * 6


def test_the_name_decides_and_the_words_around_it_are_shared():
    built = tower(tokens=[[1, 3, 2], [1, 3, 2], [1, 4, 2]]).eval()
    one, same, other = built()
    assert torch.equal(one, same) and not torch.allclose(one, other)


@torch.no_grad()
def test_kept_vectors_follow_the_weights():
    built = tower().eval()
    first = built()
    assert built() is first
    built.prompts.add_(1)
    second = built()
    assert not torch.equal(first, second) and torch.equal(second, built.read())
    built.load_state_dict(tower().state_dict())
    assert torch.equal(built(), first)
    copied = copy.deepcopy(built)
    assert copied._known is None and torch.equal(copied(), first)
    assert built.double()().dtype == torch.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": []}, "a list of at least 3 token ids for each class"),
        ({"tokens": [[1, 2]]}, "a list of at least 3 token ids for each class"),
        ({"tokens": [[1, 9, 2]]}, "tokens are from 0 to 8, not 9"),
        ({"tokens": [[1, *[3] * 8, 2]]}, "a class of 10 tokens does not fit"),
        ({"heads": 3}, "3 heads must divide a width of 8"),
        ({"prefix": -1}, "prefix and postfix must be at least 0"),
    ],
)
def test_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        tower(**changes)
