"""Recipes: rounds of ordinary runs, each trained on targets that the scores of an earlier one became."""

from __future__ import annotations

from vadkit.rounds.recipe import Labels, Recipe, Round, read_recipe, recipe_source
from vadkit.rounds.run import train_recipe

__all__ = ["Labels", "Recipe", "Round", "read_recipe", "recipe_source", "train_recipe"]
