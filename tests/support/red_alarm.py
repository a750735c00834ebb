"""A small system on backbones whose features are known: red and loud are an alarm."""

GRAPH = {
    "about": "red and loud are an alarm",
    "inputs": {"rgb": {"use": "mean_colour"}, "audio": {"use": "loudness"}},
    "nodes": {
        "joined": {"use": "concat", "in": ["rgb", "audio"]},
        "score": {"use": "mlp_head", "in": "joined", "args": {"hidden": []}},
    },
    "output": "score",
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "data": {"sampler": {"use": "uniform_pad", "args": {"length": 16}}, "batch": 2, "workers": 0},
    "train": {"epochs": None, "steps": 6, "seed": 3, "optimizer": {"use": "adam", "lr": 0.1}},
    "eval": {"threshold": 0.6, "post": [{"use": "score_smoothing", "args": {"kappa": 2}}]},
}
