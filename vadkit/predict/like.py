"""How a trained model wants its videos cut: the backbones and the clock of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit.backbones.recipe import ARITHMETIC, RANDOM
from vadkit.components import find_component
from vadkit.extract.one_pass import recipe
from vadkit.extract.snippets import Clock
from vadkit.extract.streams import Choices
from vadkit.graph.arguments import arguments
from vadkit.graph.load import load_config
from vadkit.graph.model_file import read_header
from vadkit.kinds import Backbone
from vadkit.plugin_manager import Plugins
from vadkit.predict.system import clock_of, stored_recipes
from vadkit.problems import fail
from vadkit.store.recipes import other_recipes

NOT_ARGUMENTS = ("weights", "random_weights", "device")  # a recipe's weights are a digest


@dataclass(frozen=True)
class Like:
    """The streams of a model with their backbones, the clock, and the recipes that the features must have."""

    streams: Choices
    clock: Clock
    recipes: dict[str, dict[str, Any]]

    def check(self, backbones: Mapping[str, Backbone]) -> None:
        """Raise VadkitError if these backbones would extract other features than the model was trained on."""
        now = {name: recipe(self.streams[name][0], backbone, self.clock) for name, backbone in backbones.items()}
        for sentence in other_recipes(self.recipes, now, ARITHMETIC):
            fail(sentence, "give the weight files of the training: --set inputs.NAME.args.weights=FILE")


def like_model(path: Path, changes: Sequence[str], plugins: Plugins) -> Like:
    """Return how the features of a model are extracted; ``changes`` to its graph name weight files that have moved.

    Raises VadkitError for a model that does not state the recipe of an input, as of imported features.
    """
    header = read_header(path)
    spec = load_config(dict(header["spec"]), changes, plugins.config_folders).data
    stored, names = stored_recipes(header), spec["data"].get("streams") or {}
    streams: Choices = {}
    recipes = {}
    for name, given in spec["inputs"].items():
        known = stored.get(name) or {}
        if not known.get("backbone"):
            fail(
                f"{path}: input '{name}' does not state how its features were extracted",
                "they were imported; use --config or --stream with the backbone that they are of",
            )
        args = dict(given.get("args") or {}) if isinstance(given, dict) else {}
        stream = names.get(name, name)
        streams[stream] = known["backbone"], _args(known, args, plugins)
        recipes[stream] = known
    return Like(streams, Clock(**clock_of(stored, None, [])), recipes)


def _args(known: Mapping[str, Any], args: dict[str, Any], plugins: Plugins) -> dict[str, Any]:
    """Return the backbone's arguments: what the recipe states wins over what the graph says."""
    takes = arguments(find_component(known["backbone"], "backbone", plugins))
    args |= {key: value for key, value in known.items() if key in takes and key not in NOT_ARGUMENTS}
    if known.get("weights") == RANDOM and "random_weights" in takes:
        return {**args, "weights": None, "random_weights": True}
    return args
