"""How much a model loses when the media are corrupted, or streams are missing."""
