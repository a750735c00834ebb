"""What other parts check for in recipes. This module imports nothing, so that it is cheap."""

RANDOM = "random"  # the "weights" of a recipe, in place of a SHA-256, for a network without pretrained weights
MADE_UP = "made_up"  # the key of a recipe that says what the numbers are a stand-in of
ARITHMETIC = ("precision", "device", "algorithms", "flow_form")  # keys of a recipe that change digits, not meaning
