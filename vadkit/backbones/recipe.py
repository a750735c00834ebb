"""What a backbone's recipe says that others look for. It imports nothing, so that looking is cheap."""

RANDOM = "random"  # the "weights" of a recipe, in place of a SHA-256, for a network without pretrained weights
