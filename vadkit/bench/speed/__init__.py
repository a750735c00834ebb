"""How fast everything is: each figure next to the authors' way and to the limit of the device, in the same run."""
