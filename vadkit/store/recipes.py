"""What users of features must know of their recipes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from vadkit.backbones.recipe import MADE_UP, RANDOM

CUT = ("snippet_frames", "stride", "fps")


def meaningless_warnings(recipes: Mapping[str, Mapping[str, Any]], what: str = "stream") -> list[str]:
    """Return what must be said of features, by stream or input, that are made up or of random weights."""
    random = [name for name, recipe in recipes.items() if recipe and recipe.get("weights") == RANDOM]
    made_up = [name for name, recipe in recipes.items() if recipe and recipe.get(MADE_UP)]
    sentences = []
    if made_up:
        origins = ", ".join(dict.fromkeys(str(recipes[name][MADE_UP]) for name in made_up))
        sentences.append(f"made-up features ({_listed(made_up, what)}: {origins}): figures mean nothing")
    if random:
        sentences.append(
            f"the features of {_listed(random, what)} are of networks with random weights, which have learned "
            "nothing: good for trying things out, and no figure means anything"
        )
    return sentences


def _listed(names: Sequence[str], what: str) -> str:
    return f"{what}{'s' if len(names) > 1 else ''} " + ", ".join(f"'{name}'" for name in names)


def cut_otherwise(trained_on: Mapping[str, Any], scored_on: Mapping[str, Any]) -> str | None:
    """Return what tells snippets of the two sides apart, of the first input of which both state it; None if nothing.

    Snippets of another length or rate are another input, to which scores mean nothing.
    """
    for name, before in trained_on.items():
        now = scored_on.get(name) or {}
        keys = [key for key in CUT if key in (before or {}) and key in now and before[key] != now[key]]
        if keys:
            differences = ", ".join(f"{key} {before[key]} then, {now[key]} now" for key in keys)
            return f"the features of input '{name}' are not cut as those that the model was trained on: {differences}"
    return None


def other_recipes(
    trained_on: Mapping[str, Any], scored_on: Mapping[str, Any], may_differ: Collection[str] = ()
) -> list[str]:
    """Return a sentence per input whose recipe is not the one of training.

    Both map an input's name to what decides its features (backbone, weights, clip length, ...); one
    that is not known on both sides cannot be compared. Keys that ``may_differ`` do not count.
    """
    sentences = []
    for name, before in trained_on.items():
        now = scored_on.get(name)
        if not before or not now:
            continue
        keys = [key for key in {**before, **now} if key not in may_differ and before.get(key) != now.get(key)]
        if not keys:
            continue
        differences = ", ".join(f"{key}: {before.get(key)!r} then, {now.get(key)!r} now" for key in keys[:3])
        sentences.append(
            f"the features of input '{name}' have another recipe than those the model was trained on "
            f"({differences}{', ...' if len(keys) > 3 else ''}): the scores say little"
        )
    return sentences
