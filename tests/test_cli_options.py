"""Options that verbs share: short forms of keys."""

from __future__ import annotations

import argparse

import pytest

from vadkit.cli.options import SHORT, add_set
from vadkit.graph.schema import describe


def parse(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    add_set(parser, "train.epochs=5", short=tuple(SHORT))
    return list(parser.parse_args(words).set)


@pytest.mark.parametrize("key", [key for key, _, _ in SHORT.values()])
def test_a_short_form_is_of_a_key_that_exists(key: str) -> None:
    assert describe("data.args" if key.startswith("data.args.") else key)


def test_short_forms_and_set_are_applied_in_the_order_written() -> None:
    words = ("--lr", "1e-3", "--set", "train.optimizer.lr=1e-4", "--epochs", "7", "--lr=2e-4")
    lr = "train.optimizer.lr"
    assert parse(*words) == [f"{lr}=1e-3", f"{lr}=1e-4", "train.epochs=7", f"{lr}=2e-4"]


def test_a_folder_stays_text() -> None:
    assert parse("--data", "12") == ['data.args.root="12"']
    assert parse("--data", "a: b") == ['data.args.root="a: b"']
