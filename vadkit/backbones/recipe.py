"""A value of backbone recipes that other parts check for. This module imports nothing, so that it is cheap."""

RANDOM = "random"  # the "weights" of a recipe, in place of a SHA-256, for a network without pretrained weights
