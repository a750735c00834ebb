"""The systems that train on a GPU in these tests."""

from __future__ import annotations

BIG = ["data.sampler.args.length=24", "data.batch=2", "train.steps=12"]
# Changes to the graph, and the widths of its streams; None is the store's own.
SYSTEMS: dict[str, tuple[list[str], dict[str, int] | None]] = {
    "small": ([], None),
    "ur_dmu_xd": (BIG, {"rgb": 1024}),
    "seed_xd_three_stream": ([*BIG, "train.warm_start=null"], {"rgb": 1024, "clip": 512, "flow": 1024, "audio": 128}),
}
