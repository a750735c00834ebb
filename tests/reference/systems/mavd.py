"""MAVD: scores and training, also with the authors' released weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from systems.table import Run, System

LETTERS = {"v": "rgb", "a": "audio", "f": "flow"}
OTHERS = ("audio", "flow")  # in the order in which they are matched to RGB


def bag(loss: str) -> Any:
    return lambda run: run.calls[f"losses.{loss}.bag_scores"][0][1][0]


def call(stream: str, method: str) -> Any:
    return lambda run: run.calls[f"losses.alignment.{method}"][OTHERS.index(stream)][1]


def sources(stream: str) -> Any:
    """Return 1 + the channel of the stream at each channel of RGB, 0 for none, as a function of the run."""

    def channels(run: Run) -> np.ndarray:
        from vadkit_channel_alignment import assign

        similarity = call(stream, "similarity")(run)
        narrow, wide = similarity.shape
        return np.pad(np.arange(1, narrow + 1), (0, wide - narrow))[assign(similarity)]

    return channels


def head(n: int) -> list[int]:
    return [n, 32]


MAVD = System(
    graph="mavd_xd",
    names="mavd",
    args={
        **{f"{x}_net.0": f"inputs.{stream}" for x, stream in LETTERS.items()},
        **{f"{x}_net.1": ([f"{stream}_score.hidden"], head) for x, stream in LETTERS.items()},
        "a_net.1": (["audio_score.hidden", "audio_aligned_score.hidden"], head),
        "f_net.1": (["flow_score.hidden", "flow_aligned_score.hidden"], head),
        **{f"{x}_net.2": f"{stream}_embedding.dim" for x, stream in LETTERS.items()},
        "vaf_net.0": ("joined_1.dim", lambda n: n // 2),
        "vaf_net.1": ("score.hidden", head),
        "vaf_net.2": "joined_2.dim",
        "lambda.0": "losses.alignment weight",
        "lambda.1": "losses.mil weight",
        "lambda.2": "losses.triplet weight",
        "triplet_margin": ("losses.triplet.margin", float),
    },
    changes=lambda case: {
        "nodes": {
            f"{stream}_context": {"args": {"head_dim": case.config[f"{x}_net"][2] // 2}}
            for x, stream in LETTERS.items()
        },
        "losses": {f"{stream}_aligned_mil": {"weight": 0.01 * case.config["lambda"][0]} for stream in OTHERS},
    },
    inputs={"rgb": "rgb", "audio": "audio", "flow": "flow"},
    sampler=True,
    losses={
        "U_MIL_loss": {"rgb_mil": 1, "audio_mil": 1, "flow_mil": 1},
        "MA_loss": {"alignment": 1, "audio_aligned_mil": 0.01, "flow_aligned_mil": 0.01},
        "M_MIL_loss": "mil",
        "Triplet_loss": "triplet",
        "total": "total",
    },
    outputs={
        "score": "output | mean",
        "output": "output",
        **{f"{x}_satt": f"{stream}_context" for x, stream in LETTERS.items()},
        "a_aligned": "audio_aligned",
        "f_aligned": "flow_aligned",
        "fused": "fused",
        **{
            f"{x}_output": {"eval": f"{stream}_score | sigmoid", "train": bag(f"{stream}_mil")}
            for x, stream in LETTERS.items()
        },
        "vaf_output": bag("mil"),
        **{f"similarity_{stream}": call(stream, "similarity") for stream in OTHERS},
        **{f"padded_{stream}": call(stream, "widen") for stream in OTHERS},
        **{f"column_source_{stream}": sources(stream) for stream in OTHERS},
        "disl_total": lambda run: run.results["total"] - run.results["U_MIL_loss"],
    },
    calls=[
        *(f"losses.{name}.bag_scores" for name in ("rgb_mil", "audio_mil", "flow_mil", "mil")),
        "losses.alignment.similarity",
        "losses.alignment.widen",
    ],
    protocol={"score": "score", "ap": "score, ap"},
)
