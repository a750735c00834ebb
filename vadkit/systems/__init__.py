"""Published systems: the names of weights in their checkpoints, their import, and the card of each."""
