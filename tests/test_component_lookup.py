"""Components named by ``data``: what is told when there is none of the name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vadkit.components import find_component
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError


def test_an_unknown_name_is_told_with_the_plugins_that_might_have_brought_it() -> None:
    plugins = load_plugins(without=["feature_store"])
    wreck = replace(plugins.plugins[0], name="wreck", package="acme", version="1.0", error="SyntaxError: oh")
    plugins = replace(plugins, plugins=[*plugins.plugins, wreck])
    with pytest.raises(VadkitError) as caught:
        find_component("feature_store", "dataset", plugins)
    told = str(caught.value)
    assert told.startswith("unknown dataset 'feature_store'\n  hint: there are none; a plugin may be missing\n")
    assert "note: plugin feature_store (vadkit " in told and "is excluded by --without; it may provide it" in told
    assert "note: plugin wreck (acme 1.0) could not be loaded (SyntaxError: oh); it may provide it" in told


def test_a_name_of_another_kind_is_told() -> None:
    with pytest.raises(VadkitError, match="'tca' is a temporal, not a dataset"):
        find_component("tca", "dataset")
