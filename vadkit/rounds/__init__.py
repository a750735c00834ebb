"""Recipes: rounds of ordinary runs, each trained on targets that the scores of an earlier one became."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.rounds.recipe import Labels, Recipe, Round, read_recipe, recipe_source
    from vadkit.rounds.run import train_recipe

__all__ = ["Labels", "Recipe", "Round", "read_recipe", "recipe_source", "train_recipe"]

# Training takes the engine, and seconds to import; reading a recipe takes neither.
__getattr__ = lazily(
    "vadkit.rounds",
    {
        "vadkit.rounds.recipe": ("Labels", "Recipe", "Round", "read_recipe", "recipe_source"),
        "vadkit.rounds.run": ("train_recipe",),
    },
)
